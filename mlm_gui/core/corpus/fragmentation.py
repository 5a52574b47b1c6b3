"""Words a tokenizer has no whole piece for, and what it breaks them into."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True)
class FragmentedWord:
    """A word of the text that the tokenizer breaks."""

    word: str
    count: int
    """Times it stands in the text."""
    pieces: tuple[str, ...]


def fragmented_words(
    paragraphs: Sequence[str], tokenizer, most: int = 20
) -> tuple[FragmentedWord, ...]:
    """The most frequent words of three or more pieces, by the pieces they cost in all; capitals are told apart only if the tokenizer does."""
    counts = Counter(word.lower() for paragraph in paragraphs for word in WORD.findall(paragraph))
    words = [word for word, _ in counts.most_common(50_000)]
    if not words:
        return ()
    rows = tokenizer(
        [f" {word}" for word in words],
        add_special_tokens=False,
        return_attention_mask=False,
        return_token_type_ids=False,
    )["input_ids"]
    broken = [(word, row) for word, row in zip(words, rows, strict=True) if len(row) >= 3]
    broken.sort(key=lambda item: -counts[item[0]] * len(item[1]))
    return tuple(
        FragmentedWord(word, counts[word], tuple(tokenizer.convert_ids_to_tokens(row)))
        for word, row in broken[:most]
    )
