"""BERT's rule: choose 15 % of the tokens, hide most of them, and ask the model for the originals.

The rule is from Devlin et al. 2019, "BERT", section 3.1: 15 % of the tokens are chosen; of those
80 % become the mask token, 10 % become a random token, and 10 % are kept. A fresh draw for each
batch is from Liu et al. 2019, "RoBERTa", section 4.1. Whole words are BERT's later "whole word
masking": a word is chosen or not, and each of its tokens meets the 80/10/10 rule by itself. Spans
of whole words follow Joshi et al. 2020, "SpanBERT", section 3.1: their lengths are geometric, so
shorter spans are more frequent.
"""

import dataclasses
import math
from dataclasses import dataclass
from functools import lru_cache

import torch

from mlm_gui.core.masking.policy import IGNORED, MAX_SPAN_WORDS, SPAN_STOP, Fate, MaskPolicy
from mlm_gui.core.tokenizer import Tokenizer
from mlm_gui.core.tokens import Pack
from mlm_gui.errors import UserError


@dataclass(frozen=True)
class Vocabulary:
    """What a draw needs to know of a tokenizer."""

    mask_id: int
    special_ids: torch.Tensor
    """int64, every special id; none of these is ever chosen or drawn as the random token."""
    ordinary_ids: torch.Tensor
    """int64, the ids that random tokens are drawn from."""

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> "Vocabulary":
        """Reads a tokenizer of any family; raises UserError when it has no mask token."""
        if tokenizer.mask_token_id is None:
            raise UserError(
                "This model cannot do masked-language modelling.",
                "Its tokenizer has no mask token.",
                "Choose a BERT-like model, for example the bundled starter.",
            )
        special_ids = torch.tensor(sorted(set(tokenizer.all_special_ids)))
        all_ids = torch.tensor(sorted(set(tokenizer.get_vocab().values())))
        ordinary_ids = all_ids[~torch.isin(all_ids, special_ids)]
        return cls(tokenizer.mask_token_id, special_ids, ordinary_ids)

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
    """float32 in [0, 1), the random number of each token.

    The tokens of a word share one unless the unit is "token".
    """
    thresholds: torch.Tensor
    """float32, a token is chosen when its draw is below this.

    It is the rate for the units "token" and "word". For spans it is the probability that a span
    starts here; an earlier span may reach the token as well.
    """
    rescued: torch.Tensor
    """bool, True where a token was chosen only because its sequence would have had none."""

    @property
    def chosen(self) -> torch.Tensor:
        """bool: the tokens that the model must predict."""
        return self.labels != IGNORED

    def at(self, positions: torch.Tensor | slice) -> "MaskedBatch":
        """The draw of these tokens only."""
        columns = {
            field.name: getattr(self, field.name)[positions] for field in dataclasses.fields(self)
        }
        return MaskedBatch(**columns)


def mask_pack(
    pack: Pack, policy: MaskPolicy, vocabulary: Vocabulary, generator: torch.Generator
) -> MaskedBatch:
    """Draws the masks of a pack; see `mask_tokens`."""
    return mask_tokens(
        pack.input_ids,
        vocabulary.maskable(pack.input_ids),
        policy,
        vocabulary,
        generator,
        sequences=pack.sequences,
        words=pack.words,
    )


def mask_tokens(
    input_ids: torch.Tensor,
    maskable: torch.Tensor,
    policy: MaskPolicy,
    vocabulary: Vocabulary,
    generator: torch.Generator,
    *,
    sequences: torch.Tensor | None = None,
    words: torch.Tensor | None = None,
    force: torch.Tensor | None = None,
    forbid: torch.Tensor | None = None,
) -> MaskedBatch:
    """Draws which tokens are predicted and what the model sees in their place.

    input_ids: int64 [N], any number of sequences end to end.
    maskable: bool [N], tokens that may be chosen.
    sequences: int64 [N], the number of each token's sequence. In every sequence with a maskable
    token at least one token is chosen, the one with the lowest draw.
    words: int64 [N], the number of each token's word: 0, 1, 2 … along the row. Each token is a
    word of its own without it.
    force, forbid: bool [N], tokens chosen or left out whatever the draw says. A token that is not
    maskable is never chosen.
    Everything is drawn on the CPU, so a seed gives the same masks on any device.
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
        words = torch.arange(len(input_ids)) if words is None else words
        firsts = torch.diff(words, prepend=torch.tensor([-1])) != 0
        draws = draws[firsts][words]  # the draw of its first token decides a word
        chosen = (draws < policy.rate) & maskable
        if policy.unit == "span":
            able = _any_token(maskable, words)
            chosen, thresholds = _spans(draws[firsts], able, sequences[firsts], policy.rate)
            chosen, thresholds = chosen[words] & maskable, thresholds[words]
    offered = maskable if forbid is None else maskable & ~forbid
    chosen = chosen & offered
    if force is not None:
        chosen = chosen | (force & maskable)
    rescued = _lowest_of_empty(draws, chosen, offered, sequences)
    chosen = chosen | rescued

    fates = torch.where(maskable, Fate.UNTOUCHED, Fate.SPECIAL).to(torch.int8)
    fates[chosen] = Fate.KEPT
    fates[chosen & (kinds < policy.mask_share + policy.random_share)] = Fate.RANDOM
    fates[chosen & (kinds < policy.mask_share)] = Fate.MASK

    seen = torch.where(fates == Fate.MASK, vocabulary.mask_id, input_ids)
    seen = torch.where(fates == Fate.RANDOM, random_ids, seen)
    return MaskedBatch(
        input_ids=seen,
        labels=torch.where(chosen, input_ids, IGNORED),
        fates=fates,
        draws=draws,
        thresholds=thresholds,
        rescued=rescued,
    )


def _spans(
    draws: torch.Tensor, able: torch.Tensor, sequences: torch.Tensor, rate: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """bool [W], the words in spans; float32 [W], the probability that a span starts at each word.

    draws: float32 [W], the draw of each word; the lower it is, the longer the span that starts
    there. able: bool [W], words that may be chosen. sequences: int64 [W].

    A span ends with its sequence, and before a word that may not be chosen. Words between two such
    ends are a stretch. The first word of a stretch also counts the spans that would have reached
    it from before, so that every word is in a span with probability `rate`.

    Span lengths [0, 3, 0, 0, 0] in one stretch cover [F, T, T, T, F]. When a new stretch starts at
    the fourth word they cover [F, T, T, F, F].
    """
    continues = able[1:] & able[:-1] & (sequences[1:] == sequences[:-1])
    begins = torch.cat([torch.ones(1, dtype=torch.bool), ~continues])[: len(able)]
    stretch = torch.cumsum(begins, 0)
    starting, entering = span_chances(rate)
    chances = torch.where(begins[:, None], torch.tensor(entering), torch.tensor(starting))
    lengths = (draws[:, None] < chances).sum(1) * able
    covered = torch.zeros_like(able)
    num_words = len(able)
    for distance in range(min(MAX_SPAN_WORDS, num_words)):
        starts = slice(0, num_words - distance)
        in_same_stretch = stretch[distance:] == stretch[starts]
        covered[distance:] |= (lengths[starts] > distance) & in_same_stretch
    return covered, chances[:, 0]


@lru_cache
def span_chances(rate: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The probabilities that a span covers at least 1, 2 … MAX_SPAN_WORDS words from a word on.

    The first tuple is for a span that starts at the word, the second for a span that may have
    started earlier. Lengths are geometric and end at MAX_SPAN_WORDS. Let s be the probability that
    a span starts, and q(m) that it has m words or more. A word far from any edge is in no span
    with probability Π (1 - s·q(m)). Bisection finds the s for which this is 1 - rate.
    """
    tails = [(1 - SPAN_STOP) ** m for m in range(MAX_SPAN_WORDS + 1)]
    at_least = [(tails[m] - tails[-1]) / (1 - tails[-1]) for m in range(MAX_SPAN_WORDS)]

    def reaching(start: float, words: int) -> float:
        """Probability that some span covers `words` words from here, wherever it started."""
        return 1 - math.prod(1 - start * share for share in at_least[words - 1 :])

    low = 0.0
    high = 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if reaching(middle, 1) < rate:
            low = middle
        else:
            high = middle
    starting = tuple(low * share for share in at_least)
    entering = tuple(reaching(low, words) for words in range(1, MAX_SPAN_WORDS + 1))
    return starting, entering


def _any_token(flags: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
    """bool [W], the words with a flagged token: flags [F, T, F], words [0, 0, 1] -> [T, F]."""
    num_words = int(words[-1]) + 1 if len(words) else 0
    return torch.zeros(num_words, dtype=torch.bool).index_put((words[flags],), torch.tensor(True))


def _lowest_of_empty(
    draws: torch.Tensor, chosen: torch.Tensor, offered: torch.Tensor, sequences: torch.Tensor
) -> torch.Tensor:
    """bool [N]: in each sequence without a chosen token, the offered token with the lowest draw.

    With whole words it is all tokens of the word with the lowest draw.
    """
    num_sequences = int(sequences.max()) + 1 if len(sequences) else 0
    has_chosen = torch.zeros(num_sequences, dtype=torch.bool).index_put(
        (sequences[chosen],), torch.tensor(True)
    )
    draws = torch.where(offered, draws, torch.inf)
    lowest = torch.full((num_sequences,), torch.inf).scatter_reduce(0, sequences, draws, "amin")
    return offered & ~has_chosen[sequences] & (draws == lowest[sequences])
