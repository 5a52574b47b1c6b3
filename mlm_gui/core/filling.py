"""Fill-mask: what a model puts into the blanks of a sentence, and how two models differ."""

import math
import re
from dataclasses import dataclass

import torch

from mlm_gui.core import checks
from mlm_gui.core.model import MaskedLM
from mlm_gui.errors import UserError

MAX_CHARACTERS = 5_000
MAX_BLANKS = 20
MAX_GUESSES = 50
BLANK = re.compile(r"\[MASK\]|<mask>|_{2,}|\[BLANK\]", re.IGNORECASE)
"""How a blank may be written, whatever the model's own mask token is."""
MOVED_AT_LEAST = 0.002
"""A token counts as moved only when one of the models gives it at least this probability …"""
MOVED_RATIO = 1.2
"""… and the two probabilities differ by at least this factor."""


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
class Shift:
    """How the probability of one token for one blank changed from base to tuned."""

    token: str
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """after / before, with both kept from zero."""
        return max(self.after, 1e-12) / max(self.before, 1e-12)

    @property
    def weight(self) -> float:
        """This token's part of the distance between the two models' answers, in nats: (after - before) · ln(after / before), Jeffreys 1946."""
        return (self.after - self.before) * math.log(self.ratio)


@dataclass(frozen=True)
class Comparison:
    """The same sentence filled by two models."""

    base: tuple[Blank, ...]
    tuned: tuple[Blank, ...]
    shifts: tuple[tuple[Shift, ...], ...]
    """For each blank, the tokens that moved most, rises and falls together, by their weight."""


def fill(lm: MaskedLM, text: str, top_k: int = 5) -> tuple[Blank, ...]:
    """The best `top_k` tokens for each blank, each blank on its own; equal to transformers' fill-mask pipeline.

    A blank is written [MASK], <mask> or ___. Raises UserError for a text without blanks, with too many, or too long for the model.
    """
    top_k = checks.whole("The number of guesses", top_k, 1, MAX_GUESSES)
    positions, probabilities = _predict(lm, text)
    return tuple(_blank(lm, position, row, top_k) for position, row in zip(positions, probabilities, strict=True))


def compare(base: MaskedLM, tuned: MaskedLM, text: str, top_k: int = 5, num_shifts: int = 6) -> Comparison:
    """Fills `text` with both models and finds what moved; with different tokenizers only tokens that both know are compared."""
    top_k = checks.whole("The number of guesses", top_k, 1, MAX_GUESSES)
    answers = [_predict(lm, text) for lm in (base, tuned)]
    blanks = [
        tuple(_blank(lm, position, row, top_k) for position, row in zip(*answer, strict=True))
        for lm, answer in zip((base, tuned), answers, strict=True)
    ]
    shifts = tuple(_shifts(base, tuned, before, after, num_shifts) for before, after in zip(answers[0][1], answers[1][1], strict=True))
    return Comparison(blanks[0], blanks[1], shifts)


@torch.no_grad()
def _predict(lm: MaskedLM, text: str) -> tuple[list[int], torch.Tensor]:
    """Positions of the blanks and the probabilities for each: float [B, vocabulary size]."""
    text = checks.text("The sentence", text, MAX_CHARACTERS)
    num_blanks = len(BLANK.findall(text))
    if not num_blanks:
        raise UserError("There is nothing to fill.", "The sentence has no blank.", "Click a word to hide it, or write ___ where a word is missing.")
    if num_blanks > MAX_BLANKS:
        raise UserError("There are too many blanks.", f"The sentence has {num_blanks} and the limit is {MAX_BLANKS}.", "Leave more words in place.")
    encoded = lm.tokenizer(BLANK.sub(lambda _: lm.tokenizer.mask_token, text), return_tensors="pt")
    ids = encoded["input_ids"]
    if ids.shape[1] > lm.max_length:
        raise UserError(
            "The sentence is too long for the model.", f"It has {ids.shape[1]} word pieces and the model reads {lm.max_length}.", "Shorten it."
        )
    positions = (ids[0] == lm.tokenizer.mask_token_id).nonzero().flatten()
    lm.model.eval()  # dropout would make two equal questions disagree
    logits = lm.model(input_ids=ids.to(lm.device), attention_mask=encoded["attention_mask"].to(lm.device)).logits[0, positions.to(lm.device)]
    return positions.tolist(), logits.float().softmax(-1).cpu()


def _blank(lm: MaskedLM, position: int, probabilities: torch.Tensor, top_k: int) -> Blank:
    best = probabilities.topk(top_k)
    return Blank(
        position, tuple(Guess(spelled(lm.tokenizer, token), value) for value, token in zip(best.values.tolist(), best.indices.tolist(), strict=True))
    )


def _shifts(base: MaskedLM, tuned: MaskedLM, before: torch.Tensor, after: torch.Tensor, num_shifts: int) -> tuple[Shift, ...]:
    base_vocabulary, tuned_vocabulary = base.tokenizer.get_vocab(), tuned.tokenizer.get_vocab()
    candidates = {base.tokenizer.convert_ids_to_tokens(int(i)) for i in (before >= MOVED_AT_LEAST).nonzero()}
    candidates |= {tuned.tokenizer.convert_ids_to_tokens(int(i)) for i in (after >= MOVED_AT_LEAST).nonzero()}
    shifts = [
        Shift(spelled(base.tokenizer, base_vocabulary[token]), before[base_vocabulary[token]].item(), after[tuned_vocabulary[token]].item())
        for token in candidates
        if token in base_vocabulary and token in tuned_vocabulary
    ]
    shifts = [shift for shift in shifts if not 1 / MOVED_RATIO < shift.ratio < MOVED_RATIO]
    return tuple(sorted(shifts, key=lambda shift: -shift.weight)[:num_shifts])


def spelled(tokenizer, token_id: int) -> str:
    """A token as a person reads it: "##ing" stays, the space marks of other families go, unprintable ones keep their own name."""
    token = tokenizer.convert_ids_to_tokens(token_id)
    if token is None:
        return f"id {token_id}"
    if token.startswith("##") or token_id in tokenizer.all_special_ids:
        return token
    return tokenizer.decode([token_id]).strip() or token
