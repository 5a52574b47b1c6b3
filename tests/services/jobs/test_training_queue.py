"""The queue: one run after the other, whoever watches."""

import dataclasses
import os
import sys
import threading

import pytest

from mlm_gui.core.config import TrainConfig
from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.core.training.events import Stepped
from mlm_gui.errors import UserError
from mlm_gui.services.jobs import training_queue as jobs
from mlm_gui.services.jobs.training_queue import TrainingQueue
from mlm_gui.services.limits import LAPTOP, Limits
from mlm_gui.services.resources import lower_thread_priority
from mlm_gui.services.runs import finetune as finetune_module
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.runs.run import Run

PATIENCE = 60.0
"""Seconds a test waits for something that should come soon."""
PROBES = ("Sow the ___.",)
TINY = TrainConfig(epochs=1, max_steps=2, tokens_per_step=128, evaluations=1)


class Gate:
    """Loads models, but only once it is opened; so a test decides when the first run may go on."""

    def __init__(self, lm) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()
        self._lm = lm

    def load(self, name: str) -> MaskedLM:
        self.entered.set()
        assert self.opened.wait(PATIENCE)
        if name == "broken":
            raise UserError("No such model.", "It is broken.", "Choose another.")
        if name == "crash":
            raise ZeroDivisionError
        return self._lm.copy()


@pytest.fixture
def gate(family):
    gate = Gate(family("bert"))
    yield gate
    gate.opened.set()


@pytest.fixture(autouse=True)
def no_exams(monkeypatch):
    """The queue knows nothing of exams: its runs end when their model is saved.

    Nor do its threads wait behind everything else that a busy machine does.
    """
    monkeypatch.setattr(finetune_module, "evaluate_when_saved", lambda *_: iter(()))
    monkeypatch.setattr(jobs, "lower_thread_priority", lambda: None)


@pytest.fixture
def new_queue(gate, studio):
    """A function that opens a queue; all are closed afterwards."""
    queues = []

    def open_queue(limits: Limits = LAPTOP, create=None) -> TrainingQueue:
        queues.append(TrainingQueue(create or studio.runs.create, gate.load, limits))
        return queues[-1]

    yield open_queue
    gate.opened.set()
    for queue in queues:
        queue.close()


@pytest.fixture
def training_queue(new_queue):
    return new_queue()


@pytest.fixture(scope="module")
def small(corpus) -> Corpus:
    return Corpus.from_text("\n".join(corpus.paragraphs[:10]), "almanac")


@pytest.fixture
def request_for(small):
    """A function that makes the request for a small run."""

    def make(model="starter", owner="ann", config=TINY, probes=PROBES) -> RunRequest:
        return RunRequest(
            corpus=small, model=model, config=config, held_out=0.2, owner=owner, probes=probes
        )

    return make


@pytest.fixture
def new_run(studio, request_for):
    """A function that creates a small run, in no queue yet."""
    return lambda *args, **options: studio.runs.create(request_for(*args, **options))


def wait_for(training_queue: TrainingQueue, runs) -> None:
    """Returns when all `runs` have ended and the queue is idle."""
    assert training_queue.wait_until_idle(PATIENCE)
    assert all(run.state not in ("queued", "running") for run in runs)


def test_two_runs_train_in_turn_each_to_its_end(training_queue, gate, new_run):
    first, second = new_run(), new_run()
    training_queue.submit(first)
    assert gate.entered.wait(PATIENCE)
    training_queue.submit(second)
    assert (training_queue.position(first.id), training_queue.position(second.id)) == (0, 1)
    assert (first.state, second.state) == ("queued", "queued")
    gate.opened.set()
    wait_for(training_queue, (first, second))
    assert first.state == second.state == "finished" and first.has_model and second.has_model
    assert training_queue.position(second.id) == 0


def test_stopping_a_waiting_run_takes_it_from_the_queue(training_queue, gate, new_run):
    first, second, third = new_run(), new_run(), new_run()
    training_queue.submit(first)
    assert gate.entered.wait(PATIENCE)
    training_queue.submit(second)
    training_queue.submit(third)
    assert (
        training_queue.stop(second)
        and second.state == "stopped"
        and training_queue.position(third.id) == 1
    )
    assert not training_queue.stop(second), "it is in the queue no more"
    gate.opened.set()
    wait_for(training_queue, (first, second, third))
    assert (first.state, second.state, third.state) == (
        "finished",
        "stopped",
        "finished",
    ) and second.history().num_steps == 0


def test_stopping_the_current_run_keeps_its_model(training_queue, gate, new_run, monkeypatch):
    reached = threading.Event()
    original = jobs.finetune

    def watched(*arguments):
        for event in original(*arguments):
            if isinstance(event, Stepped):
                reached.set()
            yield event

    monkeypatch.setattr(jobs, "finetune", watched)
    run = new_run(config=TrainConfig(epochs=100, tokens_per_step=64, evaluations=1))
    gate.opened.set()
    training_queue.submit(run)
    assert reached.wait(PATIENCE) and run.state == "running"
    assert training_queue.stop(run)
    wait_for(training_queue, [run])
    assert (
        run.state == "stopped" and 1 <= run.history().num_steps < run.history().started.total_steps
    )
    assert MaskedLM.load(run.model_folder).packs


def test_each_owner_has_a_limit_of_their_own(new_queue, gate, new_run):
    training_queue = new_queue(dataclasses.replace(LAPTOP, max_waiting_runs=1))
    mine, more, theirs = new_run(owner="ann"), new_run(owner="ann"), new_run(owner="bob")
    training_queue.submit(mine)
    with pytest.raises(UserError, match="limit here is 1"):
        training_queue.submit(more)
    training_queue.submit(theirs)
    gate.opened.set()
    wait_for(training_queue, (mine, theirs))
    assert mine.state == theirs.state == "finished" and more.state == "interrupted"
    training_queue.submit(more)  # the first has ended
    wait_for(training_queue, [more])
    assert more.state == "finished"


@pytest.mark.parametrize("model", ["broken", "crash"])
def test_one_run_s_failure_does_not_stop_the_next(training_queue, gate, new_run, model):
    bad, good = new_run(model), new_run()
    training_queue.submit(bad)
    training_queue.submit(good)
    gate.opened.set()
    wait_for(training_queue, (bad, good))
    assert (bad.state, good.state) == ("failed", "finished")
    assert bad.history().ended.what and bad.history().ended.why and bad.history().ended.do
    assert not bad.queue_lock.is_locked


def test_closing_pauses_the_current_run_and_starts_nothing_more(training_queue, gate, new_run):
    current, waiting = (
        new_run(config=TrainConfig(epochs=100, tokens_per_step=64, evaluations=1)),
        new_run(),
    )
    training_queue.submit(current)
    assert gate.entered.wait(PATIENCE)
    training_queue.submit(waiting)
    closing = threading.Thread(target=training_queue.close, args=(PATIENCE,))
    closing.start()
    gate.opened.set()
    closing.join(PATIENCE)
    assert not closing.is_alive()
    assert (
        current.state == "paused"
        and waiting.history().started is None
        and waiting.state == "interrupted"
    )
    assert not current.queue_lock.is_locked and not waiting.queue_lock.is_locked
    for starting in (
        lambda: training_queue.submit(new_run()),
        lambda: training_queue.resume(current, "ann"),
        lambda: training_queue.one_step(current),
    ):
        with pytest.raises(UserError, match="about to close"):
            starting()
    assert current.state == "paused" and not current.queue_lock.is_locked


def test_a_run_that_was_never_submitted_is_neither_stopped_nor_paused(training_queue, new_run):
    assert training_queue.stop(new_run()) is False and training_queue.pause(new_run()) is False


# ---- pause, one step, resume

LONG = TrainConfig(epochs=2, max_steps=6, tokens_per_step=64, evaluations=1)


@pytest.fixture
def at_step(monkeypatch):
    """A function that has the training thread do something once, right after a step."""
    wanted = {}
    original = jobs.finetune

    def watched(*arguments):
        for event in original(*arguments):
            yield event
            if isinstance(event, Stepped) and event.step in wanted:
                wanted.pop(event.step)()

    monkeypatch.setattr(jobs, "finetune", watched)
    return wanted.__setitem__


def end_of(training_queue, run) -> None:
    assert training_queue.wait_for(run, PATIENCE)


@pytest.fixture
def paused(training_queue, gate, new_run, at_step):
    """A run that was paused after its second step."""
    run = new_run(config=LONG)
    at_step(2, lambda: training_queue.pause(run))
    gate.opened.set()
    training_queue.submit(run)
    end_of(training_queue, run)
    assert (run.state, run.checkpoint_step, run.history().num_steps) == ("paused", 2, 2)
    return run


def test_a_paused_run_holds_nothing_and_the_next_one_trains(training_queue, paused, new_run):
    other = new_run()
    training_queue.submit(other)
    end_of(training_queue, other)
    assert (
        other.state == "finished" and paused.state == "paused" and not paused.queue_lock.is_locked
    )
    assert not training_queue.pause(paused), "it is paused already"


def test_one_step_is_exactly_one_however_often_it_is_pressed(training_queue, paused, at_step):
    at_step(3, lambda: (training_queue.one_step(paused), training_queue.one_step(paused)))
    training_queue.one_step(paused)
    training_queue.one_step(paused)
    end_of(training_queue, paused)
    assert (paused.state, paused.checkpoint_step, paused.history().num_steps) == ("paused", 3, 3)


def test_one_step_comes_before_waiting_runs_and_resume_after_them(
    training_queue, paused, new_run, at_step
):
    first, second = new_run(config=LONG), new_run()
    places = []

    def look():
        training_queue.submit(second)
        training_queue.one_step(paused)
        places.append((training_queue.position(paused.id), training_queue.position(second.id)))
        training_queue.pause(paused)
        training_queue.resume(paused, "ann")
        places.append(
            (training_queue.position(paused.id), training_queue.position(second.id), paused.state)
        )
        training_queue.stop(first)

    at_step(1, look)
    training_queue.submit(first)
    for run in (first, second, paused):
        end_of(training_queue, run)
    assert places == [(1, 2), (2, 1, "queued")] and paused.state == "finished"


def test_resume_goes_on_once_and_a_restarted_server_can(paused, new_queue, studio):
    again = new_queue()
    run = studio.runs.find(paused.id)
    again.resume(run, "ann")
    again.resume(run, "ann")
    end_of(again, run)
    assert (
        run.state == "finished"
        and [event.step for event in run.history().evaluations][-1]
        == run.history().started.total_steps
    )
    assert (run.folder / "events.jsonl").read_text().count('"resumed"') == 1
    with pytest.raises(UserError, match="cannot go on"):
        again.resume(run, "ann")


def test_resume_pressed_before_the_pause_took_hold_undoes_it(
    training_queue, gate, new_run, at_step
):
    run = new_run(config=LONG)
    at_step(1, lambda: (training_queue.pause(run), training_queue.resume(run, "ann")))
    gate.opened.set()
    training_queue.submit(run)
    wait_for(training_queue, [run])
    assert run.state == "finished" and run.history().num_steps == run.history().started.total_steps


def test_a_waiting_run_is_paused_out_of_the_queue_and_stopped_there(training_queue, gate, new_run):
    first, second = new_run(), new_run()
    training_queue.submit(first)
    assert gate.entered.wait(PATIENCE)
    training_queue.submit(second)
    assert (
        training_queue.pause(second)
        and second.state == "paused"
        and not second.queue_lock.is_locked
    )
    assert training_queue.stop(second) and second.state == "stopped"
    gate.opened.set()
    wait_for(training_queue, [first, second])


def test_stopping_a_paused_run_saves_the_model_of_its_checkpoint(training_queue, paused):
    assert training_queue.stop(paused)
    end_of(training_queue, paused)
    history = paused.history()
    assert (paused.state, history.num_steps, history.saved.step, paused.has_model) == (
        "stopped",
        2,
        2,
        True,
    )


def test_stop_pressed_after_the_last_step_changes_nothing(training_queue, gate, new_run, at_step):
    run = new_run()
    at_step(2, lambda: (training_queue.stop(run), training_queue.pause(run)))
    gate.opened.set()
    training_queue.submit(run)
    wait_for(training_queue, [run])
    assert run.state == "finished" and run.has_model


def test_where_strangers_visit_nobody_resumes_another_s_run(new_queue, paused):
    hosted = new_queue(dataclasses.replace(LAPTOP, hosted=True, max_epochs=1))
    with pytest.raises(UserError, match="somebody else"):
        hosted.resume(paused, "bob")
    with pytest.raises(UserError, match="allows 1 passes"):
        hosted.resume(paused, "ann")
    assert paused.state == "paused"


def test_a_run_that_another_program_trains_is_not_put_in_the_queue(training_queue, paused, studio):
    elsewhere = Run(paused.folder)
    with elsewhere.queue_lock, pytest.raises(UserError, match="trained already"):
        training_queue.resume(paused, "ann")
    assert paused.state == "paused"


def test_a_double_click_starts_one_run_while_the_text_is_being_split(
    new_queue, studio, gate, request_for, new_run
):
    is_splitting, may_go_on, made = threading.Event(), threading.Event(), []

    def create(request: RunRequest) -> Run:
        is_splitting.set()
        assert may_go_on.wait(PATIENCE)
        made.append(studio.runs.create(request))
        return made[-1]

    training_queue, started = new_queue(create=create), []
    clicks = [
        threading.Thread(target=lambda: started.append(training_queue.start(request_for())))
        for _ in range(2)
    ]
    for click in clicks:
        click.start()
    assert is_splitting.wait(PATIENCE)
    other = new_run(owner="bob")
    training_queue.submit(other)  # nobody else waits for the splitting
    may_go_on.set()
    for click in clicks:
        click.join(PATIENCE)
    gate.opened.set()
    wait_for(training_queue, [other, *started])
    assert len(made) == 1 and started == made * 2


@pytest.mark.parametrize(
    "change",
    [
        {"probes": ("Beans need ___.",)},
        {"probes": ()},
        {"model": "broken"},
        {"owner": "bob"},
        {"config": LONG},
    ],
)
def test_a_start_that_asks_for_something_else_is_another_run(
    training_queue, gate, request_for, change
):
    first = training_queue.start(request_for())
    assert training_queue.start(request_for()) is first
    other = training_queue.start(request_for(**change))
    assert other is not first
    assert other.job.probes == change.get("probes", PROBES) or change == {"probes": ()}


def test_only_linux_threads_get_a_priority_of_their_own(monkeypatch):
    calls = []
    monkeypatch.setattr(os, "setpriority", lambda *args: calls.append(args), raising=False)
    for platform in ("darwin", "win32"):
        monkeypatch.setattr(sys, "platform", platform)
        lower_thread_priority()
    assert calls == [], "there the number of a thread is the id of some process"
    monkeypatch.setattr(sys, "platform", "linux")
    lower_thread_priority()
    assert calls == [(os.PRIO_PROCESS, threading.get_native_id(), 19)]
