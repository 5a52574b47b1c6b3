"""Whether the held-out text is large enough for a verdict, computed before anything is trained."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.corpus.paragraphs import chosen
from mlm_gui.core.evaluation.outcomes import MIN_CLUSTERS, MIN_MASKS
from mlm_gui.core.masking.policy import EVALUATION_POLICY, EVALUATION_SEEDS

MAX_SHARE_PERCENT = 50
"""The largest share that can be held out, in percent."""
CLEARLY_ENOUGH = 10 * MIN_CLUSTERS
"""With so many clusters the blanks need not be counted."""


def small_sample_warning(
    corpus: Corpus, held_out: float, seed: int, num_tokens: Callable[[Sequence[str]], int]
) -> str:
    """Why the evaluation would give no verdict, and what would help; "" when the text suffices.

    held_out: the share held out, 0 to 1. num_tokens: counts the ordinary tokens of paragraphs. The
    evaluation counts near-duplicates as one paragraph, and hides each ordinary token at its mask
    rate in each of its draws. Raises UserError as `Corpus.is_held_out` does.
    """
    is_held_out = corpus.is_held_out(held_out, seed)
    num_clusters = _num_clusters(corpus, is_held_out)
    if num_clusters >= CLEARLY_ENOUGH:
        return ""
    paragraphs = chosen(corpus.paragraphs, np.flatnonzero(is_held_out))
    masks_per_token = EVALUATION_POLICY.rate * len(EVALUATION_SEEDS)
    num_masks = round(masks_per_token * num_tokens(paragraphs))
    if num_clusters >= MIN_CLUSTERS and num_masks >= MIN_MASKS:
        return ""
    noun = "paragraph" if num_clusters == 1 else "paragraphs"
    percent = _sufficient_percent(corpus, held_out, seed, num_masks)
    if percent is None:
        advice = "Even the largest share is not enough: bring more text."
    else:
        advice = f"Keep {percent} % unseen, or bring more text."
    return (
        f"Too little for a verdict: the exam will have {num_clusters} different {noun} and about "
        f"{num_masks:,} blanks, and needs {MIN_CLUSTERS} and {MIN_MASKS}. {advice}"
    )


def _sufficient_percent(corpus: Corpus, held_out: float, seed: int, num_masks: int) -> int | None:
    """The smallest larger share, in percent, that gives a verdict; None when there is none."""
    first = MAX_SHARE_PERCENT + 1
    if num_masks:
        first = max(round(100 * held_out) + 1, math.ceil(100 * held_out * MIN_MASKS / num_masks))
    for percent in range(first, MAX_SHARE_PERCENT + 1):
        is_held_out = corpus.is_held_out(percent / 100, seed)
        if _num_clusters(corpus, is_held_out) >= MIN_CLUSTERS:
            return percent
    return None


def _num_clusters(corpus: Corpus, is_held_out: np.ndarray) -> int:
    """Held-out paragraphs, where near-duplicates count as one."""
    return len(np.unique(corpus.groups[is_held_out]))
