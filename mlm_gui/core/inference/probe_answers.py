"""A model's guesses for the pinned sentences."""

from collections.abc import Iterable

from mlm_gui.core.inference.fill import fill
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.core.training.events import Guess
from mlm_gui.errors import UserError

NUM_GUESSES = 5


def probe(lm: MaskedLM, sentences: Iterable[str]) -> list[list[Guess]]:
    """For each sentence up to five guesses for its first blank, most probable first.

    A sentence that this model cannot read has none.
    """
    return [_answer(lm, sentence) for sentence in sentences]


def _answer(lm: MaskedLM, sentence: str) -> list[Guess]:
    try:
        blank = fill(lm, sentence, NUM_GUESSES)[0]
    except UserError:
        return []
    return [[guess.token, round(guess.probability, 4)] for guess in blank.guesses]
