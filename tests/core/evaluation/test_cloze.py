"""The cloze test asks key words of the text, one token each, in held-out sentences."""

import pytest
import torch

from mlm_gui.core.evaluation.cloze import (
    FUNCTION_WORDS,
    MAX_ITEMS,
    MIN_LETTERS,
    ask_cloze,
    cloze_items,
    key_words,
)
from mlm_gui.core.evaluation.outcomes import CUTS
from mlm_gui.core.evaluation.report import general_paragraphs
from mlm_gui.core.inference.fill import fill
from mlm_gui.core.model.vocabulary import spelled


@pytest.fixture(scope="module")
def questions(lm, corpus):
    split = corpus.split(0.3)
    return cloze_items(lm, split.held_out, split.train, general_paragraphs())


def test_key_words_are_those_the_text_has_more_of_than_general_language():
    text = ["The kelp line parted and the kelp drifted, because the kelp was heavy."] * 5
    words = [key.word for key in key_words(text, general_paragraphs())]
    assert words[0] == "kelp" and "drifted" in words
    assert not {"the", "and", "because"} & set(words)


def test_keyness_is_dunning_s_likelihood_ratio():
    (key,) = key_words(
        ["kelp kelp kelp kelp stone"],
        ["stone stone stone kelp stone stone stone stone stone stone"],
    )
    assert (key.word, key.count) == ("kelp", 4)
    # the two expected counts are 5 · 5/15 and 5 · 10/15
    expected = 2 * (4 * 0.8754687374) + 2 * (1 * -1.2039728043)
    assert key.keyness == pytest.approx(expected, rel=1e-9)


def test_every_item_hides_one_token_that_occurs_once_in_a_held_out_sentence(lm, corpus, questions):
    held_out = " ".join(corpus.split(0.3).held_out)
    assert 20 <= len(questions) <= MAX_ITEMS
    for key, item in questions:
        assert item.sentence in held_out
        assert item.answer.lower() == key.word and len(item.answer) >= MIN_LETTERS
        assert key.word not in FUNCTION_WORDS
        assert item.sentence.lower().split().count(key.word) <= 1
        assert len(lm.tokenizer(item.answer, add_special_tokens=False)["input_ids"]) == 1
    assert len({item.sentence for _, item in questions}) == len(questions)


def test_answers_equal_those_of_fill_mask(lm, questions):
    cloze = ask_cloze(lm, lm, questions)
    for item in cloze.items[:12]:
        (blank,) = fill(lm, f"{item.before}[MASK]{item.after}", 50)
        guesses = [guess.token for guess in blank.guesses]
        assert tuple(guesses[:3]) == item.base_guesses == item.tuned_guesses
        if item.base_rank <= 50:
            assert guesses.index(item.answer.lower()) + 1 == item.base_rank
        else:
            assert item.answer.lower() not in guesses
    num_right = tuple(sum(item.base_rank <= cut for item in cloze.items) for cut in CUTS)
    assert cloze.base_right == cloze.tuned_right == num_right


def test_a_model_is_in_its_former_mode_after_an_error_in_the_cloze_test(lm, questions, monkeypatch):
    tuned = lm.copy()
    tuned.model.train()

    def broken(*arguments):
        raise ZeroDivisionError

    monkeypatch.setattr(tuned, "logits_at", broken)
    with pytest.raises(ZeroDivisionError):
        ask_cloze(lm, tuned, questions)
    assert tuned.model.training


@pytest.mark.parametrize("kind", ["bert", "roberta", "albert", "modernbert"])
def test_every_family_gets_items_of_one_whole_token(family, corpus, kind):
    lm, split = family(kind), corpus.split(0.5)
    questions = cloze_items(lm, split.held_out, split.train, general_paragraphs())[:8]
    assert questions
    cloze = ask_cloze(lm, lm, questions)
    for (_, item), answered in zip(questions, cloze.items, strict=True):
        ids = lm.tokenizer(item.sentence)["input_ids"]
        spelt = [lm.tokenizer.decode([token]).strip().lower() for token in ids]
        assert item.answer.lower() in spelt
        plain = [
            plain_guesses(lm, ids, place)
            for place, piece in enumerate(spelt)
            if piece == item.answer.lower()
        ]
        assert answered.base_guesses in plain and answered.base_guesses == answered.tuned_guesses


def plain_guesses(lm, ids: list[int], place: int) -> tuple[str, ...]:
    """The guesses of transformers' own pass over one sentence with one token hidden."""
    hidden = torch.tensor([ids])
    hidden[0, place] = lm.tokenizer.mask_token_id
    with torch.no_grad():
        output = lm.model(input_ids=hidden, attention_mask=torch.ones_like(hidden))
    best = output.logits[0, place].topk(3).indices
    return tuple(spelled(lm.tokenizer, token) for token in best.tolist())


def test_a_text_without_a_suitable_sentence_has_no_items(lm):
    assert cloze_items(lm, ["Yes.", "Kelp kelp kelp."], ["Kelp kelp"], general_paragraphs()) == ()
    assert ask_cloze(lm, lm, ()).base_right == (0, 0, 0)
