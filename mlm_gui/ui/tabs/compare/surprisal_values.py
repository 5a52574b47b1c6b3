"""A surprisal job as the page shows it: the map, its note, a file, and what is asked of a word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from mlm_gui.core.inference.blanks import BLANK
from mlm_gui.services.jobs.surprisal import ReadWord, SurprisalJob
from mlm_gui.services.studio import Studio
from mlm_gui.ui.door import JobId, Otherwise, VisitorId

SHOWN_WORDS = 1_200
"""Words drawn on the page. The list of the most changed, and the CSV file, cover all."""
NUM_MOVED = 24
"""Words in the list of the most changed."""
CONTEXT_CHARACTERS = 400
"""On each side of a word whose guesses are asked for."""
EMPTY = "Paste a text, or leave the box empty to read the text of the first tab; then press Read."
HEAD = [
    "paragraph",
    "character",
    "word",
    "base pieces",
    "base nats",
    "tuned pieces",
    "tuned nats",
    "change",
]
"""Of the CSV file."""


def question_at(job: SurprisalJob, word: ReadWord) -> str:
    """The word's surroundings with the word hidden, cut between words."""
    paragraph = job.paragraphs[word.paragraph]
    start, end = word.base.start, word.base.start + len(word.base.word)
    before = paragraph[max(0, start - CONTEXT_CHARACTERS) : start]
    after = paragraph[end : end + CONTEXT_CHARACTERS]
    if start > CONTEXT_CHARACTERS:
        before = before.partition(" ")[2]
    if end + CONTEXT_CHARACTERS < len(paragraph):
        after = after.rpartition(" ")[0]
    return f"{BLANK.sub('…', before)}[MASK]{BLANK.sub('…', after)}"


@dataclass(frozen=True)
class MapQuestion:
    """What the surprisal map asks."""

    reading: JobId
    visitor: VisitorId = VisitorId("")
    cursor: Annotated[int, Otherwise(0)] = 0
    """Words that it has."""


def poller(studio: Studio) -> Callable[[MapQuestion], dict[str, Any] | None]:
    """The server function behind the map."""

    def poll(asked: MapQuestion) -> dict[str, Any] | None:
        """The words read since the last question, and the most changed so far.

        None when there is no such job of this visitor.
        """
        job = studio.surprisal_jobs.find(asked.reading, asked.visitor)
        if job is None:
            return None
        live, words = job.live, list(job.words)
        first = asked.cursor if 0 <= asked.cursor <= SHOWN_WORDS else 0
        last = min(len(words), SHOWN_WORDS)
        return {
            "cursor": max(first, last),
            "words": [word_values(words, number) for number in range(first, last)],
            "moved": [
                [number, word.base.word, word.base.nats, word.tuned.nats]
                for number, word in job.moved_most(NUM_MOVED)
            ],
            "note": note_of(job, len(words)),
            "progress": job.share if live else None,
            "final": not live,
        }

    return poll


def word_values(words: Sequence[ReadWord], number: int) -> list[Any]:
    """One word as the map takes it."""
    word = words[number]
    starts_paragraph = number > 0 and words[number - 1].paragraph != word.paragraph
    return [
        word.base.word,
        round(word.base.nats, 3),
        round(word.tuned.nats, 3),
        starts_paragraph,
    ]


def note_of(job: SurprisalJob, num_words: int) -> str:
    """How far the job is, and its mean figures."""
    if job.state == "failed":
        return str(job.error)
    if job.state == "waiting":
        return "Waiting for another reading to end …"
    if not num_words:
        return "Reading …" if job.live else "No word was read."
    words = job.words[:num_words]
    base = sum(word.base.nats for word in words) / num_words
    tuned = sum(word.tuned.nats for word in words) / num_words
    of_all = f" of {job.num_words:,}" if num_words < job.num_words else ""
    cut = f" The first {SHOWN_WORDS:,} are drawn." if num_words > SHOWN_WORDS else ""
    is_cancelled = job.state == "cancelled"
    ended = " The reading was cancelled; what was read stays." if is_cancelled else ""
    return (
        f"{num_words:,}{of_all} words and signs read: "
        f"mean surprise {base:.2f} nats base, {tuned:.2f} tuned.{cut}{ended}"
    )


def rows_of(job: SurprisalJob) -> list[list[Any]]:
    """All words as rows of a spreadsheet."""
    rows = [
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
        for word in job.words
    ]
    return [HEAD, *rows]


def still() -> dict[str, Any]:
    """The map before anything was read."""
    return {"reading": None, "visitor": "", "show": "change", "empty": EMPTY}
