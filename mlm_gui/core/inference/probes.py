"""Pinned sentences: what a learning model puts into their blanks, asked again at every evaluation."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from mlm_gui.core import validation
from mlm_gui.core.corpus.paragraphs import beginning_of
from mlm_gui.core.inference.blanks import BLANK
from mlm_gui.errors import UserError

MAX_PROBES = 5
MAX_CHARACTERS = 300
"""Of one sentence."""
DEFAULT_PROBES = 2
"""Sentences made from the text when the person pins none."""
FEWEST_WORDS, MOST_WORDS = 6, 20
"""A sentence of the text is pinned by itself only when it has this many words …"""
KNOWN_AFTER = 3
"""… and only a word that the text uses this often is hidden, so that there is something to learn, …"""
COUNTED_CHARACTERS = 1_000_000
"""… counted over the beginning of a long text."""
_SENTENCE = re.compile(r"[^.!?…]+[.!?…]")
_WORD = re.compile(r"[^\W\d_]{3,}")


def pinned(text: object) -> tuple[str, ...]:
    """The sentences of a box, one a line. Raises UserError when there are too many, one is too long, or one has no blank."""
    lines = [
        line.strip()
        for line in validation.text(
            "The pinned sentences", text or "", MAX_PROBES * MAX_CHARACTERS * 2
        ).splitlines()
    ]
    sentences = tuple(dict.fromkeys(line for line in lines if line))
    if len(sentences) > MAX_PROBES:
        raise UserError(
            "There are too many pinned sentences.",
            f"You wrote {len(sentences)}; {MAX_PROBES} can be watched.",
            "Take some away.",
        )
    for sentence in sentences:
        if not BLANK.search(sentence):
            raise UserError(
                "A pinned sentence has no blank.",
                f"“{sentence[:80]}” hides nothing.",
                "Write ___ where a word is missing.",
            )
        if len(sentence) > MAX_CHARACTERS:
            raise UserError(
                "A pinned sentence is too long.",
                f"It has {len(sentence)} signs and the limit is {MAX_CHARACTERS}.",
                "Shorten it to one sentence.",
            )
    return sentences


def probes_from(unseen: Iterable[str], seen: Sequence[str]) -> tuple[str, ...]:
    """Up to two sentences made from a text: the first ones of 6 to 20 words among the unseen paragraphs in which a word can be hidden.

    Hidden is the longest word that the paragraphs trained on use at least three times; of equally long ones the first.
    """
    counts = Counter(
        word.lower()
        for paragraph in beginning_of(seen, COUNTED_CHARACTERS)
        for word in _WORD.findall(paragraph)
    )
    found: list[str] = []
    for paragraph in unseen:
        for sentence in _SENTENCE.findall(paragraph):
            sentence = " ".join(sentence.split())
            known = [
                match
                for match in _WORD.finditer(sentence)
                if counts[match[0].lower()] >= KNOWN_AFTER
            ]
            if (
                known
                and FEWEST_WORDS <= len(sentence.split()) <= MOST_WORDS
                and len(sentence) <= MAX_CHARACTERS
                and not BLANK.search(sentence)
            ):
                word = max(known, key=lambda match: len(match[0]))
                found.append(f"{sentence[: word.start()]}___{sentence[word.end() :]}")
                break  # one a paragraph
        if len(found) == DEFAULT_PROBES:
            break
    return tuple(found)
