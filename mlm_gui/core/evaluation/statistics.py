"""How certain a difference between two models is: a permutation test and a bootstrap.

Both resample clusters, never words. A cluster is a paragraph, together with its near-duplicates.
The hidden words of one paragraph are not independent: they share one topic and one style, and one
blank is context for another. Counting words would give intervals that are far too narrow
(Berg-Kirkpatrick et al. 2012, "An Empirical Investigation of Statistical Significance in NLP";
Dror et al. 2018, "The Hitchhiker's Guide to Testing Statistical Significance in NLP"). All random
numbers come from seeded generators, so the same input gives the same digits.
"""

import math
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np

NUM_RESAMPLES = 10_000
"""Sign flips, and bootstrap samples.

With so many, a p-value of 0.05 has an error of about 0.004 (two standard errors).
"""
ROWS_AT_ONCE = 1_000
"""Resamples held in memory together."""


def sign_flip_p_value(
    differences: np.ndarray, num_flips: int = NUM_RESAMPLES, seed: int = 0
) -> float:
    """Two-sided p-value of the hypothesis that it does not matter which model is which.

    differences: float [C], one paired difference for each cluster. Under the hypothesis each could
    have the other sign just as well (Fisher 1935, "The Design of Experiments", section 21). The
    p-value is the share of sign patterns whose sum is at least as far from zero as the observed
    one. All 2^C patterns are counted when there are at most `num_flips`; otherwise that many
    random ones, and the observed one among them (Phipson & Smyth 2010, "Permutation P-values
    should never be zero").

    Differences [1, 1] have the sums 2, 0, 0 and -2, of which two are as far out: p = 0.5.
    """
    observed = abs(differences.sum()) * (1 - 1e-12)  # equal sums may differ in the last digit
    num_patterns: int = 2 ** len(differences)
    if num_patterns <= num_flips:
        num_extreme = _num_extreme(_every_sign(len(differences)), differences, observed)
        return num_extreme / int(num_patterns)
    flips = _random_signs(len(differences), num_flips, seed)
    return (_num_extreme(flips, differences, observed) + 1) / (num_flips + 1)


def _num_extreme(flips: Iterator[np.ndarray], differences: np.ndarray, observed: float) -> int:
    """How many sign patterns give a sum at least as far from zero as `observed`."""
    return sum(int((np.abs(signs @ differences) >= observed).sum()) for signs in flips)


def _every_sign(num_clusters: int) -> Iterator[np.ndarray]:
    """All patterns of +1 and -1 at once."""
    patterns = np.arange(2**num_clusters)[:, None] >> np.arange(num_clusters)
    yield 1.0 - 2.0 * (patterns & 1)


def _random_signs(num_clusters: int, num_flips: int, seed: int) -> Iterator[np.ndarray]:
    """`num_flips` random patterns of +1 and -1, ROWS_AT_ONCE at a time."""
    generator = np.random.default_rng(seed)
    for start in range(0, num_flips, ROWS_AT_ONCE):
        num_rows = min(ROWS_AT_ONCE, num_flips - start)
        yield 1.0 - 2.0 * generator.integers(0, 2, (num_rows, num_clusters))


def bootstrap_means(
    sums: np.ndarray, num_resamples: int = NUM_RESAMPLES, seed: int = 0
) -> np.ndarray:
    """float [R, K - 1], the means of every column but the first in R bootstrap samples.

    sums: float [C, K], for each cluster its number of blanks (at least one) and sums over them. A
    sample draws whole clusters with replacement (Field & Welsh 2007, "Bootstrapping clustered
    data"). It draws the same ones for every column, so that columns stay paired.

    The clusters [[2, 6], [4, 4]] have two blanks with sum 6, and four with sum 4. A sample that
    draws the first twice has the mean 12/4 = 3, one that draws both has 10/6.
    """
    generator = np.random.default_rng(seed)
    num_clusters = len(sums)
    equal_chances = np.full(num_clusters, 1 / num_clusters)
    means = []
    for start in range(0, num_resamples, ROWS_AT_ONCE):
        num_rows = min(ROWS_AT_ONCE, num_resamples - start)
        counts = generator.multinomial(num_clusters, equal_chances, size=num_rows)
        drawn = counts @ sums
        num_blanks = drawn[:, :1]
        means.append(drawn[:, 1:] / num_blanks)
    return np.concatenate(means)


def percentile_interval(
    means: np.ndarray, num_clusters: int, confidence: float = 0.95
) -> tuple[float, float]:
    """The central part of bootstrap means (float [R]), a little wider than `confidence`.

    Plain percentiles are too narrow for few clusters. The wider ones use Student's t with C - 1
    degrees of freedom in place of the normal distribution (Hesterberg 2015, "What Teachers Should
    Know About the Bootstrap", section 4.1, the expanded percentile interval). One cluster gives
    the whole range of its means.
    """
    tail = 0.0
    if num_clusters > 1:
        quantile = student_quantile((1 - confidence) / 2, num_clusters - 1)
        tail = NormalDist().cdf(math.sqrt(num_clusters / (num_clusters - 1)) * quantile)
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def student_quantile(probability: float, degrees: int) -> float:
    """Quantile of Student's t, within 0.002 from seven degrees of freedom on.

    The Cornish-Fisher series of Abramowitz & Stegun 1964, 26.7.5.
    """
    z = NormalDist().inv_cdf(probability)
    return (
        z
        + (z**3 + z) / (4 * degrees)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * degrees**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * degrees**4)
    )
