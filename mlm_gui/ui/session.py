"""What a browser remembers: opaque ids only. The truth lies on the server, under these ids."""

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


def build_session() -> Session:
    """The states, empty until the first visit fills them."""
    return Session(*(gr.BrowserState("", storage_key=f"mlm-studio-{name}", secret=SECRET) for name in Session._fields))
