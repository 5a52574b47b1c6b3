"""The handlers of a run in view: pause, resume, one step, stop, and show it anew."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from mlm_gui.errors import UserError
from mlm_gui.services.runs.run import LIVE_STATES, Run
from mlm_gui.services.studio import Studio
from mlm_gui.ui.door import RunId, VisitorId
from mlm_gui.ui.run_view import TrainingView, view_of, view_of_none
from mlm_gui.ui.tabs.train.request import check_may_start

GONE = "That run is not here any more. Choose another one under Runs, or start a new one."


def run_in_view(studio: Studio, visitor: VisitorId, run_id: RunId) -> Run:
    """The run that the page looks at. Raises UserError when there is none of this visitor."""
    run = studio.visible(run_id, visitor)
    if run is None:
        raise UserError(
            "There is no such run.",
            "It is not on this server any more.",
            "Choose another one under Runs, or start one.",
        )
    return run


def pause_run(studio: Studio, visitor: VisitorId, run_id: RunId) -> TrainingView:
    """Asks the run to leave the device after its current step."""
    run = run_in_view(studio, visitor, run_id)
    if not studio.training_queue.pause(run) and run.state in LIVE_STATES:
        raise elsewhere()
    view = view_of(studio, run, visitor)
    return view._replace(pause=gr.Button("Pausing …", interactive=False))


def resume_run(studio: Studio, visitor: VisitorId, run_id: RunId) -> TrainingView:
    """Puts the run in the queue again; it continues from its checkpoint."""
    run = run_in_view(studio, visitor, run_id)
    check_may_start(studio, visitor)
    with studio.preflight.measuring_paused():
        studio.training_queue.resume(run, visitor)
    return view_of(studio, run, visitor)


def one_step(studio: Studio, visitor: VisitorId, run_id: RunId) -> TrainingView:
    """Has a paused run take exactly one step."""
    run = run_in_view(studio, visitor, run_id)
    with studio.preflight.measuring_paused():
        studio.training_queue.one_step(run)
    return view_of(studio, run, visitor)


def stop_run(studio: Studio, visitor: VisitorId, run_id: RunId) -> TrainingView:
    """Asks the run to end after its current step, and to save its model."""
    run = run_in_view(studio, visitor, run_id)
    if not studio.training_queue.stop(run) and run.state in LIVE_STATES:
        raise elsewhere()
    view = view_of(studio, run, visitor)
    if run.state not in LIVE_STATES:
        return view
    return view._replace(stop=gr.Button("Stopping …", interactive=False))


def elsewhere() -> UserError:
    """For a live run that another program trains."""
    return UserError(
        "This run was not changed.", "Another program trains it.", "Stop it there, with Ctrl-C."
    )


def show(studio: Studio, visitor: VisitorId, run_id: RunId) -> TrainingView:
    """The view of the run that is looked at, or that it is gone.

    Nothing changes where there never was one, as on a first visit. Which run is looked at is not
    changed either.
    """
    run = studio.visible(run_id, visitor)
    if run is None and not run_id:
        return TrainingView(*[gr.skip()] * len(TrainingView._fields))
    view = view_of(studio, run, visitor) if run else view_of_none(GONE)
    return view._replace(run_id=gr.skip())


@dataclass(frozen=True)
class PillValue:
    """The value of the pill in the header, as far as it is read."""

    run: RunId = RunId("")


def correct(studio: Studio, visitor: VisitorId, run_id: RunId, pill: PillValue) -> TrainingView:
    """The view of the run that is looked at, where another one is shown; else nothing changes."""
    is_other = pill.run != run_id and studio.visible(run_id, visitor) is not None
    return show(studio, visitor, run_id if is_other else RunId(""))
