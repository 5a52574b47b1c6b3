"""The exam's chart: the loss of both models on both texts, with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from mlm_gui.ui.tabs.exam.values import results_of

if TYPE_CHECKING:
    from mlm_gui.core.evaluation.paired import Figures
    from mlm_gui.core.evaluation.report import Report

OFFSET = 0.14
"""Of the marks of one text from its line, up for the base and down for the tuned model."""
MARGIN = 0.15
"""Free room on both sides, as a share of the range."""


def interval_chart(report: Report) -> go.Figure:
    """Loss of base and tuned on both texts, as marks with their 95 % intervals."""
    results = results_of(report)
    bases = [result.base for result in results.values()]
    tuneds = [result.tuned for result in results.values()]
    figure = go.Figure([_marks("base", bases), _marks("tuned", tuneds)])
    edges = [edge for side in (*bases, *tuneds) for edge in side.interval]
    room = MARGIN * (max(edges) - min(edges) or 1.0)
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
            "ticktext": list(results),
            "range": [-0.5, 1.55],
            "fixedrange": True,
        },
    )
    return figure


def _marks(name: str, sides: list[Figures]) -> go.Scatter:
    """The marks of one model. sides: its scores, the first text first."""
    is_base = name == "base"
    symbol, offset = ("circle", OFFSET) if is_base else ("square", -OFFSET)
    colour = f"var(--{name})"
    return go.Scatter(
        x=[round(side.loss, 4) for side in sides],
        y=[1 - place + offset for place in range(len(sides))],
        name=f"{name} ({symbol})",
        mode="markers+text",
        text=[f"{name} {side.loss:.2f}" for side in sides],
        textposition="top center" if is_base else "bottom center",
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
