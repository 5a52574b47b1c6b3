"""The handlers of the Runs tab: choose, open, rename, resume, give more passes, delete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import gradio as gr

from mlm_gui.core.formatting import format_bytes
from mlm_gui.errors import UserError
from mlm_gui.services.models.references import name_of_run
from mlm_gui.services.runs.registry import check_deletable, delete
from mlm_gui.services.runs.run import Run
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.events import RunOpened, RunsTicked, answer_to
from mlm_gui.ui.door import Between, RunId, VisitorId
from mlm_gui.ui.model_choice import model_choices
from mlm_gui.ui.run_view import TrainingView, view_of
from mlm_gui.ui.tabs.runs.view import RunsView, chosen_runs, view_of_runs
from mlm_gui.ui.tabs.train.request import check_may_start
from mlm_gui.ui.wiring import Slot

MAX_PASSES = 100
Passes = Annotated[int, Between("The number of passes", 1, MAX_PASSES)]


@dataclass(frozen=True)
class ListValue:
    """The value of the run list, as far as it is read."""

    chosen: tuple[RunId, ...] = ()


class Opened(NamedTuple):
    """A run that is shown in Train."""

    view: TrainingView
    tabs: Slot


class ModelChosen(NamedTuple):
    """A model that is chosen in Train."""

    model: Slot
    tabs: Slot


class DeleteQuestion(NamedTuple):
    """The question before something is deleted, and its two answers."""

    asked: Slot
    sure: Slot
    keep: Slot


def refresh(studio: Studio, visitor: VisitorId, runs: ListValue) -> RunsView:
    """The list as it is now; what was chosen stays chosen where it is still there."""
    return view_of_runs(studio, visitor, runs.chosen)


def choose(studio: Studio, visitor: VisitorId, event: RunsTicked) -> RunsView:
    """Boxes were ticked."""
    view = view_of_runs(studio, visitor, event.ids)
    return view._replace(runs=answer_to(event.turn, view.runs))


def open_run(studio: Studio, visitor: VisitorId, event: RunOpened) -> Opened:
    """A name was pressed: the Train tab looks at that run."""
    run = studio.visible(event.run, visitor)
    if run is None:
        raise _nothing_chosen()
    return _opened(studio, visitor, run)


def rename_run(studio: Studio, visitor: VisitorId, runs: ListValue, name: str | None) -> RunsView:
    """Gives the chosen run another name."""
    _the_one(studio, visitor, runs).rename(name)
    return refresh(studio, visitor, runs)


def resume_chosen(studio: Studio, visitor: VisitorId, runs: ListValue) -> Opened:
    """Puts the chosen run in the queue again, and shows it."""
    run = _the_one(studio, visitor, runs)
    check_may_start(studio, visitor)
    with studio.preflight.measuring_paused():
        studio.training_queue.resume(run, visitor)
    return _opened(studio, visitor, run)


def train_more(studio: Studio, visitor: VisitorId, runs: ListValue, passes: Passes) -> Opened:
    """Gives the chosen, finished run more passes and puts it in the queue."""
    run = _the_one(studio, visitor, runs)
    check_may_start(studio, visitor)
    with studio.preflight.measuring_paused():
        studio.training_queue.train_more(run, passes, visitor)
    return _opened(studio, visitor, run)


def start_anew(studio: Studio, visitor: VisitorId, runs: ListValue) -> ModelChosen:
    """Puts the chosen run's model in the Train tab's list, and switches there."""
    run = _the_one(studio, visitor, runs)
    model = gr.Dropdown(model_choices(studio, visitor), value=name_of_run(run.id))
    return ModelChosen(model, gr.Tabs(selected="train"))


def ask_once(studio: Studio, visitor: VisitorId, runs: ListValue) -> DeleteQuestion:
    """Says in words what would be erased."""
    chosen = _chosen(studio, visitor, runs)
    check_deletable(*chosen)
    size = format_bytes(sum(run.disk_bytes for run in chosen))
    what = "This erases the run" if len(chosen) == 1 else f"This erases {len(chosen)} runs"
    words = (
        f"{what} with the text kept in it, its history, checkpoints and model: {size}. "
        "It cannot be brought back."
    )
    return DeleteQuestion(
        asked=gr.Markdown(words, visible=True),
        sure=gr.Button(visible=True),
        keep=gr.Button(visible=True),
    )


def delete_chosen(studio: Studio, visitor: VisitorId, runs: ListValue) -> RunsView:
    """Deletes what is chosen, or nothing."""
    delete(*_chosen(studio, visitor, runs))
    return view_of_runs(studio, visitor, ())


def _opened(studio: Studio, visitor: VisitorId, run: Run) -> Opened:
    return Opened(view_of(studio, run, visitor), gr.Tabs(selected="train"))


def _chosen(studio: Studio, visitor: VisitorId, runs: ListValue) -> list[Run]:
    """The chosen runs. Raises UserError when none of them is there."""
    chosen = chosen_runs(studio, visitor, runs.chosen)
    if not chosen:
        raise _nothing_chosen()
    return chosen


def _the_one(studio: Studio, visitor: VisitorId, runs: ListValue) -> Run:
    chosen = _chosen(studio, visitor, runs)
    if len(chosen) != 1:
        raise _nothing_chosen()
    return chosen[0]


def _nothing_chosen() -> UserError:
    return UserError(
        "Nothing was changed.",
        "This needs exactly one chosen run that is still there.",
        "Choose one by its box in the list.",
    )
