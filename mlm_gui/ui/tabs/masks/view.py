"""What the masks tab shows: a draw over a text, or a batch of the run, as component values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import gradio as gr

from mlm_gui.core import validation
from mlm_gui.core.assets import ASSETS, STARTER
from mlm_gui.core.corpus.corpus import Corpus, Document
from mlm_gui.services.runs.run import Run
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.chart import figure_json
from mlm_gui.ui.run_text import job_of
from mlm_gui.ui.tabs.masks import values
from mlm_gui.ui.tabs.masks.form import PARTS, PartsView
from mlm_gui.ui.tabs.masks.question import TUTORIAL, MaskingQuestion, given
from mlm_gui.ui.wiring import Slot

if TYPE_CHECKING:
    from mlm_gui.core.masking.explanation import Draw

HINT = (
    "Click a piece to have it chosen for sure, click again to keep it from being chosen, "
    "again to give it back to the draw. Arrow keys move."
)
HINT_BATCH = (
    "This is the trainer's own draw, so nothing in it can be changed. "
    "Arrow keys move from piece to piece."
)
HINT_TAUGHT = (
    "This run goes as the tutorial teaches: its blanks were drawn once and return in every pass, "
    "each row is padded, and the loss counts every label, of words in plain sight and of padding "
    "too. Arrow keys move from piece to piece."
)
ONE_PARAGRAPH = (
    "With a text of many paragraphs, a chart here shows how the chosen share spreads from one to "
    "the next. Choose a text on the Text tab."
)
NOTHING_TO_HIDE = "No paragraph of this text has a piece that this model could hide."
NO_RUN = (
    "There is no run to look at yet. Start one on the Train tab: "
    "the batch of its next step appears here."
)


class MaskingView(NamedTuple):
    """What a draw changes."""

    numbers: Slot
    marks: Slot
    """Before the tokens: once these are drawn, the next click reads the marks."""
    tokens: Slot
    clear: Slot
    parts: PartsView


@dataclass(frozen=True)
class CloserLook:
    """A draw, and what its parts need besides; the text and the code are made when one is open."""

    draw: Draw
    model: str
    corpus: Callable[[], Corpus]
    code: Callable[[], str]


def word_around(draw: Draw, index: int) -> set[int]:
    """The places of all pieces of the word that has the piece `index`.

    With the pieces [CLS], un, ##so, cia, ##ble: 2 -> {1, 2}
    """
    firsts = [place for place, token in enumerate(draw.tokens) if not token.continues]
    starts = [first for first in firsts if first <= index]
    if not starts or index >= len(draw.tokens):
        return set()
    ends = [first for first in firsts if first > index]
    return set(range(starts[-1], ends[0] if ends else len(draw.tokens)))


def draw_of_text(
    studio: Studio, question: MaskingQuestion, force: set[int], forbid: set[int]
) -> Draw:
    """The draw over the text that is asked for. Raises UserError for anything out of range."""
    from mlm_gui.core.masking.explanation import draw_masks
    from mlm_gui.core.tokens import LONGEST_SEQUENCE

    return draw_masks(
        studio.models.tokenizer(studio.usable(question.model, question.visitor)),
        question.text,
        question.policy,
        question.seed_of_pass,
        LONGEST_SEQUENCE,
        force,
        forbid,
        question.rule == TUTORIAL,
    )


def text_view(studio: Studio, question: MaskingQuestion, draw: Draw) -> MaskingView:
    """A draw over a text as component values."""
    model = studio.usable(question.model, question.visitor)
    marked = "".join(
        f"{'+' if token.mark == 'force' else '-'}{place}"
        for place, token in enumerate(draw.tokens)
        if token.mark
    )

    def corpus() -> Corpus:
        typed = Corpus("this text", (Document("this text", (question.text,)),))
        return studio.texts.find(question.text_id) or typed

    def code() -> str:
        from mlm_gui.core.masking.snippet import snippet_of
        from mlm_gui.core.tokens import LONGEST_SEQUENCE

        longest = min(LONGEST_SEQUENCE, studio.models.tokenizer(model).model_max_length)
        return snippet_of(draw, question.text, folder_of(studio, model), longest)

    has_same_button = bool(question.marks) == bool(marked)
    look = CloserLook(draw, model, corpus, code)
    return MaskingView(
        numbers=values.fact_values(draw),
        marks=f"{question.checksum}|{marked}" if marked else "",
        tokens=values.chip_values(draw, question.with_ids, hint=HINT),
        clear=gr.skip() if has_same_button else gr.Button(interactive=bool(marked)),
        parts=open_parts(studio, question.part, look),
    )


def batch_view(studio: Studio, question: MaskingQuestion) -> MaskingView:
    """One paragraph of one batch of the run, exactly as the trainer draws it."""
    run = studio.visible(question.run_id, question.visitor)
    return _no_batch() if run is None else _batch_of(studio, question, run)


def _batch_of(studio: Studio, question: MaskingQuestion, run: Run) -> MaskingView:
    from mlm_gui.core.masking.explanation import draw_of, in_tutorial_mode
    from mlm_gui.core.masking.snippet import run_snippet

    plan, job = studio.masking_preview.plan(run), job_of(run)
    step = validation.whole("The step", given("The step", question.step), 1, plan.total_steps)
    pack, batch = plan.batch_at(step)
    number = min(given("The paragraph", question.sequence), len(pack.lengths))
    tokenizer = studio.models.tokenizer(job.model)
    config = job.config
    draw = draw_of(tokenizer, pack, batch, config.policy, config.seed, sequence=number - 1)
    if config.tutorial_mode:
        draw = in_tutorial_mode(draw, plan.row_length)
    heading = (
        f"{job.name[:40]}: batch {step:,} of {plan.total_steps:,}, {_progress_at(run, step)} · "
        f"paragraph {number} of {len(pack.lengths)} · {int(batch.chosen.sum()):,} of the batch's "
        f"{len(pack.input_ids):,} pieces are chosen"
    )

    def code() -> str:
        base = studio.models.resolve(job.model)
        is_hosted = studio.limits.hosted
        folder, model = ("my-run", STARTER) if is_hosted else (str(run.folder), base)
        return run_snippet(folder, model, step, number, draw.tutorial_mode)

    hint = HINT_TAUGHT if draw.tutorial_mode else HINT_BATCH
    look = CloserLook(draw, job.model, lambda: run.corpus, code)
    return MaskingView(
        numbers=values.fact_values(draw),
        marks=gr.skip(),
        tokens=values.chip_values(draw, question.with_ids, heading, hint, fixed=True),
        clear=gr.skip(),
        parts=open_parts(studio, question.part, look),
    )


def _no_batch() -> MaskingView:
    """There is no run."""
    return MaskingView(
        numbers={"facts": []},
        marks=gr.skip(),
        tokens={"tokens": "[]", "legend": False, "hint": NO_RUN},
        clear=gr.skip(),
        parts=PartsView(*[gr.update(visible=False)] * len(PartsView._fields)),
    )


def _progress_at(run: Run, step: int) -> str:
    """How far the run is, seen from this step."""
    num_steps = run.history().num_steps
    if step == num_steps + 1:
        return "the very next one"
    return "done" if step <= num_steps else "still to come"


def open_parts(studio: Studio, opened: str | None, look: CloserLook) -> PartsView:
    """The part that is open, filled; the others are left as they are and cost nothing."""
    makers = PartsView(
        steps=lambda: values.step_values(look.draw),
        counts=lambda: values.count_values(look.draw),
        spread=lambda: _spread(studio, look),
        budget=lambda: _loss_budget(studio, look),
        code=look.code,
        table=lambda: values.table_values(look.draw),
    )
    fields = PARTS.get(opened or "", ())
    return PartsView(
        **{
            name: gr.update(value=make()) if name in fields else gr.skip()
            for name, make in makers._asdict().items()
        }
    )


def _spread(studio: Studio, look: CloserLook) -> dict[str, Any]:
    """The chart of the chosen share of each paragraph."""
    from mlm_gui.core.masking.counts import chosen_shares

    text, draw = look.corpus(), look.draw
    store, vocabulary = studio.masking_preview.sequences(text, look.model)
    shares, sizes = chosen_shares(store, draw.policy, vocabulary, draw.seed)
    if not len(shares):
        return {"fig": None, "run": None, "empty": NOTHING_TO_HIDE}
    if len(text.paragraphs) == 1:
        return {"fig": None, "run": None, "empty": ONE_PARAGRAPH}
    return {
        "fig": figure_json(values.histogram(shares, sizes, draw.policy)),
        "run": None,
        "empty": "",
        "note": studio.masking_preview.extent(text),
    }


def _loss_budget(studio: Studio, look: CloserLook) -> dict[str, Any]:
    text = look.corpus()
    budget = studio.masking_preview.budget(text, look.model, look.draw.policy.rate)
    return values.budget_values(budget, studio.masking_preview.extent(text))


def folder_of(studio: Studio, model: str) -> str:
    """Where a person finds this model's tokenizer.

    A server that strangers visit names no path of its machine.
    """
    model = studio.models.resolve(model)
    if model == STARTER:
        return "assets/starter" if studio.limits.hosted else str(ASSETS / "starter")
    return "model" if studio.limits.hosted and Path(model).is_absolute() else model
