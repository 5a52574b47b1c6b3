"""A draw as component values: chips, facts, steps, counts, loss budget, table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from mlm_gui.core.masking.policy import Fate, MaskPolicy

if TYPE_CHECKING:
    from mlm_gui.core.masking.counts import Count
    from mlm_gui.core.masking.explanation import Draw
    from mlm_gui.core.masking.loss_budget import LossBudget

FATE_WORDS = {
    Fate.UNTOUCHED: "in plain sight",
    Fate.MASK: "hidden",
    Fate.RANDOM: "swapped",
    Fate.KEPT: "left as it is, still guessed",
    Fate.SPECIAL: "protected",
}
BIN_WIDTH = 0.025
WHY_IT_MATTERS = (
    "A loss that counts every position mostly praises the model for copying words it can see and "
    "for padding: it looks small before anything is learned. Counting the blanks alone, it says "
    "how well the model guesses."
)


def fact_values(draw: Draw) -> dict[str, Any]:
    """The four numbers above the chips."""
    fates = (Fate.MASK, Fate.RANDOM, Fate.KEPT)
    specials = [token.token for token in draw.tokens if token.fate == Fate.SPECIAL]
    facts = [
        ("pieces that could be hidden", f"{draw.num_maskable:,}", ""),
        ("chosen now", f"{draw.num_chosen:,}", _chosen_words(draw)),
        ("[MASK] / random / kept", " / ".join(str(draw.count(fate)) for fate in fates), ""),
        ("protected marks", str(draw.count(Fate.SPECIAL)), " ".join(dict.fromkeys(specials))[:60]),
    ]
    return {
        "facts": [{"name": name, "value": value, "extra": extra} for name, value, extra in facts]
    }


def _chosen_words(draw: Draw) -> str:
    """The chosen share, what chance gives, and how many pieces a person forced."""
    low, high = draw.expected
    is_by_words = draw.policy.unit != "token"
    words = f"{sum(draw.free):,} of {len(draw.free):,} words · " if is_by_words else ""
    forced = sum(token.mark == "force" for token in draw.tokens)
    by_you = f" · {forced} by you" if forced else ""
    share = draw.num_chosen / draw.num_maskable
    return f"{share:.1%} · {words}by chance {low}–{high}{by_you}"


def chip_values(
    draw: Draw, rows: bool, heading: str = "", hint: str = "", fixed: bool = False
) -> dict[str, Any]:
    """The chips, and one more for all the padding when the tutorial pads.

    rows: ids and labels are shown under each chip. fixed: a person cannot change the draw.
    """
    tokens = [
        {
            "text": token.seen,
            "old": token.token if token.fate in (Fate.MASK, Fate.RANDOM) else "",
            "fate": token.fate.name.lower(),
            "joined": token.continues,
            "why": token.why,
            "id": token.id,
            "input": token.input_id,
            "label": token.label,
            "mark": token.mark,
        }
        for token in draw.tokens
    ]
    if draw.num_padding:
        why = (
            f"the tutorial fills every row up to {len(draw.tokens) + draw.num_padding}; "
            "padding is protected, but its labels count in the loss"
        )
        tokens.append(
            {
                "text": f"+ {draw.num_padding} padding",
                "old": "",
                "fate": "padding",
                "joined": False,
                "why": why,
            }
        )
    return {
        "tokens": json.dumps(tokens),
        "legend": True,
        "rows": rows,
        "heading": heading,
        "hint": hint,
        "fixed": fixed,
    }


def step_values(draw: Draw) -> dict[str, Any]:
    """The draw step by step."""
    from mlm_gui.core.masking.steps import steps_of

    steps = [
        {
            "name": step.name,
            "words": step.words,
            "theirs": step.theirs,
            "ours": step.ours,
            "cells": step.cells,
            "lit": step.lit,
        }
        for step in steps_of(draw)
    ]
    return {"draw": json.dumps({"tokens": [token.token for token in draw.tokens], "steps": steps})}


def table_values(draw: Draw) -> dict[str, Any]:
    """Every token as one line of text."""
    rows = [
        [
            str(place),
            token.token,
            str(token.id),
            f"{token.number:.4f}",
            FATE_WORDS[token.fate],
            token.seen,
            str(token.input_id),
            str(token.label).replace("-", "−"),
            token.why,
        ]
        for place, token in enumerate(draw.tokens)
    ]
    return {
        "columns": [
            "place",
            "piece",
            "id",
            "number",
            "fate",
            "the model sees",
            "its id",
            "label",
            "why",
        ],
        "rows": json.dumps(rows),
    }


def count_values(draw: Draw) -> dict[str, Any]:
    """The counts of this draw inside, or outside, their intervals."""
    from mlm_gui.core.masking.counts import counts_of

    return {"rows": [_count_row(count) for count in counts_of(draw)]}


def _count_row(count: Count) -> dict[str, Any]:
    share = f" ({count.found / count.of:.1%})" if count.of else ""
    text = (
        f"{count.found:,} of {count.of:,}{share}; expected {count.expected:,.1f} "
        f"({count.share:.0%}), by chance {count.low:,}–{count.high:,}"
    )
    return {
        "name": count.name,
        "found": count.found,
        "of": count.of,
        "low": count.low,
        "high": count.high,
        "expected": round(count.expected, 2),
        "text": text,
    }


def histogram(shares: np.ndarray, sizes: np.ndarray, policy: MaskPolicy) -> go.Figure:
    """How the chosen share differs from paragraph to paragraph, and how much of that is chance.

    shares: float64 [S], chosen share of each sequence. sizes: int64 [S], how many of its tokens
    could be chosen. The curve is for single pieces only: words and spans are chosen together, so
    their shares spread wider.
    """
    from mlm_gui.core.masking.counts import expected_histogram

    edges = np.arange(0, 1 + 2 * BIN_WIDTH, BIN_WIDTH) - 1e-9
    found, middles = np.histogram(shares, edges)[0], 100 * (edges[:-1] + BIN_WIDTH / 2)
    end = int(np.flatnonzero(found).max()) + 4
    figure = go.Figure(
        go.Bar(
            x=middles[:end],
            y=found[:end],
            name="paragraphs in this draw",
            marker={"color": "var(--mask)"},
        )
    )
    figure.data[0].hovertemplate = "around %{x:.0f} %: %{y} paragraphs<extra></extra>"
    if policy.unit == "token":
        expected = expected_histogram(sizes, policy.rate, edges)
        figure.add_scatter(
            x=middles[:end],
            y=expected[:end],
            name="expected by chance",
            mode="lines",
            line={"color": "var(--ink)", "width": 1.8, "dash": "5px,4px"},
            hovertemplate="around %{x:.0f} %: %{y:.1f} expected<extra></extra>",
        )
    rate = 100 * policy.rate
    figure.add_shape(
        type="line",
        x0=rate,
        x1=rate,
        y0=0,
        y1=1,
        yref="paper",
        line={"color": "var(--soft)", "width": 1.5},
    )
    figure.add_annotation(
        x=rate,
        y=1,
        yref="paper",
        text=f"the rule: {rate:g} %",
        showarrow=False,
        xanchor="left",
        xshift=5,
        font={"color": "var(--soft)"},
    )
    figure.update_layout(
        margin={"l": 52, "r": 12, "t": 16, "b": 44},
        bargap=0.08,
        xaxis={
            "title": "chosen share of a paragraph, %",
            "range": [-100 * BIN_WIDTH / 2, float(middles[:end][-1])],
        },
        yaxis={"title": "paragraphs"},
    )
    return figure


PART_NAMES = {
    "padding": "padding",
    "unmasked": "words in plain sight",
    "special": "marks such as [CLS]",
    "masked": "chosen words",
}
"""Field of LossBudget -> what the page calls it."""


def budget_values(tutorial: LossBudget, extent: str = "") -> dict[str, Any]:
    """The tutorial's loss and ours over the same text.

    extent: a sentence where only part of the text is counted.
    """
    ours = tutorial.ours
    return {
        "bars": [
            _budget_bar(f"Tutorial: every one of {tutorial.total:,} positions counts", tutorial),
            _budget_bar(f"Recommended: only the {ours.total:,} chosen ones count", ours),
        ],
        "note": f"{WHY_IT_MATTERS} {extent}".strip(),
    }


def _budget_bar(title: str, budget: LossBudget) -> dict[str, Any]:
    parts = [
        {
            "name": name,
            "kind": kind,
            "share": budget.share(kind),
            "text": f"{budget.share(kind):.1%}",
        }
        for kind, name in PART_NAMES.items()
        if getattr(budget, kind)
    ]
    return {"title": title, "parts": parts}
