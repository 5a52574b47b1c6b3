"""Pinned sentences."""

import pytest

from mlm_gui.core.inference.fill import fill
from mlm_gui.core.inference.probe_answers import probe
from mlm_gui.core.inference.probes import pinned, probes_from
from mlm_gui.errors import UserError


def test_answers_are_those_of_fill_mask_and_a_too_long_sentence_has_none(lm):
    answers = probe(lm, ["The ___ is calm.", "word " * 600 + "___"])
    assert [token for token, _ in answers[0]] == [
        guess.token for guess in fill(lm, "The ___ is calm.", 5)[0].guesses
    ]
    assert answers[1] == []


def test_default_probes_hide_the_longest_known_word_of_held_out_sentences():
    train = ["The lighthouse stands. The lighthouse burns. A lighthouse waits for the keeper."]
    held_out = [
        "Too short. Every night the lighthouse calls the extraordinary ships.",
        "Nothing known here, neither one nor two words.",
    ]
    assert probes_from(held_out, train) == ("Every night the ___ calls the extraordinary ships.",)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("no blank", "has no blank"),
        ("\n".join(f"{n} ___" for n in range(6)), "too many"),
        ("a" * 400 + "___", "too long"),
        (7, "not text"),
    ],
)
def test_unusable_pinned_sentences_are_refused(typed, said):
    with pytest.raises(UserError, match=said):
        pinned(typed)


def test_an_empty_box_pins_nothing_and_the_same_sentence_counts_once():
    assert pinned(None) == pinned(" \n") == ()
    assert pinned("a ___\n\na ___\nb ___") == ("a ___", "b ___")
