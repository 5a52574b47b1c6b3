"""Whether a model was trained on this very sentence: then a good guess may be memorised."""

import re
from collections.abc import Sequence

from mlm_gui.core.corpus.paragraphs import beginning_of
from mlm_gui.core.inference.blanks import BLANK

MIN_WORDS = 5
"""Shorter stretches of words occur in many texts."""
SEARCHED_CHARACTERS = 50_000_000
"""Only this much of a text is searched, so that the answer comes within a second or two."""
_WORD = re.compile(r"\w+")
_BLANK_OR_WORD = re.compile(rf"{BLANK.pattern}|\w+", BLANK.flags)


def is_in_text(sentence: str, paragraphs: Sequence[str]) -> bool:
    """True when a paragraph contains the sentence, word for word; a blank fits any word.

    Capitals and punctuation do not count.
    """
    parts = _BLANK_OR_WORD.findall(sentence)
    if len(parts) < MIN_WORDS:
        return False
    patterns = [r"\w+" if BLANK.fullmatch(part) else re.escape(part.lower()) for part in parts]
    words = [pattern for pattern in patterns if _WORD.fullmatch(pattern)]
    longest_word = max(words, key=len, default="")
    whole = re.compile(" " + " ".join(patterns) + " ")
    for paragraph in beginning_of(paragraphs, SEARCHED_CHARACTERS):
        lowered = paragraph.lower()
        if longest_word in lowered and whole.search(f" {' '.join(_WORD.findall(lowered))} "):
            return True
    return False
