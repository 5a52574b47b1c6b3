"""A question to both models: a sentence, which of its words are hidden, and how it is asked."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

from mlm_gui.core.inference.blanks import BLANK, MAX_CHARACTERS
from mlm_gui.errors import UserError
from mlm_gui.ui.door import Between, VisitorId

FIRST_SENTENCE = "Nothing is evil which is according to ___."
BLANK_MARK = "[MASK]"
"""How a hidden word is asked for: unlike ___, two side by side stay two."""
SHOWN_BLANK = "____"
_LETTERS = r"(?:[^\W_]|(?<!_)_(?!_))+"
WORD = re.compile(rf"{BLANK.pattern}|{_LETTERS}(?:['’-]{_LETTERS})*|[^\w\s]", re.IGNORECASE)
MAX_WORDS = 400
MAX_GUESSES = 20


@dataclass(frozen=True)
class PickedWord:
    """A word or sign of the sentence."""

    text: str
    blank: bool
    """True for a hidden one."""


@dataclass(frozen=True)
class PickerValue:
    """The value of the blank picker."""

    words: tuple[PickedWord, ...] = ()


@dataclass(frozen=True)
class CompareQuestion:
    """What the Compare tab asks; one field for each widget."""

    visitor: VisitorId
    base: str | None
    tuned: str | None
    sentence: str
    words: PickerValue
    which: str | None
    """The chosen blank as the page calls it, see `blank_names`."""
    top: Annotated[int, Between("The number of guesses", 1, MAX_GUESSES)]
    """Guesses shown."""

    @cached_property
    def blanks(self) -> list[bool]:
        """Which words are hidden."""
        return blanks_of(self.sentence, self.words)

    @property
    def num_blanks(self) -> int:
        return sum(self.blanks)

    @property
    def place(self) -> int:
        """Of the chosen blank, the first one 0."""
        names = blank_names(self.num_blanks)
        return names.index(self.which) if self.which in names else 0

    @property
    def masked_text(self) -> str:
        """The sentence with [MASK] for every blank. Raises UserError for one that is too long."""
        return masked_text(self.sentence, self.blanks)

    @property
    def tag(self) -> str:
        """Tells this question from another one; the answer carries it."""
        asked = [self.base, self.tuned, self.masked_text, self.num_blanks, self.place, self.top]
        return json.dumps(asked)


def words_of(sentence: str, blanks: Sequence[bool] | None = None) -> dict[str, Any]:
    """The words and signs of a sentence as the blank picker takes them.

    A written blank (___ or [MASK]) starts as one, unless `blanks` says otherwise.
    """
    found = WORD.findall(sentence[:MAX_CHARACTERS])[:MAX_WORDS]
    if blanks is None:
        blanks = [bool(BLANK.fullmatch(word)) for word in found]
    return {
        "words": [
            {"text": SHOWN_BLANK if BLANK.fullmatch(word) else word, "blank": blank}
            for word, blank in zip(found, blanks, strict=False)
        ]
    }


def blanks_of(sentence: str, words: PickerValue) -> list[bool]:
    """Which words of the sentence are hidden; words that do not fit it are not believed."""
    expected = words_of(sentence)["words"]
    if len(words.words) != len(expected):
        return [word["blank"] for word in expected]
    return [word.blank for word in words.words]


def are_words_of(sentence: str, words: PickerValue) -> bool:
    """True when the page shows the words of this sentence, whichever of them are hidden."""
    expected = [word["text"] for word in words_of(sentence)["words"]]
    return [word.text for word in words.words] == expected


def masked_text(sentence: str, blanks: Sequence[bool]) -> str:
    """The sentence with [MASK] for every blank.

    Raises UserError when it is too long to be shown word by word.
    """
    found = list(WORD.finditer(sentence[: MAX_CHARACTERS + 1]))
    if len(sentence) > MAX_CHARACTERS or len(found) > MAX_WORDS:
        raise UserError(
            "The sentence is too long.",
            f"It has {len(found)} words and signs, and the limit is {MAX_WORDS}.",
            "Shorten it.",
        )
    parts, end = [], 0
    for word, is_blank in zip(found, blanks, strict=True):
        parts.append(sentence[end : word.start()])
        if is_blank:
            parts.append(BLANK_MARK)
        elif not BLANK.fullmatch(word.group()):
            parts.append(word.group())
        end = word.end()
    return "".join([*parts, sentence[end:]])


def blank_names(count: int) -> list[str]:
    """The blanks as the page calls them.

    A restarted server knows all of these names, so that a page that stayed open is not refused.
    """
    return [f"blank {number}" for number in range(1, count + 1)]
