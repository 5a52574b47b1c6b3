"""Token chips: a text as the model sees it, piece by piece, with what a draw did to each."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mlm_gui.ui.component import component

TEMPLATE = """
<h3 class="heading" hidden></h3>
<div class="strip" role="toolbar" aria-orientation="horizontal"></div>
<p class="note" role="status"></p>
<ul class="legend" aria-label="What the marks mean"></ul>
"""


def chips(label: str, **kw: Any) -> gr.HTML:
    """A strip of token chips; arrows, Home and End move through it. Fires `pick` with `{indexes, turn}` on click, Enter or Space; the
    next clicks wait for a value with that `turn`.

    value: `{"tokens": JSON text of [{"text": shown, "old": replaced piece or "", "fate": "untouched" | "mask" | "random" | "kept" | "special" | "padding", "joined": no
    gap before it, "why": the reason in words, "id": int, "label": int, -100 where the loss counts nothing, "input": the id the model sees, "mark": "force" |
    "forbid" where a person overruled the draw, else ""}], "legend": bool, "rows": bool, ids and labels under each chip, "heading": str, "hint": said while no
    chip is in focus, "fixed": bool, nothing in it can be overruled, "turn": int}`; the last five may be missing.
    The tokens travel as text because Gradio watches every field of a value, which costs more for 500 tokens than drawing them. The indexes come from a
    browser: check them.
    """
    return component("chips", label, TEMPLATE, {"tokens": "[]", "legend": False}, **kw)
