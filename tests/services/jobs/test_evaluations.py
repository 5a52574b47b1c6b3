"""Exams in the background: one at a time, watched, cancelled, each visitor's own."""

import dataclasses
import threading

import pytest

from mlm_gui.core.evaluation.outcomes import NO_VERDICT, SAME
from mlm_gui.errors import UserError
from mlm_gui.services.jobs.evaluations import EvaluationJobs
from mlm_gui.services.limits import LAPTOP
from mlm_gui.services.models.references import name_of_run
from mlm_gui.services.runs.request import RunRequest

PATIENCE = 60.0
NAMES = ("starter", "starter again")


@pytest.fixture
def gate(lm):
    """Loads models once it is opened."""
    opened = threading.Event()

    def load(name: str):
        assert opened.wait(PATIENCE)
        if name == "broken":
            raise UserError("No such model.", "It is broken.", "Choose another.")
        if name == "crash":
            raise ZeroDivisionError
        return lm

    load.open = opened.set
    yield load
    opened.set()


@pytest.fixture
def evaluation_jobs(gate):
    evaluation_jobs = EvaluationJobs(gate, dataclasses.replace(LAPTOP, max_queue=2))
    yield evaluation_jobs
    evaluation_jobs.close()


def test_two_models_are_examined_on_any_text(evaluation_jobs, gate, corpus):
    gate.open()
    few = dataclasses.replace(
        corpus,
        documents=(dataclasses.replace(corpus.documents[0], paragraphs=corpus.paragraphs[:20]),),
    )
    evaluation_job = evaluation_jobs.evaluate_pair(("starter", "starter"), NAMES, few, "ann")
    assert evaluation_job.over.wait(PATIENCE)
    assert (
        evaluation_job.state,
        evaluation_job.share,
        evaluation_job.report.verdict,
        evaluation_job.report.tuned_name,
    ) == (
        "done",
        1.0,
        SAME,
        "starter again",
    )


def test_a_cancelled_exam_has_no_report(evaluation_jobs, gate, corpus):
    evaluation_job = evaluation_jobs.evaluate_pair(("starter", "starter"), NAMES, corpus, "ann")
    evaluation_job.cancelled.set()
    gate.open()
    assert evaluation_job.over.wait(PATIENCE)
    assert (evaluation_job.state, evaluation_job.report, evaluation_job.live) == (
        "cancelled",
        None,
        False,
    )


@pytest.mark.parametrize(
    ("model", "said"),
    [("broken", "No such model."), ("crash", "An unexpected error came up (ZeroDivisionError).")],
)
def test_what_goes_wrong_is_told_in_three_sentences(evaluation_jobs, gate, corpus, model, said):
    gate.open()
    evaluation_job = evaluation_jobs.evaluate_pair(("starter", model), NAMES, corpus, "ann")
    assert evaluation_job.over.wait(PATIENCE)
    assert evaluation_job.state == "failed" and said in str(evaluation_job.error)


def test_each_visitor_has_one_and_all_together_a_few(evaluation_jobs, gate, corpus):
    evaluation_jobs.evaluate_pair(("starter", "starter"), NAMES, corpus, "ann")
    with pytest.raises(UserError, match="Another one of yours"):
        evaluation_jobs.evaluate_pair(("starter", "starter"), NAMES, corpus, "ann")
    evaluation_jobs.evaluate_pair(("starter", "starter"), NAMES, corpus, "bob")
    with pytest.raises(UserError, match="Too many"):
        evaluation_jobs.evaluate_pair(("starter", "starter"), NAMES, corpus, "cid")
    evaluation_jobs.close()


def test_only_who_asked_for_an_exam_finds_it(evaluation_jobs, corpus):
    evaluation_job = evaluation_jobs.evaluate_pair(("starter", "starter"), NAMES, corpus, "ann")
    assert (
        evaluation_jobs.find(evaluation_job.id, "ann") is evaluation_job
        and evaluation_jobs.find(evaluation_job.id, "bob") is None
    )
    for odd in (None, 5, "", "x" * 32, ["a"], {"a": 1}):
        assert evaluation_jobs.find(odd, "ann") is None


def test_a_text_that_one_of_them_learned_gets_no_verdict(studio, corpus, family_folder, family):
    base = str(family_folder("bert"))
    run = studio.runs.create(RunRequest(corpus=corpus, model=base))
    family("bert").save(run.model_folder)
    models = (base, name_of_run(run.id))
    same = dataclasses.replace(corpus, name="the same")
    evaluation_job = studio.evaluation_jobs.evaluate_pair(models, NAMES, same, "ann")
    assert evaluation_job.over.wait(PATIENCE)
    assert evaluation_job.report.verdict == NO_VERDICT
    assert "94 of the 104 paragraphs" in evaluation_job.report.sentence
