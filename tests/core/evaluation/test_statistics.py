"""The test and the interval: exact where they can be counted, calibrated elsewhere."""

import itertools

import numpy as np
import pytest
from scipy import stats

from mlm_gui.core.evaluation.statistics import (
    NUM_RESAMPLES,
    bootstrap_means,
    percentile_interval,
    sign_flip_p_value,
    student_quantile,
)


def noise(size, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=size)


def brute_force(differences: np.ndarray) -> float:
    """Every sign pattern, one by one."""
    observed = abs(sum(differences)) - 1e-12
    patterns = list(itertools.product((1, -1), repeat=len(differences)))
    return sum(
        abs(sum(sign * each for sign, each in zip(signs, differences, strict=True))) >= observed
        for signs in patterns
    ) / len(patterns)


@pytest.mark.parametrize(
    "differences",
    [
        noise(1),
        noise(5),
        noise(9) + 0.7,
        np.array([1.0, 1.0, 1.0, 1.0]),
        np.array([2.0, -1.0, 0.0, -1.0]),
    ],
)
def test_few_differences_are_counted_exactly(differences):
    assert sign_flip_p_value(differences) == brute_force(differences)


def test_random_flips_come_close_to_the_exact_count():
    differences = noise(13, 3) + 0.5
    exact = sign_flip_p_value(differences, num_flips=2**13)
    random = sign_flip_p_value(differences, num_flips=2**13 - 1)
    standard_error = np.sqrt(exact * (1 - exact) / 2**13)
    assert 0.01 < exact < 0.5 and random == pytest.approx(exact, abs=4 * standard_error)


def test_no_difference_at_all_has_p_one_and_a_clear_one_is_never_zero():
    assert sign_flip_p_value(np.zeros(30)) == sign_flip_p_value(np.zeros(4)) == 1.0
    assert sign_flip_p_value(np.full(40, -0.3)) == 1 / (NUM_RESAMPLES + 1)


def test_the_test_is_calibrated():
    """When nothing differs, p is below 0.05 as often as it should be.

    The differences are skewed in size and symmetric in sign.
    """
    generator, num_nulls = np.random.default_rng(5), 800
    p_values = [
        sign_flip_p_value(
            generator.standard_t(3, 25) * generator.exponential(1, 25), num_flips=999, seed=null
        )
        for null in range(num_nulls)
    ]
    low, high = stats.binom.interval(0.999, num_nulls, 0.05)
    assert low <= sum(p < 0.05 for p in p_values) <= high
    assert stats.kstest(p_values, "uniform").pvalue > 0.001


def test_means_are_ratios_of_sums_over_whole_clusters():
    sums = np.array([[2.0, 6.0, 1.0], [4.0, 4.0, 0.0]])
    means = bootstrap_means(sums, num_resamples=200)
    assert means.shape == (200, 2)
    possible = {(3.0, 0.5), (1.0, 0.0), (10 / 6, 1 / 6)}
    assert {tuple(row) for row in means.round(12)} == {
        tuple(np.round(pair, 12)) for pair in possible
    }


def test_the_interval_is_about_student_s_for_normal_clusters():
    values = noise(60, 1)
    low, high = percentile_interval(bootstrap_means(np.stack([np.ones(60), values], 1))[:, 0], 60)
    expected = stats.t.interval(0.95, 59, values.mean(), stats.sem(values))
    assert (low, high) == pytest.approx(expected, abs=0.03)
    assert low < values.mean() < high


def test_words_of_one_paragraph_are_not_counted_as_independent():
    paragraphs = np.repeat(noise(12, 2), 30)  # thirty equal words each
    word_sums = np.stack([np.ones(360), paragraphs], 1)
    paragraph_sums = np.stack([np.full(12, 30.0), paragraphs[::30] * 30], 1)
    by_word = percentile_interval(bootstrap_means(word_sums)[:, 0], 360)
    by_paragraph = percentile_interval(bootstrap_means(paragraph_sums)[:, 0], 12)
    assert np.diff(by_paragraph) > 4 * np.diff(by_word)


def test_equal_clusters_have_an_empty_interval_and_equal_input_gives_equal_digits():
    flat = bootstrap_means(np.tile([3.0, 1.5], (9, 1)))
    assert percentile_interval(flat[:, 0], 9) == (0.5, 0.5)
    sums = np.abs(noise((20, 3))) + 1
    assert np.array_equal(bootstrap_means(sums), bootstrap_means(sums))
    assert sign_flip_p_value(sums[:, 0] - 1.5) == sign_flip_p_value(sums[:, 0] - 1.5)


@pytest.mark.parametrize("degrees", [7, 12, 50, 1000])
def test_student_s_quantile_is_right(degrees):
    assert student_quantile(0.025, degrees) == pytest.approx(stats.t.ppf(0.025, degrees), abs=0.002)
