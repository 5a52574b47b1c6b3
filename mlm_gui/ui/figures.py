"""Plotly figures as functions of a run's history, and the points a live chart is still missing."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import plotly.graph_objects as go

from mlm_gui.core.training.events import Evaluated, MicroBatchesSplit, Paused, Resumed
from mlm_gui.core.training.history import History
from mlm_gui.ui.run_text import LOSS_NAME

MAX_POINTS = 500
"""Points of one line at most; a longer run is thinned to means over equal stretches of steps."""
Line = dict[str, list[Any]]
"""The points of one trace: "x" and "y"."""
T = TypeVar("T")

LOOKS = (
    ("var(--unseen)", "solid", "circle"),
    ("var(--tuned)", "8px,4px", "square"),
    ("var(--random)", "2px,3px", "diamond"),
    ("var(--mask)", "12px,4px,2px,4px", "triangle-up"),
    ("var(--base)", "5px,3px", "x"),
    ("var(--ink)", "16px,4px", "cross"),
)
"""Colour, dash and marker of the runs of one chart, in order."""
MAX_OVERLAID = len(LOOKS)


def loss_chart(history: History, max_points: int = MAX_POINTS) -> go.Figure:
    """Training loss, raw and smoothed, and the loss on unseen text, over all steps of the run."""
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
                cliponaxis=False,
                hovertemplate="step %{x}: %{y:.3f}<extra>unseen text</extra>",
            ),
        ]
    )
    figure.update_layout(
        margin={"l": 52, "r": 12, "t": 12, "b": 44},
        hovermode="closest",
        legend={"orientation": "h", "y": 1.12, "x": 0},
        xaxis={"title": "step", "range": [0, total], "showticklabels": bool(points["2"]["x"])},
        yaxis={"title": "loss (lower is better)", "showticklabels": bool(points["2"]["x"])},
    )
    return figure


def loss_points(history: History, max_points: int = MAX_POINTS, first: int = 0) -> dict[str, Line]:
    """The three lines of `loss_chart`, by the number of the trace.

    first: how many points of the two training lines to leave out.

    Of three steps in points of one step each, with one evaluation at the start:
    `{"0": {"x": [1, 2, 3], "y": losses}, "1": smoothed, "2": {"x": [0], "y": [loss]}}`.
    """
    steps, losses, smoothed = history.curve
    stride = _stride(len(steps), max_points)
    ends = range(stride * (first + 1), len(steps) + 1, stride)
    x = [steps[end - 1] for end in ends]
    evaluations = history.evaluations
    return {
        "0": {"x": x, "y": [round(sum(losses[end - stride : end]) / stride, 4) for end in ends]},
        "1": {"x": x, "y": [round(smoothed[end - 1], 4) for end in ends]},
        "2": {
            "x": [score.step for score in evaluations],
            "y": [round(score.loss, 4) for score in evaluations],
        },
    }


class NewPoints(NamedTuple):
    """What a chart is missing."""

    add: dict[str, Line] | None
    """Points to add, by the number of the trace."""
    replace: dict[str, Line] | None
    """Whole lines in place of those that are drawn."""
    cursor: tuple[int, ...]
    """What the chart knows then: numbers of steps, of evaluations and of turns."""


def new_points(
    history: History, known: tuple[int, ...] | None, max_points: int = MAX_POINTS
) -> NewPoints:
    """What a chart is missing that knows so many steps, evaluations and turns.

    Lines are replaced only when the chart is new, when they had to be thinned anew, or when the run
    went back to a checkpoint.
    """
    now = (len(history.curve[0]), len(history.evaluations), len(history.turns))
    stride = _stride(now[0], max_points)
    if known is None or not _is_earlier(known, now) or _stride(known[0], max_points) != stride:
        return NewPoints(None, loss_points(history, max_points), now)
    points = loss_points(history, max_points, first=known[0] // stride)
    scores = {axis: values[known[1] :] for axis, values in points["2"].items()}
    return NewPoints({**points, "2": scores}, None, now)


def _is_earlier(known: tuple[int, ...], now: tuple[int, ...]) -> bool:
    """True for a cursor that this run may have given out since its last turn."""
    if len(known) != len(now) or known[-1] != now[-1]:
        return False
    return all(0 <= count <= most for count, most in zip(known, now, strict=True))


def turn_marks(history: History, most: int = 8) -> list[dict[str, Any]]:
    """Where the run was paused, resumed, or took smaller parts, for marks on the chart.

    The last few; a pause at the step from which it was resumed is one mark.
    """
    words = {Resumed: "went on", Paused: "paused", MicroBatchesSplit: "smaller parts"}
    marks: dict[int, str] = {}
    for turn in history.turns:
        if isinstance(turn, Resumed) and turn.step > history.num_steps:
            continue
        is_after_pause = isinstance(turn, Resumed) and marks.get(turn.step) == "paused"
        marks[turn.step] = "paused, went on" if is_after_pause else words[type(turn)]
    return [{"step": step, "text": text} for step, text in sorted(marks.items())[-most:]]


def loss_table(history: History, most: int | None = 50) -> tuple[list[str], list[list[Any]]]:
    """The numbers of the chart: the column heads, and one row for each step.

    With `most`, about that many rows, evenly chosen and with the evaluations first.
    """
    scores = {score.step: score for score in history.evaluations}
    trained = {step: pair for step, *pair in zip(*history.curve, strict=True)}
    steps = sorted({*trained, *scores})
    if most and len(steps) > most:
        tested = evenly(sorted(scores), most // 2)
        steps = sorted({*tested, *evenly(steps, most - len(tested))})
    rows: list[list[Any]] = []
    for step in steps:
        losses = [round(loss, 4) for loss in trained[step]] if step in trained else ["", ""]
        rows.append([step, *losses, *_score_cells(scores.get(step))])
    head = ["step", "training loss", "smoothed", LOSS_NAME, "perplexity", "right first guess"]
    return head, rows


def _score_cells(score: Evaluated | None) -> list[Any]:
    if score is None:
        return ["", "", ""]
    return [round(score.loss, 4), round(score.perplexity, 2), round(score.top1, 4)]


def evenly(values: Sequence[T], most: int) -> list[T]:
    """At most so many of them, the first and the last included."""
    if len(values) <= most:
        return list(values)
    return [values[round(place * (len(values) - 1) / (most - 1))] for place in range(most)]


def overlay_chart(runs: list[tuple[str, History]], max_points: int = 200) -> go.Figure:
    """Several runs on one chart, each in its own colour.

    Unseen text is a strong marked line with the run's number at its end, training a thin one.
    """
    figure = go.Figure()
    for place, (name, history) in enumerate(runs):
        colour, dash, symbol = LOOKS[place % len(LOOKS)]
        points = loss_points(history, max_points)
        label = name if len(name) <= 28 else f"{name[:27]}…"
        number = f"run {place + 1}"
        figure.add_scatter(
            **points["1"],
            name=f"{label}, training",
            mode="lines",
            line={"color": colour, "width": 1},
            opacity=0.45,
            showlegend=False,
        )
        figure.add_scatter(
            **points["2"],
            name=label,
            mode="lines+markers",
            line={"color": colour, "width": 2.4, "dash": dash},
            marker={"size": 9, "symbol": symbol, "color": colour},
            cliponaxis=False,
            hovertemplate=f"step %{{x}}: %{{y:.3f}}<extra>{number}</extra>",
        )
        if points["2"]["x"]:
            figure.add_annotation(
                x=points["2"]["x"][-1],
                y=points["2"]["y"][-1],
                text=number,
                showarrow=False,
                xanchor="left",
                xshift=9,
                font={"color": colour, "size": 12},
            )
    figure.update_layout(
        margin={"l": 52, "r": 60, "t": 12, "b": 44},
        xaxis={"title": "step", "rangemode": "tozero"},
        yaxis={"title": "loss (lower is better)"},
    )
    return figure


def _stride(num_steps: int, max_points: int) -> int:
    """Steps in one point: 1, 2, 4, … so that a line stays within `max_points`."""
    stride = 1
    while num_steps > stride * max_points:
        stride *= 2
    return stride
