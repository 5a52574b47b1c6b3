"""Probabilities and changes as the page shows them. Sizes and durations are in core.formatting."""

import math

SMALLEST_PER_CENT = 0.0005
"""Below it a probability is shown as a power of ten."""
MOST_NATS = 50
"""A larger change is shown as this one: its factor has more than twenty digits."""


def format_probability(probability: float) -> str:
    """A probability with the digits that it can carry: 12.3%, 0.45%, 3.1e-06."""
    if probability < SMALLEST_PER_CENT:
        return f"{probability:.1e}"
    return f"{probability:.1%}" if probability >= 0.01 else f"{probability:.2%}"


def format_factor(ratio: float) -> str:
    """How many times as much: 3.2 -> "×3.2", 0.05 -> "÷20"."""
    times = max(ratio, 1 / ratio)
    return f"{'×' if ratio >= 1 else '÷'}{times:,.{0 if times >= 10 else 1}f}"


def factor_of_nats(nats: float) -> float:
    """A difference of log-probabilities as a factor, within what a person can read."""
    return math.exp(max(-MOST_NATS, min(nats, MOST_NATS)))
