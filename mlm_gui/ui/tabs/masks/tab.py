"""Tab 2, Masks: the 15 % rule at work on any text, or on the next batch of a run.

All of it is drawn by the trainer's own function.
"""

from __future__ import annotations

from typing import NamedTuple

import gradio as gr

from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.display import facts
from mlm_gui.ui.components.interactive import chips
from mlm_gui.ui.form import Form
from mlm_gui.ui.session import Session
from mlm_gui.ui.tabs.masks import batches, draws
from mlm_gui.ui.tabs.masks.form import (
    BatchWidgets,
    DrawWidgets,
    TextWidgets,
    batch_form,
    closer_look,
    draw_form,
    text_form,
)
from mlm_gui.ui.tabs.masks.question import BATCH, TEXT, MaskingQuestion
from mlm_gui.ui.tabs.masks.view import MaskingView
from mlm_gui.ui.wiring import on

DRAWING = "drawing"
"""The concurrency id of all draws: answers come in the order of the questions, so that no earlier
draw covers a later one."""
FOLLOWING_SECONDS = 2.0
"""Between two looks at the run whose next batch is shown."""
STAY = "() => false"
"""A step that is chosen by hand ends the following, in the browser and at once: the next look at
the run must not take the step back."""
LEAD = (
    "Before each step the model loses sight of about 15 % of the word pieces and must guess them "
    "back. Marks like [CLS] and [SEP] are never hidden."
)


class MaskingTab(NamedTuple):
    """The parts other tabs and the page need."""

    view: MaskingView
    text: gr.Textbox
    paragraph: gr.Number
    question: Form[MaskingQuestion]
    model: gr.Dropdown


class LabWidgets(NamedTuple):
    """All widgets of the tab besides its view."""

    again: gr.Button
    with_ids: gr.Checkbox
    typed: gr.Column
    text: TextWidgets
    source: gr.Radio
    of_text: gr.Column
    draw: DrawWidgets
    of_batch: gr.Column
    batch: BatchWidgets
    closer: gr.Column
    part: gr.Radio
    upcoming: gr.Number
    clock: gr.Timer


def build(studio: Studio, session: Session, page: gr.Tab) -> MaskingTab:
    """Lays the tab out and wires it."""
    gr.Markdown(LEAD, elem_classes="lead")
    view, widgets = _lay_out(studio)
    batch = widgets.batch
    draw = widgets.draw._asdict()
    question = Form(
        MaskingQuestion,
        **session._asdict(),
        **draw,
        source=widgets.source,
        text=widgets.text.text,
        with_ids=widgets.with_ids,
        part=widgets.part,
        marks=view.marks,
        step=batch.step,
        sequence=batch.sequence,
        follows=batch.follows,
        upcoming=widgets.upcoming,
    )
    tab = MaskingTab(view, widgets.text.text, widgets.text.paragraph, question, widgets.draw.model)
    _wire_draws(studio, tab, widgets)
    _wire_choices(studio, session, tab, widgets)
    _wire_following(studio, tab, widgets, page)
    _wire_paragraphs(studio, session, widgets)
    return tab


def _lay_out(studio: Studio) -> tuple[MaskingView, LabWidgets]:
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
            text = text_form()
        with gr.Column(elem_classes="card controls"):
            gr.Markdown("### The draw")
            source = gr.Radio([TEXT, BATCH], value=TEXT, label="look at", elem_id="mask-source")
            with gr.Column() as of_text:
                draw = draw_form(studio)
            with gr.Column(visible=False) as of_batch:
                batch = batch_form()
        with gr.Column(elem_classes="card closer") as closer:
            part, parts = closer_look()
    marks = gr.Textbox("", visible=False)
    view = MaskingView(numbers=numbers, marks=marks, tokens=tokens, clear=clear, parts=parts)
    widgets = LabWidgets(
        again=again,
        with_ids=with_ids,
        typed=typed,
        text=text,
        source=source,
        of_text=of_text,
        draw=draw,
        of_batch=of_batch,
        batch=batch,
        closer=closer,
        part=part,
        upcoming=gr.Number(1, precision=0, visible=False),
        clock=gr.Timer(FOLLOWING_SECONDS, active=False),
    )
    return view, widgets


def _wire_draws(studio: Studio, tab: MaskingTab, widgets: LabWidgets) -> None:
    """Everything that leads straight to a draw; of faster clicks than draws the last one counts."""
    draw, batch = widgets.draw, widgets.batch
    settings = (
        draw.rate,
        draw.mask_share,
        draw.random_share,
        draw.unit,
        draw.seed,
        draw.epoch,
        draw.drawn,
        widgets.with_ids,
        batch.step,
        batch.sequence,
    )
    drawing = [widget.input for widget in settings]
    drawing += [widgets.text.text.change, draw.model.change]
    last = {"trigger_mode": "always_last", "concurrency_id": DRAWING}
    for event in drawing:
        on(event, draws.draw, studio, tab.question, tab.view, **last)
    on(widgets.part.input, draws.open_part, studio, tab.question, tab.view, **last)
    # each click counts: a later one would otherwise carry the first one's clicks
    every = {"trigger_mode": "multiple", "concurrency_id": DRAWING}
    on(tab.view.tokens.pick, draws.pick, studio, tab.question, tab.view, **every)
    again = [draw.seed, tab.view]
    on(widgets.again.click, draws.reseed, studio, tab.question, again, concurrency_id=DRAWING)


def _wire_choices(studio: Studio, session: Session, tab: MaskingTab, widgets: LabWidgets) -> None:
    """Choices that change other widgets first, and then draw."""
    draw, batch = widgets.draw, widgets.batch
    rule = draws.RuleView(
        rate=draw.rate,
        mask_share=draw.mask_share,
        random_share=draw.random_share,
        unit=draw.unit,
        drawn=draw.drawn,
    )
    source = _source_view(tab.view, widgets)
    chosen = [session.visitor, session.run_id, widgets.source]
    shown = [session.visitor, session.run_id, batch.step, batch.sequence]
    earlier = batches.EarlierView(batch.sequence, batch.follows)
    later = batches.LaterView(batch.step, batch.sequence, batch.follows)
    changed = (
        on(tab.view.clear.click, draws.no_marks, studio, None, tab.view.marks),
        on(draw.rule.input, draws.apply_rule, studio, draw.rule, rule),
        on(widgets.source.input, batches.look_at, studio, chosen, source),
        on(session.run_id.change, batches.look_at, studio, chosen, source),
        on(batch.earlier.click, batches.earlier_sequence, studio, batch.sequence, earlier),
        on(batch.later.click, batches.later_sequence, studio, shown, later),
    )
    for event in changed:
        on(event.success, draws.draw, studio, tab.question, tab.view, concurrency_id=DRAWING)


def _source_view(view: MaskingView, widgets: LabWidgets) -> batches.SourceView:
    return batches.SourceView(
        of_text=widgets.of_text,
        of_batch=widgets.of_batch,
        typed=widgets.typed,
        again=widgets.again,
        clear=view.clear,
        closer=widgets.closer,
        with_ids=widgets.with_ids,
        part=widgets.part,
        clock=widgets.clock,
        step=widgets.batch.step,
        sequence=widgets.batch.sequence,
        follows=widgets.batch.follows,
        upcoming=widgets.upcoming,
    )


def _wire_following(studio: Studio, tab: MaskingTab, widgets: LabWidgets, page: gr.Tab) -> None:
    """The batch moves on with its run, until a step is chosen by hand."""
    batch = widgets.batch
    batch.step.input(
        None,
        None,
        batch.follows,
        js=STAY,
        show_progress="hidden",
        show_progress_on=[],
        api_visibility="private",
    )
    followed = batches.Followed(
        clock=widgets.clock,
        upcoming=widgets.upcoming,
        step=batch.step,
        sequence=batch.sequence,
        view=tab.view,
    )
    for event in (widgets.clock.tick, batch.follows.input, page.select):
        on(event, batches.follow, studio, tab.question, followed, concurrency_id=DRAWING)


def _wire_paragraphs(studio: Studio, session: Session, widgets: LabWidgets) -> None:
    paragraph, text = widgets.text.paragraph, widgets.text.text
    chosen = [session.text_id, paragraph]
    on(
        paragraph.input,
        batches.paragraph_text,
        studio,
        chosen,
        text,
        trigger_mode="always_last",
    )
    shown = batches.ParagraphView(number=paragraph, text=text)
    on(widgets.text.following.click, batches.next_paragraph, studio, chosen, shown)
