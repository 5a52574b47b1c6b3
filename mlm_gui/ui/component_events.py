"""What a component's script sends along with an event. All of it comes from a browser: anything may be in it."""

from __future__ import annotations

from typing import Any

import gradio as gr

MAX_CLICKS = 500
"""More clicks than this on one answer are no person's."""


def sent(event: gr.EventData, name: str) -> object:
    """One value of what was sent; None when it is missing."""
    data = vars(event).get("_data")
    return data.get(name) if isinstance(data, dict) else None


def clicked(event: gr.EventData) -> list[int]:
    """The places that were clicked since the last answer, in order (`gather` in assets/js/dom.js collects them)."""
    indexes = sent(event, "indexes")
    return (
        [index for index in indexes[:MAX_CLICKS] if type(index) is int and index >= 0]
        if isinstance(indexes, list)
        else []
    )


def answer_to(event: gr.EventData, value: dict[str, Any]) -> dict[str, Any]:
    """`value` as the answer that the script waits for: with the number of its turn."""
    turn = sent(event, "turn")
    return {**value, "turn": turn} if type(turn) is int else value
