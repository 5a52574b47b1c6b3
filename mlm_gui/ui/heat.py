"""A text whose words show how surprised two models are by them."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mlm_gui.ui.component import Poll, component

TEMPLATE = """
<div class="progress" role="progressbar" aria-label="Share of the text that is read" aria-valuemin="0" aria-valuemax="100" aria-valuenow="0"><div></div></div>
<p class="note" role="status"></p>
<p class="empty"></p>
<div class="strip" role="toolbar" aria-orientation="horizontal"></div>
<ul class="legend" aria-label="What the marks mean"></ul>
<h4 class="title" hidden></h4>
<ol class="movers"></ol>
"""


def heat(label: str, poll: Poll, **kw: Any) -> gr.HTML:
    """Words as chips with their surprise in nats, and the words that changed most. Fires `pick` with `{reading, index}` and `over` with `{reading}`.

    value: `{"reading": id or None, "visitor": id, "show": "tuned" | "base" | "change", "empty": what to say while there is no reading}`.

    poll: gets `{"reading", "visitor", "cursor": words it has}` while somebody looks, and answers None (no such reading) or `{"cursor": int, "words":
    [[text, base nats, tuned nats, starts a paragraph]], "moved": [[index, text, base nats, tuned nats]], "note": str, "progress": 0..1 | None, "final": bool}`.
    """
    return component("heat", label, TEMPLATE, {"reading": None, "visitor": "", "show": "change", "empty": ""}, poll, **kw)
