"""Components that a person acts on: token chips, blank picker, guesses, surprisal map, stepper."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mlm_gui.ui.components.base import Poll, component

CHIPS_TEMPLATE = """
<h3 class="heading" hidden></h3>
<div class="strip" role="toolbar" aria-orientation="horizontal"></div>
<p class="note" role="status"></p>
<ul class="legend" aria-label="What the marks mean"></ul>
"""


def chips(label: str, **kw: Any) -> gr.HTML:
    """A strip of token chips; arrows, Home and End move through it.

    It fires `pick` with `{indexes, turn}` on click, Enter or Space. The next clicks wait for a
    value with that `turn`.

    value: `{"tokens": JSON text of a list, "legend": bool, "rows": ids and labels under each chip,
    "heading": str, "hint": sentence while no chip is in focus, "fixed": nothing can be overruled,
    "turn": int}`; the last five may be missing. A token is `{"text": as it is shown,
    "old": the piece it replaces or "", "joined": no gap before it, "why": the reason in words,
    "fate": "untouched" | "mask" | "random" | "kept" | "special" | "padding", "id": int,
    "label": int (-100 where the loss counts nothing), "input": the id the model gets,
    "mark": "force" | "forbid" where a person overruled the draw, else ""}`.
    The tokens travel as text because Gradio watches every field of a value, which costs more for
    500 tokens than drawing them.
    """
    return component("chips", label, CHIPS_TEMPLATE, {"tokens": "[]", "legend": False}, **kw)


BLANK_PICKER_TEMPLATE = '<div class="strip" role="toolbar" aria-orientation="horizontal"></div>'


def blank_picker(label: str, **kw: Any) -> gr.HTML:
    """Words as toggle buttons; a hidden one shows ____.

    A click changes the value in the browser at once and fires `toggle`; the server reads the value.

    value: `{"words": [{"text": str, "blank": bool}]}`. The text of a blank never reaches the page.
    """
    return component("blank_picker", label, BLANK_PICKER_TEMPLATE, {"words": []}, **kw)


GUESS_BARS_TEMPLATE = """
<h3 class="title"></h3>
<ol class="rows"></ol>
<p class="empty" hidden></p>
<p class="foot" hidden></p>
"""


def guess_bars(label: str, **kw: Any) -> gr.HTML:
    """A titled list of bars.

    value: `{"title": str, "tone": "base" | "tuned" | "moved", "rows": list,
    "empty": sentence without rows, "foot": optional sentence under them}`. A row is
    `{"token": str, "share": 0..1 of the width, "text": figure on the right,
    "note": spoken, and shown on hover, "tone": optional, for this row}`.
    """
    return component(
        "guess_bars",
        label,
        GUESS_BARS_TEMPLATE,
        {"title": "", "tone": "base", "rows": [], "empty": ""},
        **kw,
    )


SURPRISAL_MAP_TEMPLATE = """
<div class="progress" role="progressbar" aria-label="Share of the text that is read"
  aria-valuemin="0" aria-valuemax="100" aria-valuenow="0"><div></div></div>
<p class="note" role="status"></p>
<p class="empty"></p>
<div class="strip" role="toolbar" aria-orientation="horizontal"></div>
<ul class="legend" aria-label="What the marks mean"></ul>
<h4 class="title" hidden></h4>
<ol class="movers"></ol>
"""


def surprisal_map(label: str, poll: Poll, **kw: Any) -> gr.HTML:
    """Words as chips with their surprisal in nats, and the words that changed most.

    It fires `pick` with `{reading, index}` and `over` with `{reading}`.

    value: `{"reading": id or None, "visitor": id, "show": "tuned" | "base" | "change",
    "empty": sentence without a job}`.

    poll: gets `{"reading", "visitor", "cursor": words it has}` while somebody looks. It answers
    None (no such job) or `{"cursor": int, "words": [[text, base nats, tuned nats,
    starts a paragraph]], "moved": [[index, text, base nats, tuned nats]], "note": str,
    "progress": 0..1 | None, "final": bool}`.
    """
    return component(
        "surprisal_map",
        label,
        SURPRISAL_MAP_TEMPLATE,
        {"reading": None, "visitor": "", "show": "change", "empty": ""},
        poll,
        **kw,
    )


STEPPER_TEMPLATE = """
<div class="moves">
<button type="button" class="back">Previous</button><button type="button" class="on">Next</button>
<span class="where" role="status"></span>
</div>
<p class="words"></p>
<div class="codes"><figure><figcaption>the tutorial</figcaption><pre></pre></figure>
<figure><figcaption>here</figcaption><pre></pre></figure></div>
<div class="scroll" role="region" tabindex="0">
<table><thead></thead><tbody></tbody></table></div>
"""


def stepper(label: str, **kw: Any) -> gr.HTML:
    """Steps through a draw in the browser, by its buttons or the left and right arrow keys.

    value: `{"draw": JSON text of {"tokens": [str], "steps": list}}`; text for the reason given at
    `chips`. A step is `{"name": str, "words": str, "theirs": code, "ours": code,
    "cells": [str, one for each token], "lit": [bool]}`.
    """
    return component("stepper", label, STEPPER_TEMPLATE, {"draw": ""}, **kw)
