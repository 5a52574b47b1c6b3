"""What chance gives: exact intervals for the counts of a draw."""

from collections.abc import Sequence

import torch

from mlm_gui.core.masking.policy import MAX_SPAN_WORDS
from mlm_gui.core.masking.sampling import span_chances


def binomial_log_pmf(n: int, p: float) -> torch.Tensor:
    """float64 [n + 1]: the logarithm of the probability of 0, 1 … n successes."""
    successes = torch.arange(n + 1, dtype=torch.float64)
    failures = n - successes
    log_choices: torch.Tensor = (
        torch.lgamma(torch.tensor(n + 1.0, dtype=torch.float64))
        - torch.lgamma(successes + 1)
        - torch.lgamma(failures + 1)
    )
    log_success: torch.Tensor = torch.special.xlogy(successes, p)
    log_failure: torch.Tensor = torch.special.xlog1py(
        failures, torch.tensor(-p, dtype=torch.float64)
    )
    return log_choices + log_success + log_failure


def binomial_interval(n: int, p: float, coverage: float = 0.95) -> tuple[int, int]:
    """Central interval of Binomial(n, p) with at least `coverage`; exact, not approximated."""
    return _central(binomial_log_pmf(n, p).exp(), coverage)


def span_interval(stretches: Sequence[int], rate: float, coverage: float = 0.95) -> tuple[int, int]:
    """Central interval of how many words the spans cover; exact, not approximated.

    stretches: words of each stretch; see sampling.mask_tokens.
    """
    return _central(span_distribution(stretches, rate), coverage)


def span_distribution(stretches: Sequence[int], rate: float) -> torch.Tensor:
    """float64 [W + 1]: the probability that spans cover 0, 1 … W of the W words.

    The table is updated word by word. Row r holds the probability of each count so far when r more
    words, this one included, are under the longest span.
    """
    starting, entering = (_length_probabilities(chances) for chances in span_chances(rate))
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
            # the last column is still empty, so nothing comes round to the first
            table[1:] = table[1:].roll(1, dims=1)
    return table.sum(0)


def _length_probabilities(at_least: tuple[float, ...]) -> torch.Tensor:
    """float64 [MAX_SPAN_WORDS + 1]: the probabilities of the lengths 0, 1 …

    at_least: the probabilities of at least 1, 2 … words: (0.5, 0.2) -> [0.5, 0.3, 0.2].
    """
    reached = torch.tensor([1.0, *at_least, 0.0], dtype=torch.float64)
    return reached[:-1] - reached[1:]


def _central(probabilities: torch.Tensor, coverage: float) -> tuple[int, int]:
    tail = (1 - coverage) / 2
    cumulative = probabilities.cumsum(0)
    low = int((cumulative < tail).sum())
    high = int((cumulative < 1 - tail).sum().clamp(max=len(probabilities) - 1))
    return low, high
