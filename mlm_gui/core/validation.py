"""Checks for values that come from outside; every setting passes through one of these."""

import re

from mlm_gui.errors import UserError

_SHOWN_CHARACTERS = 60
"""An error message quotes this much of a wrong value."""


def whole(name: str, value: object, low: int, high: int) -> int:
    """`value` as an int in [low, high].

    Raises UserError for anything else: NaN, text, fractions and booleans included.
    """
    number = fraction(name, value, low, high)
    if number != int(number):
        raise UserError(
            f"{name} cannot be {value!r}.",
            "It counts things, so it must be a whole number.",
            f"Use a whole number from {low} to {high}.",
        )
    return int(number)


def fraction(name: str, value: object, low: float, high: float) -> float:
    """`value` as a finite float in [low, high]; raises UserError otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise UserError(
            f"{name} cannot be {_quoted(value)}.",
            f"It must be a number from {low:g} to {high:g}.",
            "Choose a value inside that range.",
        )
    return float(value)


def text(name: str, value: object, max_characters: int) -> str:
    """`value` as `readable` text; raises UserError when it is no text or too long."""
    if not isinstance(value, str):
        raise UserError(
            f"{name} is not text.",
            "Something other than text was sent.",
            "Type or paste plain text.",
        )
    if len(value) > max_characters:
        raise UserError(
            f"{name} is too long.",
            f"It has {len(value):,} characters and the limit here is {max_characters:,}.",
            "Shorten it.",
        )
    return readable(value)


def readable(text: str) -> str:
    """`text` with U+FFFD for NUL and lone surrogates, which tokenizers and JSON refuse."""
    return re.sub("[\x00\ud800-\udfff]", "\ufffd", text)


def one_of(name: str, value: object, choices: tuple[str, ...]) -> str:
    """`value` when it is one of `choices`; raises UserError otherwise."""
    if not isinstance(value, str) or value not in choices:
        raise UserError(
            f"{name} cannot be {_quoted(value)}.",
            f"It is one of {', '.join(choices)}.",
            "Choose one of these.",
        )
    return value


def switch(name: str, value: object) -> bool:
    """`value` as True or False; raises UserError for anything else."""
    if value not in (True, False):
        raise UserError(
            f"{name} cannot be {_quoted(value)}.",
            "It is either on or off.",
            "Switch it on or off.",
        )
    return bool(value)


def _quoted(value: object) -> str:
    return repr(value)[:_SHOWN_CHARACTERS]
