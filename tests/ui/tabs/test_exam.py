"""The exam tab without a browser: what each visitor gets, whatever is sent."""

import threading

import gradio as gr
import pytest

from mlm_gui.core.config import TrainConfig
from mlm_gui.errors import UserError
from mlm_gui.services.jobs.evaluations import EvaluationJob
from mlm_gui.services.limits import HOSTED
from mlm_gui.services.runs.finetune import finetune
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.studio import Studio
from mlm_gui.ui.tabs.exam import tab as exam_tab
from mlm_gui.ui.tabs.exam.values import interval_chart, score_table

ANN, BOB = "a" * 32, "b" * 32
PATIENCE = 60.0
ODD = [None, 5, "", "../x", ["a"], {"run": ANN}, "0" * 32]


@pytest.fixture(scope="module")
def hosted(tmp_path_factory, corpus, lm):
    """(studio, run of Ann's that has sat its exam) on a server where strangers visit."""
    studio = Studio.open(tmp_path_factory.mktemp("hosted"), HOSTED)
    run = studio.runs.create(
        RunRequest(
            corpus=corpus,
            config=TrainConfig(epochs=1, max_steps=2, tokens_per_step=128, evaluations=1),
            owner=ANN,
            name="=<b>x</b>",
        )
    )
    for _ in finetune(run, lambda name: lm.copy()):
        pass
    return studio, run


def test_a_visitor_sees_the_exam_of_their_run_and_nobody_else_does(hosted):
    studio, run = hosted
    mine, theirs = (exam_tab.choose(studio, visitor, run.id) for visitor in (ANN, BOB))
    assert (
        mine.verdict["sentence"].startswith(("Better", "No measurable", "Worse"))
        and len(mine.scores["rows"]) == 8
    )
    assert (
        theirs.verdict["sentence"] == exam_tab.NO_RUN
        and not theirs.scores["rows"]
        and theirs.picture["fig"] is None
    )
    assert (
        exam_tab.refresh(studio, BOB, run.id)[0].choices == []
        and len(exam_tab.refresh(studio, ANN, "")[0].choices) == 1
    )
    for call in (
        lambda: exam_tab.evaluate_run(studio, BOB, run.id),
        lambda: exam_tab.evaluate_pair(studio, BOB, "", "starter", f"run:{run.id}", "Some text."),
    ):
        with pytest.raises(UserError):
            call()
    with pytest.raises(UserError, match="no id"):
        exam_tab.evaluate_pair(studio, "", "", "starter", "starter", "Some text.")


def test_an_exam_in_the_background_is_its_visitor_s_own(hosted):
    studio, run = hosted
    busy = exam_tab.evaluate_run(studio, ANN, run.id)
    evaluation_job = studio.evaluation_jobs.find(busy.picture["run"], ANN)
    exam_tab.cancel_evaluation(studio, BOB, busy.picture)
    assert not evaluation_job.cancelled.is_set()
    assert evaluation_job.over.wait(PATIENCE)
    poll = exam_tab.poller(studio)
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
    event = gr.EventData(None, {"run": evaluation_job.id})
    assert (
        exam_tab.ended(studio, ANN, run.id, event)[3]["sentence"] == evaluation_job.report.sentence
    )
    assert exam_tab.ended(studio, BOB, run.id, event)[3]["sentence"] == exam_tab.NO_RUN


@pytest.mark.parametrize("odd", ODD)
def test_odd_values_change_nothing(hosted, odd):
    studio, _ = hosted
    assert exam_tab.choose(studio, ANN, odd).verdict["sentence"] == exam_tab.NO_RUN
    assert exam_tab.poller(studio)({"run": odd}) is None and exam_tab.poller(studio)(odd) is None
    assert not exam_tab.cancel_evaluation(studio, ANN, odd).interactive
    assert len(exam_tab.ended(studio, ANN, odd, gr.EventData(None, odd))) == exam_tab.NUM_REFRESHED
    assert len(exam_tab.look_again(studio, ANN, odd, odd, odd)) == exam_tab.NUM_REFRESHED
    for call in (
        lambda: exam_tab.evaluate_run(studio, ANN, odd),
        lambda: exam_tab.evaluate_pair(studio, ANN, odd, odd, odd, odd),
    ):
        with pytest.raises(UserError):
            call()


def test_the_page_s_figures_are_the_report_s(hosted):
    studio, run = hosted
    report = exam_tab.read_exam(run.folder)
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
    busy = exam_tab.evaluate_pair(
        studio, ANN, "", "starter", f"run:{run.id}", "Leave the pods on the vine until they rattle."
    )
    assert (
        exam_tab.look_again(studio, ANN, run.id, run.id, {})
        == (gr.skip(),) * exam_tab.NUM_REFRESHED
    )  # the page may have asked before it began to wait
    evaluation_job = studio.evaluation_jobs.find(busy.picture["run"], ANN)
    assert evaluation_job.over.wait(PATIENCE)
    shown = exam_tab.ended(studio, ANN, run.id, gr.EventData(None, {"run": evaluation_job.id}))
    picture = exam_tab.Shown(*shown[3:]).picture
    again = exam_tab.look_again(studio, ANN, run.id, run.id, picture)
    assert isinstance(again[0], gr.Dropdown) and again[3:] == (gr.skip(),) * len(
        exam_tab.Shown._fields
    )
    assert (
        exam_tab.look_again(
            studio, ANN, run.id, run.id, exam_tab.choose(studio, ANN, run.id).picture
        )[3]
        != gr.skip()
    )


def test_a_run_that_trains_is_waited_for(hosted, corpus):
    studio, _ = hosted
    run = studio.runs.create(RunRequest(corpus=corpus, owner=ANN))
    with run.queue_lock:
        shown = exam_tab.choose(studio, ANN, run.id)
        assert shown.verdict["sentence"] == exam_tab.TRAINING and shown.picture["run"] == run.id
        assert (
            exam_tab.poller(studio)({"run": run.id, "visitor": shown.picture["visitor"]})["final"]
            is False
        )
        assert exam_tab.poller(studio)({"run": run.id, "visitor": BOB}) is None
    assert exam_tab.poller(studio)({"run": run.id, "visitor": ANN})["final"] is True


def test_a_damaged_exam_breaks_nothing_and_can_be_sat_again(hosted):
    studio, run = hosted
    (run.folder / "exam.json").write_text('{"version": 1, "unseen": [')
    shown = exam_tab.refresh(studio, ANN, run.id)[3:]
    assert shown[0]["sentence"] == exam_tab.NO_EXAM
    busy = exam_tab.evaluate_run(studio, ANN, run.id)
    assert studio.evaluation_jobs.find(busy.picture["run"], ANN).over.wait(PATIENCE)
    assert exam_tab.choose(studio, ANN, run.id).scores["rows"]


def test_an_exam_that_somebody_else_waits_for_does_not_stay_in_view(hosted):
    studio, run = hosted
    may_end = threading.Event()
    evaluation_job = studio.evaluation_jobs.start(
        EvaluationJob(ANN, "a text"), lambda keep_going: may_end.wait(PATIENCE)
    )
    assert (
        len(exam_tab.look_again(studio, ANN, run.id, None, {"run": evaluation_job.id}))
        == exam_tab.NUM_REFRESHED
    )
    assert (
        "choices"
        not in exam_tab.look_again(studio, ANN, run.id, None, {"run": evaluation_job.id})[0]
    )
    assert isinstance(
        exam_tab.look_again(studio, BOB, run.id, None, {"run": evaluation_job.id})[0], gr.Dropdown
    )
    may_end.set()
    assert evaluation_job.over.wait(PATIENCE)


def test_a_deleted_run_takes_its_spreadsheet_along(studio, corpus, lm):
    from mlm_gui.services.runs.registry import delete

    run = studio.runs.create(
        RunRequest(corpus=corpus, config=TrainConfig(epochs=1, max_steps=1), held_out=0.3)
    )
    list(finetune(run, lambda name: lm.copy()))
    assert exam_tab.choose(studio, ANN, run.id).scores["rows"]
    assert list((studio.home / "exports").rglob("exam.csv"))
    delete(run)
    assert not list((studio.home / "exports").rglob("exam.csv"))
