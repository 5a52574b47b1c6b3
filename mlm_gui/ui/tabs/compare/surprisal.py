"""The surprise map of the Compare tab: both models read a text word by word, each word hidden in turn."""

import gradio as gr

from mlm_gui.core import validation
from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.corpus.near_duplicates import num_seen
from mlm_gui.core.inference.blanks import BLANK
from mlm_gui.errors import UserError
from mlm_gui.services.jobs.surprisal import ReadWord, SurprisalJob
from mlm_gui.services.runs.evaluation import learned_by
from mlm_gui.services.storage.files import ID
from mlm_gui.services.storage.spreadsheet import as_csv, written
from mlm_gui.services.studio import Studio
from mlm_gui.ui.component_events import sent
from mlm_gui.ui.components.display import cautions
from mlm_gui.ui.components.interactive import guess_bars, surprisal_map
from mlm_gui.ui.session import Session
from mlm_gui.ui.tabs.compare.models import guesses, pair, run_of
from mlm_gui.ui.wiring import INFERENCE, on

SHOWN_WORDS = 1_200
"""Words drawn on the page; the list of the most changed, and the CSV file, cover all."""
NUM_MOVED = 24
"""Words in the list of the most changed."""
CONTEXT_CHARACTERS = 400
"""On each side of a word whose guesses are asked for."""
VIEWS = {"what changed": "change", "base": "base", "tuned": "tuned"}
EMPTY = "Paste a text, or leave the box empty to read the text of the first tab; then press Read."


def build(studio: Studio, session: Session, models: list) -> None:
    """Lays the section out and wires it. models: visitor, base, tuned."""
    with gr.Accordion(
        "Surprise, word by word", open=False, elem_id="compare-surprise", elem_classes="card"
    ):
        gr.Markdown(
            "Each word is hidden in turn, the last one too, and both models say how likely it was. The figure is its surprise, −ln p in nats: "
            "0 was certain, 2.3 one in ten, 6.9 one in a thousand. A word of several pieces is guessed piece by piece, from left to right.",
            elem_classes="quiet",
        )
        text = gr.Textbox(
            label="text to read",
            info="Empty: the text of the first tab.",
            lines=3,
            max_lines=8,
            elem_id="surprise-text",
        )
        with gr.Row(elem_classes="actions"):
            read = gr.Button("Read", variant="primary", elem_id="surprise-read", min_width=100)
            cancel = gr.Button(
                "Cancel", interactive=False, elem_id="surprise-cancel", min_width=100
            )
            download = gr.DownloadButton(
                "Download as CSV", interactive=False, elem_id="surprise-csv", min_width=140
            )
        view = gr.Radio(list(VIEWS), value="what changed", label="show", elem_id="surprise-view")
        warned = cautions("Keep in mind", elem_id="surprise-cautions")
        words = surprisal_map(
            "Words and their surprise", poller(studio), value=still(), elem_id="surprise-words"
        )
        with gr.Row(elem_classes="two"):
            sides = [
                guess_bars(
                    f"Guesses of the {side} model",
                    value=before_picking(side),
                    elem_id=f"surprise-{side}",
                )
                for side in ("base", "tuned")
            ]

    on(
        read.click,
        start,
        studio,
        [*models, session.text_id, text, view],
        [words, warned, read, cancel, download],
    )
    on(cancel.click, stop, studio, [session.visitor, words], cancel)
    on(view.input, show, studio, [words, view], words)
    on(words.over, over, studio, session.visitor, [read, cancel, download])
    on(
        words.pick,
        pick,
        studio,
        session.visitor,
        sides,
        concurrency_id=INFERENCE,
        trigger_mode="multiple",
    )


def start(
    studio: Studio, visitor: str, base: str, tuned: str, text_id: str, text: str, view: str
) -> tuple:
    """Begins to read in the background."""
    if not studio.may_start(visitor):
        raise UserError(
            "The text was not read.",
            "The page is not ready: this browser has no id yet.",
            "Reload the page and try again.",
        )
    base_name, tuned_name = pair(studio, visitor, base, tuned)
    if tuned_name is None:
        raise UserError(
            "There is nothing to compare yet.",
            "No tuned model is chosen.",
            "Train a model first, or choose another one.",
        )
    text = validation.text("The text", text or "", studio.limits.max_text_characters)
    corpus = Corpus.from_text(text) if text.strip() else studio.texts.get(text_id)
    run = run_of(studio, visitor, tuned_name)
    surprisal_job = studio.surprisal_jobs.read(
        corpus, base_name, tuned_name, visitor if isinstance(visitor, str) else ""
    )  # refuses a long text first
    known = num_seen(corpus.paragraphs, learned_by(run.folder)) if run else 0
    warnings = [
        f"{known:,} of the {len(corpus.paragraphs):,} paragraphs stand in the text that the tuned model learned from: low surprise there may be memory."
    ]
    value = {"reading": surprisal_job.id, "visitor": visitor, "show": shown_by(view), "empty": ""}
    return (
        value,
        {"cautions": warnings if known else []},
        gr.Button("Reading …", interactive=False),
        gr.Button(interactive=True),
        gr.DownloadButton(interactive=False),
    )


def stop(studio: Studio, visitor: str, words: dict) -> gr.Button:
    """Asks the reading to end; what was read stays."""
    surprisal_job = studio.surprisal_jobs.find(
        words.get("reading") if isinstance(words, dict) else None, visitor
    )
    if surprisal_job:
        surprisal_job.cancelled.set()
    return gr.Button("Cancel", interactive=False)


def show(studio: Studio, words: dict, view: str) -> dict:
    """The same words, seen from another side."""
    kept = words if isinstance(words, dict) else {}
    ids = {
        name: kept[name]
        for name in ("reading", "visitor")
        if isinstance(kept.get(name), str) and ID.fullmatch(kept[name])
    }
    return {**still(), **ids, "show": shown_by(view), "empty": "" if "reading" in ids else EMPTY}


def shown_by(view: object) -> str:
    """The script's word for a choice of VIEWS; what a browser makes up shows the change."""
    return VIEWS[view] if isinstance(view, str) and view in VIEWS else "change"


def over(studio: Studio, visitor: str, event: gr.EventData) -> tuple:
    """The reading has ended: its figures as a file."""
    surprisal_job = studio.surprisal_jobs.find(sent(event, "reading"), visitor)
    read, cancel = gr.Button("Read", interactive=True), gr.Button("Cancel", interactive=False)
    if surprisal_job is None or not surprisal_job.words:
        return read, cancel, gr.DownloadButton(value=None, interactive=False)
    run = run_of(studio, visitor, surprisal_job.models[1])
    path = written(
        studio.home, as_csv(rows_of(surprisal_job)), "surprise.csv", run.id if run else ""
    )
    return read, cancel, gr.DownloadButton(value=path, interactive=True)


def pick(studio: Studio, visitor: str, event: gr.EventData) -> list[dict]:
    """What both models would have put in a word's place."""
    surprisal_job, index = (
        studio.surprisal_jobs.find(sent(event, "reading"), visitor),
        sent(event, "index"),
    )
    if (
        surprisal_job is None
        or isinstance(index, bool)
        or not isinstance(index, int)
        or not 0 <= index < len(surprisal_job.words)
    ):
        return [before_picking(side) for side in ("base", "tuned")]
    word = surprisal_job.words[index]
    both = studio.models.compare(
        *(studio.usable(name, visitor) for name in surprisal_job.models),
        question_at(surprisal_job, word),
    )
    return [
        guesses(f"{side.capitalize()}, in place of “{word.base.word}”", side, blanks[0])
        for side, blanks in (("base", both.base), ("tuned", both.tuned))
    ]


def question_at(surprisal_job: SurprisalJob, word: ReadWord) -> str:
    """The word's surroundings with the word hidden, cut between words."""
    paragraph, start, end = (
        surprisal_job.paragraphs[word.paragraph],
        word.base.start,
        word.base.start + len(word.base.word),
    )
    before, after = (
        paragraph[max(0, start - CONTEXT_CHARACTERS) : start],
        paragraph[end : end + CONTEXT_CHARACTERS],
    )
    if start > CONTEXT_CHARACTERS:
        before = before.partition(" ")[2]
    if end + CONTEXT_CHARACTERS < len(paragraph):
        after = after.rpartition(" ")[0]
    hidden = BLANK.sub("…", before), BLANK.sub("…", after)
    return f"{hidden[0]}[MASK]{hidden[1]}"


def poller(studio: Studio):
    """The server function behind the map."""

    def poll(asked: dict) -> dict | None:
        """The words read since the last question, and the most changed so far; None when there is no such reading of this visitor."""
        asked = asked if isinstance(asked, dict) else {}
        surprisal_job = studio.surprisal_jobs.find(asked.get("reading"), asked.get("visitor"))
        if surprisal_job is None:
            return None
        live, words = surprisal_job.live, list(surprisal_job.words)
        cursor = asked.get("cursor")
        first = cursor if isinstance(cursor, int) and 0 <= cursor <= SHOWN_WORDS else 0
        last = min(len(words), SHOWN_WORDS)
        return {
            "cursor": max(first, last),
            "words": [shown(words, number) for number in range(first, last)],
            "moved": [
                [number, word.base.word, word.base.nats, word.tuned.nats]
                for number, word in surprisal_job.moved_most(NUM_MOVED)
            ],
            "note": note_of(surprisal_job, len(words)),
            "progress": surprisal_job.share if live else None,
            "final": not live,
        }

    return poll


def shown(words: list[ReadWord], number: int) -> list:
    """One word as the map takes it."""
    word = words[number]
    return [
        word.base.word,
        round(word.base.nats, 3),
        round(word.tuned.nats, 3),
        number > 0 and words[number - 1].paragraph != word.paragraph,
    ]


def note_of(surprisal_job: SurprisalJob, num_words: int) -> str:
    """How far the reading is, and what it says on the whole."""
    if surprisal_job.state == "failed":
        return str(surprisal_job.error)
    if surprisal_job.state == "waiting":
        return "Waiting for another reading to end …"
    if not num_words:
        return "Reading …" if surprisal_job.live else "No word was read."
    means = [
        sum(getattr(word, side).nats for word in surprisal_job.words[:num_words]) / num_words
        for side in ("base", "tuned")
    ]
    whole = (
        f"{num_words:,} of {surprisal_job.num_words:,} words and signs"
        if num_words < surprisal_job.num_words
        else f"{num_words:,} words and signs"
    )
    ended = (
        " The reading was cancelled; what was read stays."
        if surprisal_job.state == "cancelled"
        else ""
    )
    cut = f" The first {SHOWN_WORDS:,} are drawn." if num_words > SHOWN_WORDS else ""
    return (
        f"{whole} read: mean surprise {means[0]:.2f} nats base, {means[1]:.2f} tuned.{cut}{ended}"
    )


def rows_of(surprisal_job: SurprisalJob) -> list[list]:
    """The reading as rows of a spreadsheet."""
    head = [
        "paragraph",
        "character",
        "word",
        "base pieces",
        "base nats",
        "tuned pieces",
        "tuned nats",
        "change",
    ]
    return [head] + [
        [
            word.paragraph + 1,
            word.base.start + 1,
            word.base.word,
            " ".join(word.base.pieces),
            round(word.base.nats, 5),
            " ".join(word.tuned.pieces),
            round(word.tuned.nats, 5),
            round(word.change, 5),
        ]
        for word in surprisal_job.words
    ]


def still() -> dict:
    """The map before anything was read."""
    return {"reading": None, "visitor": "", "show": "change", "empty": EMPTY}


def before_picking(side: str) -> dict:
    """Bars before a word was chosen."""
    return {
        "title": side.capitalize(),
        "tone": side,
        "rows": [],
        "empty": "Click a word above to see the guesses there.",
    }
