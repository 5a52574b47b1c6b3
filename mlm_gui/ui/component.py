"""What every component of ours has in common: a fixed template, data in `value` only, and a script from assets/js."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from mlm_gui.ui.theme import script

Poll = Callable[[dict[str, Any]], Any]
"""What a component asks by itself. The question comes from a browser: check it. The answer is JSON with string keys."""


def component(kind: str, label: str, template: str, empty: dict[str, Any], poll: Poll | None = None, **kw: Any) -> gr.HTML:
    """A `gr.HTML` of class `mlm-KIND` that runs `assets/js/KIND.js`. The template must be fixed text; other keywords reach the script as `props`."""
    classes = kw.pop("elem_classes", None) or []
    return gr.HTML(
        value=kw.pop("value", empty),
        label=label,
        caption=label,
        html_template=template,
        js_on_load=script(kind),
        apply_default_css=False,
        elem_classes=[f"mlm-{kind}", *([classes] if isinstance(classes, str) else classes)],
        server_functions=[_named_poll(poll)] if poll else None,
        **kw,
    )


def _named_poll(answer: Poll) -> Poll:
    """`answer` under the name the scripts call."""

    def poll(question: dict[str, Any]) -> Any:
        return answer(question)

    return poll
