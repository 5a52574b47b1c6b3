"""What the exam tab shows: an exam, the wait for one, or why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import gradio as gr

from mlm_gui.services.jobs.evaluations import EvaluationJob
from mlm_gui.services.runs.run import Run
from mlm_gui.services.storage.spreadsheet import as_csv, exam_rows, written
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.chart import figure_json
from mlm_gui.ui.tabs.exam.chart import interval_chart
from mlm_gui.ui.tabs.exam.values import (
    BLANK_FACTS,
    cloze_table,
    exam_facts,
    score_table,
    verdict_of,
)
from mlm_gui.ui.wiring import Slot

if TYPE_CHECKING:
    from mlm_gui.core.evaluation.report import Report

RUN_EXAM, RUN_AGAIN = "Run the exam", "Run the exam again"
CANCEL = "Cancel"
EMPTY_CHART = "The two models' marks appear here."
UNDER_WAY = "The exam is being sat. You may go on with something else."


class ExamView(NamedTuple):
    """What an exam, or none, sets."""

    verdict: Slot
    numbers: Slot
    picture: Slot
    scores: Slot
    cloze: Slot
    start: Slot
    cancel: Slot
    download: Slot


class ExamLists(NamedTuple):
    """The list of runs, and the two lists of models."""

    run: Slot
    base: Slot
    tuned: Slot


class ExamTabView(NamedTuple):
    """What a change of the runs changes."""

    lists: ExamLists
    exam: ExamView


def view_of_report(studio: Studio, report: Report, run: Run | None) -> ExamView:
    """Everything the tab shows of an exam."""
    table = as_csv(exam_rows(report))
    path = written(studio.home, table, "exam.csv", run.id if run else "")
    return ExamView(
        verdict=verdict_of(report),
        numbers={"facts": exam_facts(report)},
        picture=still(report),
        scores=score_table(report),
        cloze=cloze_table(report),
        start=gr.Button(RUN_AGAIN, interactive=run is not None),
        cancel=gr.Button(CANCEL, interactive=False),
        download=gr.DownloadButton(value=path, interactive=True),
    )


def view_of_none(sentence: str, run: Run | None = None, outcome: str = "") -> ExamView:
    """The tab without an exam, and why there is none."""
    return ExamView(
        verdict={"outcome": outcome, "sentence": sentence, "warnings": []},
        numbers=BLANK_FACTS,
        picture=still(),
        scores=score_table(None),
        cloze=cloze_table(None),
        start=gr.Button(RUN_EXAM, interactive=run is not None),
        cancel=gr.Button(CANCEL, interactive=False),
        download=gr.DownloadButton(value=None, interactive=False),
    )


def view_of_job(job: EvaluationJob, report: Report | None) -> ExamView:
    """While an exam is under way: what was there before stays."""
    asked = {"run": job.id, "visitor": job.owner, "empty": UNDER_WAY}
    same = ExamView(*[gr.skip()] * len(ExamView._fields))
    return same._replace(
        picture={**still(report), **asked},
        start=gr.Button("Being examined …", interactive=False),
        cancel=gr.Button(CANCEL, interactive=True),
    )


def still(report: Report | None = None) -> dict[str, Any]:
    """The chart's value when nothing is under way."""
    figure = figure_json(interval_chart(report)) if report else None
    return {"fig": figure, "run": None, "empty": EMPTY_CHART}
