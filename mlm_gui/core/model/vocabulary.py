"""Tokens of a vocabulary as a person reads them."""

from mlm_gui.core.tokenizer import Tokenizer
from mlm_gui.core.tokens import WORD_STARTS

MIN_MARKED_SHARE = 0.05
"""A vocabulary marks the starts of words when this share of its tokens has such a mark."""


def spelled(tokenizer: Tokenizer, token_id: int) -> str:
    """A token as a person reads it.

    "##ing" stays as it is. The space marks of other families are removed. A token that prints as
    nothing keeps its own name.
    """
    token = tokenizer.convert_ids_to_tokens(token_id)
    if token is None:
        return f"id {token_id}"
    if token.startswith("##") or token_id in tokenizer.all_special_ids:
        return token
    return tokenizer.decode([token_id]).strip() or token


def whole_words(tokenizer: Tokenizer) -> dict[str, list[int]]:
    """Every word that is a single token, with the ids of the tokens that write it."""
    words: dict[str, list[int]] = {}
    vocabulary = tokenizer.get_vocab()
    special_ids = set(tokenizer.all_special_ids)
    num_marked = sum(token.startswith(WORD_STARTS) for token in vocabulary)
    marks_starts = num_marked > MIN_MARKED_SHARE * len(vocabulary)
    for token, token_id in vocabulary.items():
        starts_word = token.startswith(WORD_STARTS) if marks_starts else not token.startswith("##")
        if not starts_word or token_id in special_ids:
            continue
        word = spelled(tokenizer, token_id)
        if any(map(str.isalnum, word)):
            words.setdefault(word, []).append(token_id)
    return words
