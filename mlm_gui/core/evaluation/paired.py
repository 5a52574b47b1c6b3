"""Two models on the same blanks of the same text: what each scored, how far apart they are, and how sure that is."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

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
from mlm_gui.core.masking.policy import EXAM_POLICY
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.core.tokens import parts_of, tokenize
from mlm_gui.errors import UserError

SIGNIFICANT = 0.05
"""A difference is called one only when its p-value is below this and its 95 % interval leaves out zero."""
Interval = tuple[float, float]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Figures:
    """What one model scored; intervals hold 95 % of what other paragraphs of this kind would give."""

    loss: float
    """Mean surprise at a hidden token, in nats."""
    perplexity: float
    """Masked-token perplexity: exp(loss)."""
    top1: float
    """Share of hidden tokens guessed first."""
    top5: float
    """Share of hidden tokens among the first five guesses."""
    interval: Interval
    """Of the loss."""
    perplexity_interval: Interval
    top1_interval: Interval
    top5_interval: Interval


@dataclass(frozen=True)
class PairedResult:
    """Both models on the blanks of one text; differences are tuned minus base, so a negative one in the loss is an improvement."""

    base: Figures
    tuned: Figures
    difference: float
    """Of the losses, in nats."""
    difference_interval: Interval
    top1_difference: float
    top1_difference_interval: Interval
    top5_difference: float
    top5_difference_interval: Interval
    p_value: float
    """Of the loss difference: two-sided sign-flip permutation test over the units."""
    num_clusters: int
    """What is resampled: paragraphs; those that say nearly the same count as one."""
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


def pair(
    base: MaskedLM, tuned: MaskedLM, paragraphs: Sequence[str], seeds: Sequence[int]
) -> Generator[float, None, PairedResult]:
    """Scores both models on the same blanks of `paragraphs`, one draw for each seed; yields the share done.

    Raises UserError when there is nothing to hide in them.
    """
    max_length = min(base.max_length, tuned.max_length)
    store = tokenize(paragraphs, base.tokenizer, max_length)
    exams = [
        Exam.of(store, EXAM_POLICY, base, validation.whole("The mask seed", seed, 0, 2**31 - 1))
        for seed in seeds
    ]
    if not sum(exam.num_masks for exam in exams):
        raise UserError(
            "This text cannot be examined.",
            "It holds no word that could be hidden.",
            "Choose a text with some paragraphs of prose.",
        )
    unit_of = _clusters(paragraphs, base.tokenizer, max_length)
    base_sums = yield from scaled(tally(base, exams, unit_of), 0.0, 0.5)
    tuned_sums = yield from scaled(tally(tuned, exams, unit_of), 0.5, 1.0)
    return paired(base_sums, tuned_sums, tuple(seeds))


def paired(base: np.ndarray, tuned: np.ndarray, seeds: tuple[int, ...]) -> PairedResult:
    """Figures, difference, interval and p-value from the sums of two models over the same units: each float [U, 4], see core.exam.tally."""
    asked = base[:, 0] > 0
    base, tuned = base[asked], tuned[asked]
    changes = tuned[:, 1:] - base[:, 1:]
    columns = np.concatenate(
        [base, tuned[:, 1:], changes], axis=1
    )  # blanks | base loss, top1, top5 | tuned … | change …
    means, num_clusters = columns[:, 1:].sum(0) / columns[:, 0].sum(), len(columns)
    drawn = bootstrap_means(columns)
    intervals = [percentile_interval(column, num_clusters) for column in drawn.T]
    figures = [
        _figures(means[start : start + 3].tolist(), intervals[start : start + 3])
        for start in (0, 3)
    ]
    return PairedResult(
        base=figures[0],
        tuned=figures[1],
        difference=float(means[6]),
        difference_interval=intervals[6],
        top1_difference=float(means[7]),
        top1_difference_interval=intervals[7],
        top5_difference=float(means[8]),
        top5_difference_interval=intervals[8],
        p_value=sign_flip_p_value(changes[:, 0]),
        num_clusters=num_clusters,
        num_masks=int(columns[:, 0].sum()),
        seeds=seeds,
    )


def _figures(means: list[float], intervals: list[Interval]) -> Figures:
    (low, high), top1_interval, top5_interval = intervals
    return Figures(
        means[0],
        perplexity(means[0]),
        means[1],
        means[2],
        (low, high),
        (perplexity(low), perplexity(high)),
        top1_interval,
        top5_interval,
    )


def _clusters(paragraphs: Sequence[str], tokenizer, max_length: int) -> np.ndarray:
    """int64 [S]: for each sequence that `tokenize` makes, the number of its unit; the parts of a long paragraph, and near-duplicates, share one."""
    num_parts = [len(parts) for parts in parts_of(paragraphs, tokenizer, max_length)]
    _, group = np.unique(groups_of(paragraphs), return_inverse=True)
    return np.repeat(group, num_parts)


def scaled(
    steps: Generator[float, None, Result], start: float, end: float
) -> Generator[float, None, Result]:
    """The same steps as a part of something longer."""
    while True:
        try:
            share = next(steps)
        except StopIteration as finished:
            return finished.value
        yield start + (end - start) * share
