"""An evaluation in words: the verdict's sentence, differences with their intervals, durations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlm_gui.core.evaluation.outcomes import BETTER, SAME, WORSE
from mlm_gui.core.formatting import describe_duration

if TYPE_CHECKING:
    from mlm_gui.core.evaluation.paired import PairedResult


def verdict_sentence(
    verdict: str, paired_result: PairedResult, forgetting: PairedResult, seconds_trained: float
) -> str:
    """Better, the same or worse, by how much, and at what cost."""
    before, after = (
        round(100 * figures.top1) for figures in (paired_result.base, paired_result.tuned)
    )
    compared = (
        "as before"
        if after == before
        else f"and the base {before}"
        if verdict == SAME
        else f"instead of {before}"
    )
    guesses = f"it guesses {after} of 100 hidden pieces right {compared}"
    if verdict == SAME:
        change = f"No measurable change: the loss on unseen text differs by {signed_with_interval(paired_result)}; {guesses}."
    else:
        change = f"{verdict.capitalize()}: the loss on unseen text is {size_with_interval(paired_result, 'lower' if verdict == BETTER else 'higher')}; {guesses}."
    cost = (
        f"Cost: {describe_duration(seconds_trained)} of training; it " if seconds_trained else "It "
    )
    return f"{change} {cost}{forgot_in_words(forgetting)}."


def forgot_in_words(forgetting: PairedResult) -> str:
    """What the general text says: "forgot …", as half a sentence after "it"."""
    return {
        WORSE: f"forgot general English: the loss there is {size_with_interval(forgetting, 'higher')}",
        SAME: f"forgot nothing measurable: the loss on general English differs by {signed_with_interval(forgetting)}",
        BETTER: f"forgot nothing: the loss on general English is {size_with_interval(forgetting, 'lower')}",
    }[forgetting.outcome]


def signed_with_interval(paired_result: PairedResult) -> str:
    """The difference of the losses, tuned minus base: "+0.02 (95 % interval −0.10 to +0.14)"."""
    digits = digits_of(paired_result.difference)
    low, high = (signed(edge, digits) for edge in paired_result.difference_interval)
    return f"{signed(paired_result.difference, digits)} (95\u00a0% interval {low} to {high})"


def size_with_interval(paired_result: PairedResult, direction: str) -> str:
    """The difference of the losses without its sign, when that is sure: "0.75 lower (95 % interval 0.57 to 0.93)"."""
    digits = digits_of(paired_result.difference)
    low, high = sorted(abs(edge) for edge in paired_result.difference_interval)
    return f"{abs(paired_result.difference):.{digits}f} {direction} (95\u00a0% interval {low:.{digits}f} to {high:.{digits}f})"


def digits_of(number: float) -> int:
    """How many decimals of a loss difference say something."""
    return 2 if number == 0 or abs(number) >= 0.095 else 3


def signed(number: float, digits: int = 2) -> str:
    """A number with + or a real minus sign in front, and zero as plain 0."""
    return "0" if number == 0 else f"{'−' if number < 0 else '+'}{abs(number):.{digits}f}"
