"""BERT's rule: choose 15 % of the tokens, hide most of them, and ask the model for the originals.

Source of the rule: Devlin et al. 2019, "BERT", section 3.1 (15 % chosen; of those 80 % become the mask
token, 10 % a random token, 10 % stay). A fresh draw for each batch is Liu et al. 2019, "RoBERTa", section 4.1.
"""

from dataclasses import dataclass
from enum import IntEnum

import torch

from mlm_gui.core import checks
from mlm_gui.errors import UserError

IGNORED = -100
"""The label of a position that the loss does not count (torch's cross-entropy default)."""


class Fate(IntEnum):
    """What happened to one token in a draw."""

    UNTOUCHED = 0
    MASK = 1
    RANDOM = 2
    KEPT = 3
    SPECIAL = 4


@dataclass(frozen=True)
class MaskPolicy:
    """How tokens are chosen and what becomes of the chosen ones."""

    rate: float = 0.15
    """Chance of each ordinary token to be chosen."""
    mask_share: float = 0.8
    """Of the chosen, the share that becomes the mask token."""
    random_share: float = 0.1
    """Of the chosen, the share that becomes a random ordinary token; the rest is kept as it is and still predicted."""

    def __post_init__(self) -> None:
        checks.fraction("The hidden share", self.rate, 0.01, 0.9)
        checks.fraction("The [MASK] share", self.mask_share, 0, 1)
        checks.fraction("The random share", self.random_share, 0, 1)
        if self.mask_share + self.random_share > 1 + 1e-9:
            raise UserError(
                "The shares do not fit.",
                f"[MASK] {self.mask_share:.0%} and random {self.random_share:.0%} make more than 100 % of the chosen tokens.",
                "Lower one of them.",
            )


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
    """float32 in [0, 1), the random number each token was given; chosen when below the rate."""
    rescued: torch.Tensor
    """bool, True where a token was chosen only because its sequence would have had none."""

    @property
    def chosen(self) -> torch.Tensor:
        """bool: the tokens the model must predict."""
        return self.labels != IGNORED

    def at(self, places: torch.Tensor | slice) -> "MaskedBatch":
        """The draw of these tokens only."""
        return MaskedBatch(self.input_ids[places], self.labels[places], self.fates[places], self.draws[places], self.rescued[places])


def mask_tokens(
    input_ids: torch.Tensor,
    maskable: torch.Tensor,
    policy: MaskPolicy,
    vocabulary: Vocabulary,
    generator: torch.Generator,
    sequences: torch.Tensor | None = None,
) -> MaskedBatch:
    """Draws which tokens are predicted and what the model sees in their place.

    input_ids: int64 [N], any number of sequences laid end to end. maskable: bool [N]. sequences: int64 [N],
    the number of the sequence each token belongs to; every sequence with a maskable token gets at least one
    chosen (the one with the lowest draw). Everything is drawn on the CPU, so a seed gives the same masks on any device.
    """
    draws, kinds = torch.rand(2, len(input_ids), generator=generator)
    random_ids = vocabulary.ordinary_ids[torch.randint(len(vocabulary.ordinary_ids), input_ids.shape, generator=generator)]
    chosen = (draws < policy.rate) & maskable
    rescued = _lowest_of_empty(draws, chosen, maskable, sequences)
    chosen = chosen | rescued

    fates = torch.where(maskable, Fate.UNTOUCHED, Fate.SPECIAL).to(torch.int8)
    fates[chosen] = Fate.KEPT
    fates[chosen & (kinds < policy.mask_share + policy.random_share)] = Fate.RANDOM
    fates[chosen & (kinds < policy.mask_share)] = Fate.MASK

    seen = torch.where(fates == Fate.MASK, vocabulary.mask_id, input_ids)
    seen = torch.where(fates == Fate.RANDOM, random_ids, seen)
    return MaskedBatch(seen, torch.where(chosen, input_ids, IGNORED), fates, draws, rescued)


def _lowest_of_empty(draws: torch.Tensor, chosen: torch.Tensor, maskable: torch.Tensor, sequences: torch.Tensor | None) -> torch.Tensor:
    """bool [N]: for each sequence with no chosen token, its maskable token with the lowest draw."""
    if sequences is None:
        sequences = torch.zeros(len(draws), dtype=torch.int64)
    num_sequences = int(sequences.max()) + 1 if len(sequences) else 0
    has_one = torch.zeros(num_sequences, dtype=torch.bool).index_put((sequences[chosen],), torch.tensor(True))
    offered = torch.where(maskable, draws, torch.inf)
    lowest = torch.full((num_sequences,), torch.inf).scatter_reduce(0, sequences, offered, "amin")
    return maskable & ~has_one[sequences] & (offered == lowest[sequences])
