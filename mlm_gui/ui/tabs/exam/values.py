"""An exam's report as what the page shows: facts, tables, a chart, and the story of each number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from mlm_gui.core.evaluation.outcomes import BETTER, SAME, WORSE
from mlm_gui.core.evaluation.statistics import NUM_RESAMPLES
from mlm_gui.core.masking.policy import EVALUATION_POLICY, EVALUATION_SEEDS

if TYPE_CHECKING:
    from mlm_gui.core.evaluation.paired import PairedResult
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
TEXTS = (("unseen text", "unseen"), ("general English", "forgetting"))


def verdict_of(report: Report) -> dict:
    """The value of the verdict card."""
    return {
        "outcome": OUTCOMES.get(report.verdict, "none"),
        "sentence": report.sentence,
        "warnings": list(report.warnings[1:]),
    }


def exam_facts(report: Report) -> list[dict]:
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


def score_table(report: Report | None) -> dict:
    """Base against tuned, with intervals, on both texts."""
    from mlm_gui.core.evaluation.wording import signed

    if report is None:
        return {
            "caption": "",
            "head": [],
            "rows": [],
            "how": [],
            "empty": "Loss, perplexity and right guesses of both models appear here.",
        }
    rows = []
    for name, part in TEXTS:
        paired_result: PairedResult = getattr(report, part)
        base, tuned = paired_result.base, paired_result.tuned
        change = _figure(
            signed(paired_result.difference, 3),
            paired_result.difference_interval,
            lambda edge: signed(edge, 3),
        )
        rows.append(
            [
                f"{name}: loss",
                *(
                    _figure(f"{side.loss:.3f}", side.interval, "{:.3f}".format)
                    for side in (base, tuned)
                ),
                f"{change}\n{_p(paired_result.p_value)}",
            ]
        )
        shown = [
            _figure(f"{side.perplexity:,.1f}", side.perplexity_interval, "{:,.1f}".format)
            for side in (base, tuned)
        ]
        rows.append([f"{name}: masked-token perplexity", *shown, ""])
        for label, figure in (
            ("right first guess (top-1)", "top1"),
            ("among the first five (top-5)", "top5"),
        ):
            shown = [
                _figure(
                    f"{getattr(side, figure):.1%}",
                    getattr(side, f"{figure}_interval"),
                    "{:.1%}".format,
                )
                for side in (base, tuned)
            ]
            change = _figure(
                f"{_points(getattr(paired_result, f'{figure}_difference'))} points",
                getattr(paired_result, f"{figure}_difference_interval"),
                _points,
            )
            rows.append([f"{name}: {label}", *shown, change])
    return {
        "caption": f"Base: {report.base_name}. Tuned: {report.tuned_name}. Text: {report.text_name}. Under each figure, its interval of 95\u00a0%.",
        "head": ["", "base", "tuned", "tuned − base"],
        "rows": rows,
        "tones": {"1": "base", "2": "tuned"},
        "how": how(report),
        "empty": "",
    }


def cloze_table(report: Report | None) -> dict:
    """The sentences of the cloze test with both models' answers."""
    from mlm_gui.core.evaluation.outcomes import CUTS

    if report is None or not report.cloze.items:
        empty = (
            "Sentences with a key word hidden appear here."
            if report is None
            else "No unseen sentence holds a key word that is one piece for this model."
        )
        return {"caption": "", "head": [], "rows": [], "how": [], "empty": empty}
    cloze = report.cloze
    right = "; ".join(
        f"among the first {cut}: base {base}, tuned {tuned}"
        if cut > 1
        else f"at the first guess: base {base}, tuned {tuned}"
        for cut, base, tuned in zip(CUTS, cloze.base_right, cloze.tuned_right, strict=True)
    )
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
        "caption": f"Right of {len(cloze.items)}: {right}.",
        "head": ["sentence", "hidden word", "base", "tuned"],
        "rows": rows,
        "tones": {"2": "base", "3": "tuned"},
        "how": [
            {
                "name": "How the words were chosen",
                "text": "Words that are more frequent in the text than in general English (log-likelihood keyness, Dunning 1993), the most typical first, "
                "in turns; words of at least four letters that carry meaning and are a single piece for the model. Each stands once in a sentence that was not "
                "trained on, and is shown as a blank there. A model is right when the word is its first guess; else its place is told. It is an illustration: the verdict rests on the loss.",
            }
        ],
        "empty": "",
    }


def how(report: Report) -> list[dict]:
    """Where each number comes from, with this exam's own counts."""
    unseen, general = report.unseen, report.forgetting
    seeds = ", ".join(map(str, unseen.seeds))
    return [
        {
            "name": "Blanks",
            "text": f"{EVALUATION_POLICY.rate:.0%} of the pieces, drawn {len(unseen.seeds)} times (seeds {seeds}) and all hidden: {unseen.num_masks:,} blanks in "
            f"{unseen.num_clusters} paragraphs of unseen text, {general.num_masks:,} in {general.num_clusters} of general English. Both models meet the same ones.",
        },
        {
            "name": "Loss and masked-token perplexity",
            "text": "Loss is the mean surprise at the hidden piece, −ln of the probability the model gave it. Perplexity is exp(loss): as if the model "
            "had to choose among so many equally likely pieces.",
        },
        {
            "name": "Not the figure of the Train tab",
            "text": f"While a run trains, its unseen text is asked one draw of blanks, to be quick; the exam makes {len(unseen.seeds)} draws over the same paragraphs (of a long "
            "text over a smaller choice of them). Other blanks, other figures, for base and tuned alike: compare the two models within one of them.",
        },
        {
            "name": "Top-1, top-5",
            "text": "The share of hidden pieces that are the model's first guess, or among its first five.",
        },
        {
            "name": "Intervals",
            "text": f"Whole paragraphs drawn again, with replacement, {NUM_RESAMPLES:,} times: words of one paragraph are not independent, so the paragraph is "
            "what is drawn. Paragraphs that say nearly the same count as one.",
        },
        {
            "name": "p",
            "text": "If it did not matter which model is which, each paragraph's difference could as well have the other sign. p is the share of sign patterns "
            f"({NUM_RESAMPLES:,} random ones, or all of them when there are few paragraphs) that give as large a difference as was seen. "
            "A difference is called one only if p is below 0.05 and the interval leaves out zero.",
        },
        {
            "name": "General English",
            "text": "News, letters, recipes, science, dialogue, law, sport and stories written for this program: what the model could do before and may have "
            "forgotten while it learned.",
        },
    ]


def interval_chart(report: Report) -> go.Figure:
    """Loss of base and tuned on both texts, as marks with their 95 % intervals."""
    figure = go.Figure()
    for name, colour, symbol, offset in (
        ("base", "var(--base)", "circle", 0.14),
        ("tuned", "var(--tuned)", "square", -0.14),
    ):
        sides = [getattr(getattr(report, part), name) for _, part in TEXTS]
        figure.add_scatter(
            x=[round(side.loss, 4) for side in sides],
            y=[1 - place + offset for place in range(len(sides))],
            name=f"{name} ({'circle' if symbol == 'circle' else 'square'})",
            mode="markers+text",
            text=[f"{name} {side.loss:.2f}" for side in sides],
            textposition="top center" if offset > 0 else "bottom center",
            textfont={"color": colour, "size": 12},
            marker={"size": 10, "symbol": symbol, "color": colour},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [round(side.interval[1] - side.loss, 4) for side in sides],
                "arrayminus": [round(side.loss - side.interval[0], 4) for side in sides],
                "color": colour,
                "thickness": 2,
                "width": 6,
            },
            hovertemplate="%{text}<extra></extra>",
            showlegend=False,
        )
    edges = [
        edge
        for _, part in TEXTS
        for side in (getattr(report, part).base, getattr(report, part).tuned)
        for edge in side.interval
    ]
    room = 0.15 * (max(edges) - min(edges) or 1.0)
    figure.update_layout(
        margin={"l": 10, "r": 14, "t": 10, "b": 40},
        hovermode="closest",
        xaxis={
            "title": "loss (lower is better)",
            "showgrid": True,
            "range": [min(edges) - room, max(edges) + room],
        },
        yaxis={
            "tickvals": [1, 0],
            "ticktext": [name for name, _ in TEXTS],
            "range": [-0.5, 1.55],
            "fixedrange": True,
        },
    )
    return figure


def _answer(rank: int, guesses: tuple[str, ...]) -> str:
    return f"{'right' if rank == 1 else f'place {rank:,}'}\n{' / '.join(guesses)}"


def _figure(value: str, interval: tuple[float, float], shown) -> str:
    return f"{value}\n{shown(interval[0])} to {shown(interval[1])}"


def _points(share: float) -> str:
    from mlm_gui.core.evaluation.wording import signed

    return signed(100 * share, 1)


def _p(p_value: float) -> str:
    return f"p = {p_value:.4f}" if p_value >= 0.0002 else "p < 0.0002"
