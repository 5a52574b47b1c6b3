"""Pinned sentences asked: what a model puts into their blanks."""

from collections.abc import Iterable

from mlm_gui.core.inference.fill import fill
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.errors import UserError

NUM_GUESSES = 5


def probe(lm: MaskedLM, sentences: Iterable[str]) -> list[list[list]]:
    """For each sentence up to five [token, probability], most probable first, for its first blank; none where this model cannot read it."""
    return [_answer(lm, sentence) for sentence in sentences]


def _answer(lm: MaskedLM, sentence: str) -> list[list]:
    try:
        guesses = fill(lm, sentence, NUM_GUESSES)[0].guesses
    except UserError:
        return []
    return [[guess.token, round(guess.probability, 4)] for guess in guesses]
