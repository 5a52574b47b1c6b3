"""The draw step by step: a table of tokens that grows by one row at each step, with the code beside it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mlm_gui.ui.component import component

TEMPLATE = """
<div class="moves">
<button type="button" class="back">Previous</button><button type="button" class="on">Next</button><span class="where" role="status"></span>
</div>
<p class="words"></p>
<div class="codes"><figure><figcaption>the tutorial</figcaption><pre></pre></figure><figure><figcaption>here</figcaption><pre></pre></figure></div>
<div class="scroll" role="region" tabindex="0"><table><thead></thead><tbody></tbody></table></div>
"""


def stepper(label: str, **kw: Any) -> gr.HTML:
    """Steps through a draw in the browser, by its buttons or the left and right arrow keys.

    value: `{"draw": JSON text of {"tokens": [str], "steps": [{"name": str, "words": str, "theirs": code, "ours": code, "cells": [str, one a token], "lit":
    [bool]}]}}`; text for the reason told in chips.py.
    """
    return component("stepper", label, TEMPLATE, {"draw": ""}, **kw)
