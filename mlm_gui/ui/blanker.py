"""A sentence whose words can be hidden by a click."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mlm_gui.ui.component import component

TEMPLATE = '<div class="strip" role="toolbar" aria-orientation="horizontal"></div>'


def blanker(label: str, **kw: Any) -> gr.HTML:
    """Words as toggle buttons; a hidden one shows ____. Fires `toggle` with `{indexes, turn}`; nothing changes before the new value with that `turn` arrives.

    value: `{"words": [{"text": str, "blank": bool}], "turn": int}`. The text of a blank is never written into the page. The indexes come from a browser: check them.
    """
    return component("blanker", label, TEMPLATE, {"words": []}, **kw)
