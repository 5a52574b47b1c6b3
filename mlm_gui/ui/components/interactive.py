"""Components that a person acts on: token chips, the blank picker, guesses, the surprisal map, the stepper."""

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
    """A strip of token chips; arrows, Home and End move through it. Fires `pick` with `{indexes, turn}` on click, Enter or Space; the
    next clicks wait for a value with that `turn`.

    value: `{"tokens": JSON text of [{"text": shown, "old": replaced piece or "", "fate": "untouched" | "mask" | "random" | "kept" | "special" | "padding", "joined": no
    gap before it, "why": the reason in words, "id": int, "label": int, -100 where the loss counts nothing, "input": the id the model sees, "mark": "force" |
    "forbid" where a person overruled the draw, else ""}], "legend": bool, "rows": bool, ids and labels under each chip, "heading": str, "hint": said while no
    chip is in focus, "fixed": bool, nothing in it can be overruled, "turn": int}`; the last five may be missing.
    The tokens travel as text because Gradio watches every field of a value, which costs more for 500 tokens than drawing them. The indexes come from a
    browser: check them.
    """
    return component("chips", label, CHIPS_TEMPLATE, {"tokens": "[]", "legend": False}, **kw)


BLANK_PICKER_TEMPLATE = '<div class="strip" role="toolbar" aria-orientation="horizontal"></div>'


def blank_picker(label: str, **kw: Any) -> gr.HTML:
    """Words as toggle buttons; a hidden one shows ____. A click changes the value in the browser at once and fires `toggle`; the server reads the value.

    value: `{"words": [{"text": str, "blank": bool}]}`. The text of a blank is never written into the page. The value comes from a browser: check it.
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

    value: `{"title": str, "tone": "base" | "tuned" | "moved", "rows": [{"token": str, "share": 0..1 of the width, "text": figure on the right, "note": spoken
    and shown on hover, "tone": optional, for this row}], "empty": said when there are no rows, "foot": optional, a sentence under them}`.
    """
    return component(
        "guess_bars",
        label,
        GUESS_BARS_TEMPLATE,
        {"title": "", "tone": "base", "rows": [], "empty": ""},
        **kw,
    )


SURPRISAL_MAP_TEMPLATE = """
<div class="progress" role="progressbar" aria-label="Share of the text that is read" aria-valuemin="0" aria-valuemax="100" aria-valuenow="0"><div></div></div>
<p class="note" role="status"></p>
<p class="empty"></p>
<div class="strip" role="toolbar" aria-orientation="horizontal"></div>
<ul class="legend" aria-label="What the marks mean"></ul>
<h4 class="title" hidden></h4>
<ol class="movers"></ol>
"""


def surprisal_map(label: str, poll: Poll, **kw: Any) -> gr.HTML:
    """Words as chips with their surprise in nats, and the words that changed most. Fires `pick` with `{reading, index}` and `over` with `{reading}`.

    value: `{"reading": id or None, "visitor": id, "show": "tuned" | "base" | "change", "empty": what to say while there is no reading}`.

    poll: gets `{"reading", "visitor", "cursor": words it has}` while somebody looks, and answers None (no such reading) or `{"cursor": int, "words":
    [[text, base nats, tuned nats, starts a paragraph]], "moved": [[index, text, base nats, tuned nats]], "note": str, "progress": 0..1 | None, "final": bool}`.
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
    return component("stepper", label, STEPPER_TEMPLATE, {"draw": ""}, **kw)
