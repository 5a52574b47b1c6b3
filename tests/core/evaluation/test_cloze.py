"""The cloze test asks what it says: key words of the text, one piece each, in unseen sentences."""

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
    assert words[0] == "kelp" and "drifted" in words and not {"the", "and", "because"} & set(words)


def test_keyness_is_dunning_s_likelihood_ratio():
    (key,) = key_words(
        ["kelp kelp kelp kelp stone"],
        ["stone stone stone kelp stone stone stone stone stone stone"],
    )
    assert (key.word, key.count) == ("kelp", 4)
    assert key.keyness == pytest.approx(
        2 * (4 * 0.8754687374) + 2 * (1 * -1.2039728043), rel=1e-9
    )  # expected 5 · 5/15 and 5 · 10/15


def test_every_item_hides_one_piece_that_stands_once_in_an_unseen_sentence(lm, corpus, questions):
    unseen = " ".join(corpus.split(0.3).held_out)
    assert 20 <= len(questions) <= MAX_ITEMS
    for key, item in questions:
        sentence = f"{item.before}{item.answer}{item.after}"
        assert (
            sentence in unseen
            and item.answer.lower() == key.word
            and len(item.answer) >= MIN_LETTERS
        )
        assert key.word not in FUNCTION_WORDS and sentence.lower().split().count(key.word) <= 1
        assert len(lm.tokenizer(item.answer, add_special_tokens=False)["input_ids"]) == 1
    assert len({f"{item.before}{item.answer}{item.after}" for _, item in questions}) == len(
        questions
    )


def test_answers_equal_those_of_the_playground(lm, questions):
    cloze = ask_cloze(lm, lm, questions)
    for item in cloze.items[:12]:
        (blank,) = fill(lm, f"{item.before}[MASK]{item.after}", 50)
        guesses = [guess.token for guess in blank.guesses]
        assert tuple(guesses[:3]) == item.base_guesses == item.tuned_guesses
        assert (
            (guesses.index(item.answer.lower()) + 1 == item.base_rank)
            if item.base_rank <= 50
            else item.answer.lower() not in guesses
        )
    assert (
        cloze.base_right
        == tuple(sum(item.base_rank <= cut for item in cloze.items) for cut in CUTS)
        == cloze.tuned_right
    )


@pytest.mark.parametrize("kind", ["bert", "roberta", "albert", "modernbert"])
def test_every_family_gets_items_of_one_whole_piece(family, corpus, kind):
    lm, split = family(kind), corpus.split(0.5)
    questions = cloze_items(lm, split.held_out, split.train, general_paragraphs())
    assert questions
    cloze = ask_cloze(lm, lm, questions)
    for (_, item), answered in list(zip(questions, cloze.items, strict=True))[:8]:
        ids = lm.tokenizer(f"{item.before}{item.answer}{item.after}")["input_ids"]
        spelt = [lm.tokenizer.decode([token]).strip().lower() for token in ids]
        assert item.answer.lower() in spelt
        plain = [
            plain_guesses(lm, ids, place)
            for place, piece in enumerate(spelt)
            if piece == item.answer.lower()
        ]
        assert answered.base_guesses in plain and answered.base_guesses == answered.tuned_guesses


def plain_guesses(lm, ids: list[int], place: int) -> tuple[str, ...]:
    """transformers' own pass over one sentence with one piece hidden."""
    hidden = torch.tensor([ids])
    hidden[0, place] = lm.tokenizer.mask_token_id
    with torch.no_grad():
        best = (
            lm.model(input_ids=hidden, attention_mask=torch.ones_like(hidden))
            .logits[0, place]
            .topk(3)
            .indices
        )
    return tuple(spelled(lm.tokenizer, token) for token in best.tolist())


def test_a_text_without_a_fit_sentence_has_no_items(lm):
    assert cloze_items(lm, ["Yes.", "Kelp kelp kelp."], ["Kelp kelp"], general_paragraphs()) == ()
    assert ask_cloze(lm, lm, ()).base_right == (0, 0, 0)
