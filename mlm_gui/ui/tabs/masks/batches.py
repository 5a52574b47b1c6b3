"""The handlers that choose what is drawn over: a paragraph of the text, or a batch of the run."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, NamedTuple

import gradio as gr

from mlm_gui.core import validation
from mlm_gui.services.runs.run import Run
from mlm_gui.services.studio import Studio
from mlm_gui.ui.door import Between, RunId, TextId, VisitorId
from mlm_gui.ui.run_view import RESTING_STATES
from mlm_gui.ui.tabs.masks.draws import draw
from mlm_gui.ui.tabs.masks.question import BATCH, MAX_NUMBER, MaskingQuestion, given
from mlm_gui.ui.tabs.masks.view import MaskingView
from mlm_gui.ui.wiring import Slot

PARAGRAPH_CHARACTERS = 20_000
"""Of a paragraph that is put into the box."""
Step = Annotated[int, Between("The step", 1, MAX_NUMBER)]
Paragraph = Annotated[int, Between("The paragraph", 1, MAX_NUMBER)]


class Followed(NamedTuple):
    """What a look at the run changes."""

    clock: Slot
    upcoming: Slot
    step: Slot
    sequence: Slot
    view: MaskingView | Slot


class SourceView(NamedTuple):
    """What the choice between a text and a batch changes."""

    of_text: Slot
    of_batch: Slot
    typed: Slot
    again: Slot
    clear: Slot
    closer: Slot
    with_ids: Slot
    part: Slot
    clock: Slot
    step: Slot
    sequence: Slot
    follows: Slot
    upcoming: Slot


class EarlierView(NamedTuple):
    """What turning back changes; whoever turns pages no longer follows the run."""

    sequence: Slot
    follows: Slot


class LaterView(NamedTuple):
    """What turning on changes."""

    step: Slot
    sequence: Slot
    follows: Slot


class ParagraphView(NamedTuple):
    """A paragraph of the text in use."""

    number: Slot
    text: Slot


def follow(studio: Studio, question: MaskingQuestion) -> Followed:
    """What became of the run meanwhile, and whether to ask again.

    The run's next step is shown when it is followed; the same batch is drawn anew when it was
    taken meanwhile.
    """
    is_batch = question.source == BATCH
    run = studio.visible(question.run_id, question.visitor) if is_batch else None
    if run is None or run.job is None:
        same = gr.skip()
        return Followed(gr.Timer(active=False), same, same, same, same)
    upcoming = run.history().num_steps + 1
    step = next_step(studio, run) if question.follows else given("The step", question.step)
    nothing_new = Followed(
        clock=gr.Timer(active=run.state not in RESTING_STATES),
        upcoming=upcoming,
        step=gr.skip(),
        sequence=gr.skip(),
        view=gr.skip(),
    )
    if step == question.step and not _was_taken(step, question.upcoming, upcoming):
        return nothing_new
    sequence = question.sequence if step == question.step else 1
    view = draw(studio, replace(question, step=step, sequence=sequence))
    return nothing_new._replace(step=step, sequence=sequence, view=view)


def _was_taken(step: int, before: int, upcoming: int) -> bool:
    """True when the words about this step changed as the next step went from `before` on."""
    if before == upcoming:
        return False
    return min(before, upcoming) <= step <= max(before, upcoming)


def look_at(studio: Studio, visitor: VisitorId, run_id: RunId, source: str) -> SourceView:
    """Shows the controls of a text, or those of a batch with the run's very next step filled in.

    Without a run there is nothing to choose.
    """
    is_batch, run = source == BATCH, studio.visible(run_id, visitor)
    has_batch = is_batch and run is not None
    is_live = run is not None and run.state not in RESTING_STATES
    of_text = gr.update(visible=not is_batch)
    of_any = gr.update(visible=not is_batch or has_batch)
    return SourceView(
        of_text=of_text,
        of_batch=gr.update(visible=has_batch),
        typed=of_text,
        again=of_text,
        clear=of_text,
        closer=of_any,
        with_ids=of_any,
        part=gr.Radio(value=None) if is_batch and run is None else gr.skip(),
        clock=gr.Timer(active=has_batch and is_live),
        step=next_step(studio, run) if is_batch and run else 1,
        sequence=1,
        follows=True,
        upcoming=run.history().num_steps + 1 if run else 1,
    )


def next_step(studio: Studio, run: Run) -> int:
    """The step that the trainer takes next; the last one when the run has taken all."""
    return min(run.history().num_steps + 1, studio.masking_preview.plan(run).total_steps)


def earlier_sequence(studio: Studio, sequence: Paragraph) -> EarlierView:
    """The paragraph before; the first one stays."""
    return EarlierView(sequence=max(1, sequence - 1), follows=False)


def later_sequence(
    studio: Studio, visitor: VisitorId, run_id: RunId, step: Step, sequence: Paragraph
) -> LaterView:
    """The next paragraph of the batch.

    After the last comes the next batch's first, and after the last batch nothing.
    """
    run = studio.visible(run_id, visitor)
    same = LaterView(gr.skip(), gr.skip(), gr.skip())
    if run is None:
        return same
    plan = studio.masking_preview.plan(run)
    pack, _ = plan.batch_at(validation.whole("The step", step, 1, plan.total_steps))
    if sequence < len(pack.lengths):
        return LaterView(step=gr.skip(), sequence=sequence + 1, follows=False)
    if step < plan.total_steps:
        return LaterView(step=step + 1, sequence=1, follows=False)
    return same._replace(follows=False)


def paragraph_text(studio: Studio, text_id: TextId, number: Paragraph) -> object:
    """The chosen paragraph of the text in use; nothing changes when there is none."""
    corpus = studio.texts.find(text_id)
    if corpus is None:
        return gr.skip()
    place = validation.whole("The paragraph", number, 1, len(corpus.paragraphs))
    return corpus.paragraphs[place - 1][:PARAGRAPH_CHARACTERS]


def first_paragraph(studio: Studio, text_id: TextId) -> ParagraphView:
    """The first paragraph of a new text."""
    return ParagraphView(number=1, text=paragraph_text(studio, text_id, 1))


def next_paragraph(
    studio: Studio,
    text_id: TextId,
    number: Annotated[int, Between("The paragraph", 0, MAX_NUMBER)],
) -> ParagraphView:
    """The number after this one, and its text; after the last comes the first."""
    count = len(studio.texts.get(text_id).paragraphs)
    following = number % count + 1
    return ParagraphView(number=following, text=paragraph_text(studio, text_id, following))
