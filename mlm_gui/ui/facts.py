"""The strip of facts: numbers first, each with its unit and what it is compared with."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mlm_gui.ui.component import component

TEMPLATE = '<dl class="facts"></dl>'


def facts(label: str, **kw: Any) -> gr.HTML:
    """Three or four cards of numbers. value: `{"facts": [{"name": str, "value": str, "extra": unit or comparison}]}`."""
    return component("facts", label, TEMPLATE, {"facts": []}, **kw)
