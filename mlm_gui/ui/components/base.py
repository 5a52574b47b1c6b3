"""What our components share: a fixed template, data in `value` only, a script from assets/js."""

from __future__ import annotations

import html
import logging
import typing
from collections.abc import Callable
from typing import Any

import gradio as gr

from mlm_gui.errors import UserError
from mlm_gui.ui.door import parser_of
from mlm_gui.ui.theme import script

log = logging.getLogger(__name__)
Poll = Callable[[Any], Any]
"""What a component asks by itself. Its one parameter is annotated with a dataclass, by which the
door parses the question. The answer is JSON with string keys."""


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

    The template must be fixed text. `settings`, fixed too, reach the script as the attributes of a
    `<template>`: `gr.HTML`'s own properties are missing in the browser until its first update.
    """
    classes = kw.pop("elem_classes", None) or []
    return gr.HTML(
        value=kw.pop("value", empty),
        label=label,
        html_template=_settings_template({"caption": label, **(settings or {})}) + template,
        js_on_load=script(kind),
        apply_default_css=False,
        elem_classes=[f"mlm-{kind}", *([classes] if isinstance(classes, str) else classes)],
        server_functions=[answering(poll)] if poll else None,
        **kw,
    )


class PollFailed(Exception):
    """An error of ours in a server function; its text is the type of the first error."""


def answering(answer: Poll) -> Callable[[object], Any]:
    """`answer` as a server function: the question is parsed, and a misfit is answered with None.

    Raises TypeError for an annotation that the door does not know.
    """
    hints = typing.get_type_hints(answer, include_extras=True)
    hints.pop("return", None)
    if len(hints) != 1:
        raise TypeError(f"{answer.__name__} needs one annotated parameter.")
    (annotation,) = hints.values()
    parse = parser_of(annotation)

    def poll(question: object) -> Any:  # the scripts call it by this name
        try:
            asked = parse("The question", question)
        except UserError:
            return None
        try:
            return answer(asked)
        except Exception as error:  # the component tries again; the guard answers with status 500
            log.exception("a poll failed")
            raise PollFailed(type(error).__name__) from error

    return poll


def _settings_template(settings: dict[str, Any]) -> str:
    """The settings as attributes; signs that mean something to HTML or Gradio are escaped."""
    attributes = (f'data-{name}="{_escaped(value)}"' for name, value in settings.items())
    return f'<template class="settings" {" ".join(attributes)}></template>'


def _escaped(value: object) -> str:
    return html.escape(str(value)).replace("$", "&#36;").replace("{", "&#123;")
