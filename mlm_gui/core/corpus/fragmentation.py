"""Words that a tokenizer has no whole piece for, and the pieces it breaks them into."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mlm_gui.core.tokenizer import Tokenizer

WORD = re.compile(r"[^\W\d_]{2,}")
MAX_DISTINCT_WORDS = 50_000
"""Only the most frequent words of a text are tokenised."""
MIN_PIECES = 3
"""A word counts as fragmented from this many pieces on."""


@dataclass(frozen=True)
class FragmentedWord:
    """A word of the text that the tokenizer breaks into pieces."""

    word: str
    count: int
    """Occurrences in the text."""
    pieces: tuple[str, ...]


def fragmented_words(
    paragraphs: Sequence[str], tokenizer: Tokenizer, most: int = 20
) -> tuple[FragmentedWord, ...]:
    """The `most` fragmented words that cost the most pieces over the whole text, in lower case."""
    counts = Counter(word.lower() for paragraph in paragraphs for word in WORD.findall(paragraph))
    words = [word for word, _ in counts.most_common(MAX_DISTINCT_WORDS)]
    if not words:
        return ()
    rows: list[list[int]] = tokenizer(
        [f" {word}" for word in words],
        add_special_tokens=False,
        return_attention_mask=False,
        return_token_type_ids=False,
    )["input_ids"]
    broken = [(word, row) for word, row in zip(words, rows, strict=True) if len(row) >= MIN_PIECES]
    broken.sort(key=lambda item: -counts[item[0]] * len(item[1]))
    return tuple(
        FragmentedWord(word, counts[word], tuple(_piece(tokenizer, token) for token in row))
        for word, row in broken[:most]
    )


def _piece(tokenizer: Tokenizer, token_id: int) -> str:
    return tokenizer.convert_ids_to_tokens(token_id) or f"id {token_id}"
