"""Fill-mask: what a model puts into the blanks of a sentence, and how two models differ."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mlm_gui.core import validation
from mlm_gui.core.inference.blanks import BLANK, MAX_BLANKS, MAX_CHARACTERS
from mlm_gui.core.inference.shift import Shared, Shift, movers
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.core.model.vocabulary import spelled
from mlm_gui.core.tokens import Pack
from mlm_gui.errors import UserError

MAX_GUESSES = 50


@dataclass(frozen=True)
class Guess:
    """One token for a blank."""

    token: str
    probability: float


@dataclass(frozen=True)
class Blank:
    """One blank and the model's best guesses for it, most probable first."""

    position: int
    """Place of the blank among the tokens, special tokens included."""
    guesses: tuple[Guess, ...]


@dataclass(frozen=True)
class Comparison:
    """The same sentence filled by two models."""

    base: tuple[Blank, ...]
    tuned: tuple[Blank, ...]
    shifts: tuple[tuple[Shift, ...], ...]
    """For each blank, the tokens that moved most, rises and falls together, by their weight."""
    by_words: bool
    """True when the tokenizers differ: then only whole words that both know are compared."""


def fill(lm: MaskedLM, text: str, top_k: int = 5) -> tuple[Blank, ...]:
    """The best `top_k` tokens for each blank, each blank on its own; equal to transformers' fill-mask pipeline.

    A blank is written [MASK], <mask> or ___. Raises UserError for a text without blanks, with too many, or too long for the model.
    """
    top_k = validation.whole("The number of guesses", top_k, 1, MAX_GUESSES)
    positions, probabilities = predict(lm, text)
    return tuple(
        _blank(lm, position, row, top_k)
        for position, row in zip(positions, probabilities, strict=True)
    )


def compare(
    base: MaskedLM, tuned: MaskedLM, text: str, top_k: int = 5, num_shifts: int = 6
) -> Comparison:
    """Fills `text` with both models and finds what moved; with different tokenizers only whole words that both know are compared."""
    top_k = validation.whole("The number of guesses", top_k, 1, MAX_GUESSES)
    answers = [predict(lm, text) for lm in (base, tuned)]
    blanks = [
        tuple(_blank(lm, position, row, top_k) for position, row in zip(*answer, strict=True))
        for lm, answer in zip((base, tuned), answers, strict=True)
    ]
    shared = Shared.of(base, tuned)
    shifts = tuple(
        movers(shared, before, after, num_shifts)
        for before, after in zip(answers[0][1], answers[1][1], strict=True)
    )
    return Comparison(blanks[0], blanks[1], shifts, shared.by_words)


def question_ids(lm: MaskedLM, text: str) -> tuple[list[int], list[int]]:
    """The ids of a sentence with blanks, and the places of the blanks among them. Raises UserError as `fill` does."""
    text = validation.text("The sentence", text, MAX_CHARACTERS)
    num_blanks = len(BLANK.findall(text))
    if not num_blanks:
        raise UserError(
            "There is nothing to fill.",
            "The sentence has no blank.",
            "Click a word to hide it, or write ___ where a word is missing.",
        )
    if num_blanks > MAX_BLANKS:
        raise UserError(
            "There are too many blanks.",
            f"The sentence has {num_blanks} and the limit is {MAX_BLANKS}.",
            "Leave more words in place.",
        )
    ids = lm.tokenizer(BLANK.sub(lambda _: lm.tokenizer.mask_token, text))["input_ids"]
    if len(ids) > lm.max_length:
        raise UserError(
            "The sentence is too long for the model.",
            f"It has {len(ids)} word pieces and the model reads {lm.max_length}.",
            "Shorten it.",
        )
    return ids, [place for place, token in enumerate(ids) if token == lm.tokenizer.mask_token_id]


def predict(lm: MaskedLM, text: str) -> tuple[list[int], torch.Tensor]:
    """Places of the blanks and the probabilities for each, the other blanks hidden: float [B, vocabulary size], on the CPU."""
    ids, places = question_ids(lm, text)
    return places, log_probabilities_at(lm, [ids], [places]).exp()


@torch.no_grad()
def log_probabilities_at(
    lm: MaskedLM, rows: Sequence[Sequence[int]], places: Sequence[Sequence[int]]
) -> torch.Tensor:
    """ln P over the vocabulary at the named places of each row, row by row in the order of the text: float [W, vocabulary size], on the CPU."""
    flat = torch.tensor([token for row in rows for token in row])
    lengths = torch.tensor([len(row) for row in rows])
    wanted = torch.zeros(len(flat), dtype=torch.bool)
    starts = (torch.cumsum(lengths, 0) - lengths).tolist()
    wanted[[start + place for start, own in zip(starts, places, strict=True) for place in own]] = (
        True
    )
    lm.model.eval()  # dropout would make two equal questions disagree
    return (
        lm.logits_at(Pack(flat, lengths, torch.zeros_like(wanted)), flat, wanted)
        .float()
        .log_softmax(-1)
        .cpu()
    )


def _blank(lm: MaskedLM, position: int, probabilities: torch.Tensor, top_k: int) -> Blank:
    best = probabilities.topk(top_k)
    return Blank(
        position,
        tuple(
            Guess(spelled(lm.tokenizer, token), value)
            for value, token in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ),
    )
