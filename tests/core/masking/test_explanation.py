"""The explanation of a draw agrees with the function that the trainer uses."""

import math

import families
import pytest
import torch
from scipy.stats import binom

from mlm_gui.core.masking.expectation import binomial_interval
from mlm_gui.core.masking.explanation import CHOSEN, MAX_CHARACTERS, as_record, draw_masks
from mlm_gui.core.masking.policy import Fate, MaskPolicy
from mlm_gui.core.masking.sampling import Vocabulary, mask_tokens
from mlm_gui.errors import UserError

HUGE = 10**400  # an int that no float can hold
TEXT = (
    "Sort the packets by kind first, then by year: beans in one heap, peas in another. "
    "Sow [MASK] and <mask> now."
)


@pytest.mark.parametrize("kind", families.TOKENIZERS)
@pytest.mark.parametrize("seed", [0, 7])
def test_a_draw_equals_mask_tokens_by_the_same_seed(family, kind, seed):
    tokenizer = family(kind).tokenizer
    draw = draw_masks(tokenizer, TEXT, MaskPolicy(), seed)
    ids, vocabulary = torch.tensor(tokenizer(TEXT)["input_ids"]), Vocabulary.of(tokenizer)
    batch = mask_tokens(
        ids, vocabulary.maskable(ids), MaskPolicy(), vocabulary, torch.Generator().manual_seed(seed)
    )
    for field, expected in (
        ("id", ids),
        ("input_id", batch.input_ids),
        ("label", batch.labels),
        ("fate", batch.fates),
    ):
        assert [getattr(token, field) for token in draw.tokens] == expected.tolist()


@pytest.mark.parametrize("kind", families.TOKENIZERS)
def test_special_tokens_typed_into_the_text_are_protected(family, kind):
    tokenizer = family(kind).tokenizer
    for seed in range(30):
        draw = draw_masks(tokenizer, TEXT, MaskPolicy(rate=0.9), seed)
        literal = [token for token in draw.tokens if token.id == tokenizer.mask_token_id]
        assert len(literal) == 1 and literal[0].fate == Fate.SPECIAL and literal[0].label == -100
        assert literal[0].why == "protected: the text itself has a blank here"


def test_each_token_has_its_reason(lm):
    draw = draw_masks(
        lm.tokenizer, TEXT * 5, MaskPolicy(rate=0.5, mask_share=0.5, random_share=0.25), 0
    )
    says = {
        Fate.UNTOUCHED: "is not below 0.5",
        Fate.MASK: "hidden behind [MASK]",
        Fate.RANDOM: "swapped for the random piece",
        Fate.KEPT: "left as it is",
        Fate.SPECIAL: "protected: ",
    }
    assert {token.fate for token in draw.tokens} == set(says)
    assert all(says[token.fate] in token.why for token in draw.tokens)
    assert draw.tokens[0].why == "protected: it marks the start"
    assert draw.tokens[-1].why == "protected: it marks the end"
    assert all("is below 0.5" in token.why for token in draw.tokens if token.fate in CHOSEN)


def test_a_single_word_is_chosen_and_the_reason_is_given(lm):
    draw = draw_masks(lm.tokenizer, "Beans", MaskPolicy(rate=0.01), 0)
    assert draw.num_maskable == draw.num_chosen == 1
    assert "is the lowest, and a text needs at least one blank" in draw.tokens[1].why


def test_counts_agree_with_the_tokens(lm):
    draw = draw_masks(lm.tokenizer, TEXT, MaskPolicy(rate=0.3), 1)
    assert draw.num_chosen == sum(token.label != -100 for token in draw.tokens)
    assert draw.num_chosen == sum(draw.count(fate) for fate in CHOSEN)
    assert draw.num_maskable + draw.count(Fate.SPECIAL) == len(draw.tokens)
    assert draw.expected == binomial_interval(draw.num_maskable, 0.3)


def test_tokens_that_continue_a_word_are_marked(lm):
    draw = draw_masks(lm.tokenizer, "Cotyledonary phaseolus", MaskPolicy(), 0)
    tokens = draw.tokens[1:-1]
    is_continued = [token.continues for token in tokens]
    assert any(is_continued)
    assert is_continued == [token.token.startswith("##") for token in tokens]


def test_a_record_has_lists_of_equal_length(lm):
    record = as_record(draw_masks(lm.tokenizer, TEXT, MaskPolicy(), 3))
    lengths = {len(record[name]) for name in ("tokens", "ids", "input_ids", "labels", "fates")}
    assert len(lengths) == 1 and record["seed"] == 3 and record["rate"] == 0.15
    assert set(record["fates"]) <= {"untouched", "mask", "random", "kept", "special"}


def test_a_long_text_is_shown_up_to_its_limit(lm):
    draw = draw_masks(lm.tokenizer, "beans and peas " * 400, MaskPolicy(), 0, max_length=100)
    assert len(draw.tokens) == 100


@pytest.mark.parametrize(
    "text", ["", "   ", "[MASK]", "[CLS] [SEP]", "🌱", None, 5, "a" * (MAX_CHARACTERS + 1)]
)
def test_a_text_with_nothing_to_hide_is_refused(lm, text):
    with pytest.raises(UserError):
        draw_masks(lm.tokenizer, text, MaskPolicy(), 0)


@pytest.mark.parametrize(
    "seed", [-1, 2**31, 1.5, math.nan, True, "1", None, pytest.param(HUGE, id="huge")]
)
def test_a_bad_seed_is_refused(lm, seed):
    with pytest.raises(UserError):
        draw_masks(lm.tokenizer, TEXT, MaskPolicy(), seed)


@pytest.mark.parametrize("text", ["Sow\x00 beans", "Sow \ud800 beans", "<script>alert(1)</script>"])
def test_odd_characters_do_no_harm(lm, text):
    assert draw_masks(lm.tokenizer, text, MaskPolicy(), 0).num_chosen >= 1


@pytest.mark.parametrize("n", [0, 1, 2, 7, 30, 100, 511, 5_000])
@pytest.mark.parametrize("p", [0.01, 0.15, 0.5, 0.9])
@pytest.mark.parametrize("coverage", [0.5, 0.95, 0.999])
def test_the_interval_equals_scipy_s(n, p, coverage):
    expected = (0, 0) if n == 0 else tuple(int(bound) for bound in binom.interval(coverage, n, p))
    assert binomial_interval(n, p, coverage) == expected
