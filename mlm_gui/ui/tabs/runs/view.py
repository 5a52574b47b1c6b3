"""What the Runs tab shows: the list, the curves of the chosen runs, what can be done to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import gradio as gr

from mlm_gui.core.formatting import format_bytes
from mlm_gui.core.training.history import History
from mlm_gui.services.models.references import name_of_run, names_run
from mlm_gui.services.runs.run import LIVE_STATES, RESUMABLE_STATES, Run
from mlm_gui.services.runs.summary import RunSummary
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.chart import figure_json
from mlm_gui.ui.door import RunId, VisitorId
from mlm_gui.ui.figures import MAX_OVERLAID, evenly, overlay_chart
from mlm_gui.ui.run_text import LOSS_NAME, MARKS, job_of
from mlm_gui.ui.wiring import Slot

HEAD = ["text", "model", "steps", LOSS_NAME, "started", "on disk"]
"""Of the list, after the run's name and state."""
CURVES_HEAD = ["run", "step", LOSS_NAME, "right first guess"]
TABLE_ROWS = 10
"""Evaluations of one run in the table under the curves."""
NO_RUNS = (
    "No run yet. Bring a text, open Train and press Start training: "
    "the run is then listed here, and stays."
)
NOTHING_CHOSEN = {
    "fig": None,
    "empty": f"Choose runs by their boxes: the curves of up to {MAX_OVERLAID} are laid over each "
    "other here.",
}


class RunsView(NamedTuple):
    """What a change of the runs, or of those that are chosen, changes."""

    runs: Slot
    total: Slot
    curves: Slot
    name: Slot
    rename: Slot
    resume: Slot
    more: Slot
    anew: Slot
    delete: Slot
    asked: Slot
    sure: Slot
    keep: Slot


@dataclass(frozen=True)
class ListQuestion:
    """What the list of runs asks."""

    visitor: VisitorId = VisitorId("")


def poller(studio: Studio) -> Callable[[ListQuestion], dict[str, Any]]:
    """The server function behind the list."""

    def poll(asked: ListQuestion) -> dict[str, Any]:
        """The rows as they are now."""
        lines = summaries_of(studio, asked.visitor)
        is_alive = any(line.state in LIVE_STATES for line in lines)
        return {"rows": rows_of(lines), "is_alive": is_alive}

    return poll


def summaries_of(studio: Studio, visitor: str) -> list[RunSummary]:
    """One line for each of this visitor's runs, newest first."""
    return [studio.run_summaries.line(run) for run in studio.visible_runs(visitor)]


def view_of_runs(studio: Studio, visitor: VisitorId, ids: Sequence[RunId]) -> RunsView:
    """The list as it is now, with the runs of these ids chosen where they are there."""
    lines = {line.id: line for line in summaries_of(studio, visitor)}
    chosen = chosen_runs(studio, visitor, ids)
    rows = {
        "rows": rows_of(list(lines.values())),
        "chosen": [run.id for run in chosen],
        "head": HEAD,
        "empty": NO_RUNS,
        "visitor": visitor,
    }
    one = chosen[0] if len(chosen) == 1 else None
    line = lines.get(one.id) if one else None
    job = one.job if one else None
    states = [lines[run.id].state for run in chosen if run.id in lines]
    can_delete = bool(chosen) and not any(state in LIVE_STATES for state in states)
    return RunsView(
        runs=rows,
        total=_total(list(lines.values())),
        curves=_curves(chosen),
        name=gr.Textbox(value=job.name if job else "", interactive=job is not None),
        rename=gr.Button(interactive=job is not None),
        resume=gr.Button(interactive=line is not None and line.state in RESUMABLE_STATES),
        more=gr.Button(interactive=line is not None and line.state == "finished"),
        anew=gr.Button(interactive=line is not None and line.has_model),
        delete=gr.Button(interactive=can_delete),
        asked=gr.Markdown(visible=False),
        sure=gr.Button(visible=False),
        keep=gr.Button(visible=False),
    )


def chosen_runs(studio: Studio, visitor: VisitorId, ids: Sequence[RunId]) -> list[Run]:
    """The runs of these ids that are there and may be seen, each once."""
    runs = [studio.visible(run_id, visitor) for run_id in dict.fromkeys(ids)]
    return [run for run in runs if run]


def _total(lines: list[RunSummary]) -> str:
    """How many runs there are, and the room they take."""
    if not lines:
        return ""
    used = format_bytes(sum(line.disk_bytes for line in lines))
    return f"{len(lines)} {'run' if len(lines) == 1 else 'runs'}, {used} on disk."


def _curves(chosen: list[Run]) -> dict[str, Any]:
    """The chart of the chosen runs, and its numbers."""
    sound = [run for run in chosen if run.job is not None][:MAX_OVERLAID]
    named = [
        (f"{number}: {job_of(run).name}", run.history()) for number, run in enumerate(sound, 1)
    ]
    if not named:
        return NOTHING_CHOSEN
    rows = [row for name, history in named for row in _curve_rows(name, history)]
    return {
        "fig": figure_json(overlay_chart(named)),
        "empty": "",
        "table": {"head": CURVES_HEAD, "rows": rows},
    }


def _curve_rows(name: str, history: History) -> list[list[Any]]:
    return [
        [name, score.step, round(score.loss, 4), round(score.top1, 4)]
        for score in evenly(history.evaluations, TABLE_ROWS)
    ]


def rows_of(lines: list[RunSummary]) -> list[dict[str, Any]]:
    """The list as the component takes it."""
    names = {name_of_run(line.id): line.name for line in lines}
    return [
        {
            "id": line.id,
            "name": line.name,
            "state": line.state,
            "mark": MARKS[line.state],
            "why": line.why,
            "cells": [
                line.text,
                _model(line, names),
                f"{line.num_steps:,} of {line.total_steps:,}" if line.total_steps else "–",
                _losses(line),
                line.created[:16].replace("T", " "),
                format_bytes(line.disk_bytes),
            ],
        }
        for line in lines
    ]


def _model(line: RunSummary, names: dict[str, str]) -> str:
    """The model that a run started from. names: of the runs in the list, by their model's name."""
    if not names_run(line.model):
        return line.model
    return f"run “{names[line.model]}”" if line.model in names else "a run that is gone"


def _losses(line: RunSummary) -> str:
    if line.before is None or line.after is None:
        losses = "–"
    else:
        losses = f"{line.before:.2f} → {line.after:.2f}"
    kept = line.best_step_kept
    return losses if kept is None else f"{losses} (step {kept:,} kept)"
