"""A closer look on the Compare tab: the whole vocabulary, before and after."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import gradio as gr
import plotly.graph_objects as go

from mlm_gui.errors import UserError
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.chart import chart, figure_json
from mlm_gui.ui.form import Form
from mlm_gui.ui.tabs.compare.models import chosen_blank
from mlm_gui.ui.tabs.compare.question import CompareQuestion
from mlm_gui.ui.wiring import INFERENCE, Slot, on

if TYPE_CHECKING:
    from mlm_gui.core.inference.shift import Shift, ShiftMap

NARROW_MAP = (250, 330)
"""Width and height of the map between its axes where it is narrowest, in pixels."""
LETTER = (7.8, 16)
"""Width and height of a letter of a label, in pixels."""
LABEL_GAP = 0.02
"""Between a point and a label beside it, as a share of the map."""
NUM_LABELS = 8
"""Words named on the shift map: those that moved most."""
LOWEST = 1e-8
"""Probabilities below this are drawn at it."""
HIGHEST_EXPONENT = 0.1
"""The end of both axes, as a power of ten: a little above a probability of 1."""
HOW_TO_READ = (
    "Each dot is an entry of the vocabulary, at its probability before (across) and after (up), "
    "in powers of ten. On the line nothing changed; above it the tuned model expects the entry "
    "more, below it less. Hover over a dot to read it."
)
EMPTY = "Press the button: every word of the vocabulary appears here, before and after."


class ShiftView(NamedTuple):
    """The map, and what it leaves out."""

    picture: Slot
    note: Slot


def build(studio: Studio, question: Form[CompareQuestion]) -> None:
    """Lays the section out and wires it."""
    with gr.Accordion(
        "The whole vocabulary at a glance", open=False, elem_id="compare-shift", elem_classes="card"
    ):
        with gr.Row(elem_classes="actions"):
            draw = gr.Button("Draw the map for the chosen blank", elem_id="shift-draw")
        picture = chart(
            "Probability of every word, before and after",
            height=420,
            help_text=HOW_TO_READ,
            framed=False,
            value={"fig": None, "run": None, "empty": EMPTY},
            elem_id="shift-map",
        )
        note = gr.Markdown("", elem_classes="quiet", elem_id="shift-note")
    on(
        draw.click,
        draw_shift,
        studio,
        question,
        ShiftView(picture, note),
        concurrency_id=INFERENCE,
        trigger_mode="once",
    )


def draw_shift(studio: Studio, question: CompareQuestion) -> ShiftView:
    """The map of the chosen blank."""
    models, text, place = chosen_blank(studio, question)
    if models.tuned is None:
        raise UserError(
            "There is nothing to compare yet.",
            "No tuned model is chosen.",
            "Train a model first, or choose another one.",
        )
    shift_map = studio.models.shift_map(models.base, models.tuned, text, place)
    picture = {"fig": figure_json(shift_chart(shift_map)), "run": None, "empty": ""}
    return ShiftView(picture, note_of(shift_map))


def note_of(shift_map: ShiftMap) -> str:
    """How much of the vocabulary the map holds."""
    num_drawn, num_left = len(shift_map.shifts), shift_map.num_left_out
    entries = "entries of the vocabulary"
    shares = ""
    if shift_map.by_words:
        entries = "whole words that both models know"
        shares = (
            f" These words hold {shift_map.base_share:.0%} of the base's probability and "
            f"{shift_map.tuned_share:.0%} of the tuned model's."
        )
    return (
        f"Drawn are the {num_drawn:,} most probable {entries}; "
        f"{num_left:,} less probable ones are left out.{shares}"
    )


def shift_chart(shift_map: ShiftMap) -> go.Figure:
    """Probability after over probability before, both on logarithmic axes.

    A diagonal marks no change; the words that moved most are named.
    """
    shifts = shift_map.shifts
    across = [max(LOWEST, shift.before) for shift in shifts]
    up = [max(LOWEST, shift.after) for shift in shifts]
    low = math.floor(math.log10(min(*across, *up)))
    sides = _sides_of_movers(shifts, across, up, low)
    figure = go.Figure([_diagonal(low), _dots(shifts, across, up, sides)])
    axis = {
        "type": "log",
        "range": [low, HIGHEST_EXPONENT],
        "dtick": 1,
        "exponentformat": "power",
    }
    figure.update_layout(
        margin={"l": 64, "r": 16, "t": 16, "b": 48},
        xaxis={"title": "probability, base", "showgrid": True, **axis},
        yaxis={"title": "probability, tuned", **axis},
    )
    return figure


def _sides_of_movers(
    shifts: tuple[Shift, ...], across: list[float], up: list[float], low: float
) -> dict[int, str]:
    """Place of a word that moved most -> on which side of its point its label goes."""

    def share(value: float) -> float:
        return (math.log10(value) - low) / (HIGHEST_EXPONENT - low)

    movers = sorted(range(len(shifts)), key=lambda place: -shifts[place].weight)[:NUM_LABELS]
    points = [(share(across[place]), share(up[place])) for place in movers]
    sides = label_sides(points, [shifts[place].token for place in movers])
    return dict(zip(movers, sides, strict=True))


def _diagonal(low: float) -> go.Scatter:
    return go.Scatter(
        x=[10**low, 1],
        y=[10**low, 1],
        mode="lines",
        line={"color": "var(--soft)", "width": 1, "dash": "4px,4px"},
        name="no change",
        hoverinfo="skip",
    )


def _dots(
    shifts: tuple[Shift, ...], across: list[float], up: list[float], sides: dict[int, str]
) -> go.Scatter:
    return go.Scatter(
        x=across,
        y=up,
        mode="markers+text",
        text=[shift.token if sides.get(place) else "" for place, shift in enumerate(shifts)],
        textposition=[sides.get(place) or "top center" for place in range(len(shifts))],
        textfont={"color": "var(--ink)", "size": 12},
        customdata=[shift.token for shift in shifts],
        marker={"color": "var(--tuned)", "size": 5, "opacity": 0.5},
        name="one word",
        hovertemplate="%{customdata}: %{x:.2%} → %{y:.2%}<extra></extra>",
    )


class Box(NamedTuple):
    """A rectangle on the map, 0 to 1 in both directions."""

    left: float
    bottom: float
    right: float
    top: float

    def is_on_map(self) -> bool:
        return min(self) >= 0 and max(self) <= 1

    def overlaps(self, other: Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.bottom < other.top
            and other.bottom < self.top
        )


def label_sides(points: list[tuple[float, float]], labels: list[str]) -> list[str]:
    """On which side of its point each label goes; "" where there is no room for it.

    No label covers another or leaves the narrowest map, a phone's. The first ones choose first.
    points: x and y, 0 to 1 of the map.
    """
    taken: list[Box] = []
    sides = []
    for (x, y), label in zip(points, labels, strict=True):
        boxes = _boxes_around(x, y, label)
        free = (
            side
            for side, box in boxes.items()
            if box.is_on_map() and not any(box.overlaps(other) for other in taken)
        )
        side = next(free, "")
        if side:
            taken.append(boxes[side])
        sides.append(side)
    return sides


def _boxes_around(x: float, y: float, label: str) -> dict[str, Box]:
    """Where the label would be, by side; the first side is the best one."""
    wide, high = len(label) * LETTER[0] / NARROW_MAP[0], LETTER[1] / NARROW_MAP[1]
    left, right = x - wide / 2, x + wide / 2
    return {
        "top center": Box(left, y + high / 4, right, y + 5 / 4 * high),
        "bottom center": Box(left, y - 5 / 4 * high, right, y - high / 4),
        "middle right": Box(x + LABEL_GAP, y - high / 2, x + LABEL_GAP + wide, y + high / 2),
        "middle left": Box(x - LABEL_GAP - wide, y - high / 2, x - LABEL_GAP, y + high / 2),
    }
