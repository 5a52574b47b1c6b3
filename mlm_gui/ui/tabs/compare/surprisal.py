"""The surprisal map of the Compare tab: both models read a text, each word hidden in turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import gradio as gr

from mlm_gui.core import validation
from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.corpus.near_duplicates import num_seen
from mlm_gui.errors import UserError
from mlm_gui.services.runs.evaluation import learned_by
from mlm_gui.services.storage.spreadsheet import as_csv, written
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.display import cautions
from mlm_gui.ui.components.events import ReadingEnded, WordPicked
from mlm_gui.ui.components.interactive import guess_bars, surprisal_map
from mlm_gui.ui.door import JobId, OneOf, TextId, VisitorId
from mlm_gui.ui.form import Form
from mlm_gui.ui.model_choice import run_of
from mlm_gui.ui.session import Session
from mlm_gui.ui.tabs.compare.answer import guess_values, no_bars
from mlm_gui.ui.tabs.compare.model_lists import ModelLists
from mlm_gui.ui.tabs.compare.models import pair
from mlm_gui.ui.tabs.compare.surprisal_values import poller, question_at, rows_of, still
from mlm_gui.ui.wiring import INFERENCE, Slot, on

VIEWS = {"what changed": "change", "base": "base", "tuned": "tuned"}
"""What can be shown -> the script's word for it."""
LEAD = (
    "Each word is hidden in turn, the last one too, and both models say how likely it was. "
    "The figure is its surprise, −ln p in nats: 0 was certain, 2.3 one in ten, 6.9 one in a "
    "thousand. A word of several pieces is guessed piece by piece, from left to right."
)
PICK_A_WORD = "Click a word above to see the guesses there."
View = Annotated[str, OneOf("What is shown", tuple(VIEWS))]


@dataclass(frozen=True)
class ReadingChoice:
    """What is to be read, and by which models; one field for each widget."""

    visitor: VisitorId
    base: str | None
    tuned: str | None
    text_id: TextId
    text: str | None
    view: View


@dataclass(frozen=True)
class MapValue:
    """The value of the surprisal map, as far as it is read."""

    reading: JobId = JobId("")
    visitor: VisitorId = VisitorId("")


class StartedView(NamedTuple):
    """What the start of a job changes."""

    words: Slot
    warned: Slot
    read: Slot
    cancel: Slot
    download: Slot


class EndedView(NamedTuple):
    """What the end of a job changes."""

    read: Slot
    cancel: Slot
    download: Slot


class Sides(NamedTuple):
    """The guesses of both models in place of a word."""

    base: Slot
    tuned: Slot


def build(studio: Studio, session: Session, models: ModelLists) -> None:
    """Lays the section out and wires it."""
    with gr.Accordion(
        "Surprise, word by word", open=False, elem_id="compare-surprise", elem_classes="card"
    ):
        gr.Markdown(LEAD, elem_classes="quiet")
        text = gr.Textbox(
            label="text to read",
            info="Empty: the text of the first tab.",
            lines=3,
            max_lines=8,
            elem_id="surprise-text",
        )
        with gr.Row(elem_classes="actions"):
            buttons = _buttons()
        view = gr.Radio(list(VIEWS), value="what changed", label="show", elem_id="surprise-view")
        warned = cautions("Keep in mind", elem_id="surprise-cautions")
        words = surprisal_map(
            "Words and their surprise", poller(studio), value=still(), elem_id="surprise-words"
        )
        with gr.Row(elem_classes="two"):
            sides = Sides(base=_bars("base"), tuned=_bars("tuned"))

    choice = Form(
        ReadingChoice,
        visitor=session.visitor,
        base=models.base,
        tuned=models.tuned,
        text_id=session.text_id,
        text=text,
        view=view,
    )
    started = StartedView(words=words, warned=warned, **buttons._asdict())
    on(buttons.read.click, start, studio, choice, started)
    on(buttons.cancel.click, stop, studio, [session.visitor, words], buttons.cancel)
    on(view.input, show, studio, [words, view], words)
    on(words.over, over, studio, session.visitor, buttons)
    # each click is answered
    busy = {"concurrency_id": INFERENCE, "trigger_mode": "multiple"}
    on(words.pick, pick, studio, session.visitor, sides, **busy)


def _buttons() -> EndedView:
    return EndedView(
        read=gr.Button("Read", variant="primary", elem_id="surprise-read", min_width=100),
        cancel=gr.Button("Cancel", interactive=False, elem_id="surprise-cancel", min_width=100),
        download=gr.DownloadButton(
            "Download as CSV", interactive=False, elem_id="surprise-csv", min_width=140
        ),
    )


def _bars(side: str) -> gr.HTML:
    return guess_bars(
        f"Guesses of the {side} model",
        value=no_bars(side.capitalize(), side, PICK_A_WORD),
        elem_id=f"surprise-{side}",
    )


def start(studio: Studio, choice: ReadingChoice) -> StartedView:
    """Begins to read in the background."""
    visitor = choice.visitor
    if not studio.may_start(visitor):
        raise UserError(
            "The text was not read.",
            "The page is not ready: this browser has no id yet.",
            "Reload the page and try again.",
        )
    models = pair(studio, visitor, choice.base, choice.tuned)
    if models.tuned is None:
        raise UserError(
            "There is nothing to compare yet.",
            "No tuned model is chosen.",
            "Train a model first, or choose another one.",
        )
    corpus = text_to_read(studio, choice.text, choice.text_id)
    # refuses a long text first
    job = studio.surprisal_jobs.read(corpus, models.base, models.tuned, visitor)
    return StartedView(
        words={"reading": job.id, "visitor": visitor, "show": VIEWS[choice.view], "empty": ""},
        warned={"cautions": _memory_warnings(studio, visitor, models.tuned, corpus)},
        read=gr.Button("Reading …", interactive=False),
        cancel=gr.Button(interactive=True),
        download=gr.DownloadButton(interactive=False),
    )


def text_to_read(studio: Studio, text: str | None, text_id: TextId) -> Corpus:
    """The typed text, or the text in use when none is typed. Raises UserError without either."""
    typed = validation.text("The text", text or "", studio.limits.max_text_characters)
    return Corpus.from_text(typed) if typed.strip() else studio.texts.get(text_id)


def _memory_warnings(studio: Studio, visitor: str, tuned: str, corpus: Corpus) -> list[str]:
    """That the tuned model learned from some of these paragraphs."""
    run = run_of(studio, visitor, tuned)
    num_known = num_seen(corpus.paragraphs, learned_by(run.folder)) if run else 0
    if not num_known:
        return []
    return [
        f"{num_known:,} of the {len(corpus.paragraphs):,} paragraphs stand in the text that the "
        "tuned model learned from: low surprise there may be memory."
    ]


def stop(studio: Studio, visitor: VisitorId, words: MapValue) -> gr.Button:
    """Asks the job to end; what was read stays."""
    job = studio.surprisal_jobs.find(words.reading, visitor)
    if job:
        job.cancelled.set()
    return gr.Button("Cancel", interactive=False)


def show(studio: Studio, words: MapValue, view: View) -> dict[str, Any]:
    """The same words, seen from another side."""
    if not words.reading:
        return {**still(), "visitor": words.visitor, "show": VIEWS[view]}
    return {
        "reading": words.reading,
        "visitor": words.visitor,
        "show": VIEWS[view],
        "empty": "",
    }


def over(studio: Studio, visitor: VisitorId, event: ReadingEnded) -> EndedView:
    """The job has ended: its figures as a file."""
    job = studio.surprisal_jobs.find(event.reading, visitor)
    ended = EndedView(
        read=gr.Button("Read", interactive=True),
        cancel=gr.Button("Cancel", interactive=False),
        download=gr.DownloadButton(value=None, interactive=False),
    )
    if job is None or not job.words:
        return ended
    run = run_of(studio, visitor, job.models[1])
    path = written(studio.home, as_csv(rows_of(job)), "surprise.csv", run.id if run else "")
    return ended._replace(download=gr.DownloadButton(value=path, interactive=True))


def pick(studio: Studio, visitor: VisitorId, event: WordPicked) -> Sides:
    """What both models would have put in a word's place."""
    job = studio.surprisal_jobs.find(event.reading, visitor)
    if job is None or not 0 <= event.index < len(job.words):
        return Sides(
            base=no_bars("Base", "base", PICK_A_WORD),
            tuned=no_bars("Tuned", "tuned", PICK_A_WORD),
        )
    word = job.words[event.index]
    base, tuned = (studio.usable(name, visitor) for name in job.models)
    both = studio.models.compare(base, tuned, question_at(job, word))
    place = f"in place of “{word.base.word}”"
    return Sides(
        base=guess_values(f"Base, {place}", "base", both.base[0]),
        tuned=guess_values(f"Tuned, {place}", "tuned", both.tuned[0]),
    )
