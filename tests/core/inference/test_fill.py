"""Filled blanks: transformers' own numbers, however a blank is written."""

import math

import pytest
import torch
import transformers as hf

from mlm_gui.core.assets import ASSETS
from mlm_gui.core.inference.blanks import MAX_BLANKS, MAX_CHARACTERS
from mlm_gui.core.inference.fill import compare, fill
from mlm_gui.errors import UserError

HUGE = 10**400  # an int that no float can hold
SENTENCES = (
    "Sow the {} in April.",
    "{} is the month for the tin.",
    "The seed of the runner bean is {}",
    "Say “{}”, she wrote: 5 < 6 & <b>that</b> was all.",
)


@pytest.fixture(scope="module", params=["starter", "roberta", "modernbert", "albert"])
def subject(request, lm, family, family_folder):
    """A MaskedLM and transformers' pipeline over the same folder."""
    starter = request.param == "starter"
    folder = ASSETS / "starter" if starter else family_folder(request.param)
    tokenizer = hf.AutoTokenizer.from_pretrained(folder)
    model = hf.AutoModelForMaskedLM.from_pretrained(folder)
    pipeline = hf.pipeline("fill-mask", model=model, tokenizer=tokenizer, device="cpu")
    return (lm if starter else family(request.param)), pipeline


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_single_blank_equals_the_pipeline(subject, sentence):
    lm, pipeline = subject
    text = sentence.format(lm.tokenizer.mask_token)
    expected = pipeline(text, top_k=10)
    (blank,) = fill(lm, text, 10)
    assert [guess.probability for guess in blank.guesses] == pytest.approx(
        [answer["score"] for answer in expected], abs=1e-5, rel=1e-4
    )
    special = lm.tokenizer.all_special_ids
    for guess, answer in zip(blank.guesses, expected, strict=True):
        spelling = answer["token_str"].strip()
        is_special = answer["token"] in special
        is_part = guess.token.startswith("##") or "\ufffd" in guess.token
        if spelling and not is_special and not is_part:
            assert guess.token == spelling


def test_several_blanks_equal_the_pipeline(subject):
    lm, pipeline = subject
    mask = lm.tokenizer.mask_token
    text = f"The {mask} and the {mask} are sown in {mask}."
    blanks = fill(lm, text, 4)
    positions = [blank.position for blank in blanks]
    assert len(blanks) == 3 and positions == sorted(set(positions))
    for blank, expected in zip(blanks, pipeline(text, top_k=4), strict=True):
        assert [guess.probability for guess in blank.guesses] == pytest.approx(
            [answer["score"] for answer in expected], abs=1e-5
        )


@pytest.mark.parametrize(
    "written", ["[MASK]", "<mask>", "___", "__", "_______", "[mask]", "[BLANK]"]
)
def test_a_blank_may_be_written_in_any_usual_way(subject, written):
    lm, _ = subject
    assert fill(lm, f"Sow the {written} in April.", 3) == fill(
        lm, f"Sow the {lm.tokenizer.mask_token} in April.", 3
    )


def test_guesses_come_most_probable_first_and_are_probabilities(lm):
    (blank,) = fill(lm, "Sow the ___ in April.", 50)
    values = [guess.probability for guess in blank.guesses]
    assert len(values) == 50 and values == sorted(values, reverse=True)
    assert values[-1] > 0 and sum(values) <= 1


def test_a_model_in_training_mode_gives_the_same_answers_and_stays_in_it(lm):
    copied = lm.copy()
    expected = fill(copied, "Sow the ___ in April.")
    copied.model.train()
    assert fill(copied, "Sow the ___ in April.") == expected
    assert copied.model.training


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Sow the beans.", "nothing to fill"),
        ("", "nothing to fill"),
        ("_", "nothing to fill"),
        ("___ " * (MAX_BLANKS + 1), "too many blanks"),
        ("beans and " * 400 + "___", "too long for the model"),
        ("a" * MAX_CHARACTERS + "___", "too long"),
        (None, "not text"),
        (7, "not text"),
        (["___"], "not text"),
    ],
)
def test_a_sentence_that_cannot_be_filled_is_refused(lm, text, says):
    with pytest.raises(UserError, match=says):
        fill(lm, text)
    with pytest.raises(UserError, match=says):
        compare(lm, lm, text)


@pytest.mark.parametrize(
    "top_k",
    [0, -1, 51, 10**9, 2.5, math.nan, math.inf, True, "5", None, pytest.param(HUGE, id="huge")],
)
def test_a_number_of_guesses_out_of_range_is_refused(lm, top_k):
    with pytest.raises(UserError):
        fill(lm, "Sow the ___.", top_k)
    with pytest.raises(UserError):
        compare(lm, lm, "Sow the ___.", top_k)


@pytest.mark.parametrize(
    "sign", ["\x00", "\ud800", "\udfff", "\x07", "\u202e", "\U0010ffff", "\ufeff"]
)
def test_odd_characters_do_no_harm(subject, sign):
    lm, _ = subject
    assert len(fill(lm, f"Sow{sign} the ___ in {sign}April.")) == 1


def test_nul_and_lone_surrogates_count_as_the_replacement_character(subject):
    lm, _ = subject
    for sign in ("\x00", "\ud800"):
        assert fill(lm, f"Sow {sign} the ___.") == fill(lm, "Sow \ufffd the ___.")


def test_identical_models_show_no_shifts(lm):
    comparison = compare(lm, lm.copy(), "Sow the ___ in ___.")
    assert comparison.shifts == ((), ())
    assert comparison.base == comparison.tuned == fill(lm, "Sow the ___ in ___.")


def test_shifts_are_the_tokens_that_moved_most_first(lm):
    tuned = lm.copy()
    lifted, lowered = (
        lm.tokenizer.convert_tokens_to_ids(guess.token)
        for guess in fill(lm, "Sow the ___ in April.", 2)[0].guesses
    )
    with torch.no_grad():
        tuned.model.cls.predictions.bias[lifted] += 1
        tuned.model.cls.predictions.bias[lowered] -= 4
    (shifts,) = compare(lm, tuned, "Sow the ___ in April.", num_shifts=4).shifts
    names = [lm.tokenizer.convert_ids_to_tokens(number) for number in (lifted, lowered)]
    assert shifts[0].token == names[1] and shifts[0].after < shifts[0].before
    sizes = [max(shift.ratio, 1 / shift.ratio) for shift in shifts]
    assert sizes == sorted(sizes, reverse=True) and len(shifts) <= 4
    (blank,) = fill(lm, "Sow the ___ in April.", 50)
    base = {guess.token: guess.probability for guess in blank.guesses}
    assert shifts[0].before == pytest.approx(base[names[1]])


def test_models_of_different_families_are_compared_on_what_both_know(lm, family):
    comparison = compare(lm, family("roberta"), "Sow the ___ in ___.")
    assert len(comparison.base) == len(comparison.tuned) == len(comparison.shifts) == 2


def test_html_stays_as_typed(subject):
    """The core answers with tokens of the vocabulary and escapes nothing; the page does that."""
    lm, pipeline = subject
    text = "<b>Sow</b> &amp; the {}"
    (blank,) = fill(lm, text.format("___"), 1)
    (expected,) = pipeline(text.format(lm.tokenizer.mask_token), top_k=1)
    assert blank.guesses[0].probability == pytest.approx(expected["score"], abs=1e-5)
