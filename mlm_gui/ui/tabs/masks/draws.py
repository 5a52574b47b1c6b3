"""The handlers of a draw over a text: draw, draw anew, choose a rule, mark pieces, open a part."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import NamedTuple

from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.events import PiecesClicked, answer_to
from mlm_gui.ui.tabs.masks.form import PartsView
from mlm_gui.ui.tabs.masks.question import (
    BATCH,
    EACH_PASS,
    ONCE,
    RECOMMENDED,
    TUTORIAL,
    MaskingQuestion,
)
from mlm_gui.ui.tabs.masks.view import (
    MaskingView,
    batch_view,
    draw_of_text,
    text_view,
    word_around,
)
from mlm_gui.ui.wiring import Slot

MAX_NEW_SEED = 10_000
MAX_CLICKS = 500
"""More clicks than this on one answer are no person's."""


class RuleView(NamedTuple):
    """The settings of a rule."""

    rate: Slot
    mask_share: Slot
    random_share: Slot
    unit: Slot
    drawn: Slot


RULES = {
    RECOMMENDED: RuleView(rate=15, mask_share=80, random_share=10, unit="token", drawn=EACH_PASS),
    TUTORIAL: RuleView(rate=15, mask_share=100, random_share=0, unit="token", drawn=ONCE),
}


class Reseeded(NamedTuple):
    """A new seed, and its draw."""

    seed: Slot
    view: MaskingView


def draw(studio: Studio, question: MaskingQuestion) -> MaskingView:
    """One draw over the text, or the batch of the run, and whatever part is open."""
    if question.source == BATCH:
        return batch_view(studio, question)
    force, forbid = question.marked()
    return text_view(studio, question, draw_of_text(studio, question, force, forbid))


def reseed(studio: Studio, question: MaskingQuestion) -> Reseeded:
    """A new seed, and its draw."""
    seed = secrets.randbelow(MAX_NEW_SEED)
    return Reseeded(seed, draw(studio, replace(question, seed=seed)))


def open_part(studio: Studio, question: MaskingQuestion) -> MaskingView:
    """Opens one part and closes the others."""
    view = draw(studio, question)
    parts = ({**part, "visible": "value" in part} for part in view.parts)
    return view._replace(parts=PartsView(*parts))


def no_marks(studio: Studio) -> str:
    """Gives every piece back to the draw."""
    return ""


def apply_rule(studio: Studio, rule: str) -> RuleView:
    """The settings of a rule."""
    return RULES.get(rule, RULES[RECOMMENDED])


def pick(studio: Studio, question: MaskingQuestion, event: PiecesClicked) -> MaskingView:
    """Pieces were clicked: left to the draw -> forced -> forbidden -> left to the draw.

    With whole words all pieces of a word go together.
    """
    if question.source == BATCH:  # nothing in it can be changed
        view = draw(studio, question)
        return view._replace(tokens=answer_to(event.turn, view.tokens))
    force, forbid = question.marked()
    before = draw_of_text(studio, question, force, forbid)
    for index in event.indexes[:MAX_CLICKS]:
        here = {index} if question.unit == "token" else word_around(before, index)
        was_forced, was_forbidden = index in force, index in forbid
        force, forbid = force - here, forbid - here
        if was_forced:
            forbid |= here
        elif not was_forbidden:
            force |= here
    view = text_view(studio, question, draw_of_text(studio, question, force, forbid))
    return view._replace(tokens=answer_to(event.turn, view.tokens))
