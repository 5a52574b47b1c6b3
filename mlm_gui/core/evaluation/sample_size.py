"""Whether the unseen part of a text is large enough for a verdict: told before anything is trained."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.evaluation.outcomes import MIN_CLUSTERS, MIN_MASKS
from mlm_gui.core.masking.policy import EXAM_POLICY, EXAM_SEEDS

MOST = 50
"""The largest share, in %, that can be kept unseen."""


def small_sample_warning(
    corpus: Corpus, held_out: float, seed: int, num_tokens: Callable[[Sequence[str]], int]
) -> str:
    """Why the exam would give no verdict, and what would do; empty when the unseen part is enough.

    held_out: the share kept unseen, 0 to 1. num_tokens: counts the ordinary tokens of paragraphs. The exam counts paragraphs that say nearly the same as one, and
    asks each ordinary token with the exam's rate, in as many draws as it makes. Raises UserError as `Corpus.unseen` does.
    """
    group, is_held_out = corpus.groups, corpus.unseen(held_out, seed)
    num_clusters = _clusters(group, is_held_out)
    if num_clusters >= 10 * MIN_CLUSTERS:
        return ""
    chances = EXAM_POLICY.rate * len(EXAM_SEEDS)
    num_masks = round(
        chances * num_tokens([corpus.paragraphs[number] for number in np.flatnonzero(is_held_out)])
    )
    if num_clusters >= MIN_CLUSTERS and num_masks >= MIN_MASKS:
        return ""
    has = f"{num_clusters} different {'paragraph' if num_clusters == 1 else 'paragraphs'} and about {num_masks:,} blanks"
    first = max(
        round(100 * held_out) + 1,
        math.ceil(100 * held_out * MIN_MASKS / num_masks) if num_masks else MOST + 1,
    )
    share = next(
        (
            share
            for share in range(first, MOST + 1)
            if _clusters(group, corpus.unseen(share / 100, seed)) >= MIN_CLUSTERS
        ),
        None,
    )
    do = (
        f"Keep {share} % unseen"
        if share
        else "Even the largest share is not enough: bring more text"
    )
    more = ", or bring more text." if share else "."
    return f"Too little for a verdict: the exam will have {has}, and needs {MIN_CLUSTERS} and {MIN_MASKS}. {do}{more}"


def _clusters(group: np.ndarray, is_held_out: np.ndarray) -> int:
    return len(np.unique(group[is_held_out]))
