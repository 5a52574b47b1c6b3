"""One honest sentence: better, no measurable change, worse, or none at all."""

import dataclasses
import random

import numpy as np
import pytest
import torch

from mlm_gui.core.config import TrainConfig
from mlm_gui.core.corpus.corpus import Split
from mlm_gui.core.evaluation.held_out import Exam, evaluate
from mlm_gui.core.evaluation.outcomes import BETTER, NO_VERDICT, SAME, WORSE
from mlm_gui.core.evaluation.paired import pair
from mlm_gui.core.evaluation.report import (
    MAX_EXAM_CHARACTERS,
    MIN_CLUSTERS,
    MIN_MASKS,
    Material,
    bounded,
    examination,
    general_paragraphs,
)
from mlm_gui.core.masking.policy import EXAM_POLICY, IGNORED, Fate
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
    return finished(examination(base, tuned, material, seconds, seeds), lambda share: True)


def in_tutorial_mode(lm, paragraphs, split):
    tuned = lm.copy()
    for _ in train(tuned, Split(tuple(paragraphs), split.held_out[:2]), BRIEF):
        pass
    return tuned


@pytest.fixture(scope="module")
def tuned(lm, split):
    return in_tutorial_mode(lm, split.train, split)


@pytest.fixture(scope="module")
def better(lm, tuned, material):
    return report_of(lm, tuned, material, 24.0)


def test_held_out_scores_hide_every_chosen_token(lm, split):
    exam = Exam.of(tokenize(split.held_out, lm.tokenizer, lm.max_length), EXAM_POLICY, lm)
    for pack, batch in exam.questions:
        assert set(batch.fates[batch.chosen].tolist()) == {Fate.MASK}
        assert (batch.input_ids[batch.chosen] == lm.vocabulary.mask_id).all() and (
            batch.labels[~batch.chosen] == IGNORED
        ).all()
        assert torch.equal(batch.input_ids[~batch.chosen], pack.input_ids[~batch.chosen])


def test_identical_models_show_no_measurable_change_and_a_difference_of_exactly_zero(lm, material):
    report = report_of(lm, lm.copy(), material)
    for paired_result in (report.unseen, report.forgetting):
        assert (
            paired_result.difference,
            paired_result.difference_interval,
            paired_result.p_value,
            paired_result.outcome,
        ) == (0.0, (0.0, 0.0), 1.0, SAME)
        assert paired_result.base == paired_result.tuned
    assert report.verdict == SAME and report.sentence.startswith(
        "No measurable change: the loss on unseen text differs by 0 "
    )
    assert (
        "forgot nothing measurable" in report.sentence
        and report.cloze.base_right == report.cloze.tuned_right
    )


def test_a_model_that_learned_the_text_is_better_and_its_cost_is_told(better):
    assert (
        better.verdict == BETTER
        and better.unseen.difference_interval[1] < 0
        and better.unseen.p_value < 0.05
    )
    assert better.sentence.startswith(
        f"Better: the loss on unseen text is {-better.unseen.difference:.2f} lower (95"
    )
    assert f"it guesses {100 * better.unseen.tuned.top1:.0f} of 100" in better.sentence
    assert "Cost: 24 seconds of training; it forgot" in better.sentence


def test_a_model_that_learned_shuffled_words_is_worse(lm, split, material):
    words = " ".join(split.train).split()
    random.Random(0).shuffle(words)
    report = report_of(
        lm,
        in_tutorial_mode(
            lm, (" ".join(words[i : i + 60]) for i in range(0, len(words), 60)), split
        ),
        material,
    )
    assert (
        report.verdict == WORSE
        and report.unseen.difference_interval[0] > 0
        and report.unseen.p_value < 0.05
    )
    assert report.forgetting.outcome == WORSE and "forgot general English" in report.sentence


def test_an_exam_repeats_to_the_last_digit(lm, tuned, material, better):
    assert report_of(lm, tuned, material, 24.0) == better


def test_the_figures_are_those_of_plain_evaluations(lm, split):
    store = tokenize(split.held_out, lm.tokenizer, lm.max_length)
    scores = [evaluate(lm, Exam.of(store, EXAM_POLICY, lm, seed)) for seed in (0, 1, 2)]
    paired_result = finished(pair(lm, lm, split.held_out, (0, 1, 2)), lambda share: True)
    weights = [score.num_masks for score in scores]
    assert paired_result.num_masks == sum(weights) and paired_result.num_clusters == len(
        split.held_out
    )
    for figure in ("loss", "top1", "top5"):
        assert getattr(paired_result.base, figure) == pytest.approx(
            np.average([getattr(score, figure) for score in scores], weights=weights), rel=1e-12
        )
        low, high = (
            paired_result.base.interval
            if figure == "loss"
            else getattr(paired_result.base, f"{figure}_interval")
        )
        assert low < getattr(paired_result.base, figure) < high


def test_parts_of_a_long_paragraph_and_near_duplicates_are_one_unit(lm, corpus):
    long = " ".join(corpus.paragraphs[:30])
    assert tokenize([long], lm.tokenizer, lm.max_length).num_sequences > 2
    paragraphs = (
        long,
        corpus.paragraphs[40],
        corpus.paragraphs[40] + " So they say.",
        corpus.paragraphs[41],
    )
    assert finished(pair(lm, lm, paragraphs, (0,)), lambda share: True).num_clusters == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda material: {"seen_by_tuned": 5},
            "5 of the 31 paragraphs were, word for word or nearly, in the text that the tuned model learned from",
        ),
        (
            lambda material: {"seen_by_base": 2},
            "2 of the 31 paragraphs were, word for word or nearly, in the text that the base model learned from",
        ),
        (
            lambda material: {"unseen": material.unseen[: MIN_CLUSTERS - 1]},
            f"only {MIN_CLUSTERS - 1} different paragraphs are unseen",
        ),
        (
            lambda material: {"unseen": ("Seed is life, he said.", *material.unseen[:1]) * 9},
            "only 2 different paragraphs are unseen",
        ),
        (
            lambda material: {"unseen": tuple(text[:40] for text in material.unseen)},
            f"and a verdict needs {MIN_MASKS}",
        ),
    ],
    ids=["seen by tuned", "seen by base", "few paragraphs", "all the same", "few blanks"],
)
def test_there_is_no_verdict_where_people_fool_themselves(lm, tuned, material, change, said):
    report = report_of(
        lm,
        tuned,
        dataclasses.replace(material, general=material.general[:9], **change(material)),
        seeds=(0,),
    )
    assert report.verdict == NO_VERDICT and report.sentence.startswith("No verdict: ")
    assert any(said in warning for warning in report.warnings)


def test_models_that_cut_words_differently_cannot_sit_the_same_exam(lm, family, material):
    with pytest.raises(UserError, match="different pieces"):
        report_of(lm, family("roberta"), material)


def test_a_text_with_nothing_to_hide_is_refused(lm, material):
    with pytest.raises(UserError, match="no word that could be hidden"):
        report_of(lm, lm, dataclasses.replace(material, unseen=("\u2603\u2603", "\u2603")))


def test_an_exam_stops_when_its_generator_is_closed_and_leaves_the_models_as_they_were(
    lm, material
):
    tuned = lm.copy()
    tuned.model.train()
    shares = []
    assert (
        finished(
            examination(tuned, tuned, material),
            lambda share: shares.append(share) or len(shares) < 3,
        )
        is None
    )
    assert len(shares) == 3 and tuned.model.training


def test_progress_grows_to_the_end(lm, material):
    shares = []
    assert finished(
        examination(lm, lm, material, seeds=(0,)), lambda share: not shares.append(share)
    )
    assert shares == sorted(shares) and shares[-1] == 1.0 and 0 < shares[0] < 0.5


def test_a_long_text_is_examined_on_a_fixed_choice(material):
    long = [f"{number} {text}" for number in range(60) for text in material.unseen]
    chosen = bounded(long)
    assert chosen == bounded(long) and sum(map(len, chosen)) == MAX_EXAM_CHARACTERS
    assert [text for text in long if text in chosen][:5] == list(chosen[:5]) and bounded(
        material.unseen
    ) == material.unseen


def test_the_general_text_is_varied_and_long_enough_to_measure_forgetting():
    paragraphs = general_paragraphs()
    words = " ".join(paragraphs).split()
    assert len(paragraphs) >= 40 and len(words) >= 2000 and len(set(words)) > 900
