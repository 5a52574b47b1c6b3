"""Where people fool themselves: what to keep in mind about the figures beside it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mlm_gui.ui.component import component


def cautions(label: str, **kw: Any) -> gr.HTML:
    """A list of warnings; nothing is shown while there are none. value: `{"cautions": [str]}`."""
    return component("cautions", label, '<ul class="warnings" role="status" hidden></ul>', {"cautions": []}, **kw)
