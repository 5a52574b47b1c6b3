"""The account of a draw as a plain table, for reading line by line."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mlm_gui.ui.component import component

TEMPLATE = '<div class="scroll" role="region" tabindex="0"><table><caption></caption><thead></thead><tbody></tbody></table></div>'


def account(label: str, **kw: Any) -> gr.HTML:
    """A table whose first column names its rows. value: `{"columns": [str], "rows": JSON text of [[str]]}`; text for the reason told in chips.py."""
    return component("account", label, TEMPLATE, {"columns": [], "rows": "[]"}, **kw)
