"""How two models' answers are compared, token by token or word by word, and what moved."""

import pytest
import torch

from mlm_gui.core.inference.fill import compare, predict
from mlm_gui.core.inference.shift import Shared, movers, shift_map

QUESTION = "Sow the ___ in April."


@pytest.fixture(scope="module")
def other(lm):
    changed = lm.copy()
    with torch.no_grad():
        next(changed.model.parameters()).mul_(1.05)
    return changed


def answers(*lms):
    return [predict(lm, QUESTION)[1][0] for lm in lms]


def test_equal_vocabularies_are_compared_token_by_token(lm, other):
    shared = Shared.of(lm, other)
    before, after = answers(lm, other)
    drawn = shift_map(shared, before, after, max_entries=50)
    assert not drawn.by_words and len(drawn.shifts) == 50
    assert drawn.num_left_out == len(lm.tokenizer) - 50
    assert (drawn.base_share, drawn.tuned_share) == pytest.approx((1, 1), abs=1e-4)
    for shift in drawn.shifts:
        token = lm.tokenizer.convert_tokens_to_ids(shift.token)
        assert (shift.before, shift.after) == (before[token].item(), after[token].item())
    most = [max(shift.before, shift.after) for shift in drawn.shifts]
    assert most == sorted(most, reverse=True)


def test_what_moved_is_on_the_map_with_the_same_numbers(lm, other):
    shared = Shared.of(lm, other)
    before, after = answers(lm, other)
    moved = movers(shared, before, after, 6)
    assert moved and moved == compare(lm, other, QUESTION).shifts[0]
    assert set(moved) <= set(shift_map(shared, before, after).shifts)


def test_a_model_compared_with_itself_has_no_shifts(lm):
    shared = Shared.of(lm, lm)
    (before,) = answers(lm)
    shifts = shift_map(shared, before, before).shifts
    assert all(shift.before == shift.after for shift in shifts)
    assert movers(shared, before, before, 6) == ()


@pytest.mark.parametrize("kind", ["roberta", "albert", "modernbert"])
def test_different_tokenizers_are_compared_on_whole_words_that_both_know(lm, family, kind):
    theirs = family(kind)
    shared = Shared.of(lm, theirs)
    drawn = shift_map(shared, *answers(lm, theirs))
    assert drawn.by_words and compare(lm, theirs, QUESTION).by_words and drawn.shifts
    before, after = answers(lm, theirs)
    for shift in drawn.shifts[:30]:
        assert shift.token.islower()
        assert not any(mark in shift.token for mark in ("##", "\u0120", "\u2581"))
        own = lm.tokenizer.convert_tokens_to_ids(shift.token)
        assert shift.before == pytest.approx(before[own].item(), rel=1e-5)
        written = [
            token
            for word, ids in theirs.whole_words.items()
            if word.lower() == shift.token
            for token in ids
        ]
        assert shift.after == pytest.approx(sum(after[token].item() for token in written), rel=1e-4)
    assert 0 < drawn.base_share < 1 and 0 < drawn.tuned_share < 1


@pytest.mark.parametrize("kind", ["bert", "roberta", "albert"])
def test_a_whole_word_is_one_token_of_its_own(family, kind):
    lm = family(kind)
    words = lm.whole_words
    single_tokens = {token for ids in words.values() for token in ids}
    assert len(words) > 50
    assert not single_tokens & set(lm.tokenizer.all_special_ids)
    for word in [word for word in words if word.islower()][:50]:
        (token, *_) = words[word]
        assert token in lm.tokenizer(f"a {word}")["input_ids"]
