"""One honest sentence: better, no measurable change, worse, or none at all."""

import dataclasses
import random

import numpy as np
import pytest
import torch

from mlm_gui.core.config import TrainConfig
from mlm_gui.core.corpus.corpus import Split
from mlm_gui.core.evaluation.held_out import Exam, evaluate
from mlm_gui.core.evaluation.outcomes import (
    BETTER,
    MIN_CLUSTERS,
    MIN_MASKS,
    NO_VERDICT,
    SAME,
    WORSE,
)
from mlm_gui.core.evaluation.paired import score_both
from mlm_gui.core.evaluation.report import (
    MAX_REPORT_CHARACTERS,
    Material,
    bounded,
    evaluate_both,
    general_paragraphs,
)
from mlm_gui.core.masking.policy import EVALUATION_POLICY, IGNORED, Fate
from mlm_gui.core.tokens import tokenize
from mlm_gui.core.training.loop import train
from mlm_gui.errors import UserError
from mlm_gui.services.runs.evaluation import finished

BRIEF = TrainConfig(epochs=20, max_steps=20, tokens_per_step=512, evaluations=1)


@pytest.fixture(scope="module")
def split(corpus):
    return corpus.split(0.3)


@pytest.fixture(scope="module")
def material(split):
    return Material(
        "starter", "tuned", "almanac", split.held_out, split.train, general_paragraphs()[:15]
    )


def report_of(base, tuned, material, seconds=0.0, seeds=(0, 1)):
    return finished(evaluate_both(base, tuned, material, seconds, seeds), lambda share: True)


def trained_on(lm, paragraphs, split):
    tuned = lm.copy()
    for _ in train(tuned, Split(tuple(paragraphs), split.held_out[:2]), BRIEF):
        pass
    return tuned


@pytest.fixture(scope="module")
def tuned(lm, split):
    return trained_on(lm, split.train, split)


@pytest.fixture(scope="module")
def better(lm, tuned, material):
    return report_of(lm, tuned, material, 24.0)


def test_held_out_scores_hide_every_chosen_token(lm, split):
    exam = Exam.of(tokenize(split.held_out, lm.tokenizer, lm.max_length), EVALUATION_POLICY, lm)
    for pack, batch in exam.questions:
        assert set(batch.fates[batch.chosen].tolist()) == {Fate.MASK}
        assert (batch.input_ids[batch.chosen] == lm.vocabulary.mask_id).all()
        assert (batch.labels[~batch.chosen] == IGNORED).all()
        assert torch.equal(batch.input_ids[~batch.chosen], pack.input_ids[~batch.chosen])


def test_identical_models_show_no_measurable_change_and_a_difference_of_exactly_zero(lm, material):
    report = report_of(lm, lm.copy(), material)
    for paired_result in (report.unseen, report.forgetting):
        assert paired_result.difference == 0.0
        assert paired_result.difference_interval == (0.0, 0.0)
        assert (paired_result.p_value, paired_result.outcome) == (1.0, SAME)
        assert paired_result.base == paired_result.tuned
    assert report.verdict == SAME
    beginning = "No measurable change: the loss on unseen text differs by 0 "
    assert report.sentence.startswith(beginning)
    assert "forgot nothing measurable" in report.sentence
    assert report.cloze.base_right == report.cloze.tuned_right


def test_a_model_that_learned_the_text_is_better_and_the_sentence_has_its_cost(better):
    _, high = better.unseen.difference_interval
    assert better.verdict == BETTER and high < 0 and better.unseen.p_value < 0.05
    size = f"{-better.unseen.difference:.2f}"
    assert better.sentence.startswith(f"Better: the loss on unseen text is {size} lower (95")
    assert f"it guesses {100 * better.unseen.tuned.top1:.0f} of 100" in better.sentence
    assert "Cost: 24 seconds of training; it forgot" in better.sentence


def test_a_model_that_learned_shuffled_words_is_worse(lm, split, material):
    words = " ".join(split.train).split()
    random.Random(0).shuffle(words)
    shuffled = (" ".join(words[start : start + 60]) for start in range(0, len(words), 60))
    report = report_of(lm, trained_on(lm, shuffled, split), material)
    low, _ = report.unseen.difference_interval
    assert report.verdict == WORSE and low > 0 and report.unseen.p_value < 0.05
    assert report.forgetting.outcome == WORSE and "forgot general English" in report.sentence


def test_an_evaluation_repeats_to_the_last_digit(lm, tuned, material, better):
    assert report_of(lm, tuned, material, 24.0) == better


def test_the_figures_are_those_of_plain_evaluations(lm, split):
    store = tokenize(split.held_out, lm.tokenizer, lm.max_length)
    scores = [evaluate(lm, Exam.of(store, EVALUATION_POLICY, lm, seed)) for seed in (0, 1)]
    paired_result = finished(score_both(lm, lm, split.held_out, (0, 1)), lambda share: True)
    weights = [score.num_masks for score in scores]
    assert paired_result.num_masks == sum(weights)
    assert paired_result.num_clusters == len(split.held_out)
    intervals = {"loss": "interval", "top1": "top1_interval", "top5": "top5_interval"}
    for figure, interval in intervals.items():
        mean = np.average([getattr(score, figure) for score in scores], weights=weights)
        assert getattr(paired_result.base, figure) == pytest.approx(mean, rel=1e-12)
        low, high = getattr(paired_result.base, interval)
        assert low < mean < high


def test_parts_of_a_long_paragraph_and_near_duplicates_are_one_cluster(lm, corpus):
    long = " ".join(corpus.paragraphs[:30])
    assert tokenize([long], lm.tokenizer, lm.max_length).num_sequences > 2
    paragraphs = (
        long,
        corpus.paragraphs[40],
        corpus.paragraphs[40] + " So they say.",
        corpus.paragraphs[41],
    )
    paired_result = finished(score_both(lm, lm, paragraphs, (0,)), lambda share: True)
    assert paired_result.num_clusters == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda material: {"seen_by_tuned": 5},
            "5 of the 31 paragraphs were, word for word or nearly, in the text that the tuned "
            "model learned from",
        ),
        (
            lambda material: {"seen_by_base": 2},
            "2 of the 31 paragraphs were, word for word or nearly, in the text that the base "
            "model learned from",
        ),
        (
            lambda material: {"held_out": material.held_out[: MIN_CLUSTERS - 1]},
            f"only {MIN_CLUSTERS - 1} different paragraphs are unseen",
        ),
        (
            lambda material: {"held_out": ("Seed is life, he said.", *material.held_out[:1]) * 9},
            "only 2 different paragraphs are unseen",
        ),
        (
            lambda material: {"held_out": tuple(text[:40] for text in material.held_out)},
            f"and a verdict needs {MIN_MASKS}",
        ),
    ],
    ids=["seen by tuned", "seen by base", "few paragraphs", "all the same", "few blanks"],
)
def test_there_is_no_verdict_where_people_fool_themselves(lm, tuned, material, change, said):
    changed = dataclasses.replace(material, general=material.general[:9], **change(material))
    report = report_of(lm, tuned, changed, seeds=(0,))
    assert report.verdict == NO_VERDICT and report.sentence.startswith("No verdict: ")
    assert any(said in warning for warning in report.warnings)


def test_models_that_cut_words_differently_are_refused(lm, family, material):
    with pytest.raises(UserError, match="different pieces"):
        report_of(lm, family("roberta"), material)


def test_a_text_with_nothing_to_hide_is_refused(lm, material):
    with pytest.raises(UserError, match="no word that could be hidden"):
        report_of(lm, lm, dataclasses.replace(material, held_out=("\u2603\u2603", "\u2603")))


def test_a_closed_evaluation_leaves_the_model_in_its_former_mode(lm, material):
    tuned = lm.copy()
    tuned.model.train()
    evaluation = evaluate_both(tuned, tuned, material)
    shares = [next(evaluation) for _ in range(3)]
    evaluation.close()
    assert shares[-1] < 1 and tuned.model.training


def test_progress_grows_to_the_end(lm, material):
    shares = list(evaluate_both(lm, lm, material, seeds=(0,)))
    assert shares == sorted(shares) and shares[-1] == 1.0 and 0 < shares[0] < 0.5


def test_a_long_text_is_evaluated_on_a_fixed_selection(material):
    long = [f"{number} {text}" for number in range(60) for text in material.held_out]
    selected = bounded(long)
    assert selected == bounded(long) and sum(map(len, selected)) == MAX_REPORT_CHARACTERS
    assert [text for text in long if text in selected][:5] == list(selected[:5])
    assert bounded(material.held_out) == material.held_out


def test_the_general_text_is_varied_and_long_enough_to_measure_forgetting():
    paragraphs = general_paragraphs()
    words = " ".join(paragraphs).split()
    assert len(paragraphs) >= 40 and len(words) >= 2000 and len(set(words)) > 900
