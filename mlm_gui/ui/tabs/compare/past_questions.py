"""The questions asked before; they are kept in the person's browser alone."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import gradio as gr

from mlm_gui.core.inference.blanks import MAX_CHARACTERS
from mlm_gui.services.studio import Studio
from mlm_gui.ui.door import Otherwise
from mlm_gui.ui.tabs.compare.question import (
    BLANK_MARK,
    FIRST_SENTENCE,
    PickerValue,
    blanks_of,
    masked_text,
)
from mlm_gui.ui.wiring import Slot

MAX_REMEMBERED = 20
"""Questions that a browser keeps."""
WRITTEN_BLANK = "___"
Kept = Annotated[tuple[str, ...], Otherwise(())]
"""The questions in what a browser sent; none when they are damaged."""


class PastQuestions(NamedTuple):
    """What the browser keeps, and the list of it."""

    kept: Slot
    listed: Slot


def remember(studio: Studio, kept: Kept, sentence: str, words: PickerValue) -> PastQuestions:
    """Puts the question first among those asked before.

    Each is there once, with ___ for its blanks.
    """
    known = _known(kept)
    asked = masked_text(sentence, blanks_of(sentence, words)).replace(BLANK_MARK, WRITTEN_BLANK)
    if WRITTEN_BLANK in asked:
        known = [asked, *(question for question in known if question != asked)][:MAX_REMEMBERED]
    return PastQuestions(known, gr.Dropdown(choices=known))


def recall(studio: Studio, kept: Kept) -> gr.Dropdown:
    """The list of questions asked before, as this browser kept it."""
    return gr.Dropdown(choices=_known(kept))


def forget(studio: Studio) -> PastQuestions:
    """No question was ever asked."""
    return PastQuestions([], gr.Dropdown(choices=[], value=None))


def ask_again(studio: Studio, sentence: str | None) -> str:
    """A question from before."""
    return FIRST_SENTENCE if sentence is None else sentence[: MAX_CHARACTERS + 1]


def _known(kept: tuple[str, ...]) -> list[str]:
    return [question[:MAX_CHARACTERS] for question in kept][:MAX_REMEMBERED]
