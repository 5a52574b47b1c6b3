"""Closer looks at the question of the Compare tab: blanks filled together, a word of the person's own, and the whole vocabulary."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import gradio as gr
import plotly.graph_objects as go

from mlm_gui.core import validation
from mlm_gui.errors import UserError
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.chart import chart, figure_json
from mlm_gui.ui.components.display import table
from mlm_gui.ui.components.interactive import guess_bars
from mlm_gui.ui.tabs.compare.models import pair
from mlm_gui.ui.tabs.compare.question import blanks_of, question_of
from mlm_gui.ui.wiring import INFERENCE, on

if TYPE_CHECKING:
    from mlm_gui.core.inference.joint import Together
    from mlm_gui.core.inference.shift import ShiftMap

MAX_CANDIDATES = 10
"""Words that can be scored at once."""
NARROW_MAP = (250, 330)
"""Pixels of the map between its axes where it is narrowest."""
LETTER = (7.8, 16)
"""Pixels of a letter of a label."""
NUM_LABELS = 8
"""Words named on the shift map: those that moved most."""
LOWEST = 1e-8
"""Probabilities below this are drawn at it."""
HOW_TO_READ = (
    "Each dot is an entry of the vocabulary, at its probability before (across) and after (up), in powers of ten. On the line nothing changed; "
    "above it the tuned model expects the entry more, below it less. Hover over a dot to read it."
)


def build(studio: Studio, question: list) -> None:
    """Lays the sections out and wires them. question: visitor, base, tuned, sentence, words, which blank, number of guesses."""
    busy = {"concurrency_id": INFERENCE, "trigger_mode": "once"}
    with gr.Accordion(
        "Fill the blanks together", open=False, elem_id="compare-together", elem_classes="card"
    ):
        gr.Markdown(
            "What stands in one blank changes what fits the next. Hide two words or more, then see the fillings that fit best as a whole.",
            elem_classes="quiet",
        )
        with gr.Row(elem_classes="actions"):
            together = gr.Button("Fill them together", elem_id="together-fill")
        with gr.Row(elem_classes="two"):
            sides = [
                guess_bars(
                    f"Fillings of the {side} model",
                    value=empty_side(side),
                    elem_id=f"together-{side}",
                )
                for side in ("base", "tuned")
            ]
    with gr.Accordion(
        "How likely is a word of yours?", open=False, elem_id="compare-word", elem_classes="card"
    ):
        gr.Markdown(
            "A word the model knows only in pieces never shows up among the guesses. Here each of its pieces is guessed in turn, "
            "from left to right, with the rest of the word hidden (PLL-word-l2r).",
            elem_classes="quiet",
        )
        candidates = gr.Textbox(
            label="words for the chosen blank",
            info="One or several, separated by commas.",
            elem_id="word-candidates",
            max_lines=2,
        )
        with gr.Row(elem_classes="actions"):
            score = gr.Button("Score", elem_id="word-score")
        scores = table("Words of yours", value=scored([]), elem_id="word-table")
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
            value={
                "fig": None,
                "run": None,
                "empty": "Press the button: every word of the vocabulary appears here, before and after.",
            },
            elem_id="shift-map",
        )
        left_out = gr.Markdown("", elem_classes="quiet", elem_id="shift-note")

    def wired(event: Callable, handler: Callable, inputs: list, outputs: object) -> None:
        def asked(studio: Studio, *values: object) -> object:
            return handler(studio, *chosen(studio, *values[:6]), *values[6:])

        on(event, asked, studio, inputs, outputs, **busy)

    wired(together.click, fill_together, question[:6], sides)
    wired(score.click, score_words, [*question[:6], candidates], scores)
    wired(candidates.submit, score_words, [*question[:6], candidates], scores)
    wired(draw.click, draw_shift, question[:6], [picture, left_out])


def chosen(
    studio: Studio,
    visitor: str,
    base: str,
    tuned: str,
    sentence: str,
    words: dict,
    which: str | None,
) -> tuple[str, str | None, str, int]:
    """Names of the two models, the question, and the number of the chosen blank. Raises UserError for a sentence without a blank."""
    blanks = blanks_of(sentence, words)
    if not any(blanks):
        raise UserError(
            "There is nothing to fill.",
            "The sentence has no blank.",
            "Click a word to hide it, or write ___ where a word is missing.",
        )
    number = which.removeprefix("blank ") if isinstance(which, str) else ""
    place = (
        min(max(1, int(number)), sum(blanks)) - 1
        if number.isascii() and number.isdigit() and len(number) < 4
        else 0
    )
    return *pair(studio, visitor, base, tuned), question_of(sentence, blanks), place


def fill_together(
    studio: Studio, base: str, tuned: str | None, question: str, place: int
) -> list[dict]:
    """The best joint fillings of both models, each with what its blanks alone would give."""
    return [
        side_of(side, studio.models.fill_jointly(name, question))
        if name
        else {**empty_side(side), "empty": "Train a model first."}
        for side, name in (("base", base), ("tuned", tuned))
    ]


def side_of(side: str, together: Together) -> dict:
    """Bars of the joint fillings; the last row is each blank alone."""
    most = max(filling.probability for filling in together.joint)
    rows = [
        {
            "token": " … ".join(filling.tokens),
            "share": filling.probability / max(most, 1e-12),
            "text": percent(filling.probability),
            "note": f"{' … '.join(filling.tokens)}: {percent(filling.probability)} together",
        }
        for filling in together.joint
    ]
    alone = together.alone
    gain = math.exp(min(together.joint[0].log_probability - alone.log_probability, 50))
    note = (
        "Each blank alone gives the same."
        if alone.ids == together.joint[0].ids
        else f"Each blank alone: {' … '.join(alone.tokens)}, together {percent(alone.probability)}; the best joint filling is {gain:,.{1 if gain >= 1.1 else 3}f} times as likely."
    )
    return {
        "title": f"{side.capitalize()} · together",
        "tone": side,
        "rows": rows,
        "empty": "",
        "foot": note,
    }


def empty_side(side: str) -> dict:
    """Before anything was asked."""
    return {
        "title": f"{side.capitalize()} · together",
        "tone": side,
        "rows": [],
        "empty": "Press the button to see the best fillings.",
        "foot": "",
    }


def score_words(
    studio: Studio, base: str, tuned: str | None, question: str, place: int, candidates: str
) -> dict:
    """How likely each of the typed words is in the chosen blank."""
    words = [
        word.strip()
        for word in validation.text("The words", candidates or "", 1_000).split(",")
        if word.strip()
    ]
    if not words or len(words) > MAX_CANDIDATES:
        raise UserError(
            "There is nothing to score." if not words else "These are too many words.",
            f"{len(words)} words were typed, and from 1 to {MAX_CANDIDATES} can be scored at once.",
            "Type one or several words, separated by commas.",
        )
    both = studio.models.score_words((base, tuned or base), question, place, words)
    rows = []
    for word, (before, after) in zip(words, both, strict=True):
        pieces = [" · ".join(side.pieces) for side in ((before, after) if tuned else (before,))]
        cut = pieces[0] if len(set(pieces)) == 1 else f"{pieces[0]} | {pieces[1]}"
        cells = [word, cut, percent(math.exp(-before.nats))]
        rows.append(
            [*cells, percent(math.exp(-after.nats)), factor(before.nats - after.nats)]
            if tuned
            else [*cells, "–", "–"]
        )
    return scored(rows)


def scored(rows: list[list[str]]) -> dict:
    """The table of scored words."""
    return {
        "caption": "",
        "head": ["word", "its pieces", "base", "tuned", "change"],
        "rows": rows,
        "tones": {"2": "base", "3": "tuned"},
        "how": [
            {
                "name": "probability of a word",
                "text": "The product over its pieces of the probability that the model gives to the piece, with it and the pieces after it hidden "
                "(PLL-word-l2r, Kauf & Ivanova 2023). A word of many pieces multiplies many numbers: compare words of equally many pieces, or the same word in both models.",
            }
        ]
        if rows
        else [],
        "empty": "" if rows else "Type a word, then press Score.",
    }


def draw_shift(
    studio: Studio, base: str, tuned: str | None, question: str, place: int
) -> tuple[dict, str]:
    """The map of the chosen blank, and what it leaves out."""
    if tuned is None:
        raise UserError(
            "There is nothing to compare yet.",
            "No tuned model is chosen.",
            "Train a model first, or choose another one.",
        )
    drawn = studio.models.shift_map(base, tuned, question, place)
    entries = "whole words that both models know" if drawn.by_words else "entries of the vocabulary"
    shares = (
        f" These words hold {drawn.base_share:.0%} of the base's probability and {drawn.tuned_share:.0%} of the tuned model's."
        if drawn.by_words
        else ""
    )
    note = f"Drawn are the {len(drawn.shifts):,} most probable {entries}; {drawn.num_left_out:,} less probable ones are left out.{shares}"
    return {"fig": figure_json(shift_chart(drawn)), "run": None, "empty": ""}, note


def shift_chart(drawn: ShiftMap) -> go.Figure:
    """Probability after over probability before, both on a logarithmic axis, with the diagonal and names on the movers."""
    movers = sorted(range(len(drawn.shifts)), key=lambda place: -drawn.shifts[place].weight)[
        :NUM_LABELS
    ]
    across, up = (
        [max(LOWEST, value) for value in values]
        for values in zip(*((s.before, s.after) for s in drawn.shifts), strict=True)
    )
    low = math.floor(math.log10(min(*across, *up)))
    ends = [low, 0.1]
    places = [
        tuple((math.log10(value[place]) - ends[0]) / (ends[1] - ends[0]) for value in (across, up))
        for place in movers
    ]
    sides = dict(
        zip(
            movers,
            label_sides(places, [drawn.shifts[place].token for place in movers]),
            strict=True,
        )
    )
    figure = go.Figure(
        [
            go.Scatter(
                x=[10**low, 1],
                y=[10**low, 1],
                mode="lines",
                line={"color": "var(--soft)", "width": 1, "dash": "4px,4px"},
                name="no change",
                hoverinfo="skip",
            ),
            go.Scatter(
                x=across,
                y=up,
                mode="markers+text",
                text=[
                    shift.token if sides.get(place) else ""
                    for place, shift in enumerate(drawn.shifts)
                ],
                textposition=[
                    sides.get(place) or "top center" for place in range(len(drawn.shifts))
                ],
                textfont={"color": "var(--ink)", "size": 12},
                customdata=[shift.token for shift in drawn.shifts],
                marker={"color": "var(--tuned)", "size": 5, "opacity": 0.5},
                name="one word",
                hovertemplate="%{customdata}: %{x:.2%} → %{y:.2%}<extra></extra>",
            ),
        ]
    )
    figure.update_layout(
        margin={"l": 64, "r": 16, "t": 16, "b": 48},
        xaxis={
            "title": "probability, base",
            "type": "log",
            "range": ends,
            "dtick": 1,
            "showgrid": True,
            "exponentformat": "power",
        },
        yaxis={
            "title": "probability, tuned",
            "type": "log",
            "range": ends,
            "dtick": 1,
            "exponentformat": "power",
        },
    )
    return figure


def label_sides(places: list[tuple[float, float]], labels: list[str]) -> list[str]:
    """On which side of its point each label goes, so that none covers another or leaves the narrowest map (a phone's); "" where there is no room for it.

    places: x and y of the points, 0 to 1 of the map. The first ones choose first.
    """
    width, height = NARROW_MAP
    taken: list[tuple[float, float, float, float]] = []
    sides = []
    for (x, y), label in zip(places, labels, strict=True):
        wide, high = (len(label) * LETTER[0]) / width, LETTER[1] / height
        boxes = {
            "top center": (x - wide / 2, y + high / 4, x + wide / 2, y + 5 / 4 * high),
            "bottom center": (x - wide / 2, y - 5 / 4 * high, x + wide / 2, y - high / 4),
            "middle right": (x + 0.02, y - high / 2, x + 0.02 + wide, y + high / 2),
            "middle left": (x - 0.02 - wide, y - high / 2, x - 0.02, y + high / 2),
        }
        side = next(
            (
                side
                for side, box in boxes.items()
                if min(box) >= 0
                and max(box) <= 1
                and not any(_overlap(box, other) for other in taken)
            ),
            "",
        )
        taken += [boxes[side]] if side else []
        sides.append(side)
    return sides


def _overlap(
    one: tuple[float, float, float, float], other: tuple[float, float, float, float]
) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def percent(probability: float) -> str:
    """A probability with as many digits as it bears: 12.3 %, 0.45 %, 3.1e-06."""
    if probability >= 0.0005:
        return f"{probability:.1%}" if probability >= 0.01 else f"{probability:.2%}"
    return f"{probability:.1e}"


def factor(nats: float) -> str:
    """A difference of log-probabilities as a factor: ×3.2 or ÷1.4."""
    times = math.exp(min(abs(nats), 50))
    return f"{'×' if nats >= 0 else '÷'}{times:,.{0 if times >= 10 else 1}f}"
