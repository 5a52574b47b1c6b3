"""The counts of a draw against what chance gives, for one text and over a corpus."""

from dataclasses import dataclass

import numpy as np
import torch

from mlm_gui.core.masking.expectation import binomial_interval, binomial_log_pmf
from mlm_gui.core.masking.explanation import Draw
from mlm_gui.core.masking.policy import Fate, MaskPolicy
from mlm_gui.core.masking.sampling import Vocabulary, mask_tokens
from mlm_gui.core.tokens import TokenStore


@dataclass(frozen=True)
class Count:
    """How often something happened, and how often chance makes it happen."""

    name: str
    found: int
    of: int
    share: float
    """Expected share of `of`."""
    low: int
    """Chance gives from `low` to `high` in at least 95 of 100 draws; exact."""
    high: int

    @property
    def expected(self) -> float:
        return self.share * self.of


def counts_of(draw: Draw) -> tuple[Count, ...]:
    """Chosen, and of the chosen: hidden, swapped, kept. What a person forced or forbade is left out of the first."""
    policy, free = draw.policy, draw.free
    chosen = Count(
        "chosen" if policy.unit == "token" else "words chosen",
        sum(free),
        len(free),
        policy.rate,
        *draw.expected,
    )
    shares = {
        Fate.MASK: policy.mask_share,
        Fate.RANDOM: policy.random_share,
        Fate.KEPT: max(0.0, 1 - policy.mask_share - policy.random_share),
    }
    names = {
        Fate.MASK: "shown as the mask token",
        Fate.RANDOM: "swapped for a random piece",
        Fate.KEPT: "left as they are",
    }
    split = (
        Count(
            names[fate],
            draw.count(fate),
            draw.num_chosen,
            share,
            *binomial_interval(draw.num_chosen, share),
        )
        for fate, share in shares.items()
    )
    return (chosen, *split)


def chosen_shares(
    store: TokenStore, policy: MaskPolicy, vocabulary: Vocabulary, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """One draw over every sequence: the chosen share of each (float64 [S]) and how many of its tokens could be chosen (int64 [S]).

    Sequences without such a token are left out.
    """
    pack = store.pack(np.arange(store.num_sequences))
    maskable = vocabulary.maskable(pack.input_ids)
    batch = mask_tokens(
        pack.input_ids,
        maskable,
        policy,
        vocabulary,
        torch.Generator().manual_seed(seed),
        pack.sequences,
        pack.words,
    )
    able, chosen = (
        np.bincount(pack.sequences[flags].numpy(), minlength=store.num_sequences)
        for flags in (maskable, batch.chosen)
    )
    return chosen[able > 0] / able[able > 0], able[able > 0]


def expected_histogram(sizes: np.ndarray, rate: float, edges: np.ndarray) -> np.ndarray:
    """float64 [B]: how many sequences of so many maskable tokens (int64 [S]) chance puts between each two `edges` of the chosen share."""
    expected = np.zeros(len(edges) - 1)
    for size, number in zip(*np.unique(sizes, return_counts=True), strict=True):
        shares = np.arange(size + 1) / size
        expected += (
            number
            * np.histogram(shares, edges, weights=binomial_log_pmf(int(size), rate).exp().numpy())[
                0
            ]
        )
    return expected
