"""A page that polls a run sees one moment of it, whatever is pressed meanwhile."""

import pytest

from mlm_gui.core.config import RECIPES
from mlm_gui.core.training.events import Paused, Queued, Resumed, Started
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.runs.run import Run
from mlm_gui.ui import run_view
from mlm_gui.ui.components.base import answering
from mlm_gui.ui.components.live import probe_timeline_poller
from mlm_gui.ui.tabs.runs.view import poller as run_list_poller

STARTED = Started(10, 1, 1000, 100, 5, 1e-3, "cpu", True)
POLLS = {
    "chart": lambda studio: answering(run_view.poller(studio)),
    "pill": lambda studio: answering(run_view.pill_poller(studio)),
    "pinned sentences": lambda studio: answering(probe_timeline_poller(studio, ())),
    "list of runs": lambda studio: answering(run_list_poller(studio)),
    "opened page": lambda studio: (
        lambda asked: run_view.view_of(studio, studio.runs.find(asked["run"]))
    ),
}


@pytest.fixture
def run(studio, corpus) -> Run:
    run = studio.runs.create(RunRequest(corpus=corpus, config=RECIPES["quick"]))
    for event in (STARTED, Paused(3, 1.0)):
        run.append(event)
    return run


@pytest.mark.parametrize("poll", POLLS.values(), ids=POLLS)
@pytest.mark.parametrize("look", [1, 2])
def test_resume_pressed_while_a_paused_run_is_polled_breaks_no_poll(
    studio, run, monkeypatch, poll, look
):
    """`look`: the reading of the run's events that Resume comes right after."""
    num_looks = 0
    honest = Run.history

    def read_then_resume(run):
        nonlocal num_looks
        history = honest(run)
        num_looks += 1
        if num_looks == look:
            run.append(Queued(3))
            run.append(Resumed(3, 10, 1.0))
        return history

    monkeypatch.setattr(Run, "history", read_then_resume)
    assert poll(studio)({"run": run.id, "visitor": ""})
