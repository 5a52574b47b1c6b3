"""Several blanks together: never worse than each alone, and the best where all can be tried."""

import pytest
import torch

from mlm_gui.core.inference.fill import fill
from mlm_gui.core.inference.joint import fill_jointly
from mlm_gui.errors import UserError

SENTENCES = (
    "He is a ___ of ___.",
    "They ___ to the ___ in the morning.",
    "She gave him the ___ and the ___.",
    "It was ___ and ___ that night.",
    "The ___ of the ___ is red.",
    "___ and ___ went up the hill.",
    "We ate ___ with ___ and drank water.",
    "The old man ___ his ___ and went out.",
    "In the ___ of ___ nobody came.",
    "There is ___ ___ in the house.",
    "I have ___ ___ since the war.",
    "The king of ___ was a ___ man.",
    "Put the ___ on the ___.",
    "All the ___ were ___ when we came.",
    "He ___ her for a ___ time.",
    "Sow the ___ in ___.",
    "The ___ ___ is on the table.",
    "Nobody ___ what the ___ said.",
    "A ___ is worth ___ in the bush.",
    "Every ___ must learn to ___.",
    "The ship ___ at the ___ of day.",
    "They lived in ___ ___ for years.",
)


def test_together_is_never_less_probable_than_alone_and_often_more(lm):
    gains = []
    for sentence in SENTENCES:
        together = fill_jointly(lm, sentence)
        gains.append(together.joint[0].log_probability - together.alone.log_probability)
        assert gains[-1] >= 0
        assert together.alone.tokens == tuple(
            blank.guesses[0].token for blank in fill(lm, sentence, 1)
        )
        scores = [filling.log_probability for filling in together.joint]
        assert scores == sorted(scores, reverse=True)
        assert len({filling.ids for filling in together.joint}) == len(together.joint) == 5
    assert sum(gain > 0.01 for gain in gains) >= len(SENTENCES) // 4


def test_a_filling_s_probability_is_the_chain_rule(lm):
    """Asked one blank at a time, with the tokens before it written into the sentence."""
    sentence = "The ___ of the ___ is red."
    for filling in fill_jointly(lm, sentence).joint:
        ids = torch.tensor([lm.tokenizer(sentence.replace("___", "[MASK]"))["input_ids"]])
        total = 0.0
        blanks = (ids[0] == lm.tokenizer.mask_token_id).nonzero().flatten().tolist()
        for place, token in zip(blanks, filling.ids, strict=True):
            with torch.no_grad():
                total += lm.model(input_ids=ids).logits[0, place].log_softmax(-1)[token].item()
            ids[0, place] = token
        assert filling.log_probability == pytest.approx(total, abs=1e-4)


def test_a_wide_beam_finds_what_trying_everything_finds(family):
    lm = family("bert")
    sentence = "Sow the ___ in ___ now."
    vocabulary = len(lm.tokenizer)
    found = fill_jointly(lm, sentence, top_k=1, width=vocabulary).joint[0]
    ids = torch.tensor(
        [lm.tokenizer(sentence.replace("___", lm.tokenizer.mask_token))["input_ids"]]
    )
    first, second = (ids[0] == lm.tokenizer.mask_token_id).nonzero().flatten().tolist()
    with torch.no_grad():
        outer = lm.model(input_ids=ids).logits[0, first].log_softmax(-1)
        rows = ids.repeat(vocabulary, 1)
        rows[:, first] = torch.arange(vocabulary)
        inner = torch.cat(
            [lm.model(input_ids=part).logits[:, second].log_softmax(-1) for part in rows.split(256)]
        )
    scores = outer[:vocabulary, None] + inner
    assert found.log_probability == pytest.approx(scores.max().item(), abs=1e-4)
    assert found.ids == divmod(int(scores.argmax()), scores.shape[1])


def test_one_blank_together_is_one_blank_alone(lm):
    together = fill_jointly(lm, "Sow the ___ in April.")
    guesses = fill(lm, "Sow the ___ in April.", 5)[0].guesses
    assert [filling.tokens[0] for filling in together.joint] == [guess.token for guess in guesses]
    assert [filling.probability for filling in together.joint] == pytest.approx(
        [guess.probability for guess in guesses], rel=1e-4
    )


def test_the_same_question_gets_the_same_answer(lm):
    assert fill_jointly(lm, SENTENCES[0]) == fill_jointly(lm, SENTENCES[0])


@pytest.mark.parametrize(
    "text",
    ["No blank.", "___ " * 21, "beans " * 600 + "___ ___", "___ " * 6, "beans " * 200 + "___ ___"],
)
def test_questions_without_an_answer_are_refused(lm, text):
    with pytest.raises(UserError):
        fill_jointly(lm, text)


@pytest.mark.parametrize("kind", ["roberta", "albert"])
def test_other_families_fill_jointly_too(family, kind):
    for sentence in SENTENCES[:2]:
        together = fill_jointly(family(kind), sentence)
        assert together.joint[0].log_probability >= together.alone.log_probability
