"""What the masks tab shows for what is asked: a draw over a text, or a batch of the run, as the values of its components."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

import gradio as gr

from mlm_gui.core import validation
from mlm_gui.core.assets import ASSETS, STARTER
from mlm_gui.core.corpus.corpus import Corpus, Document
from mlm_gui.core.masking.policy import MaskPolicy
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.chart import figure_json
from mlm_gui.ui.tabs.masks import values as draw_views
from mlm_gui.ui.tabs.masks.form import MAX_PASSES, TUTORIAL

if TYPE_CHECKING:
    from mlm_gui.core.masking.explanation import Draw

HINT = "Click a piece to have it chosen for sure, click again to keep it from being chosen, again to give it back to the draw. Arrow keys move."
HINT_BATCH = "This is the trainer's own draw, so nothing in it can be changed. Arrow keys move from piece to piece."
HINT_TAUGHT = (
    "This run goes as the tutorial teaches: its blanks were drawn once and return in every pass, each row is padded, and the loss counts every label, "
    "of words in plain sight and of padding too. Arrow keys move from piece to piece."
)
ONE_PARAGRAPH = "With a text of many paragraphs, a chart here shows how the chosen share spreads from one to the next. Choose a text on the Text tab."
NO_RUN = "There is no run to look at yet. Start one on the Train tab: the batch of its next step appears here."


class Asked(NamedTuple):
    """Everything that decides what is shown, as the page sends it: unchecked."""

    visitor: Any
    text_id: Any
    run_id: Any
    source: Any
    """TEXT or BATCH."""
    text: Any
    rule: Any
    rate: Any
    """Per cent, as the next two."""
    mask_share: Any
    random_share: Any
    unit: Any
    seed: Any
    epoch: Any
    """Pass over the text, from 1."""
    drawn: Any
    """ "anew each pass" or "once"."""
    model: Any
    with_ids: Any
    part: Any
    """The one of PARTS that is open, or None."""
    marks: Any
    """ "crc|+3-7": the pieces a person forced and forbade, for the text and model of that checksum."""
    step: Any
    sequence: Any
    follows: Any
    """Whether the step is to be the run's next one, always."""
    upcoming: Any
    """The run's next step when the page was last told."""


class MaskingView(NamedTuple):
    """What a draw changes."""

    numbers: gr.HTML
    marks: gr.Textbox
    """Before the tokens: once these are drawn, the next click reads the marks."""
    tokens: gr.HTML
    clear: gr.Button
    steps: gr.HTML
    counts: gr.HTML
    spread: gr.HTML
    budget: gr.HTML
    code: gr.Code
    table: gr.HTML


def word_around(told: Draw, index: int) -> set[int]:
    """The places of all pieces of the word that has the piece `index`."""
    firsts = [place for place, token in enumerate(told.tokens) if not token.continues] + [
        len(told.tokens)
    ]
    return next(
        (
            set(range(start, end))
            for start, end in zip(firsts, firsts[1:], strict=False)
            if start <= index < end
        ),
        set(),
    )


def drawn_by(studio: Studio, asked: Asked, force: set[int], forbid: set[int]) -> Draw:
    """The draw over the text that is asked for. Raises UserError for anything out of range."""
    from mlm_gui.core.masking.explanation import draw_masks
    from mlm_gui.core.tokens import LONGEST_SEQUENCE

    policy = MaskPolicy(
        validation.fraction("The hidden share", asked.rate, 1, 60) / 100,
        validation.fraction("The [MASK] share", asked.mask_share, 0, 100) / 100,
        validation.fraction("The random share", asked.random_share, 0, 100) / 100,
        asked.unit,
    )
    seed, epoch = (
        validation.whole("The seed", asked.seed, 0, 2**31 - 1 - MAX_PASSES),
        validation.whole("The pass", asked.epoch, 1, MAX_PASSES),
    )
    if asked.drawn != "once":
        seed += epoch - 1
    return draw_masks(
        studio.models.tokenizer(studio.usable(asked.model, asked.visitor)),
        asked.text,
        policy,
        seed,
        LONGEST_SEQUENCE,
        force,
        forbid,
        asked.rule == TUTORIAL,
    )


def places_of(asked: Asked) -> tuple[set[int], set[int]]:
    """The pieces forced and forbidden, by what the browser says; marks of another text or model, and anything odd, count for nothing."""
    checksum, _, listed = (
        asked.marks.partition("|") if isinstance(asked.marks, str) else ("", "", "")
    )
    found = (
        re.findall(r"([+-])(\d{1,3})(?!\d)", listed[:5_000])
        if checksum == checksum_of(asked)
        else []
    )
    return {int(place) for sign, place in found if sign == "+"}, {
        int(place) for sign, place in found if sign == "-"
    }


def checksum_of(asked: Asked) -> str:
    """Eight hexadecimal digits that stand for a text and a model."""
    return f"{crc32(f'{asked.model} {asked.text}'.encode(errors='replace')):08x}"


def text_view(studio: Studio, asked: Asked, told: Draw) -> MaskingView:
    """A draw over a text as component values."""
    marked = "".join(
        f"{'+' if token.mark == 'force' else '-'}{place}"
        for place, token in enumerate(told.tokens)
        if token.mark
    )
    tokenizer = studio.models.tokenizer(studio.usable(asked.model, asked.visitor))

    def corpus() -> Corpus:
        return studio.texts.find(asked.text_id) or Corpus(
            "this text", (Document("this text", (asked.text,)),)
        )

    def code() -> str:
        from mlm_gui.core.masking.snippet import snippet_of
        from mlm_gui.core.tokens import LONGEST_SEQUENCE

        return snippet_of(
            told,
            asked.text,
            folder_of(studio, asked.model),
            min(LONGEST_SEQUENCE, tokenizer.model_max_length),
        )

    return MaskingView(
        draw_views.fact_values(told),
        f"{checksum_of(asked)}|{marked}" if marked else "",
        draw_views.chip_values(told, bool(asked.with_ids), hint=HINT),
        gr.skip() if bool(asked.marks) == bool(marked) else gr.Button(interactive=bool(marked)),
        *closer(studio, asked, told, corpus, asked.model, code),
    )


def batch_view(studio: Studio, asked: Asked) -> MaskingView:
    """One paragraph of one batch of the run, exactly as the trainer draws it."""
    from mlm_gui.core.masking.explanation import draw_of, in_tutorial_mode
    from mlm_gui.core.masking.snippet import run_snippet

    run = studio.visible(asked.run_id, asked.visitor)
    if run is None:
        nothing = {"tokens": "[]", "legend": False, "hint": NO_RUN}
        return MaskingView(
            {"facts": []},
            gr.skip(),
            nothing,
            gr.skip(),
            *[gr.update(visible=False)] * (len(MaskingView._fields) - 4),
        )
    plan, job = studio.masking_preview.plan(run), run.job
    step = validation.whole("The step", asked.step, 1, plan.total_steps)
    pack, batch = plan.batch_at(step)
    number = min(validation.whole("The paragraph", asked.sequence, 1, 10**9), len(pack.lengths))
    told = draw_of(
        studio.models.tokenizer(job.model),
        pack,
        batch,
        job.config.policy,
        job.config.seed,
        sequence=number - 1,
    )
    if job.config.tutorial_mode:
        told = in_tutorial_mode(told, plan.row_length)
    place = (
        "the very next one"
        if step == run.history().num_steps + 1
        else "done"
        if step <= run.history().num_steps
        else "still to come"
    )
    heading = (
        f"{job.name[:40]}: batch {step:,} of {plan.total_steps:,}, {place} · paragraph {number} of {len(pack.lengths)} · "
        f"{int(batch.chosen.sum()):,} of the batch's {len(pack.input_ids):,} pieces are chosen"
    )
    base = studio.models.resolve(job.model)
    folder, model = ("my-run", "starter") if studio.limits.hosted else (str(run.folder), base)
    return MaskingView(
        draw_views.fact_values(told),
        gr.skip(),
        draw_views.chip_values(
            told,
            bool(asked.with_ids),
            heading,
            HINT_TAUGHT if told.tutorial_mode else HINT_BATCH,
            fixed=True,
        ),
        gr.skip(),
        *closer(
            studio,
            asked,
            told,
            lambda: run.corpus,
            job.model,
            lambda: run_snippet(folder, model, step, number, told.tutorial_mode),
        ),
    )


def closer(
    studio: Studio,
    asked: Asked,
    told: Draw,
    corpus: Callable[[], Corpus],
    model: str,
    code: Callable[[], str],
) -> list:
    """The part that is open, filled; the others are left as they are and cost nothing."""

    def spread() -> dict:
        from mlm_gui.core.masking.counts import chosen_shares

        text = corpus()
        store, vocabulary = studio.masking_preview.sequences(text, model)
        shares, sizes = chosen_shares(store, told.policy, vocabulary, told.seed)
        if not len(shares):
            return {
                "fig": None,
                "run": None,
                "empty": "No paragraph of this text has a piece that this model could hide.",
            }
        if len(text.paragraphs) == 1:
            return {"fig": None, "run": None, "empty": ONE_PARAGRAPH}
        figure = draw_views.histogram(shares, sizes, told.policy)
        return {
            "fig": figure_json(figure),
            "run": None,
            "empty": "",
            "note": studio.masking_preview.extent(text),
        }

    def loss_budget() -> dict:
        text = corpus()
        return draw_views.budget_values(
            studio.masking_preview.budget(text, model, told.policy.rate),
            studio.masking_preview.extent(text),
        )

    parts = (
        ("Step by step", lambda: draw_views.step_values(told)),
        ("Counts", lambda: draw_views.count_values(told)),
        ("Counts", spread),
        ("Loss budget", loss_budget),
        ("Code", code),
        ("Table", lambda: draw_views.table_values(told)),
    )
    return [gr.update(value=value()) if name == asked.part else gr.skip() for name, value in parts]


def folder_of(studio: Studio, model: str) -> str:
    """Where a person finds this model's tokenizer; on a server that strangers visit no path of the machine is told."""
    model = studio.models.resolve(model)
    if model == STARTER:
        return "assets/starter" if studio.limits.hosted else str(ASSETS / "starter")
    return "model" if studio.limits.hosted and Path(model).is_absolute() else model
