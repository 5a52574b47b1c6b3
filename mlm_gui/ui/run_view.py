"""The run that the page looks at: its chart, its buttons, and the answers to the components that ask by themselves."""

import csv
import io
from typing import NamedTuple

import gradio as gr

from mlm_gui.core.training.history import History
from mlm_gui.services.runs.run import LIVE_STATES, RESUMABLE_STATES, Run
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.chart import figure_json
from mlm_gui.ui.components.live import probe_timeline_value
from mlm_gui.ui.figures import loss_chart, loss_table, new_points, turn_marks
from mlm_gui.ui.run_text import BLANK_FACTS, MARKS, pill_text, run_facts, run_note, second_line

RESTING_STATES = ("finished", "stopped", "failed", "damaged")
"""A run in one of these changes only when somebody does something to it here: nobody has to ask again."""


NO_LINE = {"fig": None, "run": None, "facts": BLANK_FACTS}
NO_PROBES = "Two sentences of your text are watched while the model learns; or write your own under Sentences to watch."
BUTTONS = {"pause": "Pause", "go-on": "Go on", "one-step": "One step", "stop": "Stop and keep"}
"""End of the element id -> label, in the order of TrainingView."""


class TrainingView(NamedTuple):
    """What looking at a run, or at none, sets."""

    run_id: gr.BrowserState
    live: gr.HTML
    pill: gr.HTML
    probe_timeline: gr.HTML
    start: gr.Button
    pause: gr.Button
    resume: gr.Button
    one_step: gr.Button
    stop: gr.Button


def view_of(studio: Studio, run: Run, visitor: str = "") -> TrainingView:
    """Everything the page shows of a run. The visitor's id travels with it, since what a component asks later carries no session."""
    snapshot = run.snapshot()
    state = snapshot.state
    asked = {"run": run.id, "visitor": visitor if isinstance(visitor, str) else "", "state": state}
    return TrainingView(
        run.id,
        {
            "fig": figure_json(loss_chart(History())),
            "empty": "",
            "facts": run_facts(snapshot.history),
            **asked,
        },
        {**asked, "name": snapshot.name},
        {**probe_timeline_value(snapshot), **asked},
        gr.Button("Queue another run" if state in LIVE_STATES else "Start training"),
        *controls(state, snapshot.checkpoint_step),
    )


def view_of_none(sentence: str) -> TrainingView:
    """The page without a run, and a sentence in the place of its line."""
    return TrainingView(
        "",
        {**NO_LINE, "empty": sentence},
        {"run": None},
        {"run": None, "steps": [], "rows": [], "empty": NO_PROBES},
        gr.Button("Start training"),
        *(gr.Button(label, interactive=False) for label in BUTTONS.values()),
    )


def controls(state: str, checkpoint_step: int) -> tuple[gr.Button, gr.Button, gr.Button, gr.Button]:
    """Pause, Go on, One step and Stop, each enabled exactly when it makes sense."""
    step = checkpoint_step if state in RESUMABLE_STATES else 0
    return (
        gr.Button("Pause", interactive=state == "running"),
        gr.Button(
            f"Go on from step {step:,}" if step else "Go on", interactive=state in RESUMABLE_STATES
        ),
        gr.Button("One step", interactive=state in ("paused", "interrupted")),
        gr.Button(
            "Leave the queue" if state == "queued" and not step else "Stop and keep",
            interactive=_may_stop(state, checkpoint_step),
        ),
    )


def _may_stop(state: str, checkpoint_step: int) -> bool:
    return (
        state in LIVE_STATES
        or state == "paused"
        or (state == "interrupted" and checkpoint_step > 0)
    )


def looked_up(studio: Studio, asked: object) -> Run | None:
    """The run that a component asks about, when its visitor may see it; everything asked comes from a browser."""
    return (
        studio.visible(asked.get("run"), asked.get("visitor")) if isinstance(asked, dict) else None
    )


def poller(studio: Studio):
    """The server function behind the live chart."""

    def poll(asked: dict) -> dict | None:
        """What is new of a run since the cursor, or its numbers as a table or as CSV; None when there is no such run."""
        run = looked_up(studio, asked)
        if run is None:
            return None
        snapshot = run.snapshot()
        state, history = snapshot.state, snapshot.history
        if asked.get("want") in ("table", "csv"):
            head, rows = loss_table(history, None if asked["want"] == "csv" else 50)
            return (
                {"csv": _csv(head, rows)}
                if asked["want"] == "csv"
                else {"head": head, "rows": rows}
            )
        add, replace, cursor = new_points(history, asked.get("cursor"))
        marks = turn_marks(history)
        return {
            "cursor": cursor,
            "add": add,
            "replace": replace,
            "marks": marks if replace is not None else None,
            "x_max": history.started.total_steps if history.started else None,
            "facts": run_facts(history),
            "note": run_note(studio, snapshot),
            "more": second_line(snapshot),
            "progress": history.num_steps / history.started.total_steps
            if history.started
            else None,
            "state": state,
            "final": state in RESTING_STATES,
        }

    return poll


def pill_poller(studio: Studio):
    """The server function behind the pill in the header."""

    def poll(asked: dict) -> dict | None:
        """One line about the run."""
        run = looked_up(studio, asked)
        if run is None or run.job is None:
            return None
        snapshot = run.snapshot()
        return {
            "text": pill_text(studio, snapshot),
            "mark": MARKS[snapshot.state],
            "state": snapshot.state,
            "final": snapshot.state in RESTING_STATES,
        }

    return poll


def _csv(head: list[str], rows: list[list]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows([head, *rows])
    return file.getvalue()
