"""A word's surprisal, with all its tokens hidden, against the plain formula of the paper."""

import math

import pytest
import torch

from mlm_gui.core.inference import surprisal as module
from mlm_gui.core.inference.surprisal import WORD, score_word, surprises
from mlm_gui.errors import UserError

SENTENCE = "Sow the runner beans in April; unsociable husbandmen don't, and the seedlings shrivel"


def plainly(lm, text: str) -> list[float]:
    """PLL-word-l2r of each word (Kauf & Ivanova 2023, equation 3), one question at a time.

    It uses transformers' own forward pass.
    """
    encoding = lm.tokenizer(text, return_offsets_mapping=True)
    ids, offsets = encoding["input_ids"], encoding["offset_mapping"]
    found = []
    special = set(lm.tokenizer.all_special_ids)
    for match in WORD.finditer(text):
        places = [
            n
            for n, (a, b) in enumerate(offsets)
            if a < match.end() and b > match.start() and ids[n] not in special
        ]
        total = 0.0
        for number, place in enumerate(places):
            row = torch.tensor([ids])
            row[0, places[number:]] = lm.tokenizer.mask_token_id
            with torch.no_grad():
                output = lm.model(input_ids=row, attention_mask=torch.ones_like(row))
            total -= output.logits[0, place].log_softmax(-1)[ids[place]].item()
        if places:
            found.append(total)
    return found


def known(lm, text: str) -> list[str]:
    """The words of a text that the vocabulary has a token for."""
    return [
        word
        for word in WORD.findall(text)
        if lm.tokenizer.unk_token_id not in lm.tokenizer(word)["input_ids"]
    ]


@pytest.mark.parametrize("kind", ["starter", "bert", "roberta", "albert", "modernbert"])
def test_the_surprisal_is_that_of_the_plain_formula(lm, family, kind):
    subject = lm if kind == "starter" else family(kind)
    found = list(surprises(subject, SENTENCE))
    assert [surprise.word for surprise in found] == known(subject, SENTENCE)
    assert [surprise.nats for surprise in found] == pytest.approx(
        plainly(subject, SENTENCE), abs=1e-4
    )
    assert [SENTENCE[surprise.start :][: len(surprise.word)] for surprise in found] == [
        surprise.word for surprise in found
    ]


def test_the_last_word_is_hidden_too(lm):
    """A visible word would have next to no surprisal, whichever word it is."""
    last = [list(surprises(lm, f"Sow the seeds in {word}"))[-1] for word in ("spring", "justice")]
    assert last[1].nats > last[0].nats + 1 and last[0].word == "spring"


@pytest.mark.parametrize("text", [None, 3, b"beans", "a " * 1_500_000])
def test_something_that_is_no_text_or_too_long_is_refused(lm, text):
    with pytest.raises(UserError):
        next(surprises(lm, text))


def test_packs_of_any_size_give_the_same(lm, monkeypatch):
    whole = [surprise.nats for surprise in surprises(lm, SENTENCE)]
    # a very wide model is asked in small packs
    monkeypatch.setattr(lm.model.config, "hidden_size", 10_000)
    assert [surprise.nats for surprise in surprises(lm, SENTENCE)] == pytest.approx(whole, abs=1e-4)


@pytest.mark.parametrize("kind", ["bert", "roberta", "albert"])
def test_a_long_text_is_cut_between_words_and_no_word_is_lost(family, corpus, kind):
    lm = family(kind)
    text = " ".join(corpus.paragraphs[:6])
    found = [surprise.word for surprise in surprises(lm, text)]
    assert len(lm.tokenizer(text)["input_ids"]) > lm.max_length and found == known(lm, text)


def test_one_endless_word_is_scored_in_parts(family):
    lm = family("roberta")
    scored = list(surprises(lm, "unsociable" * 60))
    assert len(scored) > 1 and len({surprise.word for surprise in scored}) == 1
    assert all(math.isfinite(surprise.nats) for surprise in scored)


def test_words_are_known_as_soon_as_they_are_scored(lm, monkeypatch):
    monkeypatch.setattr(lm.model.config, "hidden_size", 10_000)
    asked = []
    real = module.log_probabilities_at
    monkeypatch.setattr(
        module, "log_probabilities_at", lambda *question: asked.append(1) or real(*question)
    )
    stream = surprises(lm, SENTENCE)
    next(stream)
    assert len(asked) <= 2
    stream.close()


@pytest.mark.parametrize("text", ["", "   ", "\u200b", "🌱🌱"])
def test_a_text_without_words_gives_nothing_or_its_punctuation(lm, text):
    assert all(math.isfinite(surprise.nats) for surprise in surprises(lm, text))


@pytest.mark.parametrize("kind", ["starter", "roberta", "albert"])
@pytest.mark.parametrize("word", ["beans", "unsociable", "husbandmen"])
def test_a_word_in_a_blank_is_scored_as_in_the_text(lm, family, kind, word):
    subject = lm if kind == "starter" else family(kind)
    text = f"Sow the {word} in April, and then rest."
    expected = next(surprise for surprise in surprises(subject, text) if surprise.word == word)
    found = score_word(subject, text.replace(word, "___"), 0, f" {word} ")
    assert found.nats == pytest.approx(expected.nats, abs=1e-5)
    assert (found.pieces, found.word) == (expected.pieces, word)


def test_other_blanks_stay_hidden_while_a_word_is_scored(lm):
    found = score_word(lm, "Sow the ___ in <mask>.", 0, "beans")
    expected = surprisal_of_token(lm, "Sow the beans in [MASK].", "beans")
    assert found.nats == pytest.approx(expected, abs=1e-4)


def surprisal_of_token(lm, text: str, word: str) -> float:
    """The surprisal of a word that is a single token of `text`, by transformers' own pass."""
    ids = torch.tensor([lm.tokenizer(text)["input_ids"]])
    (answer,) = lm.tokenizer(word, add_special_tokens=False)["input_ids"]
    place = ids[0].tolist().index(answer)
    ids[0, place] = lm.tokenizer.mask_token_id
    with torch.no_grad():
        return -lm.model(input_ids=ids).logits[0, place].log_softmax(-1)[answer].item()


@pytest.mark.parametrize(
    ("blank", "word"),
    [
        (0, ""),
        (0, "  "),
        (3, "beans"),
        (-1, "beans"),
        (0, "x" * 200),
        (0, "\u200b"),
        ("0", "beans"),
        (math.nan, "beans"),
        (0, None),
    ],
)
def test_what_cannot_be_scored_is_refused(lm, blank, word):
    with pytest.raises(UserError):
        score_word(lm, "Sow the ___ in April.", blank, word)
