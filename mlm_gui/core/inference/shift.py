"""How the probabilities of the whole vocabulary moved for one blank, from one model to another.

Models with different tokenizers are compared on the words that both know.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch

from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.core.model.vocabulary import spelled
from mlm_gui.core.tokenizer import Tokenizer

MOVED_AT_LEAST = 0.002
"""A token has moved only when one of the models gives it at least this probability …"""
MOVED_RATIO = 1.2
"""… and the two probabilities differ by at least this factor."""
SMALLEST_PROBABILITY = 1e-12
"""Smaller probabilities count as this one in a ratio."""


@dataclass(frozen=True)
class Shift:
    """How the probability of one token for one blank changed from base to tuned."""

    token: str
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """after / before, both kept from zero."""
        return max(self.after, SMALLEST_PROBABILITY) / max(self.before, SMALLEST_PROBABILITY)

    @property
    def weight(self) -> float:
        """This token's part of the distance between the two models' answers, in nats.

        (after - before) · ln(after / before), Jeffreys 1946.
        """
        return (self.after - self.before) * math.log(self.ratio)


@dataclass(frozen=True)
class ShiftMap:
    """The most probable entries of either model, most probable first."""

    shifts: tuple[Shift, ...]
    num_left_out: int
    """Entries that are too improbable in both models to be included."""
    by_words: bool
    """True when the tokenizers differ; the entries are then whole words that both know."""
    base_share: float
    """Share of the base's probability on comparable entries; 1 with equal tokenizers."""
    tuned_share: float
    """The same share of the tuned model."""


class _Entries(NamedTuple):
    """Which tokens of one model make up which entries."""

    token_ids: torch.Tensor
    """int64 [K]."""
    entries: torch.Tensor
    """int64 [K], the number of the entry that each token belongs to."""


@dataclass(frozen=True)
class Shared:
    """The entries on which two models' answers can be compared."""

    names: tuple[str, ...] | None
    """The words; None when both models have the same tokens, whose names are looked up."""
    base: _Entries
    tuned: _Entries
    tokenizer: Tokenizer

    @classmethod
    def of(cls, base: MaskedLM, tuned: MaskedLM) -> "Shared":
        """All tokens for equal vocabularies, otherwise the words that are one token in both.

        When a model writes everything in lower case, words are compared in lower case, and tokens
        that become the same word are added up.
        """
        vocabulary = base.tokenizer.get_vocab()
        if vocabulary == tuned.tokenizer.get_vocab():
            token_ids = torch.tensor(sorted(vocabulary.values()))
            entries = _Entries(token_ids, torch.arange(len(token_ids)))
            return cls(None, entries, entries, base.tokenizer)
        folds = _ignores_case(base) or _ignores_case(tuned)
        base_words = _folded(base.whole_words) if folds else base.whole_words
        tuned_words = _folded(tuned.whole_words) if folds else tuned.whole_words
        names = tuple(sorted(base_words.keys() & tuned_words.keys()))
        return cls(
            names,
            _entries_of(names, base_words),
            _entries_of(names, tuned_words),
            base.tokenizer,
        )

    @property
    def by_words(self) -> bool:
        """True when the entries are words, not tokens."""
        return self.names is not None

    @property
    def num_entries(self) -> int:
        return len(self.base.token_ids) if self.names is None else len(self.names)

    def name(self, number: int) -> str:
        """The entry as a person reads it."""
        if self.names is None:
            return spelled(self.tokenizer, int(self.base.token_ids[number]))
        return self.names[number]

    def of_base(self, probabilities: torch.Tensor) -> torch.Tensor:
        """float [entries], from the probabilities of the base's tokens, float [vocabulary size]."""
        return self._sums(self.base, probabilities)

    def of_tuned(self, probabilities: torch.Tensor) -> torch.Tensor:
        """float [entries], from those of the tuned model's tokens, float [vocabulary size]."""
        return self._sums(self.tuned, probabilities)

    def _sums(self, side: _Entries, probabilities: torch.Tensor) -> torch.Tensor:
        sums = torch.zeros(self.num_entries)
        return sums.index_add(0, side.entries, probabilities[side.token_ids])


def movers(
    shared: Shared, before: torch.Tensor, after: torch.Tensor, num_shifts: int
) -> tuple[Shift, ...]:
    """The entries that moved most, rises and falls together, by their weight.

    before, after: probabilities of base and tuned, float [vocabulary size] each.
    """
    base = shared.of_base(before)
    tuned = shared.of_tuned(after)
    is_probable = torch.maximum(base, tuned) >= MOVED_AT_LEAST
    candidates = [
        Shift(shared.name(entry), base[entry].item(), tuned[entry].item())
        for entry in is_probable.nonzero().flatten().tolist()
    ]
    moved = [shift for shift in candidates if not 1 / MOVED_RATIO < shift.ratio < MOVED_RATIO]
    moved.sort(key=lambda shift: -shift.weight)
    return tuple(moved[:num_shifts])


def shift_map(
    shared: Shared, before: torch.Tensor, after: torch.Tensor, max_entries: int = 2_000
) -> ShiftMap:
    """The most probable entries of either model, for a scatter plot.

    before, after: probabilities of base and tuned, float [vocabulary size] each.
    """
    base = shared.of_base(before)
    tuned = shared.of_tuned(after)
    num_included = min(max_entries, shared.num_entries)
    included = torch.maximum(base, tuned).topk(num_included).indices.tolist()
    return ShiftMap(
        shifts=tuple(
            Shift(shared.name(entry), base[entry].item(), tuned[entry].item()) for entry in included
        ),
        num_left_out=shared.num_entries - num_included,
        by_words=shared.by_words,
        base_share=base.sum().item(),
        tuned_share=tuned.sum().item(),
    )


def _ignores_case(lm: MaskedLM) -> bool:
    return lm.tokenizer.tokenize("Word") == lm.tokenizer.tokenize("word")


def _folded(words: dict[str, list[int]]) -> dict[str, list[int]]:
    """The words in lower case: {"Sow": [3], "sow": [5]} -> {"sow": [3, 5]}."""
    folded: dict[str, list[int]] = {}
    for word, ids in words.items():
        folded.setdefault(word.lower(), []).extend(ids)
    return folded


def _entries_of(names: tuple[str, ...], words: dict[str, list[int]]) -> _Entries:
    """The tokens of the named words: entry n is names[n]."""
    token_ids: list[int] = []
    entries: list[int] = []
    for number, name in enumerate(names):
        token_ids += words[name]
        entries += [number] * len(words[name])
    return _Entries(
        torch.tensor(token_ids, dtype=torch.int64), torch.tensor(entries, dtype=torch.int64)
    )
