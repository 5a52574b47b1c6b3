"""Entries of a vocabulary as a person reads them."""

from mlm_gui.core.tokens import WORD_STARTS


def spelled(tokenizer, token_id: int) -> str:
    """A token as a person reads it: "##ing" stays, the space marks of other families go, unprintable ones keep their own name."""
    token = tokenizer.convert_ids_to_tokens(token_id)
    if token is None:
        return f"id {token_id}"
    if token.startswith("##") or token_id in tokenizer.all_special_ids:
        return token
    return tokenizer.decode([token_id]).strip() or token


def whole_words(tokenizer) -> dict[str, list[int]]:
    """Every word that is a single token at the start of a word, with the ids of the tokens that write it."""
    words: dict[str, list[int]] = {}
    vocabulary, special = tokenizer.get_vocab(), set(tokenizer.all_special_ids)
    marks_starts = sum(token.startswith(WORD_STARTS) for token in vocabulary) > 0.05 * len(
        vocabulary
    )
    for token, token_id in vocabulary.items():
        starts = token.startswith(WORD_STARTS) if marks_starts else not token.startswith("##")
        if (
            starts
            and token_id not in special
            and any(map(str.isalnum, word := spelled(tokenizer, token_id)))
        ):
            words.setdefault(word, []).append(token_id)
    return words
