"""Many widgets as one value: a form names a widget for each field of a dataclass."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import gradio as gr

from mlm_gui.ui.door import parser_of

T = TypeVar("T")


class Form(Generic[T]):
    """One widget for each field of a dataclass. A field without a widget fails at page build.

    As an input of `on` it reaches its handler as one value of that dataclass.
    """

    def __init__(
        self,
        kind: type[T],
        *,
        in_per_cent: tuple[str, ...] = (),
        **widgets: gr.components.Component,
    ) -> None:
        """`in_per_cent`: fields that are fractions, and whose widgets show per cent."""
        names = _names_of(kind)
        missing, unknown = set(names) - set(widgets), set(widgets) - set(names)
        if missing or unknown:
            raise TypeError(
                f"{kind.__name__} has no widget for {sorted(missing)} "
                f"and no field for {sorted(unknown)}."
            )
        self.kind = kind
        self.widgets = [widgets[name] for name in names]
        self._names, self._in_per_cent = names, in_per_cent
        self._parse = parser_of(kind)

    def parse(self, values: Sequence[object]) -> T:
        """The widgets' values, in their order, as one. Raises UserError for a misfit."""
        given = dict(zip(self._names, values, strict=True))
        for name in self._in_per_cent:
            given[name] = _as_fraction(given[name])
        result: T = self._parse("The form", given)
        return result


def _names_of(kind: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def _as_fraction(value: object) -> object:
    """15 -> 0.15. What is no number is left as it is: the field's parser refuses it."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return value / 100
