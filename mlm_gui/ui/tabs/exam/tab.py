"""Tab 5, Exam: does it know the language of the text now, how sure is that, and what did it cost?"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import gradio as gr

from mlm_gui.core import validation
from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.errors import UserError
from mlm_gui.services.jobs.evaluations import EvaluationJob
from mlm_gui.services.runs.evaluation import read_exam, under_present_names
from mlm_gui.services.runs.run import LIVE_STATES, Run
from mlm_gui.services.storage.spreadsheet import as_csv, exam_rows, written
from mlm_gui.services.studio import Studio
from mlm_gui.ui.component_events import sent
from mlm_gui.ui.components.chart import chart, figure_json
from mlm_gui.ui.components.display import facts, table, verdict_card
from mlm_gui.ui.run_text import run_label
from mlm_gui.ui.run_view import looked_up
from mlm_gui.ui.session import Session
from mlm_gui.ui.tabs.exam.values import (
    BLANK_FACTS,
    cloze_table,
    exam_facts,
    interval_chart,
    score_table,
    verdict_of,
)
from mlm_gui.ui.tabs.train.tab import TrainingTab, model_choices
from mlm_gui.ui.wiring import on

if TYPE_CHECKING:
    from mlm_gui.core.evaluation.report import Report

NO_RUN = "No exam yet. Train a model on the third tab: it sits its exam by itself as soon as it is saved."
TRAINING = "This run is still being trained. It sits its exam as soon as it is saved, and the verdict appears here."
NO_EXAM = (
    "This run has sat no exam yet. Press “Sit the exam”; it takes a few seconds for a small model."
)
HOW_TO_READ = "The mark is the mean surprise at a hidden word (loss): further left is better. The line through it holds 95 % of what other paragraphs would give."


class Shown(NamedTuple):
    """What an exam, or none, sets."""

    verdict: gr.HTML
    numbers: gr.HTML
    picture: gr.HTML
    scores: gr.HTML
    cloze: gr.HTML
    sit: gr.Button
    cancel: gr.Button
    download: gr.DownloadButton


SHOWING = "showing"
"""The concurrency id of what says which exam is in view: answers come in the order of the questions."""
NUM_REFRESHED = 3 + len(Shown._fields)
"""What `refresh` sets: the list of runs, two lists of models, and what an exam sets."""


class ExamTab(NamedTuple):
    """The parts the page needs."""

    refreshed: list
    """What `refresh` sets."""
    chosen: list
    """What `refresh` reads besides the visitor."""


def build(studio: Studio, session: Session, training: TrainingTab, tab: gr.Tab) -> ExamTab:
    """Lays the tab out and wires it."""
    gr.Markdown(
        "Both models guess the same hidden words in text that neither learned from. What is said here is only what the numbers bear.",
        elem_classes="lead",
    )
    verdict = verdict_card(
        "Verdict", value={"outcome": "", "sentence": NO_RUN, "warnings": []}, elem_id="exam-verdict"
    )
    numbers = facts("The exam in numbers", value=BLANK_FACTS, elem_id="exam-facts")
    with gr.Row(elem_classes="split"):
        with gr.Column(elem_classes="card", min_width=290, scale=1):
            gr.Markdown("### This exam")
            run = gr.Dropdown(
                [],
                label="run",
                info="The tuned model; the base is the one it started from.",
                allow_custom_value=True,
                elem_id="exam-run",
            )
            with gr.Row(elem_classes="actions"):
                sit = gr.Button(
                    "Sit the exam", interactive=False, elem_id="exam-sit", min_width=120
                )
                cancel = gr.Button("Cancel", interactive=False, elem_id="exam-cancel", min_width=90)
            download = gr.DownloadButton(
                "Download as CSV", interactive=False, size="sm", elem_id="exam-csv"
            )
            with gr.Accordion("Any two models, any text", open=False, elem_id="exam-other"):
                models = [
                    gr.Dropdown(
                        model_choices(studio, ""),
                        value="starter",
                        label=role,
                        allow_custom_value=True,
                        elem_id=f"exam-{role}",
                    )
                    for role in ("base", "tuned")
                ]
                text = gr.Textbox(
                    label="text to be examined on",
                    info="A text that neither has learned from. Empty: the text of the first tab.",
                    lines=4,
                    max_lines=8,
                    elem_id="exam-text",
                )
                sit_other = gr.Button("Sit this exam", elem_id="exam-sit-other", size="sm")
        with gr.Column(min_width=320, scale=3):
            picture = chart(
                "Loss of both models with 95 % intervals",
                poller(studio),
                210,
                help_text=HOW_TO_READ,
                elem_id="exam-chart",
                value=still(),
            )
            with gr.Column(elem_classes="card"):
                scores = table(
                    "Scores of base and tuned", value=score_table(None), elem_id="exam-table"
                )
            with gr.Column(elem_classes="card"):
                gr.Markdown("### Key words of the text, hidden in unseen sentences")
                cloze = table("Key words, hidden", value=cloze_table(None), elem_id="exam-cloze")

    shown = Shown(verdict, numbers, picture, scores, cloze, sit, cancel, download)
    on(run.input, choose, studio, [session.visitor, run], shown)
    on(sit.click, evaluate_run, studio, [session.visitor, run], shown, concurrency_id=SHOWING)
    on(
        sit_other.click,
        evaluate_pair,
        studio,
        [session.visitor, session.text_id, *models, text],
        shown,
        concurrency_id=SHOWING,
    )
    on(cancel.click, cancel_evaluation, studio, [session.visitor, picture], cancel)
    refreshed = [run, *models, *shown]
    on(picture.finished, ended, studio, [session.visitor, run], refreshed, concurrency_id=SHOWING)
    for news, shown_run in (
        (training.changed.then, session.run_id),
        (training.finished.then, session.run_id),
        (tab.select, run),
    ):
        on(
            news,
            look_again,
            studio,
            [session.visitor, shown_run, run, picture],
            refreshed,
            concurrency_id=SHOWING,
        )
    return ExamTab(refreshed, [session.run_id, run])


def refresh(studio: Studio, visitor: str, run_id: str, chosen: str | None = None) -> tuple:
    """The lists of runs and models. The run of this id is chosen, when it has a model or is about to get one; else what was, or the newest."""
    runs = {
        run.id: run
        for run in studio.visible_runs(visitor)
        if run.has_model or run.state in LIVE_STATES
    }
    wanted = next(
        (runs[name] for name in (run_id, chosen) if isinstance(name, str) and name in runs),
        next(iter(runs.values()), None),
    )
    choices = gr.Dropdown(choices=model_choices(studio, visitor))
    return (
        gr.Dropdown(
            [(run_label(run), run.id) for run in runs.values()], value=wanted.id if wanted else None
        ),
        choices,
        choices,
        *choose(studio, visitor, wanted.id if wanted else ""),
    )


def look_again(
    studio: Studio, visitor: str, run_id: str, chosen: str | None, picture: dict
) -> tuple:
    """Like `refresh`, but an exam that this page is waiting for stays in view, and one of any two models until another is chosen."""
    shown = picture if isinstance(picture, dict) else {}
    if studio.evaluation_jobs.is_busy_for(
        visitor
    ):  # asked of the server: the page may have begun to wait after it sent this
        return (gr.skip(),) * NUM_REFRESHED
    found = refresh(studio, visitor, run_id, chosen)
    return (
        (*found[: -len(Shown._fields)], *(gr.skip(),) * len(Shown._fields))
        if shown.get("is_pair") is True
        else found
    )


def choose(studio: Studio, visitor: str, run_id: str | None) -> Shown:
    """The exam of a run, or how to get one."""
    run = studio.visible(run_id, visitor)
    if run and run.state in LIVE_STATES:
        shown = nothing(TRAINING)
        return shown._replace(picture={**shown.picture, "run": run.id, "visitor": visitor})
    if run is None or not run.has_model:
        return nothing(NO_RUN)
    report = read_exam(run.folder)
    return (
        of_report(studio, under_present_names(report, run), run)
        if report
        else nothing(NO_EXAM, run)
    )


def evaluate_run(studio: Studio, visitor: str, run_id: str | None) -> Shown:
    """Starts the exam of a run in the background."""
    run = studio.visible(run_id, visitor)
    if run is None or not run.has_model or run.state in LIVE_STATES:
        raise UserError(
            "There is nothing to examine yet.",
            "No run with a saved model is chosen.",
            "Train a model first, or wait until it ends.",
        )
    report = read_exam(run.folder)
    return waiting(studio.evaluation_jobs.evaluate_run(run, owner(studio, visitor)), report)


def evaluate_pair(
    studio: Studio, visitor: str, text_id: str, base: str, tuned: str, text: str
) -> Shown:
    """Starts an exam of two models on any text, in the background."""
    called = [called_here(studio, visitor, name) for name in (base, tuned)]
    text = validation.text("The text", text or "", studio.limits.max_text_characters)
    corpus = Corpus.from_text(text) if text.strip() else studio.texts.get(text_id)
    return waiting(
        studio.evaluation_jobs.evaluate_pair(
            (base, tuned), tuple(called), corpus, owner(studio, visitor)
        ),
        None,
    )


def called_here(studio: Studio, visitor: str, name: str) -> str:
    """How a model is called in a report. Raises UserError when there is none of that name, or it is another visitor's run."""
    name = studio.usable(name, visitor)
    run = studio.run_named(name, visitor)
    return run_label(run) if run else name


def cancel_evaluation(studio: Studio, visitor: str, picture: dict) -> gr.Button:
    """Asks the exam in the background to stop."""
    evaluation_job = studio.evaluation_jobs.find(
        picture.get("run") if isinstance(picture, dict) else None, owner(studio, visitor)
    )
    if evaluation_job:
        evaluation_job.cancelled.set()
    return gr.Button(
        "Cancelling …" if evaluation_job and evaluation_job.live else "Cancel", interactive=False
    )


def ended(studio: Studio, visitor: str, run_id: str | None, event: gr.EventData) -> tuple:
    """A run has sat its exam, or an exam in the background is over: its report, or what went wrong."""
    asked = sent(event, "run")
    if studio.visible(asked, visitor):
        return refresh(studio, visitor, asked)
    evaluation_job, run = (
        studio.evaluation_jobs.find(asked, owner(studio, visitor)),
        studio.visible(run_id, visitor),
    )
    if evaluation_job is None or evaluation_job.live or evaluation_job.state == "cancelled":
        shown = choose(studio, visitor, run_id)
    elif evaluation_job.report is None:
        shown = nothing(str(evaluation_job.error), run, "none")
    else:
        shown = of_report(studio, evaluation_job.report, run)
        shown = shown._replace(picture={**shown.picture, "is_pair": evaluation_job.is_pair})
    return (*(gr.skip(),) * (NUM_REFRESHED - len(shown)), *shown)


def of_report(studio: Studio, report: Report, run: Run | None) -> Shown:
    """Everything the tab shows of a finished exam."""
    return Shown(
        verdict_of(report),
        {"facts": exam_facts(report)},
        still(report),
        score_table(report),
        cloze_table(report),
        gr.Button("Sit the exam again", interactive=run is not None),
        gr.Button("Cancel", interactive=False),
        gr.DownloadButton(
            value=written(
                studio.home, as_csv(exam_rows(report)), "exam.csv", run.id if run else ""
            ),
            interactive=True,
        ),
    )


def nothing(sentence: str, run: Run | None = None, outcome: str = "") -> Shown:
    """The tab without an exam, and why there is none."""
    return Shown(
        {"outcome": outcome, "sentence": sentence, "warnings": []},
        BLANK_FACTS,
        still(),
        score_table(None),
        cloze_table(None),
        gr.Button("Sit the exam", interactive=run is not None),
        gr.Button("Cancel", interactive=False),
        gr.DownloadButton(value=None, interactive=False),
    )


def waiting(evaluation_job: EvaluationJob, report: Report | None) -> Shown:
    """While an exam is being sat, what was there before stays."""
    skip = gr.skip()
    picture = {
        **still(report),
        "run": evaluation_job.id,
        "visitor": evaluation_job.owner,
        "empty": "The exam is being sat. You may go on with something else.",
    }
    return Shown(
        skip,
        skip,
        picture,
        skip,
        skip,
        gr.Button("Being examined …", interactive=False),
        gr.Button("Cancel", interactive=True),
        skip,
    )


def still(report: Report | None = None) -> dict:
    """The chart's value when nothing is going on."""
    return {
        "fig": figure_json(interval_chart(report)) if report else None,
        "run": None,
        "empty": "The two models' marks appear here.",
    }


def owner(studio: Studio, visitor: str) -> str:
    """Who asks. Raises UserError where strangers visit and this browser has no id yet."""
    if not studio.may_start(visitor):
        raise UserError(
            "The exam was not started.",
            "The page is not ready: this browser has no id yet.",
            "Reload the page and try again.",
        )
    return visitor if isinstance(visitor, str) else ""


def poller(studio: Studio):
    """The server function behind the progress bar."""

    def poll(asked: dict) -> dict | None:
        """How far a sitting is, or whether a run that is still being trained has ended; None when this visitor has neither."""
        asked = asked if isinstance(asked, dict) else {}
        evaluation_job, run = (
            studio.evaluation_jobs.find(asked.get("run"), asked.get("visitor")),
            looked_up(studio, asked),
        )
        if evaluation_job:
            note = {
                "waiting": "Waiting for another exam to end …",
                "running": f"{evaluation_job.share:.0%} of the blanks are answered.",
            }.get(evaluation_job.state, "")
            return {
                "cursor": 0,
                "progress": evaluation_job.share if evaluation_job.live else None,
                "note": note,
                "state": evaluation_job.state,
                "final": not evaluation_job.live,
            }
        if run:
            state = run.state
            return {
                "cursor": 0,
                "progress": None,
                "note": "",
                "state": state,
                "final": state not in LIVE_STATES,
            }
        return None

    return poll
