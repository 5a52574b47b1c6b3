"""Readings: two models read a text word by word, each word hidden in turn, in the background."""

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

DOCUMENT_CONTEXT_TOKENS = 128
"""Tokens around a word in a text of several paragraphs; half as many as in a sentence, so that a chapter is read in minutes."""


@dataclass(frozen=True)
class ReadWord:
    """One word as both models met it."""

    paragraph: int
    base: Surprise
    tuned: Surprise

    @property
    def change(self) -> float:
        """Nats; below zero the tuned model expects the word more."""
        return self.tuned.nats - self.base.nats


@dataclass
class SurprisalJob(BackgroundTask):
    """One text being read; `words` grows while it is live, and stays when it is cancelled."""

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


class SurprisalJobs(BackgroundTasks):
    """All readings of this server since it started."""

    def __init__(self, models: Models, limits: Limits) -> None:
        super().__init__("reading", limits)
        self._models = models

    def read(self, corpus: Corpus, base: str, tuned: str, owner: str) -> SurprisalJob:
        """Begins a reading. Raises UserError when the text is too long."""
        from mlm_gui.core.inference.surprisal import WORD

        paragraphs = corpus.paragraphs
        num_words, most = 0, self._limits.max_surprise_words
        for paragraph in paragraphs:
            num_words += len(WORD.findall(paragraph))
            if num_words > most:  # a long text is not read to its end for this
                raise UserError(
                    "The text is too long to be read word by word.",
                    f"It has more than {most:,} words and signs, the limit here.",
                    "Paste a part of it.",
                )
        surprisal_job = SurprisalJob(
            owner,
            corpus.name,
            paragraphs=tuple(paragraphs),
            models=(base, tuned),
            num_words=max(1, num_words),
        )
        return self.start(
            surprisal_job, lambda keep_going: self._read(surprisal_job, base, tuned, keep_going)
        )

    def _read(
        self,
        surprisal_job: SurprisalJob,
        base: str,
        tuned: str,
        keep_going: Callable[[float], bool],
    ) -> bool | None:
        """Reads paragraph after paragraph, letting others ask between two passes of a model. True at the end, None when cancelled."""
        from mlm_gui.core.inference.surprisal import CONTEXT_TOKENS, surprises

        models = [self._models.borrow(name) for name in (base, tuned)]
        context = CONTEXT_TOKENS if len(surprisal_job.paragraphs) == 1 else DOCUMENT_CONTEXT_TOKENS
        for number, paragraph in enumerate(surprisal_job.paragraphs):
            sides: list[dict[tuple[int, str], Surprise]] = [{}, {}]
            for lm, side in zip(models, sides, strict=True):
                stream = surprises(lm, paragraph, context)
                while True:
                    with self._models.turn():
                        surprise = next(stream, None)
                    if surprise is None:
                        break
                    side[surprise.start, surprise.word] = surprise
                    if not keep_going(min(1.0, len(surprisal_job.words) / surprisal_job.num_words)):
                        return None
            surprisal_job.words += [
                ReadWord(number, sides[0][key], surprise)
                for key, surprise in sides[1].items()
                if key in sides[0]
            ]
        keep_going(1.0)
        return True
