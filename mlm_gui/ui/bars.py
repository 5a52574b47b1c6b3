"""Top guesses as bars: token, bar, figure."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mlm_gui.ui.component import component

TEMPLATE = """
<h3 class="title"></h3>
<ol class="rows"></ol>
<p class="empty" hidden></p>
<p class="foot" hidden></p>
"""


def bars(label: str, **kw: Any) -> gr.HTML:
    """A titled list of bars.

    value: `{"title": str, "tone": "base" | "tuned" | "moved", "rows": [{"token": str, "share": 0..1 of the width, "text": figure on the right, "note": spoken
    and shown on hover, "tone": optional, for this row}], "empty": said when there are no rows, "foot": optional, a sentence under them}`.
    """
    return component("bars", label, TEMPLATE, {"title": "", "tone": "base", "rows": [], "empty": ""}, **kw)
