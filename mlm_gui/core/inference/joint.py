"""Several blanks filled together: a token in one blank changes which tokens fit the next."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlm_gui.core import validation
from mlm_gui.core.inference.fill import MAX_GUESSES, log_probabilities_at, question_ids
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.core.model.vocabulary import spelled
from mlm_gui.errors import UserError

WIDTH = 8
"""Partial fillings that the beam search keeps at each blank."""
MAX_JOINT_BLANKS = 5
"""The work grows with the square of the blanks."""
MAX_JOINT_TOKENS = 160
"""Tokens of the sentence; with MAX_JOINT_BLANKS in it an answer still takes only seconds."""
Ids = tuple[int, ...]
"""The token of each blank."""


@dataclass(frozen=True)
class Filling:
    """One token for every blank."""

    tokens: tuple[str, ...]
    ids: Ids
    log_probability: float
    """Sum over the blanks, from left to right, of ln P(token | the tokens before it).

    The blanks after it are still hidden.
    """

    @property
    def probability(self) -> float:
        return math.exp(self.log_probability)


@dataclass(frozen=True)
class Together:
    """The blanks filled jointly, and each alone."""

    joint: tuple[Filling, ...]
    """Different fillings, the most probable first."""
    alone: Filling
    """Each blank's own first guess, with the probability of these tokens together."""


def fill_jointly(lm: MaskedLM, text: str, top_k: int = 5, width: int = WIDTH) -> Together:
    """The most probable fillings of all blanks at once.

    A masked model gives no joint probability of its own. This one is the chain rule from left to
    right (see Filling), one of the orders in which a masked model can generate (Ghazvininejad et
    al. 2019, "Mask-Predict"; Wang & Cho 2019, "BERT has a Mouth, and It Must Speak").

    Two beam searches, one from each end, propose fillings, and the first guesses of the single
    blanks are one more. All are scored from left to right, so the best joint filling is never less
    probable than the blanks filled alone. Raises UserError as `fill` does.
    """
    top_k = validation.whole("The number of guesses", top_k, 1, MAX_GUESSES)
    ids, positions = question_ids(lm, text)
    if len(positions) > MAX_JOINT_BLANKS or len(ids) > MAX_JOINT_TOKENS:
        raise UserError(
            "This is too much to fill together.",
            f"There are {len(positions)} blanks among {len(ids)} word pieces; at most "
            f"{MAX_JOINT_BLANKS} among {MAX_JOINT_TOKENS} can be weighed against each other.",
            "Shorten the sentence, or leave more words in place.",
        )
    alone: Ids = tuple(log_probabilities_at(lm, [ids], [positions]).argmax(-1).tolist())
    from_left = _beam(lm, ids, positions, width)
    from_right = [tuple(reversed(filling)) for filling in _beam(lm, ids, positions[::-1], width)]
    proposals = list({alone, *from_left, *from_right})
    scores = dict(zip(proposals, _scores(lm, ids, positions, proposals), strict=True))

    def filling_of(tokens: Ids) -> Filling:
        spelling = tuple(spelled(lm.tokenizer, token) for token in tokens)
        return Filling(spelling, tokens, scores[tokens])

    best = sorted(scores, key=lambda tokens: (-scores[tokens], tokens))
    return Together(tuple(filling_of(tokens) for tokens in best[:top_k]), filling_of(alone))


def _beam(lm: MaskedLM, ids: list[int], positions: Sequence[int], width: int) -> list[Ids]:
    """The best fillings of a beam search that takes the blanks in the given order.

    Each filling has its tokens in that order too.
    """
    kept: list[tuple[Ids, float]] = [((), 0.0)]
    for number, position in enumerate(positions):
        rows = [_filled(ids, positions, tokens) for tokens, _ in kept]
        log_probabilities = log_probabilities_at(lm, rows, [[position]] * len(rows))
        best = log_probabilities.topk(min(width, log_probabilities.shape[1]))
        extended: list[tuple[Ids, float]] = []
        for row, (tokens, score) in enumerate(kept):
            gains = zip(best.indices[row].tolist(), best.values[row].tolist(), strict=True)
            extended += [((*tokens, token), score + gain) for token, gain in gains]
        extended.sort(key=lambda candidate: (-candidate[1], candidate[0]))
        is_last = number == len(positions) - 1
        kept = extended[: 2 * width if is_last else width]
    return [tokens for tokens, _ in kept]


def _scores(
    lm: MaskedLM, ids: list[int], positions: Sequence[int], fillings: Sequence[Ids]
) -> list[float]:
    """ln P of each filling, from left to right."""
    totals = [0.0] * len(fillings)
    for number, position in enumerate(positions):
        rows = [_filled(ids, positions, tokens[:number]) for tokens in fillings]
        log_probabilities = log_probabilities_at(lm, rows, [[position]] * len(rows))
        for row, tokens in enumerate(fillings):
            totals[row] += log_probabilities[row, tokens[number]].item()
    return totals


def _filled(ids: list[int], positions: Sequence[int], tokens: Sequence[int]) -> list[int]:
    """The sentence with `tokens` in the first blanks of `positions`."""
    row = list(ids)
    for position, token in zip(positions, tokens, strict=False):
        row[position] = token
    return row
