"""The counts of a draw beside what chance gives, for one text and over a corpus."""

from dataclasses import dataclass

import numpy as np
import torch

from mlm_gui.core.masking.expectation import binomial_interval, binomial_log_pmf
from mlm_gui.core.masking.explanation import Draw
from mlm_gui.core.masking.policy import Fate, MaskPolicy
from mlm_gui.core.masking.sampling import Vocabulary, mask_pack
from mlm_gui.core.tokens import TokenStore

_FATE_NAMES = {
    Fate.MASK: "shown as the mask token",
    Fate.RANDOM: "swapped for a random piece",
    Fate.KEPT: "left as they are",
}


@dataclass(frozen=True)
class Count:
    """How often something happened, and how often chance makes it happen."""

    name: str
    found: int
    of: int
    """Out of how many."""
    share: float
    """Expected share of `of`."""
    low: int
    """In at least 95 of 100 draws chance gives from `low` to `high`; exact."""
    high: int

    @property
    def expected(self) -> float:
        return self.share * self.of


def counts_of(draw: Draw) -> tuple[Count, ...]:
    """The chosen, and of the chosen: hidden, swapped and kept.

    The first count leaves out what a person forced or forbade.
    """
    is_chosen = draw.free
    low, high = draw.expected
    chosen = Count(
        name="chosen" if draw.policy.unit == "token" else "words chosen",
        found=sum(is_chosen),
        of=len(is_chosen),
        share=draw.policy.rate,
        low=low,
        high=high,
    )
    return (chosen, *(_fate_count(draw, fate) for fate in _FATE_NAMES))


def _fate_count(draw: Draw, fate: Fate) -> Count:
    """How many of the chosen tokens have this fate."""
    policy = draw.policy
    shares = {
        Fate.MASK: policy.mask_share,
        Fate.RANDOM: policy.random_share,
        Fate.KEPT: max(0.0, 1 - policy.mask_share - policy.random_share),
    }
    low, high = binomial_interval(draw.num_chosen, shares[fate])
    return Count(
        name=_FATE_NAMES[fate],
        found=draw.count(fate),
        of=draw.num_chosen,
        share=shares[fate],
        low=low,
        high=high,
    )


def chosen_shares(
    store: TokenStore, policy: MaskPolicy, vocabulary: Vocabulary, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """One draw over every sequence that has a maskable token.

    Returns the chosen share of each (float64 [S]) and its number of maskable tokens (int64 [S]).
    """
    pack = store.pack(np.arange(store.num_sequences))
    batch = mask_pack(pack, policy, vocabulary, torch.Generator().manual_seed(seed))
    sequences = pack.sequences
    is_maskable = vocabulary.maskable(pack.input_ids)
    num_maskable = np.bincount(sequences[is_maskable].numpy(), minlength=store.num_sequences)
    num_chosen = np.bincount(sequences[batch.chosen].numpy(), minlength=store.num_sequences)
    has_maskable = num_maskable > 0
    sizes = num_maskable[has_maskable]
    return num_chosen[has_maskable] / sizes, sizes


def expected_histogram(sizes: np.ndarray, rate: float, edges: np.ndarray) -> np.ndarray:
    """float64 [B], how many sequences chance puts between each two `edges` of the chosen share.

    sizes: int64 [S], the number of maskable tokens of each sequence.
    """
    expected = np.zeros(len(edges) - 1)
    for size, num_sequences in zip(*np.unique(sizes, return_counts=True), strict=True):
        shares = np.arange(size + 1) / size
        probabilities = binomial_log_pmf(int(size), rate).exp().numpy()
        histogram, _ = np.histogram(shares, edges, weights=probabilities)
        expected += num_sequences * histogram
    return expected
