"""The exam tab without a browser: what each visitor gets, whatever is sent."""

import threading

import gradio as gr
import pytest
from short_exams import short_exams

from mlm_gui.core.config import TrainConfig
from mlm_gui.errors import UserError
from mlm_gui.services.jobs.evaluations import EvaluationJob
from mlm_gui.services.limits import HOSTED
from mlm_gui.services.runs.evaluation import read_exam
from mlm_gui.services.runs.finetune import finetune
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.base import answering
from mlm_gui.ui.components.events import RunEnded
from mlm_gui.ui.door import parsed
from mlm_gui.ui.tabs.exam import exams
from mlm_gui.ui.tabs.exam.chart import interval_chart
from mlm_gui.ui.tabs.exam.exams import PairChoice, PictureValue
from mlm_gui.ui.tabs.exam.values import score_table

ANN, BOB = "a" * 32, "b" * 32
PATIENCE = 60.0
ODD = [None, "", "../x", "0" * 32]
"""Runs that are not there."""


@pytest.fixture(scope="module")
def hosted(tmp_path_factory, corpus, lm):
    """(studio, run of Ann's that has sat its exam) on a server where strangers visit."""
    studio = Studio.open(tmp_path_factory.mktemp("hosted"), HOSTED)
    run = studio.runs.create(
        RunRequest(
            corpus=corpus,
            model="starter",
            config=TrainConfig(epochs=1, max_steps=2, tokens_per_step=128, evaluations=1),
            held_out=0.1,
            split_seed=0,
            owner=ANN,
            name="=<b>x</b>",
        )
    )
    with short_exams(seeds=(0, 1)):  # enough blanks for a verdict
        list(finetune(run, lambda name: lm.copy()))
    return studio, run


def pair_choice(visitor, base, tuned, text) -> PairChoice:
    return PairChoice(visitor, "", base, tuned, text)


def shown_picture(view) -> PictureValue:
    """The chart's value as the browser sends it back."""
    return parsed(PictureValue, view.picture)


def test_a_visitor_sees_the_exam_of_their_run_and_nobody_else_does(hosted):
    studio, run = hosted
    mine, theirs = (exams.choose(studio, visitor, run.id) for visitor in (ANN, BOB))
    assert mine.verdict["sentence"].startswith(("Better", "No measurable", "Worse"))
    assert len(mine.scores["rows"]) == 8
    assert theirs.verdict["sentence"] == exams.NO_RUN
    assert not theirs.scores["rows"] and theirs.picture["fig"] is None
    assert exams.refresh(studio, BOB, run.id).lists.run.choices == []
    assert len(exams.refresh(studio, ANN, "").lists.run.choices) == 1
    with pytest.raises(UserError):
        exams.evaluate_run(studio, BOB, run.id)
    with pytest.raises(UserError):
        exams.evaluate_pair(studio, pair_choice(BOB, "starter", f"run:{run.id}", "Some text."))
    with pytest.raises(UserError, match="no id"):
        exams.evaluate_pair(studio, pair_choice("", "starter", "starter", "Some text."))


def test_an_exam_in_the_background_is_its_visitor_s_own(hosted):
    studio, run = hosted
    busy = exams.evaluate_run(studio, ANN, run.id)
    evaluation_job = studio.evaluation_jobs.find(busy.picture["run"], ANN)
    exams.cancel_evaluation(studio, BOB, shown_picture(busy))
    assert not evaluation_job.cancelled.is_set()
    assert evaluation_job.over.wait(PATIENCE)
    poll = answering(exams.poller(studio))
    asked = {"run": evaluation_job.id, "visitor": busy.picture["visitor"], "cursor": 0}
    assert poll(asked) == {
        "cursor": 0,
        "progress": None,
        "note": "",
        "state": "done",
        "final": True,
    }
    for other in (BOB, "", None, [ANN], {}):
        assert poll({**asked, "visitor": other}) is None
    event = RunEnded(run=evaluation_job.id)
    mine, theirs = (exams.ended(studio, visitor, run.id, event).exam for visitor in (ANN, BOB))
    assert mine.verdict["sentence"] == evaluation_job.report.sentence
    assert theirs.verdict["sentence"] == exams.NO_RUN


@pytest.mark.parametrize("odd", ODD)
def test_a_run_that_is_not_there_changes_nothing(hosted, odd):
    studio, _ = hosted
    assert exams.choose(studio, ANN, odd).verdict["sentence"] == exams.NO_RUN
    assert answering(exams.poller(studio))({"run": odd}) is None
    assert not exams.cancel_evaluation(studio, ANN, PictureValue(run=odd)).interactive
    ended = exams.ended(studio, ANN, odd, RunEnded(run=odd or ""))
    assert ended.exam.verdict["sentence"] == exams.NO_RUN
    again = exams.look_again(studio, ANN, odd, odd, PictureValue(run=odd))
    assert len(again.lists.run.choices) == 1
    with pytest.raises(UserError):
        exams.evaluate_run(studio, ANN, odd)
    with pytest.raises(UserError):
        exams.evaluate_pair(studio, pair_choice(ANN, odd, odd, ""))


@pytest.mark.parametrize("odd", [None, 5, [], {}, {"run": 5}, {"run": ["a"]}])
def test_an_odd_question_is_answered_with_nothing_and_an_odd_event_is_refused(studio, odd):
    assert answering(exams.poller(studio))(odd) is None
    with pytest.raises(UserError):
        parsed(RunEnded, odd)


def test_the_page_s_figures_are_the_report_s(hosted):
    studio, run = hosted
    report = read_exam(run.folder)
    table, figure = score_table(report), interval_chart(report)
    assert (
        table["rows"][0][1].startswith(f"{report.unseen.base.loss:.3f}\n")
        and "p " in table["rows"][0][3]
    )
    assert [trace.name.split()[0] for trace in figure.data] == ["base", "tuned"]
    assert figure.data[1].x[0] == pytest.approx(report.unseen.tuned.loss, abs=1e-4)
    assert figure.data[0].error_x.array[0] == pytest.approx(
        report.unseen.base.interval[1] - report.unseen.base.loss, abs=1e-3
    )
    assert any("seeds 0" in story["text"] for story in table["how"])
    written = (studio.home / "exports").rglob("exam.csv")
    assert "'=<b>x</b>" in next(written).read_text(encoding="utf-8")


def test_an_exam_of_two_models_stays_in_view_until_another_is_chosen(hosted):
    studio, run = hosted
    text = "Leave the pods on the vine until they rattle."
    busy = exams.evaluate_pair(studio, pair_choice(ANN, "starter", f"run:{run.id}", text))
    # the page may have asked before it began to wait
    while_busy = exams.look_again(studio, ANN, run.id, run.id, PictureValue())
    assert while_busy.lists == while_busy.exam == gr.skip()
    evaluation_job = studio.evaluation_jobs.find(busy.picture["run"], ANN)
    assert evaluation_job.over.wait(PATIENCE)
    shown = exams.ended(studio, ANN, run.id, RunEnded(run=evaluation_job.id)).exam
    again = exams.look_again(studio, ANN, run.id, run.id, shown_picture(shown))
    assert isinstance(again.lists.run, gr.Dropdown) and again.exam == gr.skip()
    chosen = shown_picture(exams.choose(studio, ANN, run.id))
    assert exams.look_again(studio, ANN, run.id, run.id, chosen).exam != gr.skip()


def test_a_run_that_trains_is_waited_for(hosted, corpus):
    studio, _ = hosted
    run = studio.runs.create(
        RunRequest(
            corpus=corpus,
            model="starter",
            config=TrainConfig(),
            held_out=0.1,
            split_seed=0,
            owner=ANN,
        )
    )
    poll = answering(exams.poller(studio))
    with run.queue_lock:
        shown = exams.choose(studio, ANN, run.id)
        assert shown.verdict["sentence"] == exams.TRAINING and shown.picture["run"] == run.id
        assert poll({"run": run.id, "visitor": shown.picture["visitor"]})["final"] is False
        assert poll({"run": run.id, "visitor": BOB}) is None
    assert poll({"run": run.id, "visitor": ANN})["final"] is True


def test_a_damaged_exam_breaks_nothing_and_can_be_run_again(hosted):
    studio, run = hosted
    (run.folder / "exam.json").write_text('{"version": 1, "unseen": [')
    shown = exams.refresh(studio, ANN, run.id).exam
    assert shown.verdict["sentence"] == exams.NO_EXAM
    busy = exams.evaluate_run(studio, ANN, run.id)
    assert studio.evaluation_jobs.find(busy.picture["run"], ANN).over.wait(PATIENCE)
    assert exams.choose(studio, ANN, run.id).scores["rows"]


def test_an_exam_that_somebody_else_waits_for_does_not_stay_in_view(hosted):
    studio, run = hosted
    let_go = threading.Event()
    waiting = EvaluationJob(ANN, "a text")
    studio.evaluation_jobs.start(waiting, lambda keep_going: let_go.wait(PATIENCE))
    picture = PictureValue(run=waiting.id)
    try:
        mine = exams.look_again(studio, ANN, run.id, None, picture)
        theirs = exams.look_again(studio, BOB, run.id, None, picture)
    finally:
        let_go.set()
    assert mine.lists == mine.exam == gr.skip()
    assert isinstance(theirs.lists.run, gr.Dropdown)
    assert waiting.over.wait(PATIENCE)


def test_a_deleted_run_takes_its_spreadsheet_along(studio, corpus, lm):
    from mlm_gui.services.runs.registry import delete

    run = studio.runs.create(
        RunRequest(
            corpus=corpus,
            model="starter",
            config=TrainConfig(epochs=1, max_steps=1),
            held_out=0.3,
            split_seed=0,
        )
    )
    list(finetune(run, lambda name: lm.copy()))
    assert exams.choose(studio, ANN, run.id).scores["rows"]
    assert list((studio.home / "exports").rglob("exam.csv"))
    delete(run)
    assert not list((studio.home / "exports").rglob("exam.csv"))
