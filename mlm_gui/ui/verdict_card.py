"""The verdict of an exam: one sentence, its mark, and what speaks against trusting it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mlm_gui.ui.component import component

TEMPLATE = """
<div class="verdict" role="status"><span class="mark" aria-hidden="true"></span><p class="sentence"></p></div>
<ul class="warnings" aria-label="Warnings" hidden></ul>
"""


def verdict_card(label: str, **kw: Any) -> gr.HTML:
    """A sentence with a mark. value: `{"outcome": "better" | "same" | "worse" | "none" | "", "sentence": str, "warnings": [str]}`."""
    return component("verdict", label, TEMPLATE, {"outcome": "", "sentence": "", "warnings": []}, **kw)
