"""Counts against what chance gives: each as a mark inside, or outside, its 95 % interval."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mlm_gui.ui.component import component

TEMPLATE = '<ul class="rows"></ul>'


def intervals(label: str, **kw: Any) -> gr.HTML:
    """One line a count. value: `{"rows": [{"name": str, "found": number, "of": number, "low": number, "high": number, "expected": number, "text": in words}]}`."""
    return component("intervals", label, TEMPLATE, {"rows": []}, **kw)
