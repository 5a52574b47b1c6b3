"""The warning before training agrees with the evaluation after it."""

import re

import pytest

from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.evaluation.paired import score_both
from mlm_gui.core.evaluation.report import Material, warnings_of
from mlm_gui.core.evaluation.sample_size import small_sample_warning
from mlm_gui.core.masking.policy import EVALUATION_SEEDS
from mlm_gui.core.tokens import num_ordinary


def warning_of(corpus: Corpus, share: float, lm) -> str:
    return small_sample_warning(
        corpus, share, 0, lambda paragraphs: num_ordinary(paragraphs, lm.tokenizer)
    )


def refused(corpus: Corpus, share: float, lm) -> tuple[str, ...]:
    """The evaluation's own reasons against a verdict."""
    held_out = corpus.split(share, 0).held_out
    evaluation = score_both(lm, lm, held_out, EVALUATION_SEEDS)
    while True:
        try:
            next(evaluation)
        except StopIteration as end:
            return warnings_of(end.value, Material("", "", "", held_out, held_out, ()))


@pytest.fixture(scope="module")
def small(corpus) -> Corpus:
    """Sixty paragraphs, two of which are equal."""
    return Corpus.from_text("\n\n".join([*corpus.paragraphs[:59], corpus.paragraphs[0]]))


def test_the_warning_about_few_paragraphs_names_a_sufficient_share(small, lm):
    warning = warning_of(small, 0.1, lm)
    assert "6 different paragraphs" in warning and refused(small, 0.1, lm)
    share = int(re.search(r"Keep (\d+) % unseen", warning)[1])
    assert not warning_of(small, share / 100, lm) and not refused(small, share / 100, lm)
    assert warning_of(small, (share - 1) / 100, lm) and refused(small, (share - 1) / 100, lm)


def test_a_text_with_too_few_blanks_for_any_share_needs_more_text(lm):
    adjectives = (
        "red green blue white black grey pink brown dark light wide deep calm wild cold warm"
    )
    seas = [f"the {adjective} sea" for adjective in adjectives.split()]
    words = Corpus.from_text("\n\n".join(seas))
    warning = warning_of(words, 0.5, lm)
    assert "8 different paragraphs and about" in warning
    assert warning.endswith("bring more text.") and refused(words, 0.5, lm)


def test_a_sufficient_text_gets_no_warning(corpus, lm):
    assert warning_of(corpus, 0.3, lm) == "" and not refused(corpus, 0.3, lm)
