"""An evaluation in words: the verdict, differences with their intervals, durations."""

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
    before = round(100 * paired_result.base.top1)
    after = round(100 * paired_result.tuned.top1)
    if after == before:
        compared = "as before"
    elif verdict == SAME:
        compared = f"and the base {before}"
    else:
        compared = f"instead of {before}"
    guesses = f"it guesses {after} of 100 hidden pieces right {compared}"
    if verdict == SAME:
        change = (
            "No measurable change: the loss on unseen text differs by "
            f"{signed_with_interval(paired_result)}"
        )
    else:
        direction = "lower" if verdict == BETTER else "higher"
        change = (
            f"{verdict.capitalize()}: the loss on unseen text is "
            f"{size_with_interval(paired_result, direction)}"
        )
    cost = "It "
    if seconds_trained:
        cost = f"Cost: {describe_duration(seconds_trained)} of training; it "
    return f"{change}; {guesses}. {cost}{forgot_in_words(forgetting)}."


def forgot_in_words(forgetting: PairedResult) -> str:
    """The result on the general text as half a sentence after "it": "forgot …"."""
    if forgetting.outcome == WORSE:
        size = size_with_interval(forgetting, "higher")
        return f"forgot general English: the loss there is {size}"
    if forgetting.outcome == BETTER:
        size = size_with_interval(forgetting, "lower")
        return f"forgot nothing: the loss on general English is {size}"
    difference = signed_with_interval(forgetting)
    return f"forgot nothing measurable: the loss on general English differs by {difference}"


def signed_with_interval(paired_result: PairedResult) -> str:
    """The difference of the losses, tuned minus base: "+0.02 (95 % interval −0.10 to +0.14)"."""
    digits = digits_of(paired_result.difference)
    low, high = (signed(edge, digits) for edge in paired_result.difference_interval)
    return f"{signed(paired_result.difference, digits)} (95\u00a0% interval {low} to {high})"


def size_with_interval(paired_result: PairedResult, direction: str) -> str:
    """A clear difference of the losses in words: "0.75 lower (95 % interval 0.57 to 0.93)"."""
    digits = digits_of(paired_result.difference)
    size = abs(paired_result.difference)
    low, high = sorted(abs(edge) for edge in paired_result.difference_interval)
    interval = f"{low:.{digits}f} to {high:.{digits}f}"
    return f"{size:.{digits}f} {direction} (95\u00a0% interval {interval})"


def digits_of(number: float) -> int:
    """Decimals that a loss difference is shown with."""
    return 2 if number == 0 or abs(number) >= 0.095 else 3


def signed(number: float, digits: int = 2) -> str:
    """A number with + or a real minus sign in front, and zero as plain 0."""
    if number == 0:
        return "0"
    sign = "−" if number < 0 else "+"
    return f"{sign}{abs(number):.{digits}f}"
