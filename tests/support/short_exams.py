"""Exams that are quick: one draw of blanks, and a few paragraphs of general English."""

import contextlib
import functools
from collections.abc import Iterator

import pytest

from mlm_gui.core.evaluation import report
from mlm_gui.core.evaluation.report import evaluate_both, general_paragraphs

NUM_GENERAL = 6


@contextlib.contextmanager
def short_exams(seeds: tuple[int, ...] = (0,)) -> Iterator[None]:
    """For fixtures that train a run for many tests: those of one test are shortened for them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "evaluate_both", functools.partial(evaluate_both, seeds=seeds))
        patch.setattr(report, "general_paragraphs", lambda: general_paragraphs()[:NUM_GENERAL])
        yield
