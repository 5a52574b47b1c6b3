"""Plotly figures as functions of a run's history, and the points a live chart is still missing."""

import plotly.graph_objects as go

from mlm_gui.core.training.events import MicroBatchesSplit, Paused, Resumed
from mlm_gui.core.training.history import History
from mlm_gui.ui.run_text import LOSS_NAME

MAX_POINTS = 500
"""Points of one line at most; a longer run is thinned to means over equal stretches of steps."""

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


def loss_points(
    history: History, max_points: int = MAX_POINTS, first: int = 0
) -> dict[str, dict[str, list]]:
    """x and y of the three lines of `loss_chart`, by the number of the trace.

    first: how many points of the two training lines to leave out.
    """
    steps, losses, smoothed = history.curve
    stride = _stride(len(steps), max_points)
    ends = range(stride * (first + 1), len(steps) + 1, stride)
    x = [steps[end - 1] for end in ends]
    means = [round(sum(losses[end - stride : end]) / stride, 4) for end in ends]
    return {
        "0": {"x": x, "y": means},
        "1": {"x": x, "y": [round(smoothed[end - 1], 4) for end in ends]},
        "2": {
            "x": [score.step for score in history.evaluations],
            "y": [round(score.loss, 4) for score in history.evaluations],
        },
    }


def new_points(
    history: History, known: object, max_points: int = MAX_POINTS
) -> tuple[dict | None, dict | None, list[int]]:
    """What a chart is missing that knows [steps, evaluations, turns].

    Returns the points to add, or the whole lines to replace, and what the chart knows then. Lines
    are replaced only when the chart is new, when they are thinned anew, or when the run went back
    to a checkpoint.
    """
    now = [len(history.curve[0]), len(history.evaluations), len(history.turns)]
    fits = (
        isinstance(known, list)
        and len(known) == len(now)
        and all(
            isinstance(count, int) and 0 <= count <= most
            for count, most in zip(known, now, strict=True)
        )
        and known[2] == now[2]
    )
    if not fits or _stride(known[0], max_points) != _stride(now[0], max_points):
        return None, loss_points(history, max_points), now
    drawn = known[0] // _stride(now[0], max_points)
    points = loss_points(history, max_points, first=drawn)
    scores = {axis: values[known[1] :] for axis, values in points["2"].items()}
    return {**points, "2": scores}, None, now


def turn_marks(history: History, most: int = 8) -> list[dict]:
    """Where the run was paused, went on, or shrank, for marks on the chart: the last few; a pause at the step it went on from is one mark."""
    marks: dict[int, str] = {}
    for turn in history.turns:
        word = {Resumed: "went on", Paused: "paused", MicroBatchesSplit: "smaller parts"}[
            type(turn)
        ]
        if isinstance(turn, Resumed) and turn.step > history.num_steps:
            continue
        marks[turn.step] = (
            "paused, went on" if word == "went on" and marks.get(turn.step) == "paused" else word
        )
    return [{"step": step, "text": text} for step, text in sorted(marks.items())[-most:]]


def loss_table(history: History, most: int | None = 50) -> tuple[list[str], list[list]]:
    """The numbers of the chart: the column heads, and one row a step; with `most`, about that many, evenly chosen and with the evaluations first."""
    scores = {score.step: score for score in history.evaluations}
    trained = {step: pair for step, *pair in zip(*history.curve, strict=True)}
    steps = sorted({*trained, *scores})
    if most and len(steps) > most:
        tested = _evenly(sorted(scores), most // 2)
        steps = sorted({*tested, *_evenly(steps, most - len(tested))})
    rows = []
    for step in steps:
        score = scores.get(step)
        rows.append(
            [
                step,
                *(map(lambda loss: round(loss, 4), trained[step]) if step in trained else ("", "")),
                *(
                    [round(score.loss, 4), round(score.perplexity, 2), round(score.top1, 4)]
                    if score
                    else ["", "", ""]
                ),
            ]
        )
    return ["step", "training loss", "smoothed", LOSS_NAME, "perplexity", "right first guess"], rows


def _evenly(values: list[int], most: int) -> list[int]:
    """At most so many of them, the first and the last included."""
    if len(values) <= most:
        return values
    return [values[round(place * (len(values) - 1) / (most - 1))] for place in range(most)]


def overlay_chart(runs: list[tuple[str, History]], max_points: int = 200) -> go.Figure:
    """Several runs on one chart: unseen text as strong marked lines with the run's name at their end, training as thin lines of the same colour."""
    figure, ends = go.Figure(), []
    for place, (name, history) in enumerate(runs):
        colour, dash, symbol = LOOKS[place % len(LOOKS)]
        points = loss_points(history, max_points)
        label = name if len(name) <= 28 else f"{name[:27]}…"
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
            hovertemplate="step %{x}: %{y:.3f}<extra>" + f"run {place + 1}" + "</extra>",
        )
        if points["2"]["x"]:
            ends.append((points["2"]["x"][-1], points["2"]["y"][-1], f"{place + 1}", colour))
    for x, y, label, colour in ends:
        figure.add_annotation(
            x=x,
            y=y,
            text=f"run {label}",
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
