"""A closer look on the Compare tab: how likely a word of the person's own is in a blank."""

from __future__ import annotations

import math
from typing import Any

import gradio as gr

from mlm_gui.core import validation
from mlm_gui.errors import UserError
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.display import table
from mlm_gui.ui.form import Form
from mlm_gui.ui.formatting import factor_of_nats, format_factor, format_probability
from mlm_gui.ui.tabs.compare.models import chosen_blank
from mlm_gui.ui.tabs.compare.question import CompareQuestion
from mlm_gui.ui.wiring import INFERENCE, on

MAX_CANDIDATES = 10
"""Words that can be scored at once."""
MAX_TYPED_CHARACTERS = 1_000
LEAD = (
    "A word the model knows only in pieces never shows up among the guesses. Here each of its "
    "pieces is guessed in turn, from left to right, with the rest of the word hidden "
    "(PLL-word-l2r)."
)
HOW = {
    "name": "probability of a word",
    "text": "The product over its pieces of the probability that the model gives to the piece, "
    "with it and the pieces after it hidden (PLL-word-l2r, Kauf & Ivanova 2023). A word of many "
    "pieces multiplies many numbers: compare words of equally many pieces, or the same word in "
    "both models.",
}


def build(studio: Studio, question: Form[CompareQuestion]) -> None:
    """Lays the section out and wires it."""
    with gr.Accordion(
        "How likely is a word of yours?", open=False, elem_id="compare-word", elem_classes="card"
    ):
        gr.Markdown(LEAD, elem_classes="quiet")
        candidates = gr.Textbox(
            label="words for the chosen blank",
            info="One or several, separated by commas.",
            elem_id="word-candidates",
            max_lines=2,
        )
        with gr.Row(elem_classes="actions"):
            score = gr.Button("Score", elem_id="word-score")
        scores = table("Words of yours", value=score_values([]), elem_id="word-table")
    for event in (score.click, candidates.submit):
        on(
            event,
            score_words,
            studio,
            [question, candidates],
            scores,
            concurrency_id=INFERENCE,
            trigger_mode="once",
        )


def score_words(
    studio: Studio, question: CompareQuestion, candidates: str | None
) -> dict[str, Any]:
    """How likely each of the typed words is in the chosen blank."""
    models, text, place = chosen_blank(studio, question)
    words = typed_words(candidates)
    tuned = models.tuned or models.base
    both = studio.models.score_words((models.base, tuned), text, place, words)
    rows = []
    for word, (before, after) in zip(words, both, strict=True):
        cuts = [" · ".join(side.pieces) for side in (before, after)]
        cut = cuts[0] if cuts[0] == cuts[1] else " | ".join(cuts)
        base_share = format_probability(math.exp(-before.nats))
        if models.tuned is None:
            rows.append([word, cut, base_share, "–", "–"])
            continue
        tuned_share = format_probability(math.exp(-after.nats))
        change = format_factor(factor_of_nats(before.nats - after.nats))
        rows.append([word, cut, base_share, tuned_share, change])
    return score_values(rows)


def typed_words(candidates: str | None) -> list[str]:
    """The words between the commas. Raises UserError for none, and for too many."""
    typed = validation.text("The words", candidates or "", MAX_TYPED_CHARACTERS)
    words = [word.strip() for word in typed.split(",") if word.strip()]
    if not words or len(words) > MAX_CANDIDATES:
        raise UserError(
            "These are too many words." if words else "There is nothing to score.",
            f"{len(words)} words were typed, and from 1 to {MAX_CANDIDATES} can be scored at once.",
            "Type one or several words, separated by commas.",
        )
    return words


def score_values(rows: list[list[str]]) -> dict[str, Any]:
    """The table of scored words."""
    return {
        "caption": "",
        "head": ["word", "its pieces", "base", "tuned", "change"],
        "rows": rows,
        "tones": {"2": "base", "3": "tuned"},
        "how": [HOW] if rows else [],
        "empty": "" if rows else "Type a word, then press Score.",
    }
