"""Tab 6, Runs: every run of this visitor; compare their curves, rename, go on, give more passes, start anew from a model, delete."""

from typing import NamedTuple

import gradio as gr

from mlm_gui.errors import UserError
from mlm_gui.services.models.references import name_of_run, names_run
from mlm_gui.services.runs.registry import check_deletable, delete
from mlm_gui.services.runs.run import LIVE_STATES, RESUMABLE_STATES, Run
from mlm_gui.services.runs.summary import RunSummary
from mlm_gui.services.studio import Studio
from mlm_gui.ui.component_events import answer_to, sent
from mlm_gui.ui.components.chart import chart, figure_json
from mlm_gui.ui.components.live import run_list
from mlm_gui.ui.figures import MAX_OVERLAID, overlay_chart
from mlm_gui.ui.run_text import LOSS_NAME, MARKS, format_bytes
from mlm_gui.ui.run_view import view_of
from mlm_gui.ui.session import Session
from mlm_gui.ui.tabs.train.tab import TrainingTab, check_owner, model_choices
from mlm_gui.ui.wiring import on

HEAD = ["text", "model", "steps", LOSS_NAME, "started", "on disk"]
NO_RUNS = "No run yet. Bring a text, open Train and press Start training: the run is then listed here, and stays."
LISTING = "listing"
"""The concurrency id of what lists runs anew: answers come in the order of the questions, and the last one knows every box."""
NOTHING_CHOSEN = {
    "fig": None,
    "empty": f"Choose runs by their boxes: the curves of up to {MAX_OVERLAID} are laid over each other here.",
}


class RunsTab(NamedTuple):
    """The parts the page needs."""

    view: "RunsView"
    changed: tuple
    """Events after which a run has another name, or is gone."""
    opened: object
    """Event: the page looks at another run."""


class RunsView(NamedTuple):
    """What a change of the runs, or of those that are chosen, changes."""

    runs: gr.HTML
    total: gr.Markdown
    curves: gr.HTML
    name: gr.Textbox
    rename: gr.Button
    resume: gr.Button
    more: gr.Button
    anew: gr.Button
    delete: gr.Button
    asked: gr.Markdown
    sure: gr.Button
    keep: gr.Button


def build(
    studio: Studio, session: Session, training: TrainingTab, tabs: gr.Tabs, tab: gr.Tab
) -> RunsTab:
    """Lays the tab out and wires it."""
    gr.Markdown(
        "Every run of yours, newest first. Choose some to compare their curves, or press a name to open it in Train.",
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
            resume = gr.Button("Go on", interactive=False, elem_id="runs-go-on")
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
            remove = gr.Button("Delete …", interactive=False, elem_id="runs-delete")
            asked = gr.Markdown(elem_id="runs-asked", visible=False)
            with gr.Row(elem_classes="actions"):
                sure = gr.Button("Yes, delete", variant="stop", elem_id="runs-sure", visible=False)
                keep = gr.Button("Keep", elem_id="runs-keep", visible=False)
        with gr.Column(min_width=320, scale=3):
            curves = chart(
                "Loss of the chosen runs", value=NOTHING_CHOSEN, elem_id="runs-chart", height=380
            )

    view = RunsView(
        runs, total, curves, name, rename, resume, more, anew, remove, asked, sure, keep
    )
    who = [session.visitor, runs]
    for news in (tab.select, training.finished.then, runs.changed):
        on(news, refresh, studio, who, view, concurrency_id=LISTING)
    on(runs.choose, choose, studio, who, view, trigger_mode="multiple", concurrency_id=LISTING)
    opened = on(runs.open, open_run, studio, session.visitor, [*training.view, tabs])
    renamed = [
        on(event, rename_run, studio, [*who, name], view) for event in (rename.click, name.submit)
    ]
    for button, handler, inputs in ((resume, go_on_with, who), (more, train_more, [*who, passes])):
        on(button.click, handler, studio, inputs, [*training.view, tabs])
    on(anew.click, start_anew, studio, who, [training.model, tabs])
    on(remove.click, ask_once, studio, who, [asked, sure, keep])
    on(keep.click, refresh, studio, who, view)
    deleted = on(sure.click, delete_chosen, studio, who, view)
    return RunsTab(view, (*renamed, deleted), opened)


def poller(studio: Studio):
    """The server function behind the list."""

    def poll(asked: dict) -> dict:
        """The rows as they are now."""
        lines = summaries_of(studio, asked.get("visitor") if isinstance(asked, dict) else None)
        return {
            "rows": rows_of(lines),
            "is_alive": any(line.state in LIVE_STATES for line in lines),
        }

    return poll


def summaries_of(studio: Studio, visitor: str) -> list[RunSummary]:
    """One line for each of this visitor's runs, newest first."""
    return [studio.run_summaries.line(run) for run in studio.visible_runs(visitor)]


def refresh(studio: Studio, visitor: str, runs: dict) -> RunsView:
    """The list as it is now; what was chosen stays chosen where it is still there."""
    return _view(studio, visitor, runs.get("chosen") if isinstance(runs, dict) else None)


def choose(studio: Studio, visitor: str, runs: dict, event: gr.EventData) -> RunsView:
    """Boxes were ticked."""
    view = _view(studio, visitor, sent(event, "ids"))
    return view._replace(runs=answer_to(event, view.runs))


def open_run(studio: Studio, visitor: str, event: gr.EventData) -> tuple:
    """A name was pressed: the Train tab looks at that run."""
    run = studio.visible(sent(event, "run"), visitor)
    if run is None:
        raise _nothing_chosen()
    return *view_of(studio, run, visitor), gr.Tabs(selected="train")


def rename_run(studio: Studio, visitor: str, runs: dict, name: str) -> RunsView:
    """Gives the chosen run another name."""
    _the_one(studio, visitor, runs).rename(name)
    return refresh(studio, visitor, runs)


def go_on_with(studio: Studio, visitor: str, runs: dict) -> tuple:
    """Puts the chosen run in the queue again, and shows it."""
    run = _the_one(studio, visitor, runs)
    with studio.preflight.measuring_paused():
        studio.training_queue.resume(run, check_owner(studio, visitor))
    return *view_of(studio, run, visitor), gr.Tabs(selected="train")


def train_more(studio: Studio, visitor: str, runs: dict, passes: float) -> tuple:
    """Gives the chosen, finished run more passes and puts it in the queue."""
    run = _the_one(studio, visitor, runs)
    with studio.preflight.measuring_paused():
        studio.training_queue.train_more(run, passes, check_owner(studio, visitor))
    return *view_of(studio, run, visitor), gr.Tabs(selected="train")


def start_anew(studio: Studio, visitor: str, runs: dict) -> tuple:
    """Puts the chosen run's model in the Train tab's list, and switches there."""
    run = _the_one(studio, visitor, runs)
    return gr.Dropdown(model_choices(studio, visitor), value=name_of_run(run.id)), gr.Tabs(
        selected="train"
    )


def ask_once(studio: Studio, visitor: str, runs: dict) -> tuple:
    """Says in words what would be erased."""
    chosen = _chosen(studio, visitor, runs.get("chosen") if isinstance(runs, dict) else None)
    if not chosen:
        raise _nothing_chosen()
    check_deletable(*chosen)
    size = format_bytes(sum(run.disk_bytes for run in chosen))
    what = "This erases the run" if len(chosen) == 1 else f"This erases {len(chosen)} runs"
    words = f"{what} with the text kept in it, its history, checkpoints and model: {size}. It cannot be brought back."
    return gr.Markdown(words, visible=True), gr.Button(visible=True), gr.Button(visible=True)


def delete_chosen(studio: Studio, visitor: str, runs: dict) -> RunsView:
    """Deletes what is chosen, or nothing."""
    chosen = _chosen(studio, visitor, runs.get("chosen") if isinstance(runs, dict) else None)
    if not chosen:
        raise _nothing_chosen()
    delete(*chosen)
    return _view(studio, visitor, [])


def _view(studio: Studio, visitor: str, ids: object) -> RunsView:
    lines = {line.id: line for line in summaries_of(studio, visitor)}
    chosen = _chosen(studio, visitor, ids)
    one = chosen[0] if len(chosen) == 1 else None
    line = lines.get(one.id) if one else None
    sound = [run for run in chosen if run.job][:MAX_OVERLAID]
    curves = NOTHING_CHOSEN
    if sound:
        told = [(f"{place + 1}: {run.job.name}", run.history()) for place, run in enumerate(sound)]
        rows = [
            [name, score.step, round(score.loss, 4), round(score.top1, 4)]
            for name, history in told
            for score in _some(history.evaluations)
        ]
        head = ["run", "step", LOSS_NAME, "right first guess"]
        curves = {
            "fig": figure_json(overlay_chart(told)),
            "empty": "",
            "table": {"head": head, "rows": rows},
        }
    used = format_bytes(sum(line.disk_bytes for line in lines.values()))
    return RunsView(
        {
            "rows": rows_of(list(lines.values())),
            "chosen": [run.id for run in chosen],
            "head": HEAD,
            "empty": NO_RUNS,
            "visitor": visitor if isinstance(visitor, str) else "",
        },
        f"{len(lines)} {'run' if len(lines) == 1 else 'runs'}, {used} on disk." if lines else "",
        curves,
        gr.Textbox(
            value=one.job.name if one and one.job else "", interactive=bool(one and one.job)
        ),
        gr.Button(interactive=bool(one and one.job)),
        gr.Button(interactive=bool(line and line.state in RESUMABLE_STATES)),
        gr.Button(interactive=bool(line and line.state == "finished")),
        gr.Button(interactive=bool(line and line.has_model)),
        gr.Button(
            interactive=bool(chosen)
            and not any(lines[run.id].state in LIVE_STATES for run in chosen if run.id in lines)
        ),
        gr.Markdown(visible=False),
        gr.Button(visible=False),
        gr.Button(visible=False),
    )


def rows_of(lines: list[RunSummary]) -> list[dict]:
    """The list as the component takes it."""
    names = {name_of_run(line.id): line.name for line in lines}
    return [_row(line, names) for line in lines]


def _row(line: RunSummary, names: dict[str, str]) -> dict:
    losses = (
        f"{line.before:.2f} → {line.after:.2f}"
        if line.before is not None and line.after is not None
        else "–"
    )
    losses += f" (step {line.best_step_kept:,} kept)" if line.best_step_kept is not None else ""
    model = (
        (f"run “{names[line.model]}”" if line.model in names else "a run that is gone")
        if names_run(line.model)
        else line.model
    )
    steps = f"{line.num_steps:,} of {line.total_steps:,}" if line.total_steps else "–"
    cells = [
        line.text,
        model,
        steps,
        losses,
        line.created[:16].replace("T", " "),
        format_bytes(line.disk_bytes),
    ]
    return {
        "id": line.id,
        "name": line.name,
        "state": line.state,
        "mark": MARKS[line.state],
        "why": line.why,
        "cells": cells,
    }


def _some(scores: list, most: int = 10) -> list:
    return (
        scores
        if len(scores) <= most
        else [scores[round(place * (len(scores) - 1) / (most - 1))] for place in range(most)]
    )


def _chosen(studio: Studio, visitor: str, ids: object) -> list[Run]:
    """The runs of these ids that are there and may be seen; ids come from a browser."""
    found = (
        [
            studio.visible(run_id, visitor)
            for run_id in dict.fromkeys(i for i in ids[:500] if isinstance(i, str))
        ]
        if isinstance(ids, list)
        else []
    )
    return [run for run in found if run]


def _the_one(studio: Studio, visitor: str, runs: object) -> Run:
    chosen = _chosen(studio, visitor, runs.get("chosen") if isinstance(runs, dict) else None)
    if len(chosen) != 1:
        raise _nothing_chosen()
    return chosen[0]


def _nothing_chosen() -> UserError:
    return UserError(
        "Nothing was changed.",
        "This needs exactly one chosen run that is still there.",
        "Choose one by its box in the list.",
    )
