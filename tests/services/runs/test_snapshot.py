"""A snapshot is one moment of a run: its parts fit each other, and nothing changes them later."""

import itertools
import tracemalloc

import pytest

from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.training.events import Evaluated, Finished, Paused, Queued, Started, Stepped
from mlm_gui.core.training.history import History
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.runs.run import Run

STARTED = Started(10, 1, 1000, 100, 5, 1e-3, "cpu", True)
SCORE = Evaluated(0, 5.0, 148.4, 0.1, 0.2, 9, 0.5)


def stepped(step: int) -> Stepped:
    return Stepped(step, 0.1, 5.0, 1e-3, 0.0, 1.0)


@pytest.fixture
def run(tmp_path, corpus) -> Run:
    small = Corpus.from_text("\n".join(corpus.paragraphs[:12]), "almanac")
    return Run.create(tmp_path / "run", RunRequest(corpus=small, held_out=0.2))


def write(run: Run, *events) -> None:
    for event in events:
        run.append(event)


def test_a_history_that_was_read_stays_as_it_was_while_the_run_goes_on(run):
    write(run, STARTED, SCORE, stepped(1), Paused(1, 1.0))
    before = run.history()
    seen = (before.paused, before.losses, before.evaluations, before.num_steps, before.is_waiting)
    write(run, Queued(1), STARTED, stepped(1), stepped(2))
    assert run.history().num_steps == 2
    assert seen == (
        before.paused,
        before.losses,
        before.evaluations,
        before.num_steps,
        before.is_waiting,
    )


def test_a_look_at_a_long_run_copies_none_of_its_steps():
    history = History()
    for step in range(20_000):
        history = history.after(stepped(step + 1))
    tracemalloc.start()
    longer = history.after(stepped(20_001))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (history.num_steps, longer.num_steps) == (20_000, 20_001)
    assert peak_bytes < 20_000, "one list of the steps alone takes 160,000"


def test_two_histories_that_go_on_from_one_do_not_mix():
    one = History().after(STARTED).after(stepped(1))
    first, second = one.after(stepped(2)), one.after(stepped(3))
    assert list(first.curve[0]) == [1, 2] and list(second.curve[0]) == [1, 3]
    assert list(one.curve[0]) == [1]


EVENTS = (STARTED, SCORE, stepped(1), Paused(1, 1.0), Queued(1), Finished(1, "stopped", 1.0))


@pytest.mark.parametrize("begun", range(len(EVENTS) + 1))
def test_the_state_of_a_snapshot_is_that_of_its_history(run, monkeypatch, begun):
    """Every look at the record finds one event more, as if another thread trained meanwhile."""
    write(run, *EVENTS[:begun])
    coming, honest = iter(EVENTS[begun:]), Run.history

    def read_then_go_on(run):
        history = honest(run)
        write(run, *itertools.islice(coming, 1))
        return history

    monkeypatch.setattr(Run, "history", read_then_go_on)
    with run.queue_lock:
        snapshot = run.snapshot()
    assert (snapshot.state == "paused") == (snapshot.history.paused is not None)
    assert (snapshot.state == "stopped") == (snapshot.history.ended is not None)
    assert (snapshot.state == "queued") == (
        snapshot.history.is_waiting and snapshot.history.ended is None
    )


def test_a_run_put_in_the_queue_between_two_looks_is_not_taken_for_an_interrupted_one(
    run, monkeypatch
):
    write(run, STARTED, stepped(1), Paused(1, 1.0))
    honest = Run.history

    def resume_then_read(run):
        if not run.queue_lock.is_locked:
            run.hold()
            write(run, Queued(1))
        return honest(run)

    monkeypatch.setattr(Run, "history", resume_then_read)
    assert run.snapshot().state == "queued"
    run.queue_lock.release()
