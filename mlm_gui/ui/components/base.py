"""What every component of ours has in common: a fixed template, data in `value` only, and a script from assets/js."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import gradio as gr

from mlm_gui.ui.theme import script

Poll = Callable[[dict[str, Any]], Any]
"""What a component asks by itself. The question comes from a browser: check it. The answer is JSON with string keys."""


def component(
    kind: str,
    label: str,
    template: str,
    empty: dict[str, Any],
    poll: Poll | None = None,
    settings: dict[str, Any] | None = None,
    **kw: Any,
) -> gr.HTML:
    """A `gr.HTML` of class `mlm-KIND` that runs `assets/js/KIND.js`.

    The template must be fixed text. `settings`, fixed too, reach the script as the attributes of a `<template>`; `gr.HTML`'s own properties
    are missing in the browser until a component gets its first update.
    """
    classes = kw.pop("elem_classes", None) or []
    return gr.HTML(
        value=kw.pop("value", empty),
        label=label,
        html_template=_settings_template({"caption": label, **(settings or {})}) + template,
        js_on_load=script(kind),
        apply_default_css=False,
        elem_classes=[f"mlm-{kind}", *([classes] if isinstance(classes, str) else classes)],
        server_functions=[_named_poll(poll)] if poll else None,
        **kw,
    )


def _settings_template(settings: dict[str, Any]) -> str:
    """The settings as attributes, with the signs escaped that mean something to HTML or to Gradio's templates."""
    attributes = (
        f'data-{name}="{html.escape(str(value)).replace("$", "&#36;").replace("{", "&#123;")}"'
        for name, value in settings.items()
    )
    return f'<template class="settings" {" ".join(attributes)}></template>'


def _named_poll(answer: Poll) -> Poll:
    """`answer` under the name the scripts call."""

    def poll(question: dict[str, Any]) -> Any:
        return answer(question)

    return poll
