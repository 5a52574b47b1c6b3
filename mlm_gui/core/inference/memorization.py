"""Did a model learn this very sentence? Then a good guess may be memory."""

import re
from collections.abc import Sequence

from mlm_gui.core.corpus.paragraphs import beginning_of
from mlm_gui.core.inference.blanks import BLANK

MIN_WORDS = 5
"""Shorter stretches stand in many texts."""
SEARCHED_CHARACTERS = 50_000_000
"""Of a longer text only the beginning is searched, so that the answer comes within a second or two."""
_WORD = re.compile(r"\w+")


def is_in_text(sentence: str, paragraphs: Sequence[str]) -> bool:
    """True when one of the paragraphs holds the sentence, word for word, with any word in place of a blank; signs and capitals do not count."""
    pattern = [
        r"\w+" if BLANK.fullmatch(part) else re.escape(part.lower())
        for part in re.findall(rf"{BLANK.pattern}|\w+", sentence, BLANK.flags)
    ]
    if len(pattern) < MIN_WORDS:
        return False
    wanted, longest = (
        re.compile(" " + " ".join(pattern) + " "),
        max((word for word in pattern if _WORD.fullmatch(word)), key=len, default=""),
    )
    lowered = (paragraph.lower() for paragraph in beginning_of(paragraphs, SEARCHED_CHARACTERS))
    return any(
        longest in paragraph and wanted.search(f" {' '.join(_WORD.findall(paragraph))} ")
        for paragraph in lowered
    )
