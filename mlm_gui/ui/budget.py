"""The loss budget: which positions a loss counts, as bars of shares."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mlm_gui.ui.component import component

TEMPLATE = '<div class="bars"></div><p class="note"></p>'


def budget(label: str, **kw: Any) -> gr.HTML:
    """Stacked bars.

    value: `{"bars": [{"title": str, "parts": [{"name": str, "kind": "padding" | "unmasked" | "special" | "masked", "share": 0..1, "text": share in words}]}],
    "note": str}`.
    """
    return component("budget", label, TEMPLATE, {"bars": [], "note": ""}, **kw)
