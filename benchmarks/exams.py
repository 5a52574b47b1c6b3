"""The exam that every way of training sits in the benchmarks: BERT's 15 %, every chosen token
hidden, several draws over the same text.
"""

from collections.abc import Sequence
from statistics import mean

from mlm_gui.core.evaluation.held_out import Exam, evaluate
from mlm_gui.core.masking.policy import MaskPolicy
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.core.tokens import tokenize

EVERY_TOKEN_HIDDEN = MaskPolicy(0.15, 1.0, 0.0)
"""No chosen token is left visible or swapped, so no rule of training is at home here more than
another.
"""
DRAWS = 4
"""A short text has few blanks; several draws over it make the score steadier."""


def hidden_exams(held_out: Sequence[str], lm: MaskedLM) -> tuple[Exam, ...]:
    """One exam for each draw over the held-out paragraphs, with masks that depend on nothing but
    the text and the vocabulary.
    """
    store = tokenize(held_out, lm.tokenizer, lm.max_length)
    return tuple(Exam.of(store, EVERY_TOKEN_HIDDEN, lm, seed) for seed in range(DRAWS))


def hidden_loss(lm: MaskedLM, exams: Sequence[Exam]) -> float:
    """The loss in nats, mean over the draws."""
    return mean(evaluate(lm, exam).loss for exam in exams)
