"""Surprisal jobs: two models read a text with each word hidden in turn, in the background."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.errors import UserError
from mlm_gui.services.jobs.background import BackgroundTask, BackgroundTasks
from mlm_gui.services.limits import Limits
from mlm_gui.services.models.models import Models

if TYPE_CHECKING:
    from mlm_gui.core.inference.surprisal import Surprise
    from mlm_gui.core.model.masked_lm import MaskedLM

DOCUMENT_CONTEXT_TOKENS = 128
"""Tokens around a word in a text of several paragraphs.

A sentence gets more; with these a chapter is read in minutes.
"""
Found = dict[tuple[int, str], "Surprise"]
"""What one model made of a paragraph: start and word -> surprise."""


@dataclass(frozen=True)
class ReadWord:
    """One word, as both models were surprised by it."""

    paragraph: int
    base: Surprise
    tuned: Surprise

    @property
    def change(self) -> float:
        """Nats; below zero the tuned model expects the word more."""
        return self.tuned.nats - self.base.nats


@dataclass
class SurprisalJob(BackgroundTask[bool]):
    """One text being read. `words` grows while it is live, and stays when it is cancelled."""

    paragraphs: tuple[str, ...] = ()
    words: list[ReadWord] = field(default_factory=list)
    models: tuple[str, str] = ("", "")
    """Names of base and tuned."""
    num_words: int = 0
    """Words of the whole text."""

    def moved_most(self, how_many: int) -> list[tuple[int, ReadWord]]:
        """The words whose surprise changed most so far, with their numbers."""
        words = list(enumerate(list(self.words)))
        return sorted(words, key=lambda numbered: -abs(numbered[1].change))[:how_many]


class SurprisalJobs(BackgroundTasks[SurprisalJob]):
    """All surprisal jobs since the server started."""

    def __init__(self, models: Models, limits: Limits) -> None:
        super().__init__("reading", limits)
        self._models = models

    def read(self, corpus: Corpus, base: str, tuned: str, owner: str) -> SurprisalJob:
        """Starts a job. Raises UserError when the text is too long."""
        job = SurprisalJob(
            owner,
            corpus.name,
            paragraphs=tuple(corpus.paragraphs),
            models=(base, tuned),
            num_words=max(1, self._num_words(corpus)),
        )
        return self.start(job, lambda keep_going: self._read(job, keep_going))

    def _num_words(self, corpus: Corpus) -> int:
        """Words of the text. Raises UserError as soon as there are too many of them."""
        from mlm_gui.core.inference.surprisal import WORD

        num_words, most = 0, self._limits.max_surprise_words
        for paragraph in corpus.paragraphs:
            num_words += len(WORD.findall(paragraph))
            if num_words > most:
                raise UserError(
                    "The text is too long to be read word by word.",
                    f"It has more than {most:,} words and signs, the limit here.",
                    "Paste a part of it.",
                )
        return num_words

    def _read(self, job: SurprisalJob, keep_going: Callable[[float], bool]) -> bool | None:
        """Reads paragraph after paragraph. True at the end, None when cancelled."""
        from mlm_gui.core.inference.surprisal import CONTEXT_TOKENS, WORD

        base, tuned = (self._models.borrow(name) for name in job.models)
        context = CONTEXT_TOKENS if len(job.paragraphs) == 1 else DOCUMENT_CONTEXT_TOKENS
        num_passed = 0

        def keep_reading(num_scored: int) -> bool:
            """num_scored: words of this paragraph that were scored, by either of the models."""
            share = (num_passed + num_scored / 2) / job.num_words
            return keep_going(min(1.0, share))

        for number, paragraph in enumerate(job.paragraphs):
            found = self._read_paragraph((base, tuned), paragraph, context, keep_reading)
            if found is None:
                return None
            by_base, by_tuned = found
            job.words += [
                ReadWord(number, by_base[place], surprise)
                for place, surprise in by_tuned.items()
                if place in by_base
            ]
            num_passed += len(WORD.findall(paragraph))
        keep_going(1.0)
        return True

    def _read_paragraph(
        self,
        models: tuple[MaskedLM, MaskedLM],
        paragraph: str,
        context: int,
        keep_reading: Callable[[int], bool],
    ) -> tuple[Found, Found] | None:
        """What both models make of a paragraph; None when cancelled.

        Others may ask a model between two words.
        """
        from mlm_gui.core.inference.surprisal import surprises

        both: tuple[Found, Found] = ({}, {})
        num_scored = 0
        for lm, found in zip(models, both, strict=True):
            stream = surprises(lm, paragraph, context)
            while True:
                with self._models.turn():
                    surprise = next(stream, None)
                if surprise is None:
                    break
                found[surprise.start, surprise.word] = surprise
                num_scored += 1
                if not keep_reading(num_scored):
                    return None
        return both
