"""The run that the page looks at: its chart, its buttons, and the answers to its components."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import gradio as gr

from mlm_gui.core.training.history import History
from mlm_gui.services.runs.run import LIVE_STATES, RESUMABLE_STATES, Run
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.chart import figure_json
from mlm_gui.ui.components.live import probe_timeline_value
from mlm_gui.ui.door import OneOf, Otherwise, RunId, VisitorId
from mlm_gui.ui.figures import loss_chart, loss_table, new_points, turn_marks
from mlm_gui.ui.run_text import BLANK_FACTS, MARKS, pill_text, run_facts, run_note, second_line
from mlm_gui.ui.wiring import Slot

RESTING_STATES = ("finished", "stopped", "failed", "damaged")
"""A run in one of these changes only by something a person does here: nobody has to ask again."""
TABLE_ROWS = 50
"""Rows of the numbers under the chart; the CSV file holds all of them."""
NO_LINE = {"fig": None, "run": None, "facts": BLANK_FACTS}
NO_PROBES = (
    "Two sentences of your text are watched while the model learns; "
    "or write your own under Sentences to watch."
)
PAUSE, RESUME, ONE_STEP, STOP = "Pause", "Resume", "Take one step", "Stop and save"


class TrainingView(NamedTuple):
    """What looking at a run, or at none, sets."""

    run_id: Slot
    live: Slot
    pill: Slot
    probe_timeline: Slot
    start: Slot
    pause: Slot
    resume: Slot
    one_step: Slot
    stop: Slot


class Controls(NamedTuple):
    """The buttons under the chart."""

    pause: gr.Button
    resume: gr.Button
    one_step: gr.Button
    stop: gr.Button


def view_of(studio: Studio, run: Run, visitor: str = "") -> TrainingView:
    """Everything the page shows of a run.

    The visitor's id travels with it: what a component asks later carries no session.
    """
    snapshot = run.snapshot()
    state, history = snapshot.state, snapshot.history
    asked = {"run": run.id, "visitor": visitor, "state": state}
    live = {"fig": figure_json(loss_chart(History())), "empty": "", "facts": run_facts(history)}
    start = "Queue another run" if state in LIVE_STATES else "Start training"
    return TrainingView(
        run_id=run.id,
        live={**live, **asked},
        pill={**asked, "name": snapshot.name},
        probe_timeline={**probe_timeline_value(snapshot), **asked},
        start=gr.Button(start),
        **controls(state, snapshot.checkpoint_step)._asdict(),
    )


def view_of_none(sentence: str) -> TrainingView:
    """The page without a run, and a sentence in the place of its line."""
    return TrainingView(
        run_id="",
        live={**NO_LINE, "empty": sentence},
        pill={"run": None},
        probe_timeline={"run": None, "steps": [], "rows": [], "empty": NO_PROBES},
        start=gr.Button("Start training"),
        pause=gr.Button(PAUSE, interactive=False),
        resume=gr.Button(RESUME, interactive=False),
        one_step=gr.Button(ONE_STEP, interactive=False),
        stop=gr.Button(STOP, interactive=False),
    )


def controls(state: str, checkpoint_step: int) -> Controls:
    """The four buttons, each enabled exactly when it makes sense."""
    step = checkpoint_step if state in RESUMABLE_STATES else 0
    return Controls(
        pause=gr.Button(PAUSE, interactive=state == "running"),
        resume=gr.Button(
            f"{RESUME} from step {step:,}" if step else RESUME,
            interactive=state in RESUMABLE_STATES,
        ),
        one_step=gr.Button(ONE_STEP, interactive=state in ("paused", "interrupted")),
        stop=gr.Button(
            "Leave the queue" if state == "queued" and not step else STOP,
            interactive=_may_stop(state, checkpoint_step),
        ),
    )


def _may_stop(state: str, checkpoint_step: int) -> bool:
    if state == "interrupted":
        return checkpoint_step > 0
    return state in LIVE_STATES or state == "paused"


@dataclass(frozen=True)
class ChartQuestion:
    """What the live chart asks."""

    run: RunId
    visitor: VisitorId = VisitorId("")
    cursor: Annotated[tuple[int, ...] | None, Otherwise(None)] = None
    """The last answer's own `cursor`."""
    want: Annotated[str, OneOf("What is wanted", ("points", "table", "csv"))] = "points"


def poller(studio: Studio) -> Callable[[ChartQuestion], dict[str, Any] | None]:
    """The server function behind the live chart."""

    def poll(asked: ChartQuestion) -> dict[str, Any] | None:
        """What is new of a run since the cursor, or its numbers as a table or as CSV.

        None when there is no such run.
        """
        run = studio.visible(asked.run, asked.visitor)
        if run is None:
            return None
        snapshot = run.snapshot()
        history = snapshot.history
        if asked.want == "csv":
            return {"csv": _csv(*loss_table(history, None))}
        if asked.want == "table":
            head, rows = loss_table(history, TABLE_ROWS)
            return {"head": head, "rows": rows}
        news = new_points(history, asked.cursor)
        started = history.started
        return {
            "cursor": news.cursor,
            "add": news.add,
            "replace": news.replace,
            "marks": turn_marks(history) if news.replace is not None else None,
            "x_max": started.total_steps if started else None,
            "facts": run_facts(history),
            "note": run_note(studio, snapshot),
            "more": second_line(snapshot),
            "progress": history.num_steps / started.total_steps if started else None,
            "state": snapshot.state,
            "final": snapshot.state in RESTING_STATES,
        }

    return poll


@dataclass(frozen=True)
class PillQuestion:
    """What the pill in the header asks."""

    run: RunId
    visitor: VisitorId = VisitorId("")


def pill_poller(studio: Studio) -> Callable[[PillQuestion], dict[str, Any] | None]:
    """The server function behind the pill in the header."""

    def poll(asked: PillQuestion) -> dict[str, Any] | None:
        """One line about the run; None when there is no such run."""
        run = studio.visible(asked.run, asked.visitor)
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


def _csv(head: list[str], rows: list[list[Any]]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([head, *rows])
    return file.getvalue()
