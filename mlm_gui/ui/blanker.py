"""A sentence whose words can be hidden by a click."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mlm_gui.ui.component import component

TEMPLATE = '<div class="strip" role="toolbar" aria-orientation="horizontal"></div>'


def blanker(label: str, **kw: Any) -> gr.HTML:
    """Words as toggle buttons; a hidden one shows ____. A click changes the value in the browser at once and fires `toggle`; the server reads the value.

    value: `{"words": [{"text": str, "blank": bool}]}`. The text of a blank is never written into the page. The value comes from a browser: check it.
    """
    return component("blanker", label, TEMPLATE, {"words": []}, **kw)
