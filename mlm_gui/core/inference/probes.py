"""Pinned sentences: a learning model fills their blanks again at every evaluation."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from mlm_gui.core import validation
from mlm_gui.core.corpus.paragraphs import beginning_of
from mlm_gui.core.inference.blanks import BLANK
from mlm_gui.errors import UserError

MAX_PROBES = 5
MAX_CHARACTERS = 300
"""Characters of one sentence."""
MAX_BOX_CHARACTERS = 2 * MAX_PROBES * MAX_CHARACTERS
DEFAULT_PROBES = 2
"""Sentences chosen from the text when the person pins none."""
FEWEST_WORDS = 6
"""A shorter sentence of the text is not chosen."""
MOST_WORDS = 20
"""A longer sentence of the text is not chosen."""
MIN_OCCURRENCES = 3
"""A hidden word occurs at least this often in the training text, so that it can be learned."""
COUNTED_CHARACTERS = 1_000_000
"""Occurrences are counted in this much of the training text."""
_SENTENCE = re.compile(r"[^.!?…]+[.!?…]")
_WORD = re.compile(r"[^\W\d_]{3,}")


def pinned(text: object) -> tuple[str, ...]:
    """The sentences of a text box, one on each line.

    Raises UserError when there are too many, when one is too long, or when one has no blank.
    """
    box = validation.text("The pinned sentences", text or "", MAX_BOX_CHARACTERS)
    lines = [line.strip() for line in box.splitlines()]
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


def probes_from(held_out: Iterable[str], train: Sequence[str]) -> tuple[str, ...]:
    """Up to DEFAULT_PROBES sentences of the held-out paragraphs, each with a blank.

    The blank hides the longest word that occurs at least MIN_OCCURRENCES times in the training
    paragraphs; of equally long ones the first. A paragraph gives at most one sentence.
    """
    counts = Counter(
        word.lower()
        for paragraph in beginning_of(train, COUNTED_CHARACTERS)
        for word in _WORD.findall(paragraph)
    )
    probes: list[str] = []
    for paragraph in held_out:
        probe = _probe_in(paragraph, counts)
        if probe:
            probes.append(probe)
        if len(probes) == DEFAULT_PROBES:
            break
    return tuple(probes)


def _probe_in(paragraph: str, counts: Counter[str]) -> str:
    """The first suitable sentence with its blank; "" when the paragraph has none."""
    for raw in _SENTENCE.findall(paragraph):
        sentence = " ".join(raw.split())
        has_right_length = (
            FEWEST_WORDS <= len(sentence.split()) <= MOST_WORDS and len(sentence) <= MAX_CHARACTERS
        )
        if not has_right_length or BLANK.search(sentence):
            continue
        frequent = [
            match
            for match in _WORD.finditer(sentence)
            if counts[match.group().lower()] >= MIN_OCCURRENCES
        ]
        if frequent:
            hidden = max(frequent, key=lambda match: len(match.group()))
            return f"{sentence[: hidden.start()]}___{sentence[hidden.end() :]}"
    return ""
