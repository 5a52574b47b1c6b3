"""What chance gives: exact intervals for the counts of a draw."""

from collections.abc import Sequence

import torch

from mlm_gui.core.masking.policy import MAX_SPAN_WORDS
from mlm_gui.core.masking.sampling import span_chances


def binomial_log_pmf(n: int, p: float) -> torch.Tensor:
    """float64 [n + 1]: the logarithm of the chance of 0, 1 … n successes."""
    counts = torch.arange(n + 1, dtype=torch.float64)
    log_pmf = (
        torch.lgamma(torch.tensor(n + 1.0, dtype=torch.float64))
        - torch.lgamma(counts + 1)
        - torch.lgamma(n - counts + 1)
    )
    return (
        log_pmf
        + torch.special.xlogy(counts, p)
        + torch.special.xlog1py(n - counts, torch.tensor(-p, dtype=torch.float64))
    )


def binomial_interval(n: int, p: float, coverage: float = 0.95) -> tuple[int, int]:
    """Central interval of Binomial(n, p) with at least `coverage`, exact: from its own cumulative distribution."""
    return _central(binomial_log_pmf(n, p).exp(), coverage)


def span_interval(stretches: Sequence[int], rate: float, coverage: float = 0.95) -> tuple[int, int]:
    """Central interval, exact, of how many words spans cover in stretches of so many words each; see masking.mask_tokens."""
    return _central(span_distribution(stretches, rate), coverage)


def span_distribution(stretches: Sequence[int], rate: float) -> torch.Tensor:
    """float64 [W + 1]: the chance that spans cover 0, 1 … W of the W words.

    Goes from word to word; row r of the table holds the chances of each count so far with r more words under the longest span, this one included.
    """
    starting, entering = (_lengths(chances) for chances in span_chances(rate))
    step = torch.zeros(MAX_SPAN_WORDS + 1, MAX_SPAN_WORDS + 1, dtype=torch.float64)
    for left in range(MAX_SPAN_WORDS + 1):
        reach = max(left - 1, 0)
        step[left, reach] = starting[: reach + 1].sum()
        step[left, reach + 1 :] = starting[reach + 1 :]
    table = torch.zeros(MAX_SPAN_WORDS + 1, sum(stretches) + 1, dtype=torch.float64)
    table[0, 0] = 1
    for num_words in stretches:
        for word in range(num_words):
            table = step.T @ table if word else entering[:, None] * table.sum(0)
            table[1:] = table[1:].roll(
                1, dims=1
            )  # the last column is still empty: nothing comes round
    return table.sum(0)


def _lengths(at_least: tuple[float, ...]) -> torch.Tensor:
    """float64 [MAX_SPAN_WORDS + 1]: the chances of lengths 0, 1 …, from those of at least 1, 2 …"""
    reached = torch.tensor([1.0, *at_least, 0.0], dtype=torch.float64)
    return reached[:-1] - reached[1:]


def _central(chances: torch.Tensor, coverage: float) -> tuple[int, int]:
    tail = (1 - coverage) / 2
    cumulative = chances.cumsum(0)
    return int((cumulative < tail).sum()), int(
        (cumulative < 1 - tail).sum().clamp(max=len(chances) - 1)
    )
