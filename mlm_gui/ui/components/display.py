"""Components that only show: facts, tables, warnings, the verdict, shares and counts."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mlm_gui.ui.components.base import component

FACTS_TEMPLATE = '<dl class="facts"></dl>'


def facts(label: str, **kw: Any) -> gr.HTML:
    """Three or four cards of numbers.

    value: `{"facts": [{"name": str, "value": str, "extra": unit or comparison}]}`.
    """
    return component("facts", label, FACTS_TEMPLATE, {"facts": []}, **kw)


TABLE_TEMPLATE = """
<div class="scroll" role="region" tabindex="0" hidden>
<table><caption></caption><thead><tr></tr></thead><tbody></tbody></table></div>
<p class="empty" hidden></p>
<details class="how" hidden><summary>Where do these numbers come from?</summary><dl></dl></details>
"""


def table(label: str, **kw: Any) -> gr.HTML:
    """A table whose first column names the rows; a wide one scrolls by itself.

    value: `{"caption": str, "head": [str], "rows": [[str]],
    "tones": {column number as text: "base" | "tuned"}, "how": [{"name": str, "text": str}],
    "empty": sentence without rows}`.
    """
    return component(
        "table",
        label,
        TABLE_TEMPLATE,
        {"caption": "", "head": [], "rows": [], "tones": {}, "how": [], "empty": ""},
        **kw,
    )


CAUTIONS_TEMPLATE = '<ul class="warnings" role="status" hidden></ul>'


def cautions(label: str, **kw: Any) -> gr.HTML:
    """A list of warnings; without any nothing is shown. value: `{"cautions": [str]}`."""
    return component("cautions", label, CAUTIONS_TEMPLATE, {"cautions": []}, **kw)


VERDICT_CARD_TEMPLATE = """
<div class="verdict" role="status">
<span class="mark" aria-hidden="true"></span><p class="sentence"></p></div>
<ul class="warnings" aria-label="Warnings" hidden></ul>
"""


def verdict_card(label: str, **kw: Any) -> gr.HTML:
    """A sentence with a mark.

    value: `{"outcome": "better" | "same" | "worse" | "none" | "", "sentence": str,
    "warnings": [str]}`.
    """
    return component(
        "verdict",
        label,
        VERDICT_CARD_TEMPLATE,
        {"outcome": "", "sentence": "", "warnings": []},
        **kw,
    )


BUDGET_TEMPLATE = '<div class="bars"></div><p class="note"></p>'


def budget(label: str, **kw: Any) -> gr.HTML:
    """Stacked bars.

    value: `{"bars": [{"title": str, "parts": [{"name": str, "share": 0..1,
    "kind": "padding" | "unmasked" | "special" | "masked", "text": share in words}]}],
    "note": str}`.
    """
    return component("budget", label, BUDGET_TEMPLATE, {"bars": [], "note": ""}, **kw)


INTERVALS_TEMPLATE = '<ul class="rows"></ul>'


def intervals(label: str, **kw: Any) -> gr.HTML:
    """One line for each count.

    value: `{"rows": [{"name": str, "found": number, "of": number, "low": number, "high": number,
    "expected": number, "text": in words}]}`.
    """
    return component("intervals", label, INTERVALS_TEMPLATE, {"rows": []}, **kw)


DRAW_TABLE_TEMPLATE = """
<div class="scroll" role="region" tabindex="0">
<table><caption></caption><thead></thead><tbody></tbody></table></div>
"""


def draw_table(label: str, **kw: Any) -> gr.HTML:
    """A table whose first column names its rows.

    value: `{"columns": [str], "rows": JSON text of [[str]]}`; text for the reason given at `chips`.
    """
    return component("draw_table", label, DRAW_TABLE_TEMPLATE, {"columns": [], "rows": "[]"}, **kw)
