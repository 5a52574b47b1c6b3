"""An exam's report as what the page shows: verdict, facts and tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mlm_gui.core.evaluation.outcomes import BETTER, SAME, WORSE
from mlm_gui.core.masking.policy import EVALUATION_SEEDS
from mlm_gui.ui.tabs.exam.how import HOW_WORDS_WERE_CHOSEN, how

if TYPE_CHECKING:
    from mlm_gui.core.evaluation.cloze import Cloze
    from mlm_gui.core.evaluation.paired import Figures, PairedResult
    from mlm_gui.core.evaluation.report import Report

LOSS_NAME = f"loss on unseen text ({len(EVALUATION_SEEDS)} draws)"
BLANK_FACTS = {
    "facts": [
        {"name": name, "value": "–", "extra": ""}
        for name in (LOSS_NAME, "right first guess", "key words", "general English")
    ]
}
OUTCOMES = {BETTER: "better", SAME: "same", WORSE: "worse"}
FORGOTTEN = {BETTER: "forgot nothing", SAME: "nothing measurable", WORSE: "forgotten"}
SMALLEST_P_VALUE = 0.0002
"""Smaller ones cannot be told apart with the number of sign patterns that are drawn."""


def verdict_of(report: Report) -> dict[str, Any]:
    """The value of the verdict card."""
    return {
        "outcome": OUTCOMES.get(report.verdict, "none"),
        "sentence": report.sentence,
        "warnings": list(report.warnings[1:]),
    }


def results_of(report: Report) -> dict[str, PairedResult]:
    """The paired results by what the page calls their text."""
    return {"unseen text": report.unseen, "general English": report.forgetting}


def exam_facts(report: Report) -> list[dict[str, str]]:
    """Four numbers, each with what it is compared with."""
    from mlm_gui.core.evaluation.wording import signed

    unseen, cloze = report.unseen, report.cloze
    return [
        {
            "name": LOSS_NAME,
            "value": f"{unseen.tuned.loss:.2f}",
            "extra": f"base {unseen.base.loss:.2f}",
        },
        {
            "name": "right first guess",
            "value": f"{100 * unseen.tuned.top1:.0f} of 100",
            "extra": f"base {100 * unseen.base.top1:.0f}",
        },
        {
            "name": "key words in the first five",
            "value": f"{cloze.tuned_right[1]} of {len(cloze.items)}",
            "extra": f"base {cloze.base_right[1]}",
        },
        {
            "name": "forgetting: loss on general English",
            "value": signed(report.forgetting.difference),
            "extra": FORGOTTEN[report.forgetting.outcome],
        },
    ]


def score_table(report: Report | None) -> dict[str, Any]:
    """Base against tuned, with intervals, on both texts."""
    if report is None:
        empty = "Loss, perplexity and right guesses of both models appear here."
        return {"caption": "", "head": [], "rows": [], "how": [], "empty": empty}
    caption = (
        f"Base: {report.base_name}. Tuned: {report.tuned_name}. Text: {report.text_name}. "
        "Under each figure, its interval of 95\u00a0%."
    )
    return {
        "caption": caption,
        "head": ["", "base", "tuned", "tuned − base"],
        "rows": [
            row for name, result in results_of(report).items() for row in _score_rows(name, result)
        ],
        "tones": {"1": "base", "2": "tuned"},
        "how": how(report),
        "empty": "",
    }


def _score_rows(name: str, result: PairedResult) -> list[list[str]]:
    """The four rows of one text."""
    return [
        _loss_row(name, result),
        [f"{name}: masked-token perplexity", *map(_perplexity, (result.base, result.tuned)), ""],
        _share_row(
            f"{name}: right first guess (top-1)",
            _with_interval(result.base.top1, result.base.top1_interval, "{:.1%}".format),
            _with_interval(result.tuned.top1, result.tuned.top1_interval, "{:.1%}".format),
            result.top1_difference,
            result.top1_difference_interval,
        ),
        _share_row(
            f"{name}: among the first five (top-5)",
            _with_interval(result.base.top5, result.base.top5_interval, "{:.1%}".format),
            _with_interval(result.tuned.top5, result.tuned.top5_interval, "{:.1%}".format),
            result.top5_difference,
            result.top5_difference_interval,
        ),
    ]


def _loss_row(name: str, result: PairedResult) -> list[str]:
    from mlm_gui.core.evaluation.wording import signed

    def three_digits(edge: float) -> str:
        return signed(edge, 3)

    sides = [
        _with_interval(side.loss, side.interval, "{:.3f}".format)
        for side in (result.base, result.tuned)
    ]
    change = _with_interval(result.difference, result.difference_interval, three_digits)
    return [f"{name}: loss", *sides, f"{change}\n{_p(result.p_value)}"]


def _perplexity(side: Figures) -> str:
    return _with_interval(side.perplexity, side.perplexity_interval, "{:,.1f}".format)


def _share_row(
    label: str, base: str, tuned: str, difference: float, interval: tuple[float, float]
) -> list[str]:
    low, high = map(_points, interval)
    return [label, base, tuned, f"{_points(difference)} points\n{low} to {high}"]


def cloze_table(report: Report | None) -> dict[str, Any]:
    """The sentences of the cloze test with both models' answers."""
    if report is None or not report.cloze.items:
        empty = (
            "Sentences with a key word hidden appear here."
            if report is None
            else "No unseen sentence holds a key word that is one piece for this model."
        )
        return {"caption": "", "head": [], "rows": [], "how": [], "empty": empty}
    cloze = report.cloze
    rows = [
        [
            f"{item.before}____{item.after}",
            item.answer,
            _answer(item.base_rank, item.base_guesses),
            _answer(item.tuned_rank, item.tuned_guesses),
        ]
        for item in cloze.items
    ]
    return {
        "caption": f"Right of {len(cloze.items)}: {_num_right(cloze)}.",
        "head": ["sentence", "hidden word", "base", "tuned"],
        "rows": rows,
        "tones": {"2": "base", "3": "tuned"},
        "how": [HOW_WORDS_WERE_CHOSEN],
        "empty": "",
    }


def _num_right(cloze: Cloze) -> str:
    """How many words each model found, at its first guess and among more of them."""
    from mlm_gui.core.evaluation.outcomes import CUTS

    return "; ".join(
        f"{f'among the first {cut}' if cut > 1 else 'at the first guess'}: "
        f"base {base}, tuned {tuned}"
        for cut, base, tuned in zip(CUTS, cloze.base_right, cloze.tuned_right, strict=True)
    )


def _answer(rank: int, guesses: tuple[str, ...]) -> str:
    return f"{'right' if rank == 1 else f'place {rank:,}'}\n{' / '.join(guesses)}"


def _with_interval(
    value: float, interval: tuple[float, float], in_words: Callable[[float], str]
) -> str:
    """A figure, and its interval in the next line."""
    return f"{in_words(value)}\n{in_words(interval[0])} to {in_words(interval[1])}"


def _points(share: float) -> str:
    from mlm_gui.core.evaluation.wording import signed

    return signed(100 * share, 1)


def _p(p_value: float) -> str:
    if p_value < SMALLEST_P_VALUE:
        return f"p < {SMALLEST_P_VALUE}"
    return f"p = {p_value:.4f}"
