"""A real table, for eyes and for screen readers, with the story of its numbers folded under it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mlm_gui.ui.component import component

TEMPLATE = """
<div class="scroll" role="region" tabindex="0" hidden><table><caption></caption><thead><tr></tr></thead><tbody></tbody></table></div>
<p class="empty" hidden></p>
<details class="how" hidden><summary>Where do these numbers come from?</summary><dl></dl></details>
"""


def table(label: str, **kw: Any) -> gr.HTML:
    """A table whose first column names the rows; a wide one scrolls by itself.

    value: `{"caption": str, "head": [str], "rows": [[str]], "tones": {column number as text: "base" | "tuned"}, "how": [{"name": str, "text": str}],
    "empty": said when there are no rows}`.
    """
    return component("table", label, TEMPLATE, {"caption": "", "head": [], "rows": [], "tones": {}, "how": [], "empty": ""}, **kw)
