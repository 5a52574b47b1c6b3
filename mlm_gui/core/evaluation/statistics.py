"""How sure a difference between two models is: a paired permutation test and a bootstrap, both over paragraphs.

The hidden words of one paragraph are not independent of each other: one topic, one style, blanks that were each other's context. So the
unit that is resampled is the paragraph (a cluster), never the word; counting words would give intervals far too narrow (Berg-Kirkpatrick
et al. 2012, "An Empirical Investigation of Statistical Significance in NLP"; Dror et al. 2018, "The Hitchhiker's Guide to Testing Statistical
Significance in NLP"). All draws come from seeded generators: the same input gives the same digits.
"""

import math
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np

NUM_RESAMPLES = 10_000
"""Sign flips, and bootstrap samples; with so many the p-value of 0.05 is known to about 0.004 (two standard errors)."""
ROWS_AT_ONCE = 1_000
"""Resamples held in memory together."""


def sign_flip_p_value(
    differences: np.ndarray, num_flips: int = NUM_RESAMPLES, seed: int = 0
) -> float:
    """Two-sided p-value of the hypothesis that it does not matter which model is which.

    differences: float [U], one paired difference for each unit. If the hypothesis holds, each could as well have the other sign (Fisher
    1935, "The Design of Experiments", section 21). The p-value is the share of sign patterns whose sum is at least as far from zero as the
    one observed: of all 2^U patterns while these are no more than `num_flips`, otherwise of so many random ones with the observed one among them
    (Phipson & Smyth 2010, "Permutation P-values should never be zero").
    """
    observed = abs(differences.sum()) * (1 - 1e-12)  # equal sums may differ in the last digit
    exact = 2 ** len(differences) <= num_flips
    flips = (
        _every_sign(len(differences)) if exact else _random_signs(len(differences), num_flips, seed)
    )
    extreme = sum(int((np.abs(signs @ differences) >= observed).sum()) for signs in flips)
    return extreme / 2 ** len(differences) if exact else (extreme + 1) / (num_flips + 1)


def _every_sign(num_clusters: int) -> Iterator[np.ndarray]:
    patterns = np.arange(2**num_clusters)[:, None] >> np.arange(num_clusters)
    yield 1.0 - 2.0 * (patterns & 1)


def _random_signs(num_clusters: int, num_flips: int, seed: int) -> Iterator[np.ndarray]:
    generator = np.random.default_rng(seed)
    for start in range(0, num_flips, ROWS_AT_ONCE):
        yield 1.0 - 2.0 * generator.integers(
            0, 2, (min(ROWS_AT_ONCE, num_flips - start), num_clusters)
        )


def bootstrap_means(
    sums: np.ndarray, num_resamples: int = NUM_RESAMPLES, seed: int = 0
) -> np.ndarray:
    """float [R, C - 1]: column sums over the sum of the first column, in each of R samples of units drawn with replacement.

    sums: float [U, C], for each unit its number of blanks (at least one) and the sums over them. Whole units are drawn (Field & Welsh 2007,
    "Bootstrapping clustered data"), and the same ones for every column, so that columns stay paired.
    """
    generator, num_clusters = np.random.default_rng(seed), len(sums)
    means = []
    for start in range(0, num_resamples, ROWS_AT_ONCE):
        counts = generator.multinomial(
            num_clusters,
            np.full(num_clusters, 1 / num_clusters),
            size=min(ROWS_AT_ONCE, num_resamples - start),
        )
        drawn = counts @ sums
        means.append(drawn[:, 1:] / drawn[:, :1])
    return np.concatenate(means)


def percentile_interval(
    means: np.ndarray, num_clusters: int, confidence: float = 0.95
) -> tuple[float, float]:
    """The middle part of bootstrap means (float [R]), a little wider than `confidence` asks.

    Plain percentiles are too narrow for few units; the wider ones have Student's t with U - 1 degrees of freedom in place of the normal curve
    (Hesterberg 2015, "What Teachers Should Know About the Bootstrap", section 4.1, the expanded percentile interval).
    """
    tail = (1 - confidence) / 2
    wider = (
        NormalDist().cdf(
            math.sqrt(num_clusters / (num_clusters - 1)) * student_quantile(tail, num_clusters - 1)
        )
        if num_clusters > 1
        else 0.0
    )
    low, high = np.quantile(means, [wider, 1 - wider])
    return float(low), float(high)


def student_quantile(probability: float, degrees: int) -> float:
    """Student's t by the Cornish-Fisher series of Abramowitz & Stegun 1964, 26.7.5; within 0.002 for seven degrees of freedom and more."""
    z = NormalDist().inv_cdf(probability)
    return (
        z
        + (z**3 + z) / (4 * degrees)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * degrees**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * degrees**4)
    )
