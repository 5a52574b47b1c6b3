"""The table of runs: choose one or several by their boxes, open one by its name."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mlm_gui.ui.component import Poll, component

TEMPLATE = """
<div class="scroll" role="region" tabindex="0" hidden><table><caption></caption><thead><tr></tr></thead><tbody></tbody></table></div>
<p class="empty" hidden></p>
"""


def runlist(label: str, poll: Poll, **kw: Any) -> gr.HTML:
    """Fires `choose` with `{ids, turn}` when a box is ticked, and again after the answer with that `turn` when more were, `open` with `{run}` when a name is
    pressed, and `changed` when a run came, went, or is in another state than the page shows.

    value: `{"rows": [{"id", "name", "state", "mark", "why", "cells": [str]}], "chosen": [id], "head": [str], "empty": str, "turn": int, "visitor": str}`; `cells` stand
    under `head`. poll: gets `{"visitor"}` every 2 s while somebody looks, every 6 s while no run is alive, and answers `{"rows", "is_alive": bool}`.
    """
    return component("runlist", label, TEMPLATE, {"rows": [], "chosen": [], "head": [], "empty": ""}, poll, **kw)
