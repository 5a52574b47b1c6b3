"""How the whole vocabulary moved for one blank, from one model to another; with different tokenizers, the words that both know."""

import math
from dataclasses import dataclass

import torch

from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.core.model.vocabulary import spelled

MOVED_AT_LEAST = 0.002
"""A token counts as moved only when one of the models gives it at least this probability …"""
MOVED_RATIO = 1.2
"""… and the two probabilities differ by at least this factor."""


@dataclass(frozen=True)
class Shift:
    """How the probability of one token for one blank changed from base to tuned."""

    token: str
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """after / before, with both kept from zero."""
        return max(self.after, 1e-12) / max(self.before, 1e-12)

    @property
    def weight(self) -> float:
        """This token's part of the distance between the two models' answers, in nats: (after - before) · ln(after / before), Jeffreys 1946."""
        return (self.after - self.before) * math.log(self.ratio)


@dataclass(frozen=True)
class ShiftMap:
    """The entries drawn, the most probable first."""

    shifts: tuple[Shift, ...]
    num_left_out: int
    """Entries too improbable in both models to be drawn."""
    by_words: bool
    """True when the tokenizers differ: the entries are whole words that both know then, otherwise tokens."""
    base_share: float
    """Of the base's probability, the share that lies on comparable entries; 1 with equal tokenizers."""
    tuned_share: float


@dataclass(frozen=True)
class Shared:
    """What two models' answers can be compared on: entry n is base token `base_ids[n]` and tuned token `tuned_ids[n]`, or sums of several."""

    names: tuple[str, ...] | None
    """The words; None when both models have the same tokens, whose names are looked up when needed."""
    base: tuple[torch.Tensor, torch.Tensor]
    """int64 [K] token ids and int64 [K] the number of the entry that each belongs to."""
    tuned: tuple[torch.Tensor, torch.Tensor]
    tokenizer: object

    @classmethod
    def of(cls, base: MaskedLM, tuned: MaskedLM) -> "Shared":
        """All tokens for equal vocabularies. For different ones the whole words that are one token in both; where one model writes all in small
        letters, so are the words compared, and tokens that become the same word are added up."""
        if base.tokenizer.get_vocab() == tuned.tokenizer.get_vocab():
            every = torch.tensor(sorted(base.tokenizer.get_vocab().values()))
            pair = (every, torch.arange(len(every)))
            return cls(None, pair, pair, base.tokenizer)
        small = any(
            lm.tokenizer.tokenize("Word") == lm.tokenizer.tokenize("word") for lm in (base, tuned)
        )
        known = [_folded(lm.whole_words, small) for lm in (base, tuned)]
        names = tuple(sorted(known[0].keys() & known[1].keys()))
        pairs = [
            [(token, number) for number, name in enumerate(names) for token in words[name]]
            for words in known
        ]
        columns = [torch.tensor(pair, dtype=torch.int64).reshape(-1, 2).unbind(1) for pair in pairs]
        return cls(names, columns[0], columns[1], base.tokenizer)

    @property
    def by_words(self) -> bool:
        return self.names is not None

    def name(self, number: int) -> str:
        """How the entry reads."""
        return (
            self.names[number]
            if self.names is not None
            else spelled(self.tokenizer, int(self.base[0][number]))
        )

    def of_both(
        self, before: torch.Tensor, after: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """float [entries] twice: the probability of each entry, from those of each model's tokens (float [its vocabulary size])."""
        num_entries = len(self.names) if self.names is not None else len(self.base[0])
        sides = ((before, *self.base), (after, *self.tuned))
        return tuple(
            torch.zeros(num_entries).index_add(0, entries, probabilities[ids])
            for probabilities, ids, entries in sides
        )


def movers(
    shared: Shared, before: torch.Tensor, after: torch.Tensor, num_shifts: int
) -> tuple[Shift, ...]:
    """The entries that moved most, rises and falls together, by their weight. before, after: float [vocabulary size], of base and tuned."""
    before, after = shared.of_both(before, after)
    seen = (torch.maximum(before, after) >= MOVED_AT_LEAST).nonzero().flatten().tolist()
    shifts = [
        Shift(shared.name(place), before[place].item(), after[place].item()) for place in seen
    ]
    shifts = [shift for shift in shifts if not 1 / MOVED_RATIO < shift.ratio < MOVED_RATIO]
    return tuple(sorted(shifts, key=lambda shift: -shift.weight)[:num_shifts])


def shift_map(
    shared: Shared, before: torch.Tensor, after: torch.Tensor, max_entries: int = 2_000
) -> ShiftMap:
    """The most probable entries of either model, for a scatter plot. before, after: float [vocabulary size], of base and tuned."""
    entries, other = shared.of_both(before, after)
    drawn = torch.maximum(entries, other).topk(min(max_entries, len(entries))).indices.tolist()
    shifts = tuple(
        Shift(shared.name(place), entries[place].item(), other[place].item()) for place in drawn
    )
    return ShiftMap(
        shifts, len(entries) - len(drawn), shared.by_words, entries.sum().item(), other.sum().item()
    )


def _folded(words: dict[str, list[int]], small: bool) -> dict[str, list[int]]:
    if not small:
        return words
    folded: dict[str, list[int]] = {}
    for word, ids in words.items():
        folded.setdefault(word.lower(), []).extend(ids)
    return folded
