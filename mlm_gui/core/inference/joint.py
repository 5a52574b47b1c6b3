"""Several blanks filled together: what stands in one changes what fits the next."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlm_gui.core import validation
from mlm_gui.core.inference.fill import log_probabilities_at, question_ids
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.core.model.vocabulary import spelled
from mlm_gui.errors import UserError

WIDTH = 8
"""Partial fillings kept at each blank."""
MAX_JOINT_BLANKS = 5
"""The work grows with the square of the blanks."""
MAX_JOINT_TOKENS = 160
"""Tokens of the sentence; with so many blanks in it, an answer still comes within seconds."""


@dataclass(frozen=True)
class Filling:
    """One token for every blank."""

    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    log_probability: float
    """Sum over the blanks, from left to right, of ln P(token | the tokens already filled in, the blanks after it still hidden)."""

    @property
    def probability(self) -> float:
        return math.exp(self.log_probability)


@dataclass(frozen=True)
class Together:
    """The blanks filled jointly, and each alone."""

    joint: tuple[Filling, ...]
    """Different fillings, the most probable first."""
    alone: Filling
    """Each blank's own first guess, with the probability that these have together."""


def fill_jointly(lm: MaskedLM, text: str, top_k: int = 5, width: int = WIDTH) -> Together:
    """The most probable fillings of all blanks at once.

    A masked model gives no joint probability of its own; this is the chain rule read from left to right (see Filling), one of the orders that make a
    masked model generate (Ghazvininejad et al. 2019, "Mask-Predict"; Wang & Cho 2019, "BERT has a Mouth, and It Must Speak"). Two beam searches, one from
    each end, propose fillings; the proposals and each blank's own first guesses are then scored alike, left to right, so that the best joint filling is
    never less probable than the blanks filled alone. Raises UserError as `fill` does.
    """
    top_k = validation.whole("The number of guesses", top_k, 1, 50)
    ids, places = question_ids(lm, text)
    if len(places) > MAX_JOINT_BLANKS or len(ids) > MAX_JOINT_TOKENS:
        raise UserError(
            "This is too much to fill together.",
            f"There are {len(places)} blanks among {len(ids)} word pieces; at most {MAX_JOINT_BLANKS} among {MAX_JOINT_TOKENS} can be weighed against each other.",
            "Shorten the sentence, or leave more words in place.",
        )
    alone = tuple(log_probabilities_at(lm, [ids], [places]).argmax(-1).tolist())
    proposed = {
        alone,
        *_beam(lm, ids, places, width),
        *(tuple(reversed(filling)) for filling in _beam(lm, ids, places[::-1], width)),
    }
    scored = {
        filling: score
        for filling, score in zip(proposed, _scores(lm, ids, places, list(proposed)), strict=True)
    }

    def filling_of(tokens: tuple[int, ...]) -> Filling:
        return Filling(
            tuple(spelled(lm.tokenizer, token) for token in tokens), tokens, scored[tokens]
        )

    best = sorted(scored, key=lambda tokens: (-scored[tokens], tokens))
    return Together(tuple(filling_of(tokens) for tokens in best[:top_k]), filling_of(alone))


def _beam(lm: MaskedLM, ids: list[int], places: Sequence[int], width: int) -> list[tuple[int, ...]]:
    """The best fillings of a beam search that takes the blanks in the given order; each filling in that order."""
    kept: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
    for number, place in enumerate(places):
        rows = [_filled(ids, places, tokens) for tokens, _ in kept]
        log_probabilities = log_probabilities_at(lm, rows, [[place]] * len(rows))
        best = log_probabilities.topk(min(width, log_probabilities.shape[1]))
        grown = [
            ((*tokens, token), score + gain)
            for (tokens, score), gains, chosen in zip(
                kept, best.values.tolist(), best.indices.tolist(), strict=True
            )
            for gain, token in zip(gains, chosen, strict=True)
        ]
        kept = sorted(grown, key=lambda candidate: (-candidate[1], candidate[0]))[
            : width if number < len(places) - 1 else 2 * width
        ]
    return [tokens for tokens, _ in kept]


def _scores(
    lm: MaskedLM, ids: list[int], places: Sequence[int], fillings: Sequence[tuple[int, ...]]
) -> list[float]:
    """ln P of each filling, left to right."""
    totals = [0.0] * len(fillings)
    for number, place in enumerate(places):
        rows = [_filled(ids, places, tokens[:number]) for tokens in fillings]
        log_probabilities = log_probabilities_at(lm, rows, [[place]] * len(rows))
        for row, tokens in enumerate(fillings):
            totals[row] += log_probabilities[row, tokens[number]].item()
    return totals


def _filled(ids: list[int], places: Sequence[int], tokens: Sequence[int]) -> list[int]:
    """The sentence with the first blanks of `places` filled."""
    row = list(ids)
    for place, token in zip(places, tokens, strict=False):
        row[place] = token
    return row
