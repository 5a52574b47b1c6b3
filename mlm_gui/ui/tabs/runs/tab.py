"""Tab 6, Runs: compare the curves of runs, rename, resume, give more passes, delete."""

from __future__ import annotations

from typing import NamedTuple

import gradio as gr
from gradio.events import Dependency

from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.chart import chart
from mlm_gui.ui.components.live import run_list
from mlm_gui.ui.run_view import RESUME
from mlm_gui.ui.session import Session
from mlm_gui.ui.tabs.runs import changes
from mlm_gui.ui.tabs.runs.view import HEAD, NO_RUNS, NOTHING_CHOSEN, RunsView, poller
from mlm_gui.ui.tabs.train.tab import TrainingTab
from mlm_gui.ui.wiring import on

LISTING = "listing"
"""The concurrency id of what lists runs anew: answers come in the order of the questions, and the
last one knows every box."""


class RunsTab(NamedTuple):
    """The parts the page needs."""

    view: RunsView
    changed: tuple[Dependency, ...]
    """Events after which a run has another name, or is gone."""
    opened: Dependency
    """Event: the page looks at another run."""


class OtherWidgets(NamedTuple):
    """What is not part of the view."""

    passes: gr.Number
    tabs: gr.Tabs


def build(
    studio: Studio, session: Session, training: TrainingTab, tabs: gr.Tabs, tab: gr.Tab
) -> RunsTab:
    """Lays the tab out and wires it."""
    gr.Markdown(
        "Every run of yours, newest first. "
        "Choose some to compare their curves, or press a name to open it in Train.",
        elem_classes="lead",
    )
    with gr.Column(elem_classes="card"):
        runs = run_list(
            "Runs, newest first",
            poller(studio),
            value={"rows": [], "chosen": [], "head": HEAD, "empty": NO_RUNS},
            elem_id="runs-list",
        )
        total = gr.Markdown(elem_id="runs-total", elem_classes="quiet")
    with gr.Row(elem_classes="split"):
        with gr.Column(elem_classes="card", min_width=290, scale=1):
            gr.Markdown("### What is chosen")
            name = gr.Textbox(
                label="name", max_lines=1, max_length=80, interactive=False, elem_id="runs-name"
            )
            rename = gr.Button("Rename", interactive=False, elem_id="runs-rename")
            resume = gr.Button(RESUME, interactive=False, elem_id="runs-resume")
            passes = gr.Number(
                2,
                precision=0,
                minimum=1,
                maximum=100,
                label="more passes over the text",
                elem_id="runs-passes",
            )
            more = gr.Button("Train it for more passes", interactive=False, elem_id="runs-more")
            anew = gr.Button("New run from its model", interactive=False, elem_id="runs-anew")
            delete = gr.Button("Delete …", interactive=False, elem_id="runs-delete")
            asked = gr.Markdown(elem_id="runs-asked", visible=False)
            with gr.Row(elem_classes="actions"):
                sure = gr.Button("Yes, delete", variant="stop", elem_id="runs-sure", visible=False)
                keep = gr.Button("Keep", elem_id="runs-keep", visible=False)
        with gr.Column(min_width=320, scale=3):
            curves = chart(
                "Loss of the chosen runs", value=NOTHING_CHOSEN, elem_id="runs-chart", height=380
            )
    view = RunsView(
        runs=runs,
        total=total,
        curves=curves,
        name=name,
        rename=rename,
        resume=resume,
        more=more,
        anew=anew,
        delete=delete,
        asked=asked,
        sure=sure,
        keep=keep,
    )
    opened = _wire_list(studio, session, view, training, tabs, tab)
    changed = _wire_changes(studio, session, view, training, OtherWidgets(passes, tabs))
    return RunsTab(view, changed, opened)


def _wire_list(
    studio: Studio,
    session: Session,
    view: RunsView,
    training: TrainingTab,
    tabs: gr.Tabs,
    tab: gr.Tab,
) -> Dependency:
    """What lists the runs anew; returns the event that opens one in Train."""
    runs, chosen = view.runs, [session.visitor, view.runs]
    for news in (tab.select, training.finished.then, runs.changed):
        on(news, changes.refresh, studio, chosen, view, concurrency_id=LISTING)
    every = {"trigger_mode": "multiple", "concurrency_id": LISTING}
    on(runs.choose, changes.choose, studio, session.visitor, view, **every)
    opened = changes.Opened(training.view, tabs)
    return on(runs.open, changes.open_run, studio, session.visitor, opened)


def _wire_changes(
    studio: Studio,
    session: Session,
    view: RunsView,
    training: TrainingTab,
    other: OtherWidgets,
) -> tuple[Dependency, ...]:
    """What changes runs; returns the events after which one has another name, or is gone."""
    chosen = [session.visitor, view.runs]
    named = [*chosen, view.name]
    opened = changes.Opened(training.view, other.tabs)
    anew = changes.ModelChosen(training.model, other.tabs)
    question = changes.DeleteQuestion(view.asked, view.sure, view.keep)
    renamed = [
        on(event, changes.rename_run, studio, named, view)
        for event in (view.rename.click, view.name.submit)
    ]
    on(view.resume.click, changes.resume_chosen, studio, chosen, opened)
    on(view.more.click, changes.train_more, studio, [*chosen, other.passes], opened)
    on(view.anew.click, changes.start_anew, studio, chosen, anew)
    on(view.delete.click, changes.ask_once, studio, chosen, question)
    on(view.keep.click, changes.refresh, studio, chosen, view)
    deleted = on(view.sure.click, changes.delete_chosen, studio, chosen, view)
    return (*renamed, deleted)
