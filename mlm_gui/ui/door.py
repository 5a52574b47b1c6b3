"""The typed door: what a browser sends becomes the values a handler's annotations ask for.

`parser_of(annotation)` is built once, with the page. It raises TypeError for a type that is not in
the table below. The parser raises UserError for a value that does not fit.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NewType, TypeVar

from mlm_gui.core import validation
from mlm_gui.errors import UserError
from mlm_gui.services.storage.files import ID

T = TypeVar("T")
VisitorId = NewType("VisitorId", str)
"""Who asks: 32 hexadecimal digits, or "" for a browser that has no id yet."""
RunId = NewType("RunId", str)
"""A run, or "" for none."""
TextId = NewType("TextId", str)
"""A text, or "" for none."""
JobId = NewType("JobId", str)
"""A background job, or "" for none."""
JsonObject = dict[str, Any]
"""A component's value that goes back to the browser it came from, and is not looked into."""

Parser = Callable[[str, object], Any]
"""Takes the name of a value, as a message shows it, and the value; returns it parsed."""
LONGEST_LIST = 1_000
"""Entries of a list; no page sends more."""
LARGEST_NUMBER = 2**53
"""Above it a whole number is no longer exact in a browser."""


@dataclasses.dataclass(frozen=True)
class Between:
    """In `Annotated[int, Between("The seed", 0, 9)]`: the range, and the name in messages."""

    name: str
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class OneOf:
    """In `Annotated[str, OneOf("The unit", ("token", "word"))]`: the values allowed."""

    name: str
    choices: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Otherwise:
    """In `Annotated[RunId, Otherwise("")]`: a value that does not fit becomes this one."""

    value: Any


@dataclasses.dataclass(frozen=True)
class EventDetail:
    """Base of what a component's script sends along with an event; see components.events."""


def parsed(kind: type[T], value: object) -> T:
    """`value` as `kind`. Raises UserError when it does not fit."""
    result: T = parser_of(kind)("The question", value)
    return result


def parser_of(annotation: Any) -> Parser:
    """The parser of an annotated type. Raises TypeError for a type the door does not know."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _refined(arguments[0], arguments[1])
    if origin in (typing.Union, types.UnionType):
        return _optional(annotation, arguments)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return _list_of(parser_of(arguments[0]))
    if dataclasses.is_dataclass(annotation):
        return _record(annotation)
    for known, parser in PARSERS:
        if annotation == known:
            return parser
    raise TypeError(f"The door knows no parser for {annotation!r}.")


def in_words(name: str) -> str:
    """A parameter's name as a message shows it: "split_seed" -> "The split seed"."""
    return f"The {name.replace('_', ' ').strip()}"


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise _misfit(name, value, "It must be text.")
    return validation.readable(value)


def _switch(name: str, value: object) -> bool:
    return validation.switch(name, value)


def _whole(name: str, value: object) -> int:
    number = _number(name, value)
    if not number.is_integer():
        raise _misfit(name, value, "It must be a whole number.")
    return int(number)


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _misfit(name, value, "It must be a number.")
    if not abs(value) <= LARGEST_NUMBER:  # true for NaN too
        raise _misfit(name, value, f"It must be a number up to {LARGEST_NUMBER:,}.")
    return float(value)


def _id(name: str, value: object) -> str:
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or not ID.fullmatch(value):
        raise _misfit(name, value, "It must be an id that this server gave out.")
    return value


def _path(name: str, value: object) -> Path:
    if not isinstance(value, str):
        raise _misfit(name, value, "It must be an uploaded file.")
    return Path(value)


def _object(name: str, value: object) -> JsonObject:
    if not isinstance(value, dict):
        raise _misfit(name, value, "It must be an object.")
    return value


PARSERS: tuple[tuple[Any, Parser], ...] = (
    (str, _text),
    (bool, _switch),
    (int, _whole),
    (float, _number),
    (VisitorId, _id),
    (RunId, _id),
    (TextId, _id),
    (JobId, _id),
    (Path, _path),
    (JsonObject, _object),
)
"""The types the door knows, besides `X | None`, `tuple[X, ...]`, `Annotated` and dataclasses."""


def _refined(kind: Any, refinement: object) -> Parser:
    """The parser of `Annotated[kind, refinement]`."""
    parse = parser_of(kind)
    if isinstance(refinement, Between):
        return _within(refinement, is_whole=kind is int)
    if isinstance(refinement, OneOf):
        return _among(refinement)
    if isinstance(refinement, Otherwise):
        return _lenient(parse, refinement.value)
    raise TypeError(f"The door does not know the refinement {refinement!r}.")


def _within(limits: Between, is_whole: bool) -> Parser:
    def whole(name: str, value: object) -> int:
        return validation.whole(limits.name, value, int(limits.low), int(limits.high))

    def fraction(name: str, value: object) -> float:
        return validation.fraction(limits.name, value, limits.low, limits.high)

    return whole if is_whole else fraction


def _among(choice: OneOf) -> Parser:
    def one_of(name: str, value: object) -> str:
        return validation.one_of(choice.name, _text(choice.name, value), choice.choices)

    return one_of


def _lenient(parse: Parser, otherwise: object) -> Parser:
    def lenient(name: str, value: object) -> Any:
        try:
            return parse(name, value)
        except UserError:
            return otherwise

    return lenient


def _optional(annotation: object, arguments: tuple[Any, ...]) -> Parser:
    """The parser of `X | None`, the one union the door knows."""
    kinds = [kind for kind in arguments if kind is not type(None)]
    if len(kinds) != 1 or len(arguments) != 2:
        raise TypeError(f"The door knows no parser for {annotation!r}.")
    parse = parser_of(kinds[0])
    return lambda name, value: None if value is None else parse(name, value)


def _list_of(parse: Parser) -> Parser:
    def entries(name: str, value: object) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)) or len(value) > LONGEST_LIST:
            raise _misfit(name, value, f"It must be a list of at most {LONGEST_LIST:,} entries.")
        return tuple(parse(name, entry) for entry in value)

    return entries


def _record(kind: Any) -> Parser:
    """The parser of a dataclass: an object with its fields; names that it lacks are left out."""
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = [field for field in dataclasses.fields(kind) if field.init]
    parsers = {field.name: parser_of(hints[field.name]) for field in fields}
    required = {field.name for field in fields if _has_no_default(field)}

    def record(name: str, value: object) -> Any:
        if not isinstance(value, dict):
            raise _misfit(name, value, "It must be an object.")
        missing = sorted(required - set(value))
        if missing:
            raise _misfit(name, value, f"It lacks {', '.join(missing)}.")
        given = {field: value[field] for field in parsers if field in value}
        return kind(**{field: parsers[field](in_words(field), given[field]) for field in given})

    return record


def _has_no_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _misfit(name: str, value: object, why: str) -> UserError:
    return UserError(
        f"{name} cannot be {repr(value)[:60]}.", why, "Choose another value, or reload the page."
    )
