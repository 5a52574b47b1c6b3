"""Did a model learn this very sentence? Then a good guess may be memory."""

import re
from collections.abc import Sequence

from mlm_gui.core.blanks import BLANK

MIN_WORDS = 5
"""Shorter stretches stand in many texts."""
_WORD = re.compile(r"\w+")


def stands_in(sentence: str, paragraphs: Sequence[str]) -> bool:
    """True when one of the paragraphs holds the sentence, word for word, with any word in place of a blank; signs and capitals do not count."""
    pattern = [r"\w+" if BLANK.fullmatch(part) else re.escape(part.lower()) for part in re.findall(rf"{BLANK.pattern}|\w+", sentence, BLANK.flags)]
    if len(pattern) < MIN_WORDS:
        return False
    wanted = re.compile(" " + " ".join(pattern) + " ")
    return any(wanted.search(f" {' '.join(_WORD.findall(paragraph.lower()))} ") for paragraph in paragraphs)
