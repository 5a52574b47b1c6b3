"""A closer look on the Compare tab: blanks filled together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import gradio as gr

from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.interactive import guess_bars
from mlm_gui.ui.form import Form
from mlm_gui.ui.formatting import factor_of_nats, format_probability
from mlm_gui.ui.tabs.compare.models import chosen_blank
from mlm_gui.ui.tabs.compare.question import CompareQuestion
from mlm_gui.ui.wiring import INFERENCE, Slot, on

if TYPE_CHECKING:
    from mlm_gui.core.inference.joint import Together

LEAD = (
    "What stands in one blank changes what fits the next. Hide two words or more, then see the "
    "fillings that fit best as a whole."
)


class Sides(NamedTuple):
    """The fillings of both models."""

    base: Slot
    tuned: Slot


def build(studio: Studio, question: Form[CompareQuestion]) -> None:
    """Lays the section out and wires it."""
    with gr.Accordion(
        "Fill the blanks together", open=False, elem_id="compare-together", elem_classes="card"
    ):
        gr.Markdown(LEAD, elem_classes="quiet")
        with gr.Row(elem_classes="actions"):
            fill = gr.Button("Fill them together", elem_id="together-fill")
        with gr.Row(elem_classes="two"):
            sides = Sides(base=_bars("base"), tuned=_bars("tuned"))
    on(
        fill.click,
        fill_together,
        studio,
        question,
        sides,
        concurrency_id=INFERENCE,
        trigger_mode="once",
    )


def _bars(side: str) -> gr.HTML:
    return guess_bars(
        f"Fillings of the {side} model", value=empty_side(side), elem_id=f"together-{side}"
    )


def fill_together(studio: Studio, question: CompareQuestion) -> Sides:
    """The best joint fillings of both models, each with what its blanks alone would give."""
    models, text, _ = chosen_blank(studio, question)
    base = side_of("base", studio.models.fill_jointly(models.base, text))
    if models.tuned is None:
        return Sides(base, empty_side("tuned", "Train a model first."))
    return Sides(base, side_of("tuned", studio.models.fill_jointly(models.tuned, text)))


def side_of(side: str, together: Together) -> dict[str, Any]:
    """Bars of the joint fillings; the sentence under them is about each blank alone."""
    most = max(filling.probability for filling in together.joint)
    rows = [
        {
            "token": " … ".join(filling.tokens),
            "share": filling.probability / max(most, 1e-12),
            "text": format_probability(filling.probability),
            "note": f"{' … '.join(filling.tokens)}: "
            f"{format_probability(filling.probability)} together",
        }
        for filling in together.joint
    ]
    return {
        "title": _title(side),
        "tone": side,
        "rows": rows,
        "empty": "",
        "foot": _alone_words(together),
    }


def _alone_words(together: Together) -> str:
    """How each blank alone compares with the best joint filling."""
    alone, best = together.alone, together.joint[0]
    if alone.ids == best.ids:
        return "Each blank alone gives the same."
    gain = factor_of_nats(best.log_probability - alone.log_probability)
    return (
        f"Each blank alone: {' … '.join(alone.tokens)}, together "
        f"{format_probability(alone.probability)}; the best joint filling is "
        f"{gain:,.{1 if gain >= 1.1 else 3}f} times as likely."
    )


def empty_side(
    side: str, text: str = "Press the button to see the best fillings."
) -> dict[str, Any]:
    """Bars with a sentence in their place."""
    return {"title": _title(side), "tone": side, "rows": [], "empty": text, "foot": ""}


def _title(side: str) -> str:
    return f"{side.capitalize()} · together"
