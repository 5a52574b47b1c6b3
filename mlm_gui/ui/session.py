"""What a browser remembers: opaque ids of what the server keeps, and its own last questions."""

from typing import NamedTuple

import gradio as gr

SECRET = "mlm-studio"


class Session(NamedTuple):
    """Small states of one browser; each survives a reload and a restart of the server."""

    visitor: gr.BrowserState
    """Who this is: 128 random bits."""
    text_id: gr.BrowserState
    """The text in use."""
    run_id: gr.BrowserState
    """The run this browser looks at."""


def build_questions() -> gr.BrowserState:
    """What was asked on the Compare tab, the last question first; it stays in the browser.

    Like every BrowserState it is built outside the tabs: one inside is empty until its tab is
    opened.
    """
    return gr.BrowserState([], storage_key="mlm-studio-questions", secret=SECRET)


def build_session() -> Session:
    """The states, empty until the first visit fills them."""

    def state(name: str) -> gr.BrowserState:
        return gr.BrowserState("", storage_key=f"mlm-studio-{name}", secret=SECRET)

    return Session(visitor=state("visitor"), text_id=state("text_id"), run_id=state("run_id"))
