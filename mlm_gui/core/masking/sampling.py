"""BERT's rule: choose 15 % of the tokens, hide most of them, and ask the model for the originals.

Source of the rule: Devlin et al. 2019, "BERT", section 3.1 (15 % chosen; of those 80 % become the mask
token, 10 % a random token, 10 % stay). A fresh draw for each batch is Liu et al. 2019, "RoBERTa", section 4.1.
Whole words are BERT's later "whole word masking": a word is chosen or not, then each of its pieces meets the 80/10/10 rule by itself.
Spans of whole words are after Joshi et al. 2020, "SpanBERT", section 3.1: geometric lengths, shorter ones more often.
"""

import dataclasses
import math
from dataclasses import dataclass
from functools import lru_cache

import torch

from mlm_gui.core.masking.policy import IGNORED, MAX_SPAN_WORDS, SPAN_STOP, Fate, MaskPolicy
from mlm_gui.errors import UserError


@dataclass(frozen=True)
class Vocabulary:
    """What a draw needs to know of a tokenizer: its mask token, its special tokens and which ids exist."""

    mask_id: int
    special_ids: torch.Tensor
    """int64, every special id; none of these is ever chosen or drawn as the random token."""
    ordinary_ids: torch.Tensor
    """int64, the ids a random replacement is drawn from."""

    @classmethod
    def of(cls, tokenizer) -> "Vocabulary":
        """Reads a transformers tokenizer of any family; raises UserError when it has no mask token."""
        if tokenizer.mask_token_id is None:
            raise UserError(
                "This model cannot do masked-language modelling.",
                "Its tokenizer has no mask token.",
                "Choose a BERT-like model, for example the bundled starter.",
            )
        special = torch.tensor(sorted(set(tokenizer.all_special_ids)))
        every = torch.tensor(sorted(set(tokenizer.get_vocab().values())))
        return cls(tokenizer.mask_token_id, special, every[~torch.isin(every, special)])

    def maskable(self, input_ids: torch.Tensor) -> torch.Tensor:
        """bool, same shape: True where a token may be chosen."""
        return ~torch.isin(input_ids, self.special_ids)


@dataclass(frozen=True)
class MaskedBatch:
    """One draw over a flat row of tokens; all tensors have shape [N]."""

    input_ids: torch.Tensor
    """int64, what the model sees."""
    labels: torch.Tensor
    """int64, the original id at chosen positions, -100 elsewhere."""
    fates: torch.Tensor
    """int8, a Fate for each token."""
    draws: torch.Tensor
    """float32 in [0, 1), the random number each token was given; the pieces of a word share one unless the unit is "token"."""
    thresholds: torch.Tensor
    """float32, the token is chosen when its draw is below this: the rate; for spans the chance that one starts here, and a span that started
    before may reach the token besides."""
    rescued: torch.Tensor
    """bool, True where a token was chosen only because its sequence would have had none."""

    @property
    def chosen(self) -> torch.Tensor:
        """bool: the tokens the model must predict."""
        return self.labels != IGNORED

    def at(self, places: torch.Tensor | slice) -> "MaskedBatch":
        """The draw of these tokens only."""
        return MaskedBatch(
            *(getattr(self, field.name)[places] for field in dataclasses.fields(self))
        )


def mask_tokens(
    input_ids: torch.Tensor,
    maskable: torch.Tensor,
    policy: MaskPolicy,
    vocabulary: Vocabulary,
    generator: torch.Generator,
    sequences: torch.Tensor | None = None,
    words: torch.Tensor | None = None,
    force: torch.Tensor | None = None,
    forbid: torch.Tensor | None = None,
) -> MaskedBatch:
    """Draws which tokens are predicted and what the model sees in their place.

    input_ids: int64 [N], any number of sequences laid end to end. maskable: bool [N]. sequences: int64 [N],
    the number of the sequence each token belongs to; every sequence with a maskable token gets at least one
    chosen (the one with the lowest draw). words: int64 [N], 0, 1, 2 … along the row, the number of the word each token belongs to; the units
    "word" and "span" need it. force, forbid: bool [N], tokens chosen or left out whatever the draw says; a token that is not maskable is
    never chosen. Everything is drawn on the CPU, so a seed gives the same masks on any device.
    """
    sequences = torch.zeros_like(input_ids) if sequences is None else sequences
    draws, kinds = torch.rand(2, len(input_ids), generator=generator)
    random_ids = vocabulary.ordinary_ids[
        torch.randint(len(vocabulary.ordinary_ids), input_ids.shape, generator=generator)
    ]
    thresholds = torch.full_like(draws, policy.rate)
    if policy.unit == "token":
        chosen = (draws < policy.rate) & maskable
    else:
        firsts = torch.diff(words, prepend=torch.tensor([-1])) != 0
        draws = draws[firsts][words]  # a word is decided by the number of its first piece
        chosen = (draws < policy.rate) & maskable
        if policy.unit == "span":
            chosen, thresholds = _spans(
                draws[firsts], _any_piece(maskable, words), sequences[firsts], policy.rate
            )
            chosen, thresholds = chosen[words] & maskable, thresholds[words]
    offered = maskable if forbid is None else maskable & ~forbid
    chosen = chosen & offered if force is None else (chosen & offered) | (force & maskable)
    rescued = _lowest_of_empty(draws, chosen, offered, sequences)
    chosen = chosen | rescued

    fates = torch.where(maskable, Fate.UNTOUCHED, Fate.SPECIAL).to(torch.int8)
    fates[chosen] = Fate.KEPT
    fates[chosen & (kinds < policy.mask_share + policy.random_share)] = Fate.RANDOM
    fates[chosen & (kinds < policy.mask_share)] = Fate.MASK

    seen = torch.where(fates == Fate.MASK, vocabulary.mask_id, input_ids)
    seen = torch.where(fates == Fate.RANDOM, random_ids, seen)
    return MaskedBatch(
        seen, torch.where(chosen, input_ids, IGNORED), fates, draws, thresholds, rescued
    )


def _spans(
    draws: torch.Tensor, able: torch.Tensor, sequences: torch.Tensor, rate: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """bool [W]: the words that spans cover; and float32 [W]: the chance that a span starts at each.

    draws: float32 [W], the number of each word; the lower, the longer the span that starts there. able: bool [W], words that may be chosen.
    sequences: int64 [W]. A span ends with its sequence and before a word that may not be chosen. The first word of such a stretch also
    stands for the spans that would have reached it from before, so that every word is covered with chance `rate`.
    """
    neighbours = able[1:] & able[:-1] & (sequences[1:] == sequences[:-1])
    begins = torch.cat([torch.ones(1, dtype=torch.bool), ~neighbours])[: len(able)]
    stretch = torch.cumsum(begins, 0)
    starting, entering = span_chances(rate)
    chances = torch.where(begins[:, None], torch.tensor(entering), torch.tensor(starting))
    lengths = (draws[:, None] < chances).sum(1) * able
    covered = torch.zeros_like(able)
    for back in range(min(MAX_SPAN_WORDS, len(able))):
        whence = slice(0, len(able) - back)
        covered[back:] |= (lengths[whence] > back) & (stretch[back:] == stretch[whence])
    return covered, chances[:, 0]


@lru_cache
def span_chances(rate: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The chances that a span covers at least 1, 2 … MAX_SPAN_WORDS words from a word on: if it starts there, and from wherever it started.

    Lengths are geometric, cut at MAX_SPAN_WORDS. With s the chance that a span starts and q(m) that it has m words or more, a word far from
    any edge stays uncovered with chance Π (1 - s·q(m)); s is found by bisection so that this is 1 - rate.
    """
    left = [(1 - SPAN_STOP) ** m for m in range(MAX_SPAN_WORDS + 1)]
    at_least = [(left[m] - left[-1]) / (1 - left[-1]) for m in range(MAX_SPAN_WORDS)]

    def reaching(start: float, words: int) -> float:
        """Chance that some span reaches `words` words on from here, wherever it started."""
        return 1 - math.prod(1 - start * share for share in at_least[words - 1 :])

    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if reaching(middle, 1) < rate else (low, middle)
    return tuple(low * share for share in at_least), tuple(
        reaching(low, words) for words in range(1, MAX_SPAN_WORDS + 1)
    )


def _any_piece(flags: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
    """bool [W]: the words with a piece whose flag is set."""
    num_words = int(words[-1]) + 1 if len(words) else 0
    return torch.zeros(num_words, dtype=torch.bool).index_put((words[flags],), torch.tensor(True))


def _lowest_of_empty(
    draws: torch.Tensor, chosen: torch.Tensor, offered: torch.Tensor, sequences: torch.Tensor
) -> torch.Tensor:
    """bool [N]: for each sequence with no chosen token, the offered token (or whole word) with the lowest draw."""
    num_sequences = int(sequences.max()) + 1 if len(sequences) else 0
    has_one = torch.zeros(num_sequences, dtype=torch.bool).index_put(
        (sequences[chosen],), torch.tensor(True)
    )
    draws = torch.where(offered, draws, torch.inf)
    lowest = torch.full((num_sequences,), torch.inf).scatter_reduce(0, sequences, draws, "amin")
    return offered & ~has_one[sequences] & (draws == lowest[sequences])
