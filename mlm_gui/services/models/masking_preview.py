"""What the Masks tab shows: the plan of a run, and a text as tokens. The last few are kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, TypeVar, cast

from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.corpus.paragraphs import lengths_of
from mlm_gui.errors import UserError
from mlm_gui.services.models.models import Models
from mlm_gui.services.runs.lineage import with_base
from mlm_gui.services.runs.run import Run

if TYPE_CHECKING:
    from mlm_gui.core.masking.loss_budget import LossBudget
    from mlm_gui.core.masking.sampling import Vocabulary
    from mlm_gui.core.tokens import TokenStore
    from mlm_gui.core.training.plan import Plan

MAX_PARAGRAPHS = 2_000
"""A longer text is judged by its first paragraphs, up to this number …"""
MAX_CHARACTERS = 1_000_000
"""… and by this many of their characters."""
KEPT = 6
Made = TypeVar("Made")


class MaskingPreview:
    """Reads, never trains. What it makes depends on its inputs only, so it is kept and shared."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._kept: OrderedDict[Hashable, object] = OrderedDict()
        self._working = threading.Lock()

    def plan(self, run: Run) -> Plan:
        """What the run reads and hides, step by step: the very plan that it is trained by.

        Raises UserError for a damaged run or a missing model.
        """
        from mlm_gui.core.training.plan import Plan

        job = run.job
        if job is None:
            raise UserError(
                "This run cannot be shown.",
                "Its folder is damaged: job.json is missing or unreadable.",
                "Choose another run.",
            )

        def make() -> Plan:
            lm = with_base(job.model, self._models.borrow)
            return Plan.of(lm, run.split().train, job.config)

        return self._once(("plan", run.id, job.config), make)

    def sequences(self, corpus: Corpus, model: str) -> tuple[TokenStore, Vocabulary]:
        """The beginning of the text, as this model's tokenizer cuts it."""

        def make() -> tuple[TokenStore, Vocabulary]:
            from mlm_gui.core.masking.sampling import Vocabulary
            from mlm_gui.core.tokens import LONGEST_SEQUENCE, tokenize

            tokenizer = self._models.tokenizer(model)
            longest = min(LONGEST_SEQUENCE, tokenizer.model_max_length)
            return tokenize(_beginning(corpus), tokenizer, longest), Vocabulary.of(tokenizer)

        return self._once(("sequences", corpus.fingerprint, model), make)

    def extent(self, corpus: Corpus) -> str:
        """How much of the text `sequences` and `budget` look at, in words; "" for all of it."""
        paragraphs = corpus.paragraphs
        if len(paragraphs) <= MAX_PARAGRAPHS and lengths_of(paragraphs).sum() <= MAX_CHARACTERS:
            return ""
        return (
            f"Counted over the beginning of the text: its first {MAX_PARAGRAPHS:,} paragraphs, "
            f"and of these at most {MAX_CHARACTERS:,} characters."
        )

    def budget(self, corpus: Corpus, model: str, rate: float) -> LossBudget:
        """The positions in the tutorial's loss over the beginning of the text."""
        from mlm_gui.core.masking.loss_budget import tutorial_budget

        return self._once(
            ("budget", corpus.fingerprint, model, rate),
            lambda: tutorial_budget(_beginning(corpus), self._models.tokenizer(model), rate),
        )

    def _once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        with self._working:
            if key not in self._kept:
                self._kept[key] = make()
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return cast(Made, self._kept[key])  # each key is used with one kind of value


def _beginning(corpus: Corpus) -> list[str]:
    """The first paragraphs, as many as are looked at; the last of them may be cut."""
    paragraphs, left = [], MAX_CHARACTERS
    for paragraph in corpus.paragraphs[:MAX_PARAGRAPHS]:
        if left > 0:
            paragraphs.append(paragraph[:left])
            left -= len(paragraph)
    return paragraphs
