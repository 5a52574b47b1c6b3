"""Charts that keep their place: a Plotly view that is drawn once and then only grows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr
import plotly
import plotly.graph_objects as go

from mlm_gui.ui.components.base import Poll, component

PLOTLY_JS = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
"""Plotly's own script. The app serves it by `gr.set_static_paths([PLOTLY_JS])`, once."""

TEMPLATE = """
<dl class="facts" aria-label="Facts" hidden></dl>
<div class="frame">
<div class="progress" role="progressbar" aria-label="Share of the run that is done"
  aria-valuemin="0" aria-valuemax="100" aria-valuenow="0"><div></div></div>
<div class="plot" role="img"></div>
<p class="empty" hidden></p>
<ul class="legend" hidden></ul>
<p class="help" hidden></p>
<p class="note" role="status"></p>
<p class="more"></p>
<details class="numbers" hidden><summary>The numbers as a table</summary>
<div class="scroll" role="region" aria-label="The numbers of the chart" tabindex="0">
<table><thead><tr></tr></thead><tbody></tbody></table></div>
<button type="button">Download all of them (CSV)</button></details>
</div>
"""


def chart(
    label: str,
    poll: Poll | None = None,
    height: int = 340,
    *,
    help_text: str = "",
    framed: bool = True,
    **kw: Any,
) -> gr.HTML:
    """A quiet chart; with `poll` it follows a run by itself.

    It fires `finished` with `{run, state}` when the run has come to rest in a state that the page
    does not know of yet, and `changed` for every other new state.

    value: `{"fig": plotly JSON or None, "run": id or None, "empty": sentence without a figure}`.
    It may also hold `facts`, `note`, `more` and `progress` as below, `visitor` (part of every
    question), `state` (the one the page knows of) and, for a chart that does not poll, `table`:
    `{"head": [str], "rows": [[]]}`. A new `fig` or `run` draws again and asks anew; otherwise
    points and zoom stay.

    poll: gets `{"run": id, "visitor": str, "cursor": what it answered last}` every 700 ms while
    somebody looks, or `"want": "table" | "csv"` in place of a cursor. It answers None (no such run)
    or `{"cursor": anything, "marks": [{"step", "text"}] | None, "more": str,
    "add": {"0": {"x": [], "y": []}} | None, "replace": the same shape | None,
    "x_max": number | None, "facts": [{"name", "value", "extra"}], "note": str,
    "progress": 0..1 | None, "state": str, "final": bool}`. Keys are trace numbers.

    Colours in figures may be "var(--tuned)", "var(--base)", "var(--unseen)" or any other variable
    of page.css: they follow the theme. `framed=False` leaves the card around it to the page.
    """
    return component(
        "chart",
        label,
        TEMPLATE,
        {"fig": None, "run": None, "empty": ""},
        poll,
        settings={
            "plotly": f"gradio_api/file={PLOTLY_JS}",
            "height": height,
            "help_text": help_text,
            "framed": framed,
            "live": poll is not None,
        },
        **kw,
    )


def figure_json(fig: go.Figure) -> dict[str, Any]:
    """The figure as the plain JSON that `chart` takes."""
    figure: dict[str, Any] = json.loads(fig.to_json())
    return figure
