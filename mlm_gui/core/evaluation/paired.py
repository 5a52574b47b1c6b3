"""Two models on the same blanks of the same text: their scores, the difference, its certainty."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from mlm_gui.core import validation
from mlm_gui.core.corpus.near_duplicates import groups_of
from mlm_gui.core.evaluation.held_out import Exam, perplexity, tally
from mlm_gui.core.evaluation.outcomes import BETTER, SAME, WORSE
from mlm_gui.core.evaluation.statistics import (
    bootstrap_means,
    percentile_interval,
    sign_flip_p_value,
)
from mlm_gui.core.masking.policy import EVALUATION_POLICY
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.core.tokenizer import Tokenizer
from mlm_gui.core.tokens import parts_of, tokenize
from mlm_gui.errors import UserError

SIGNIFICANT = 0.05
"""A difference needs a smaller p-value and a 95 % interval without zero to be called one."""
Interval = tuple[float, float]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Figures:
    """One model's scores; intervals hold 95 % of what other paragraphs of this kind would give."""

    loss: float
    """Mean surprisal of a hidden token, in nats."""
    perplexity: float
    """Masked-token perplexity: exp(loss)."""
    top1: float
    """Share of hidden tokens whose first guess is right."""
    top5: float
    """Share of hidden tokens with the right one among the first five guesses."""
    interval: Interval
    """Interval of the loss."""
    perplexity_interval: Interval
    top1_interval: Interval
    top5_interval: Interval


@dataclass(frozen=True)
class PairedResult:
    """Both models on the blanks of one text.

    Differences are tuned minus base, so a negative difference of the loss is an improvement.
    """

    base: Figures
    tuned: Figures
    difference: float
    """Difference of the losses, in nats."""
    difference_interval: Interval
    top1_difference: float
    top1_difference_interval: Interval
    top5_difference: float
    top5_difference_interval: Interval
    p_value: float
    """Of the loss difference: two-sided sign-flip permutation test over the clusters."""
    num_clusters: int
    """Paragraphs, where near-duplicates count as one; these are resampled."""
    num_masks: int
    """Blanks asked, all draws together."""
    seeds: tuple[int, ...]
    """One draw of blanks for each."""

    @property
    def outcome(self) -> str:
        """BETTER or WORSE when test and interval agree that there is a difference, else SAME."""
        low, high = self.difference_interval
        if self.p_value >= SIGNIFICANT or low <= 0 <= high:
            return SAME
        return BETTER if self.difference < 0 else WORSE


def score_both(
    base: MaskedLM, tuned: MaskedLM, paragraphs: Sequence[str], seeds: Sequence[int]
) -> Generator[float, None, PairedResult]:
    """Scores both models on the same blanks of `paragraphs`, one draw for each seed.

    Yields the share done. Raises UserError when the paragraphs hold nothing to hide.
    """
    max_length = min(base.max_length, tuned.max_length)
    store = tokenize(paragraphs, base.tokenizer, max_length)
    checked_seeds = [validation.whole("The mask seed", seed, 0, 2**31 - 1) for seed in seeds]
    exams = [Exam.of(store, EVALUATION_POLICY, base, seed) for seed in checked_seeds]
    if not sum(exam.num_masks for exam in exams):
        raise UserError(
            "This text cannot be examined.",
            "It holds no word that could be hidden.",
            "Choose a text with some paragraphs of prose.",
        )
    cluster_of = _clusters(paragraphs, base.tokenizer, max_length)
    base_sums = yield from scaled(tally(base, exams, cluster_of), 0.0, 0.5)
    tuned_sums = yield from scaled(tally(tuned, exams, cluster_of), 0.5, 1.0)
    return paired_result_of(base_sums, tuned_sums, tuple(seeds))


class _Estimate(NamedTuple):
    """A mean over blanks with its interval."""

    value: float
    interval: Interval


def paired_result_of(base: np.ndarray, tuned: np.ndarray, seeds: tuple[int, ...]) -> PairedResult:
    """The result from both models' sums over the same clusters: float [C, 4], see `tally`."""
    has_blanks = base[:, 0] > 0
    num_blanks = base[has_blanks, :1]
    base_sums = base[has_blanks, 1:]
    tuned_sums = tuned[has_blanks, 1:]
    changes = tuned_sums - base_sums
    estimates = _estimates(num_blanks, np.concatenate([base_sums, tuned_sums, changes], axis=1))
    loss_change, top1_change, top5_change = estimates[6:]
    return PairedResult(
        base=_figures(*estimates[:3]),
        tuned=_figures(*estimates[3:6]),
        difference=loss_change.value,
        difference_interval=loss_change.interval,
        top1_difference=top1_change.value,
        top1_difference_interval=top1_change.interval,
        top5_difference=top5_change.value,
        top5_difference_interval=top5_change.interval,
        p_value=sign_flip_p_value(changes[:, 0]),
        num_clusters=len(num_blanks),
        num_masks=int(num_blanks.sum()),
        seeds=seeds,
    )


def _estimates(num_blanks: np.ndarray, sums: np.ndarray) -> list[_Estimate]:
    """The mean over all blanks of each column of `sums`, float [C, K], with its interval."""
    means = sums.sum(0) / num_blanks.sum()
    resampled = bootstrap_means(np.concatenate([num_blanks, sums], axis=1))
    return [
        _Estimate(float(mean), percentile_interval(column, len(sums)))
        for mean, column in zip(means, resampled.T, strict=True)
    ]


def _figures(loss: _Estimate, top1: _Estimate, top5: _Estimate) -> Figures:
    low, high = loss.interval
    return Figures(
        loss=loss.value,
        perplexity=perplexity(loss.value),
        top1=top1.value,
        top5=top5.value,
        interval=loss.interval,
        perplexity_interval=(perplexity(low), perplexity(high)),
        top1_interval=top1.interval,
        top5_interval=top5.interval,
    )


def _clusters(paragraphs: Sequence[str], tokenizer: Tokenizer, max_length: int) -> np.ndarray:
    """int64 [S], the cluster of each sequence that `tokenize` makes.

    The parts of a long paragraph share a cluster, and so do near-duplicates. Three paragraphs, the
    second of two parts and the third like the first: [0, 1, 1, 0].
    """
    num_parts = [len(parts) for parts in parts_of(paragraphs, tokenizer, max_length)]
    _, cluster_of_paragraph = np.unique(groups_of(paragraphs), return_inverse=True)
    return np.repeat(cluster_of_paragraph, num_parts)


def scaled(
    steps: Generator[float, None, Result], start: float, end: float
) -> Generator[float, None, Result]:
    """The same generator as the part from `start` to `end` of a longer one."""
    while True:
        try:
            share = next(steps)
        except StopIteration as finished:
            result: Result = finished.value
            return result
        yield start + (end - start) * share
