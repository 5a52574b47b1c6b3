"""The handlers of the exam tab: choose a run, run an exam, look at what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from mlm_gui.core import validation
from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.errors import UserError
from mlm_gui.services.jobs.evaluations import EvaluationJob
from mlm_gui.services.runs.evaluation import read_exam, under_present_names
from mlm_gui.services.runs.run import LIVE_STATES
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.events import RunEnded
from mlm_gui.ui.door import TextId, VisitorId
from mlm_gui.ui.model_choice import label_of, model_choices
from mlm_gui.ui.run_text import run_label
from mlm_gui.ui.tabs.exam.view import (
    CANCEL,
    ExamLists,
    ExamTabView,
    ExamView,
    view_of_job,
    view_of_none,
    view_of_report,
)

NO_RUN = (
    "No exam yet. Train a model on the third tab: "
    "it sits its exam by itself as soon as it is saved."
)
TRAINING = (
    "This run is still being trained. It sits its exam as soon as it is saved, "
    "and the verdict appears here."
)
NO_EXAM = (
    "This run has sat no exam yet. Press “Run the exam”; it takes a few seconds for a small model."
)


@dataclass(frozen=True)
class PairChoice:
    """Two models and a text to be examined on; one field for each widget."""

    visitor: VisitorId
    text_id: TextId
    base: str | None
    tuned: str | None
    text: str | None


@dataclass(frozen=True)
class PictureValue:
    """The value of the chart, as far as it is read."""

    run: str | None = None
    """Id of the run or of the job that is waited for."""
    is_pair: bool = False
    """True while an exam of any two models is shown."""


def refresh(
    studio: Studio, visitor: VisitorId, run_id: str, chosen: str | None = None
) -> ExamTabView:
    """The lists of runs and models, and the exam of the chosen run.

    The run of this id is chosen when it has a model or is about to get one; else what was, or the
    newest.
    """
    visible = studio.visible_runs(visitor)
    runs = {run.id: run for run in visible if run.has_model or run.state in LIVE_STATES}
    wanted = next((runs[name] for name in (run_id, chosen) if name in runs), None)
    wanted = wanted or next(iter(runs.values()), None)
    wanted_id = wanted.id if wanted else None
    labels = [(run_label(run), run.id) for run in runs.values()]
    models = gr.Dropdown(choices=model_choices(studio, visitor))
    lists = ExamLists(run=gr.Dropdown(labels, value=wanted_id), base=models, tuned=models)
    return ExamTabView(lists, choose(studio, visitor, wanted_id))


def look_again(
    studio: Studio,
    visitor: VisitorId,
    run_id: str | None,
    chosen: str | None,
    picture: PictureValue,
) -> ExamTabView:
    """Like `refresh`, but an exam that this page waits for stays in view.

    One of any two models stays too, until another is chosen.
    """
    # asked of the server: the page may have begun to wait after it sent this
    if studio.evaluation_jobs.is_busy_for(visitor):
        return ExamTabView(gr.skip(), gr.skip())
    view = refresh(studio, visitor, run_id or "", chosen)
    return view._replace(exam=gr.skip()) if picture.is_pair else view


def choose(studio: Studio, visitor: VisitorId, run_id: str | None) -> ExamView:
    """The exam of a run, or how to get one."""
    run = studio.visible(run_id, visitor)
    if run and run.state in LIVE_STATES:
        view = view_of_none(TRAINING)
        return view._replace(picture={**view.picture, "run": run.id, "visitor": visitor})
    if run is None or not run.has_model:
        return view_of_none(NO_RUN)
    report = read_exam(run.folder)
    if report is None:
        return view_of_none(NO_EXAM, run)
    return view_of_report(studio, under_present_names(report, run), run)


def evaluate_run(studio: Studio, visitor: VisitorId, run_id: str | None) -> ExamView:
    """Starts the exam of a run in the background."""
    run = studio.visible(run_id, visitor)
    if run is None or not run.has_model or run.state in LIVE_STATES:
        raise UserError(
            "There is nothing to examine yet.",
            "No run with a saved model is chosen.",
            "Train a model first, or wait until it ends.",
        )
    check_may_start(studio, visitor)
    report = read_exam(run.folder)
    return view_of_job(studio.evaluation_jobs.evaluate_run(run, visitor), report)


def evaluate_pair(studio: Studio, choice: PairChoice) -> ExamView:
    """Starts an exam of two models on any text, in the background."""
    visitor = choice.visitor
    base, tuned = (studio.usable(name, visitor) for name in (choice.base, choice.tuned))
    labels = (label_of(studio, visitor, base), label_of(studio, visitor, tuned))
    typed = validation.text("The text", choice.text or "", studio.limits.max_text_characters)
    corpus = Corpus.from_text(typed) if typed.strip() else studio.texts.get(choice.text_id)
    check_may_start(studio, visitor)
    job = studio.evaluation_jobs.evaluate_pair((base, tuned), labels, corpus, visitor)
    return view_of_job(job, None)


def cancel_evaluation(studio: Studio, visitor: VisitorId, picture: PictureValue) -> gr.Button:
    """Asks the exam in the background to stop."""
    check_may_start(studio, visitor)
    job = studio.evaluation_jobs.find(picture.run, visitor)
    if job:
        job.cancelled.set()
    is_ending = job is not None and job.live
    return gr.Button("Cancelling …" if is_ending else CANCEL, interactive=False)


def ended(studio: Studio, visitor: VisitorId, run_id: str | None, event: RunEnded) -> ExamTabView:
    """A run has its exam, or an exam in the background is over: its report, or what went wrong."""
    if studio.visible(event.run, visitor):
        return refresh(studio, visitor, event.run)
    check_may_start(studio, visitor)
    job = studio.evaluation_jobs.find(event.run, visitor)
    return ExamTabView(lists=gr.skip(), exam=_view_after(studio, visitor, run_id, job))


def _view_after(
    studio: Studio, visitor: VisitorId, run_id: str | None, job: EvaluationJob | None
) -> ExamView:
    """The tab after a job, or without one."""
    run = studio.visible(run_id, visitor)
    if job is None or job.live or job.state == "cancelled":
        return choose(studio, visitor, run_id)
    if job.report is None:
        return view_of_none(str(job.error), run, "none")
    view = view_of_report(studio, job.report, run)
    return view._replace(picture={**view.picture, "is_pair": job.is_pair})


def check_may_start(studio: Studio, visitor: VisitorId) -> None:
    """Raises UserError where strangers visit and this browser has no id yet."""
    if not studio.may_start(visitor):
        raise UserError(
            "The exam was not started.",
            "The page is not ready: this browser has no id yet.",
            "Reload the page and try again.",
        )


@dataclass(frozen=True)
class ProgressQuestion:
    """What the chart asks while an exam is waited for."""

    run: str
    """Id of the run or of the job."""
    visitor: VisitorId = VisitorId("")


def poller(studio: Studio) -> Callable[[ProgressQuestion], dict[str, Any] | None]:
    """The server function behind the progress bar."""

    def poll(asked: ProgressQuestion) -> dict[str, Any] | None:
        """How far a job is, or whether a run that was being trained has ended.

        None when this visitor has neither.
        """
        job = studio.evaluation_jobs.find(asked.run, asked.visitor)
        if job:
            return {**_progress(job.state, is_final=not job.live), **_shares(job)}
        run = studio.visible(asked.run, asked.visitor)
        if run is None:
            return None
        state = run.state
        return _progress(state, is_final=state not in LIVE_STATES)

    return poll


def _progress(state: str, is_final: bool) -> dict[str, Any]:
    return {"cursor": 0, "progress": None, "note": "", "state": state, "final": is_final}


def _shares(job: EvaluationJob) -> dict[str, Any]:
    if not job.live:
        return {}
    waiting = job.state == "waiting"
    note = f"{job.share:.0%} of the blanks are answered."
    return {
        "progress": job.share,
        "note": "Waiting for another exam to end …" if waiting else note,
    }
