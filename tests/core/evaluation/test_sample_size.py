"""What is said before training about a verdict is what the exam then does."""

import re

import pytest

from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.evaluation.paired import pair
from mlm_gui.core.evaluation.report import Material, warnings_of
from mlm_gui.core.evaluation.sample_size import small_sample_warning
from mlm_gui.core.masking.policy import EXAM_SEEDS
from mlm_gui.core.tokens import num_ordinary


def told(corpus: Corpus, share: float, lm) -> str:
    return small_sample_warning(
        corpus, share, 0, lambda paragraphs: num_ordinary(paragraphs, lm.tokenizer)
    )


def refused(corpus: Corpus, share: float, lm) -> tuple[str, ...]:
    """What the exam itself says against a verdict."""
    unseen = corpus.split(share, 0).held_out
    asking = pair(lm, lm, unseen, EXAM_SEEDS)
    while True:
        try:
            next(asking)
        except StopIteration as end:
            return warnings_of(end.value, Material("", "", "", unseen, unseen, ()))


@pytest.fixture(scope="module")
def small(corpus) -> Corpus:
    """Sixty paragraphs, two of which say the same."""
    return Corpus.from_text("\n\n".join([*corpus.paragraphs[:59], corpus.paragraphs[0]]))


def test_too_few_paragraphs_are_told_with_a_share_that_does(small, lm):
    warning = told(small, 0.1, lm)
    assert "6 different paragraphs" in warning and refused(small, 0.1, lm)
    share = int(re.search(r"Keep (\d+) % unseen", warning)[1])
    assert not told(small, share / 100, lm) and not refused(small, share / 100, lm)
    assert told(small, (share - 1) / 100, lm) and refused(small, (share - 1) / 100, lm)


def test_too_few_blanks_are_told_and_a_text_that_is_too_small_for_any_share(lm):
    words = Corpus.from_text(
        "\n\n".join(
            f"the {word} sea"
            for word in [
                "red",
                "green",
                "blue",
                "white",
                "black",
                "grey",
                "pink",
                "brown",
                "dark",
                "light",
                "wide",
                "deep",
                "calm",
                "wild",
                "cold",
                "warm",
            ]
        )
    )
    warning = told(words, 0.5, lm)
    assert (
        "8 different paragraphs and about" in warning
        and warning.endswith("bring more text.")
        and refused(words, 0.5, lm)
    )


def test_nothing_is_said_of_a_text_that_is_enough(corpus, lm):
    assert told(corpus, 0.3, lm) == "" and not refused(corpus, 0.3, lm)
