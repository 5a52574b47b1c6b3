"""Tab 2, Masks: the 15 % rule at work on any text, or on the next batch of a run, drawn by the trainer's own function."""

import secrets
from typing import NamedTuple

import gradio as gr

from mlm_gui.core import validation
from mlm_gui.services.runs.run import Run
from mlm_gui.services.studio import Studio
from mlm_gui.ui.component_events import answer_to, clicked
from mlm_gui.ui.components.display import facts
from mlm_gui.ui.components.interactive import chips
from mlm_gui.ui.run_view import RESTING_STATES
from mlm_gui.ui.session import Session
from mlm_gui.ui.tabs.masks.form import (
    BATCH,
    RULES,
    TEXT,
    batch_form,
    closer_look,
    draw_form,
    text_form,
)
from mlm_gui.ui.tabs.masks.view import (
    Asked,
    MaskingView,
    batch_view,
    drawn_by,
    places_of,
    text_view,
    word_around,
)
from mlm_gui.ui.wiring import on

DRAWING = "drawing"
"""The concurrency id of everything that draws: answers come in the order of the questions, so that no earlier draw covers a later one."""
FOLLOWING_SECONDS = 2.0
"""Between two looks at the run whose next batch is shown."""
STAY = "() => false"
"""A step that is chosen by hand ends the following, in the browser and at once: the next look at the run must not take the step back."""


class MaskingTab(NamedTuple):
    """The parts other tabs and the page need."""

    view: MaskingView
    text: gr.Textbox
    paragraph: gr.Number
    controls: list[gr.components.Component]
    model: gr.Dropdown


def build(studio: Studio, session: Session, page: gr.Tab) -> MaskingTab:
    """Lays the tab out and wires it."""
    gr.Markdown(
        "Before each step the model loses sight of about 15 % of the word pieces and must guess them back. Marks like [CLS] and [SEP] are never hidden.",
        elem_classes="lead",
    )
    numbers = facts("Counts of this draw", value={"facts": []}, elem_id="mask-facts")
    with gr.Row(elem_classes="lab"):
        with gr.Column(elem_classes="card"):
            tokens = chips(
                "Word pieces and what became of them",
                value={"tokens": "[]", "legend": True},
                elem_id="mask-tokens",
            )
            with gr.Row(elem_classes="actions"):
                again = gr.Button("Draw again", variant="primary", elem_id="mask-again")
                clear = gr.Button("Clear my choices", interactive=False, elem_id="mask-clear")
                with_ids = gr.Checkbox(
                    False, label="ids and labels under each piece", elem_id="mask-ids"
                )
        with gr.Column(elem_classes="card") as typed:
            text, paragraph, following = text_form()
        with gr.Column(elem_classes="card controls"):
            gr.Markdown("### The draw")
            source = gr.Radio([TEXT, BATCH], value=TEXT, label="look at", elem_id="mask-source")
            with gr.Column() as of_text:
                draw_controls = draw_form(studio)
            with gr.Column(visible=False) as of_batch:
                step, sequence, follows, earlier, later = batch_form()
        with gr.Column(elem_classes="card closer") as closer:
            part, parts = closer_look()
    marks, upcoming = gr.Textbox("", visible=False), gr.Number(1, precision=0, visible=False)
    clock = gr.Timer(FOLLOWING_SECONDS, active=False)

    view = MaskingView(numbers, marks, tokens, clear, *parts)
    asked = Asked(
        *session,
        source,
        text,
        *draw_controls,
        with_ids,
        part,
        marks,
        step,
        sequence,
        follows,
        upcoming,
    )
    tab = MaskingTab(view, text, paragraph, list(asked), asked.model)
    _wire_draws(studio, tab, asked)
    shown = [
        of_text,
        of_batch,
        typed,
        again,
        clear,
        closer,
        with_ids,
        part,
        clock,
        step,
        sequence,
        follows,
        upcoming,
    ]
    given = [session.visitor, session.run_id, source]
    for event, handler, inputs, changed in (
        (clear.click, no_marks, None, marks),
        (
            asked.rule.input,
            apply_rule,
            asked.rule,
            [asked.rate, asked.mask_share, asked.random_share, asked.unit, asked.drawn],
        ),
        (source.input, look_at, given, shown),
        (session.run_id.change, look_at, given, shown),
        (earlier.click, earlier_sequence, sequence, [sequence, follows]),
        (
            later.click,
            later_sequence,
            [session.visitor, session.run_id, step, sequence],
            [step, sequence, follows],
        ),
    ):
        on(
            on(event, handler, studio, inputs, changed).success,
            draw,
            studio,
            tab.controls,
            view,
            concurrency_id=DRAWING,
        )
    step.input(
        None,
        None,
        follows,
        js=STAY,
        show_progress="hidden",
        show_progress_on=[],
        api_visibility="private",
    )
    followed = [clock, upcoming, step, sequence, *view]
    for event in (clock.tick, follows.input, page.select):
        on(event, follow, studio, tab.controls, followed, concurrency_id=DRAWING)
    on(again.click, reseed, studio, tab.controls, [asked.seed, *view], concurrency_id=DRAWING)
    on(
        paragraph.input,
        paragraph_text,
        studio,
        [session.text_id, paragraph],
        text,
        trigger_mode="always_last",
    )
    on(following.click, next_paragraph, studio, [session.text_id, paragraph], [paragraph, text])
    return tab


def _wire_draws(studio: Studio, tab: MaskingTab, asked: Asked) -> None:
    """Everything that leads straight to a draw; of clicks that come faster than draws the last one counts."""
    settings = (
        asked.rate,
        asked.mask_share,
        asked.random_share,
        asked.unit,
        asked.seed,
        asked.epoch,
        asked.drawn,
        asked.with_ids,
        asked.step,
        asked.sequence,
    )
    drawing = [*(widget.input for widget in settings), asked.text.change, asked.model.change]
    for event, handler in (*((event, draw) for event in drawing), (asked.part.input, open_part)):
        on(
            event,
            handler,
            studio,
            tab.controls,
            tab.view,
            trigger_mode="always_last",
            concurrency_id=DRAWING,
        )
    # a later one would carry the first one's clicks
    on(
        tab.view.tokens.pick,
        pick,
        studio,
        tab.controls,
        tab.view,
        trigger_mode="multiple",
        concurrency_id=DRAWING,
    )


def follow(studio: Studio, *values) -> tuple:
    """What became of the run meanwhile: its next step, when it is followed, or the same batch where that is done by now; and whether to ask again."""
    asked = Asked(*values)
    run = studio.visible(asked.run_id, asked.visitor) if asked.source == BATCH else None
    if run is None or run.job is None:
        return gr.Timer(active=False), *(gr.skip(),) * (3 + len(MaskingView._fields))
    clock, upcoming = gr.Timer(active=run.state not in RESTING_STATES), run.history().num_steps + 1
    before = validation.whole("The step", asked.upcoming, 1, 10**9)
    step = (
        next_step(studio, run)
        if asked.follows is True
        else validation.whole("The step", asked.step, 1, 10**9)
    )
    is_told_right = before == upcoming or not min(before, upcoming) <= step <= max(before, upcoming)
    if step == asked.step and is_told_right:
        return clock, upcoming, *(gr.skip(),) * (2 + len(MaskingView._fields))
    sequence = 1 if step != asked.step else asked.sequence
    return (
        clock,
        upcoming,
        step,
        sequence,
        *draw(studio, *asked._replace(step=step, sequence=sequence)),
    )


def no_marks(studio: Studio) -> str:
    """Every piece back to the draw."""
    return ""


def apply_rule(studio: Studio, rule: str) -> tuple:
    """The settings of a rule."""
    return RULES[rule] if isinstance(rule, str) and rule in RULES else RULES["Recommended"]


def look_at(studio: Studio, visitor: str, run_id: str, source: str) -> tuple:
    """Shows the controls of a text, or those of a batch with the very next step of the run filled in; without a run there is nothing to choose."""
    batch, run = source == BATCH, studio.visible(run_id, visitor)
    step = next_step(studio, run) if batch and run else 1
    of_text, of_run, of_any = (
        gr.update(visible=shown)
        for shown in (not batch, batch and run is not None, not batch or run is not None)
    )
    part, upcoming = (
        gr.skip() if not batch or run else gr.Radio(value=None),
        run.history().num_steps + 1 if run else 1,
    )
    clock = gr.Timer(active=bool(batch and run and run.state not in RESTING_STATES))
    return (
        of_text,
        of_run,
        of_text,
        of_text,
        of_text,
        of_any,
        of_any,
        part,
        clock,
        step,
        1,
        True,
        upcoming,
    )


def next_step(studio: Studio, run: Run) -> int:
    """The step that the trainer takes next; the last one when the run has taken all."""
    return min(run.history().num_steps + 1, studio.masking_preview.plan(run).total_steps)


def earlier_sequence(studio: Studio, sequence: float) -> tuple[int, bool]:
    """The paragraph before; the first one stays. Whoever turns pages no longer follows the run."""
    return max(1, validation.whole("The paragraph", sequence, 1, 10**9) - 1), False


def later_sequence(
    studio: Studio, visitor: str, run_id: str, step: float, sequence: float
) -> tuple:
    """The next paragraph of the batch; after the last comes the next batch's first, and after the last batch nothing."""
    run = studio.visible(run_id, visitor)
    if run is None:
        return gr.skip(), gr.skip(), gr.skip()
    plan = studio.masking_preview.plan(run)
    pack, _ = plan.batch_at(validation.whole("The step", step, 1, plan.total_steps))
    if validation.whole("The paragraph", sequence, 1, 10**9) < len(pack.lengths):
        return gr.skip(), int(sequence) + 1, False
    return (int(step) + 1, 1, False) if step < plan.total_steps else (gr.skip(), gr.skip(), False)


def paragraph_text(studio: Studio, text_id: str, number: float) -> object:
    """The chosen paragraph of the text in use; nothing changes when there is none."""
    corpus = studio.texts.find(text_id)
    if corpus is None:
        return gr.skip()
    return corpus.paragraphs[
        validation.whole("The paragraph", number, 1, len(corpus.paragraphs)) - 1
    ][:20_000]


def next_paragraph(studio: Studio, text_id: str, number: float) -> tuple[int, object]:
    """The number after this one, and its text; after the last comes the first."""
    count = len(studio.texts.get(text_id).paragraphs)
    following = validation.whole("The paragraph", number, 0, 10**9) % count + 1
    return following, paragraph_text(studio, text_id, following)


def draw(studio: Studio, *values) -> MaskingView:
    """One draw over the text, or the batch of the run, as chips and counts and whatever part is open."""
    asked = Asked(*values)
    if asked.source == BATCH:
        return batch_view(studio, asked)
    return text_view(studio, asked, drawn_by(studio, asked, *places_of(asked)))


def reseed(studio: Studio, *values) -> tuple:
    """A new seed, and its draw."""
    seed = secrets.randbelow(10_000)
    return seed, *draw(studio, *Asked(*values)._replace(seed=seed))


def open_part(studio: Studio, *values) -> MaskingView:
    """Opens one part and closes the others."""
    view = draw(studio, *values)
    first = MaskingView._fields.index("steps")
    return MaskingView(
        *view[:first], *({**part, "visible": "value" in part} for part in view[first:])
    )


def pick(studio: Studio, event: gr.EventData, *values) -> MaskingView:
    """Pieces were clicked: left to the draw -> forced -> forbidden -> left to the draw; with whole words all pieces of a word go together."""
    asked = Asked(*values)
    if asked.source == BATCH:  # nothing in it can be changed
        view = draw(studio, *values)
        return view._replace(tokens=answer_to(event, view.tokens))
    force, forbid = places_of(asked)
    told = drawn_by(studio, asked, force, forbid)
    for index in clicked(event):
        here = {index} if asked.unit == "token" else word_around(told, index)
        forced, forbidden = index in force, index in forbid
        force, forbid = force - here, forbid - here
        if forced:
            forbid |= here
        elif not forbidden:
            force |= here
    view = text_view(studio, asked, drawn_by(studio, asked, force, forbid))
    return view._replace(tokens=answer_to(event, view.tokens))
