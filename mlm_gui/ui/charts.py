"""Plotly figures as functions of a run's history, and the points a live chart is still missing."""

import plotly.graph_objects as go

from mlm_gui.core.history import History

MAX_POINTS = 500
"""Points of one line at most; a longer run is thinned to means over equal stretches of steps."""


def loss_chart(history: History, max_points: int = MAX_POINTS) -> go.Figure:
    """Training loss, raw and smoothed, and the loss on unseen text, over the steps of the whole run."""
    points = loss_points(history, max_points)
    total = history.started.total_steps if history.started else 1
    figure = go.Figure(
        [
            go.Scatter(
                **points["0"],
                name="training, each step",
                mode="lines",
                line={"color": "var(--tuned)", "width": 1},
                opacity=0.28,
                hovertemplate="step %{x}: %{y:.3f}<extra>one step</extra>",
            ),
            go.Scatter(
                **points["1"],
                name="training, smoothed",
                mode="lines",
                line={"color": "var(--tuned)", "width": 2.4},
                hovertemplate="step %{x}: %{y:.3f}<extra>smoothed</extra>",
            ),
            go.Scatter(
                **points["2"],
                name="unseen text",
                mode="lines+markers",
                line={"color": "var(--unseen)", "width": 1.8, "dash": "5px,4px"},
                marker={"size": 8, "symbol": "circle-open", "line": {"width": 2}},
                hovertemplate="step %{x}: %{y:.3f}<extra>unseen text</extra>",
            ),
        ]
    )
    figure.update_layout(
        margin={"l": 52, "r": 12, "t": 12, "b": 44},
        hovermode="closest",
        legend={"orientation": "h", "y": 1.12, "x": 0},
        xaxis={"title": "step", "range": [0, total]},
        yaxis={"title": "loss (lower is better)"},
    )
    return figure


def loss_points(history: History, max_points: int = MAX_POINTS) -> dict[str, dict[str, list]]:
    """x and y of the three lines of `loss_chart`, by the number of the trace."""
    stride = _stride(history.num_steps, max_points)
    ends = range(stride, history.num_steps + 1, stride)
    return {
        "0": {"x": list(ends), "y": [round(sum(history.losses[end - stride : end]) / stride, 4) for end in ends]},
        "1": {"x": list(ends), "y": [round(history.smoothed[end - 1], 4) for end in ends]},
        "2": {"x": [score.step for score in history.evaluations], "y": [round(score.loss, 4) for score in history.evaluations]},
    }


def new_points(history: History, known: object, max_points: int = MAX_POINTS) -> tuple[dict | None, dict | None, list[int]]:
    """What a chart is missing that knows [steps, evaluations]: (points to add, whole lines to replace, what it knows then).

    Lines are replaced only when the chart is new or they had to be thinned anew.
    """
    steps, scores = history.num_steps, len(history.evaluations)
    points = loss_points(history, max_points)
    fits = (
        isinstance(known, list)
        and len(known) == 2
        and all(isinstance(count, int) and 0 <= count <= most for count, most in zip(known, (steps, scores), strict=True))
    )
    if not fits or _stride(known[0], max_points) != _stride(steps, max_points):
        return None, points, [steps, scores]
    drawn = known[0] // _stride(steps, max_points)
    starts = {"0": drawn, "1": drawn, "2": known[1]}
    return {trace: {axis: values[starts[trace] :] for axis, values in line.items()} for trace, line in points.items()}, None, [steps, scores]


def _stride(num_steps: int, max_points: int) -> int:
    """Steps in one point: 1, 2, 4, … so that a line stays within `max_points`."""
    stride = 1
    while num_steps > stride * max_points:
        stride *= 2
    return stride
