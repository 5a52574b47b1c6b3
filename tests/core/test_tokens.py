"""From paragraphs to packs: nothing lost, nothing doubled."""

import families
import numpy as np
import pytest
import torch

from mlm_gui.core import tokens
from mlm_gui.core.tokens import packs, tokenize
from mlm_gui.errors import UserError


def ordinary(tokenizer, paragraph: str) -> list[int]:
    return tokenizer(paragraph, add_special_tokens=False)["input_ids"]


def rows(store) -> list[list[int]]:
    return [
        store.ids[start:end].tolist()
        for start, end in zip(store.offsets, store.offsets[1:], strict=False)
    ]


@pytest.mark.parametrize("kind", families.TOKENIZERS)
def test_a_long_paragraph_is_split_and_nothing_is_lost_or_doubled(family, corpus, kind):
    tokenizer = family(kind).tokenizer
    paragraph = " ".join(corpus.paragraphs[:8])
    store = tokenize([paragraph], tokenizer, 32)
    start, *_, end = tokenizer("beans")["input_ids"]
    assert store.num_sequences > 10
    assert (store.lengths[:-1] == 32).all() and store.lengths[-1] <= 32
    assert all(row[0] == start and row[-1] == end for row in rows(store))
    assert [token for row in rows(store) for token in row[1:-1]] == ordinary(tokenizer, paragraph)


@pytest.mark.parametrize("kind", families.TOKENIZERS)
def test_the_whole_text_is_there_in_order(family, corpus, kind):
    tokenizer = family(kind).tokenizer
    store = tokenize(corpus.paragraphs, tokenizer, 64)
    expected = [
        token for paragraph in corpus.paragraphs for token in ordinary(tokenizer, paragraph)
    ]
    assert [token for row in rows(store) for token in row[1:-1]] == expected
    assert store.num_tokens == len(expected) + 2 * store.num_sequences == store.lengths.sum()


def test_more_paragraphs_than_one_call_takes_are_all_there(lm, monkeypatch):
    paragraphs = [f"Row {number} of beans." for number in range(23)]
    whole = tokenize(paragraphs, lm.tokenizer, 64)
    monkeypatch.setattr(tokens, "PARAGRAPHS_PER_CALL", 5)
    assert tokenize(paragraphs, lm.tokenizer, 64).ids.tolist() == whole.ids.tolist()
    assert whole.num_sequences == 23


def test_no_paragraphs_give_an_empty_store(lm):
    store = tokenize([], lm.tokenizer, 64)
    assert store.num_tokens == 0 and store.num_sequences == 0


def test_a_tokenizer_without_a_fast_version_is_refused():
    class Slow:
        is_fast = False

    with pytest.raises(UserError, match="fast"):
        tokenize(["Beans."], Slow(), 64)


@pytest.mark.parametrize("tokens_per_pack", [64, 300, 1024, 10**6])
@pytest.mark.parametrize("seed", range(3))
def test_each_sequence_is_in_exactly_one_pack(tokens_per_pack, seed):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 200, 500)
    order = rng.permutation(500)
    found = list(packs(lengths, tokens_per_pack, order))
    assert np.concatenate(found).tolist() == order.tolist() and all(len(pack) for pack in found)


@pytest.mark.parametrize("tokens_per_pack", [300, 1024, 4096])
def test_packs_are_near_their_budget(tokens_per_pack):
    rng = np.random.default_rng(0)
    lengths = rng.integers(3, 200, 2_000)
    sizes = [
        int(lengths[pack].sum()) for pack in packs(lengths, tokens_per_pack, rng.permutation(2_000))
    ]
    assert max(abs(size - tokens_per_pack) for size in sizes) <= 200 + 0.05 * tokens_per_pack


def test_sequences_longer_than_the_budget_get_a_pack_each():
    found = list(packs(np.array([500, 500, 500]), 64, np.arange(3)))
    assert [pack.tolist() for pack in found] == [[0], [1], [2]]


def test_the_sequences_of_a_pack_are_end_to_end(lm):
    store = tokenize(["Sow beans.", "Lift the peas early.", "Wait."], lm.tokenizer, 64)
    pack = store.pack(np.array([2, 0]))
    assert pack.input_ids.tolist() == rows(store)[2] + rows(store)[0]
    assert pack.input_ids.dtype == torch.int64
    first, second = pack.lengths.tolist()
    assert pack.sequences.tolist() == [0] * first + [1] * second
    assert pack.positions.tolist() == [*range(first), *range(second)]


@pytest.mark.parametrize("kind", families.TOKENIZERS)
def test_words_are_never_cut_where_the_text_has_no_gap(family, kind):
    lm = family(kind)
    store = tokenize(["unsociable husbandmen shelling beans", "beans"], lm.tokenizer, 64)
    pack = store.pack(np.arange(2))
    words = [
        lm.tokenizer.decode(pack.input_ids[pack.words == word]).strip()
        for word in pack.words.unique()
    ]
    assert [word for word in words if word.isalpha()] == [
        "unsociable",
        "husbandmen",
        "shelling",
        "beans",
        "beans",
    ]
    assert not pack.continues[~lm.vocabulary.maskable(pack.input_ids)].any()


def test_cutting_leaves_a_tokenizer_that_others_use_as_it_was(lm, corpus):
    before = lm.tokenizer.backend_tokenizer.truncation
    tokenize([" ".join(corpus.paragraphs[:9])], lm.tokenizer, 32)
    assert lm.tokenizer.backend_tokenizer.truncation == before is None
