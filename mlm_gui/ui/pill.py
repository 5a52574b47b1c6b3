"""The run pill: what the present run is doing, at the top of every tab."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mlm_gui.ui.component import Poll, component

TEMPLATE = '<button type="button" class="pill" hidden><span class="dot" aria-hidden="true"></span><span></span></button>'


def pill(poll: Poll, **kw: Any) -> gr.HTML:
    """A button that tells how a run is doing; hidden while there is none. Fires `open` with `{run}`; `finished` with `{run, state}` when the run has come
    to rest or is gone, and `changed` for every other new state: unlike the chart's, these come whichever tab is looked at.

    value: `{"run": id or None, "visitor": str, "state": str, "name": str}`; a new one is asked about at once. `poll` gets `{"run": id, "visitor": str}`
    every 1.5 s, every 6 s while the run is at rest, and answers None (no such run) or `{"text": str, "mark": sign before it, "state": see Run.state, "final": bool}`.
    """
    return component("pill", "Present run", TEMPLATE, {"run": None}, poll, **kw)
