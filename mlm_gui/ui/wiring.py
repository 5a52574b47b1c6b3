"""How events reach handlers: values are parsed by the handler's annotations, errors become notices.

No event is listed as a public endpoint.
"""

from __future__ import annotations

import html
import inspect
import logging
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr
from gradio.events import Dependency

from mlm_gui.errors import UserError
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.events import data_of
from mlm_gui.ui.door import EventDetail, Parser, in_words, parser_of
from mlm_gui.ui.form import Form

log = logging.getLogger(__name__)
INFERENCE = "inference"
"""The concurrency id shared by everything that asks a model."""
Slot = Any
"""A place in a view: the widget while the page is built, in an answer what the widget gets."""
Widgets = Any
"""A widget, a view (a NamedTuple of widgets), or a sequence of either."""
Event = Callable[..., Dependency]
Handler = Callable[..., object]


def on(
    event: Event,
    handler: Handler,
    studio: Studio,
    inputs: Widgets = None,
    outputs: Widgets = None,
    **options: Any,
) -> Dependency:
    """Connects `event` to `handler(studio, *inputs)`.

    Inputs are widgets and forms, one for each parameter of the handler. Its annotations say how the
    values are parsed; a `gr.Request` or an EventDetail among them comes from the event itself.
    Outputs are widgets and views; the handler returns a value for each, and `gr.skip()` for a view
    leaves all of it as it is. A UserError is shown to the person. Anything else is logged and shown
    as unexpected. Raises TypeError, at page build, for annotations or inputs that do not fit.
    """
    door = _Door(handler, list(_listed(inputs)))

    def guarded(*values: object) -> object:
        try:
            answer = handler(studio, *door.arguments(values))
            return answer if outputs is None else _flat_answer(outputs, answer)
        except UserError as error:
            raise notice(error) from error
        except Exception as error:
            log.exception("%s failed", handler.__name__)
            raise notice(_unexpected(error)) from error

    guarded.__name__ = handler.__name__
    guarded.__signature__ = door.signature  # type: ignore[attr-defined]  # Gradio asks for it
    guarded.__annotations__ = door.annotations
    defaults = {"show_progress": "hidden", "show_progress_on": [], "api_visibility": "private"}
    widgets = None if outputs is None else list(_flat_widgets(outputs))
    return event(guarded, door.widgets or None, widgets, **{**defaults, **options})


class _Door:
    """What stands between Gradio's flat list of values and a handler's parameters."""

    def __init__(self, handler: Handler, inputs: list[Any]) -> None:
        hints = typing.get_type_hints(handler, include_extras=True)
        names = list(inspect.signature(handler).parameters)[1:]  # the first one is the studio
        unannotated = [name for name in names if name not in hints]
        if unannotated:
            raise TypeError(f"{handler.__name__} has no annotation for {unannotated}.")
        self._names = names
        self._details: dict[str, Parser] = {
            name: parser_of(hints[name]) for name in names if _is_detail(hints[name])
        }
        self._requests = [name for name in names if hints[name] is gr.Request]
        given = [n for n in names if n not in self._details and n not in self._requests]
        if len(given) != len(inputs):
            raise TypeError(
                f"{handler.__name__} takes {given}, and the event gives {len(inputs)} inputs."
            )
        self._inputs = [
            (name, input_, _parser_for(handler, name, hints[name], input_))
            for name, input_ in zip(given, inputs, strict=True)
        ]
        self.widgets = [widget for input_ in inputs for widget in _widgets_of(input_)]
        self.annotations: dict[str, Any] = {name: gr.Request for name in self._requests}
        self.annotations |= {name: gr.EventData for name in self._details}
        values = [f"value_{number}" for number in range(len(self.widgets))]
        self.signature = inspect.Signature(
            [
                inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD)
                for name in (*values, *self.annotations)
            ]
        )

    def arguments(self, values: Sequence[object]) -> list[object]:
        """The handler's arguments after the studio, in its order. Raises UserError for a misfit."""
        left = list(values)
        found: dict[str, object] = {}
        for name, input_, parse in self._inputs:
            count = len(_widgets_of(input_))
            own, left = left[:count], left[count:]
            found[name] = input_.parse(own) if isinstance(input_, Form) else parse(name, own[0])
        for name, extra in zip(self.annotations, left, strict=True):
            detail = self._details.get(name)
            found[name] = detail("The event", data_of(extra)) if detail else extra
        return [found[name] for name in self._names]


def _is_detail(annotation: object) -> bool:
    return inspect.isclass(annotation) and issubclass(annotation, EventDetail)


def _parser_for(handler: Handler, name: str, annotation: object, input_: object) -> Parser:
    """The parser of one input; a form parses by itself. Raises TypeError where types do not fit."""
    if isinstance(input_, Form):
        if input_.kind is not annotation:
            raise TypeError(f"{handler.__name__} takes {annotation!r}, not a {input_.kind!r}.")
        return lambda name, value: value
    parse = parser_of(annotation)
    return lambda name, value: parse(in_words(name), value)


def _widgets_of(input_: Any) -> list[Any]:
    return list(input_.widgets) if isinstance(input_, Form) else [input_]


def _listed(inputs: Widgets) -> Iterator[Any]:
    if inputs is None:
        return
    if isinstance(inputs, (list, tuple)):
        for input_ in inputs:
            yield from _listed(input_)
    else:
        yield inputs


def _flat_widgets(outputs: Widgets) -> Iterator[Any]:
    """The widgets of nested views, in order."""
    if isinstance(outputs, (list, tuple)):
        for part in outputs:
            yield from _flat_widgets(part)
    else:
        yield outputs


def _flat_answer(outputs: Widgets, answer: Any) -> Any:
    """The answer as the flat list that Gradio takes, one value for each widget of `outputs`."""
    if not isinstance(outputs, (list, tuple)):
        return answer
    values = list(_values_for(outputs, answer))
    return values if len(values) > 1 else values[0]


def _values_for(outputs: Widgets, answer: Any) -> Iterator[Any]:
    if not isinstance(outputs, (list, tuple)):
        yield answer
    elif answer == gr.skip():
        yield from (answer for _ in _flat_widgets(outputs))
    elif len(outputs) == 1 and not isinstance(answer, (list, tuple)):
        yield from _values_for(outputs[0], answer)
    else:
        for part, value in zip(outputs, answer, strict=True):
            yield from _values_for(part, value)


def notice(error: UserError) -> gr.Error:
    """The three sentences as a notice, escaped: they may quote what a visitor typed."""
    return gr.Error(html.escape(str(error), quote=False), duration=15, print_exception=False)


def _unexpected(error: Exception) -> UserError:
    return UserError(
        "Something went wrong here.",
        f"The program met an error it does not know ({type(error).__name__}).",
        "Nothing was lost; try again, or reload the page.",
    )
