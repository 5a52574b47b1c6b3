"""A word's surprise: hidden from the model, every piece of it, the last word too; against a plain reading of the paper."""

import math

import pytest
import torch

from mlm_gui.core.inference import surprisal as module
from mlm_gui.core.inference.surprisal import WORD, score_word, surprises
from mlm_gui.errors import UserError

SENTENCE = "Sow the runner beans in April; unsociable husbandmen don't, and the seedlings shrivel"


def plainly(lm, text: str) -> list[float]:
    """PLL-word-l2r of each word, one question at a time, by transformers' own forward pass (Kauf & Ivanova 2023, equation 3)."""
    encoding = lm.tokenizer(text, return_offsets_mapping=True)
    ids, offsets, found = encoding["input_ids"], encoding["offset_mapping"], []
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
                total -= (
                    lm.model(input_ids=row, attention_mask=torch.ones_like(row))
                    .logits[0, place]
                    .log_softmax(-1)[ids[place]]
                    .item()
                )
        if places:
            found.append(total)
    return found


def known(lm, text: str) -> list[str]:
    """The words of a text that the vocabulary has a piece for."""
    return [
        word
        for word in WORD.findall(text)
        if lm.tokenizer.unk_token_id not in lm.tokenizer(word)["input_ids"]
    ]


@pytest.mark.parametrize("kind", ["starter", "bert", "roberta", "albert", "modernbert"])
def test_surprise_is_that_of_a_plain_reading_one_by_one(lm, family, kind):
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
    """With the word in sight, its surprise would be next to nothing and would not depend on which word it is."""
    last = [list(surprises(lm, f"Sow the seeds in {word}"))[-1] for word in ("spring", "justice")]
    assert last[1].nats > last[0].nats + 1 and last[0].word == "spring"


@pytest.mark.parametrize("text", [None, 3, b"beans", "a " * 1_500_000])
def test_what_is_no_text_or_too_much_is_refused(lm, text):
    with pytest.raises(UserError):
        next(surprises(lm, text))


def test_packs_of_any_size_give_the_same(lm, monkeypatch):
    whole = [surprise.nats for surprise in surprises(lm, SENTENCE)]
    monkeypatch.setattr(
        lm.model.config, "hidden_size", 10_000
    )  # as if it were a very wide model, read in small packs
    assert [surprise.nats for surprise in surprises(lm, SENTENCE)] == pytest.approx(whole, abs=1e-4)


@pytest.mark.parametrize("kind", ["bert", "roberta", "albert"])
def test_a_long_text_is_cut_between_words_and_no_word_is_lost(family, corpus, kind):
    lm = family(kind)
    text = " ".join(corpus.paragraphs[:6])
    found = [surprise.word for surprise in surprises(lm, text)]
    assert len(lm.tokenizer(text)["input_ids"]) > lm.max_length and found == known(lm, text)


def test_one_endless_word_is_scored_in_parts(family):
    lm = family("roberta")
    (surprise, *rest) = list(surprises(lm, "unsociable" * 60))
    assert (
        rest
        and {other.word for other in rest} == {surprise.word}
        and all(math.isfinite(other.nats) for other in [surprise, *rest])
    )


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
def test_a_text_without_words_gives_nothing_or_its_signs(lm, text):
    assert all(math.isfinite(surprise.nats) for surprise in surprises(lm, text))


@pytest.mark.parametrize("kind", ["starter", "roberta", "albert"])
@pytest.mark.parametrize("word", ["beans", "unsociable", "husbandmen"])
def test_a_word_in_a_blank_is_scored_as_in_the_text(lm, family, kind, word):
    subject = lm if kind == "starter" else family(kind)
    text = f"Sow the {word} in April, and then rest."
    expected = next(surprise for surprise in surprises(subject, text) if surprise.word == word)
    found = score_word(subject, text.replace(word, "___"), 0, f" {word} ")
    assert (
        found.nats == pytest.approx(expected.nats, abs=1e-5)
        and found.pieces == expected.pieces
        and found.word == word
    )


def test_other_blanks_stay_hidden_while_a_word_is_scored(lm):
    found = score_word(lm, "Sow the ___ in <mask>.", 0, "beans")
    (_, april) = plainly_with(lm, "Sow the beans in [MASK].", "beans")
    assert found.nats == pytest.approx(april, abs=1e-4)


def plainly_with(lm, text: str, word: str) -> tuple[int, float]:
    ids = torch.tensor([lm.tokenizer(text)["input_ids"]])
    (answer,) = lm.tokenizer(word, add_special_tokens=False)["input_ids"]
    place = ids[0].tolist().index(answer)
    ids[0, place] = lm.tokenizer.mask_token_id
    with torch.no_grad():
        return place, -lm.model(input_ids=ids).logits[0, place].log_softmax(-1)[answer].item()


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
