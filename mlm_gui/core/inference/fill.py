"""Fill-mask: what a model puts into the blanks of a sentence, and how two models differ."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mlm_gui.core import validation
from mlm_gui.core.inference.blanks import BLANK, MAX_BLANKS, MAX_CHARACTERS
from mlm_gui.core.inference.shift import Shared, Shift, movers
from mlm_gui.core.model.masked_lm import MaskedLM, evaluating
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
    """Position of the blank among the tokens, special tokens included."""
    guesses: tuple[Guess, ...]


@dataclass(frozen=True)
class Comparison:
    """The same sentence filled by two models."""

    base: tuple[Blank, ...]
    tuned: tuple[Blank, ...]
    shifts: tuple[tuple[Shift, ...], ...]
    """For each blank the tokens that moved most, rises and falls together, by their weight."""
    by_words: bool
    """True when the tokenizers differ; only whole words that both know are compared then."""


def fill(lm: MaskedLM, text: str, top_k: int = 5) -> tuple[Blank, ...]:
    """The best `top_k` tokens for each blank by itself, equal to transformers' fill-mask pipeline.

    A blank is written [MASK], <mask> or ___. Raises UserError for a text without blanks, with too
    many blanks, or too long for the model.
    """
    top_k = validation.whole("The number of guesses", top_k, 1, MAX_GUESSES)
    positions, probabilities = predict(lm, text)
    return _blanks(lm, positions, probabilities, top_k)


def compare(
    base: MaskedLM, tuned: MaskedLM, text: str, top_k: int = 5, num_shifts: int = 6
) -> Comparison:
    """Fills `text` with both models and lists what moved most.

    With different tokenizers only whole words that both know are compared.
    """
    top_k = validation.whole("The number of guesses", top_k, 1, MAX_GUESSES)
    base_positions, base_probabilities = predict(base, text)
    tuned_positions, tuned_probabilities = predict(tuned, text)
    shared = Shared.of(base, tuned)
    return Comparison(
        base=_blanks(base, base_positions, base_probabilities, top_k),
        tuned=_blanks(tuned, tuned_positions, tuned_probabilities, top_k),
        shifts=tuple(
            movers(shared, before, after, num_shifts)
            for before, after in zip(base_probabilities, tuned_probabilities, strict=True)
        ),
        by_words=shared.by_words,
    )


def question_ids(lm: MaskedLM, text: str) -> tuple[list[int], list[int]]:
    """Token ids of a sentence with blanks, and the positions of the blanks among them.

    Raises UserError as `fill` does.
    """
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
    ids: list[int] = lm.tokenizer(with_mask_tokens(lm, text))["input_ids"]
    if len(ids) > lm.max_length:
        raise UserError(
            "The sentence is too long for the model.",
            f"It has {len(ids)} word pieces and the model reads {lm.max_length}.",
            "Shorten it.",
        )
    mask_id = lm.tokenizer.mask_token_id
    return ids, [position for position, token in enumerate(ids) if token == mask_id]


def with_mask_tokens(lm: MaskedLM, text: str) -> str:
    """`text` with the model's own mask token for each blank."""
    return BLANK.sub(lambda _: lm.tokenizer.mask_token, text)


def predict(lm: MaskedLM, text: str) -> tuple[list[int], torch.Tensor]:
    """Positions of the blanks, and the probabilities of every token for each.

    All blanks are hidden at once. The probabilities are float [B, vocabulary size], on the CPU.
    """
    ids, positions = question_ids(lm, text)
    return positions, log_probabilities_at(lm, [ids], [positions]).exp()


def log_probabilities_at(
    lm: MaskedLM, rows: Sequence[Sequence[int]], positions: Sequence[Sequence[int]]
) -> torch.Tensor:
    """ln P of every token at some positions of each row: float [W, vocabulary size], on the CPU.

    The results come row by row, and in each row in the order of the text.
    """
    ids = torch.tensor([token for row in rows for token in row])
    lengths = torch.tensor([len(row) for row in rows])
    starts = (torch.cumsum(lengths, 0) - lengths).tolist()
    wanted = [
        start + position
        for start, in_row in zip(starts, positions, strict=True)
        for position in in_row
    ]
    is_wanted = torch.zeros(len(ids), dtype=torch.bool)
    is_wanted[wanted] = True
    pack = Pack(ids, lengths, torch.zeros_like(is_wanted))
    with evaluating(lm):
        logits = lm.logits_at(pack, ids, is_wanted)
    return logits.float().log_softmax(-1).cpu()


def _blanks(
    lm: MaskedLM, positions: Sequence[int], probabilities: torch.Tensor, top_k: int
) -> tuple[Blank, ...]:
    """The best guesses for each blank. probabilities: float [B, vocabulary size]."""
    best = probabilities.topk(top_k)
    rows = zip(positions, best.indices.tolist(), best.values.tolist(), strict=True)
    return tuple(
        Blank(
            position,
            tuple(
                Guess(spelled(lm.tokenizer, token), value)
                for token, value in zip(tokens, values, strict=True)
            ),
        )
        for position, tokens, values in rows
    )
