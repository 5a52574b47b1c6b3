"""The queue: one run after the other, whoever watches."""

import dataclasses
import threading

import pytest

from mlm_gui.core.config import TrainConfig
from mlm_gui.core.events import Stepped
from mlm_gui.core.model import MaskedLM
from mlm_gui.errors import UserError
from mlm_gui.services import jobs
from mlm_gui.services.jobs import Trainer
from mlm_gui.services.limits import LAPTOP

PATIENCE = 60.0
"""Seconds a test waits for something that should come soon."""
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
def gate(lm):
    gate = Gate(lm)
    yield gate
    gate.opened.set()


@pytest.fixture
def trainer(gate):
    trainer = Trainer(gate.load, LAPTOP)
    yield trainer
    gate.opened.set()
    trainer.close()


@pytest.fixture
def new_run(studio, corpus):
    small = dataclasses.replace(corpus, documents=(dataclasses.replace(corpus.documents[0], paragraphs=corpus.paragraphs[:10]),))

    def create(model: str = "starter", owner: str = "ann", config: TrainConfig = TINY):
        return studio.runs.create(small, model, config, 0.2, 0, owner)

    return create


def wait_for(trainer: Trainer, runs) -> None:
    """Returns when all `runs` have ended and the trainer is idle."""
    with trainer._changed:
        assert trainer._changed.wait_for(lambda: trainer._current is None and not trainer._waiting, PATIENCE)
    assert all(run.state not in ("queued", "running") for run in runs)


def test_two_runs_train_in_turn_each_to_its_end(trainer, gate, new_run):
    first, second = new_run(), new_run()
    trainer.submit(first)
    assert gate.entered.wait(PATIENCE)
    trainer.submit(second)
    assert (trainer.position(first), trainer.position(second)) == (0, 1)
    assert (first.state, second.state) == ("queued", "queued")
    gate.opened.set()
    wait_for(trainer, (first, second))
    assert first.state == second.state == "finished" and first.has_model and second.has_model
    assert trainer.position(second) == 0


def test_stopping_a_waiting_run_takes_it_from_the_queue(trainer, gate, new_run):
    first, second, third = new_run(), new_run(), new_run()
    trainer.submit(first)
    assert gate.entered.wait(PATIENCE)
    trainer.submit(second)
    trainer.submit(third)
    assert trainer.stop(second) and second.state == "stopped" and trainer.position(third) == 1
    assert not trainer.stop(second), "it is in the queue no more"
    gate.opened.set()
    wait_for(trainer, (first, second, third))
    assert (first.state, second.state, third.state) == ("finished", "stopped", "finished") and second.history().num_steps == 0


def test_stopping_the_current_run_keeps_its_model(trainer, gate, new_run, monkeypatch):
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
    trainer.submit(run)
    assert reached.wait(PATIENCE) and run.state == "running"
    assert trainer.stop(run)
    wait_for(trainer, [run])
    assert run.state == "stopped" and 1 <= run.history().num_steps < run.history().started.total_steps
    assert MaskedLM.load(run.model_folder).packs


def test_each_owner_has_a_limit_of_their_own(gate, new_run):
    trainer = Trainer(gate.load, dataclasses.replace(LAPTOP, max_waiting_runs=1))
    mine, more, theirs = new_run(owner="ann"), new_run(owner="ann"), new_run(owner="bob")
    trainer.submit(mine)
    with pytest.raises(UserError, match="limit here is 1"):
        trainer.submit(more)
    trainer.submit(theirs)
    gate.opened.set()
    wait_for(trainer, (mine, theirs))
    assert mine.state == theirs.state == "finished" and more.state == "interrupted"
    trainer.submit(more)  # the first has ended
    wait_for(trainer, [more])
    assert more.state == "finished"


@pytest.mark.parametrize("model", ["broken", "crash"])
def test_one_run_s_failure_does_not_stop_the_next(trainer, gate, new_run, model):
    bad, good = new_run(model), new_run()
    trainer.submit(bad)
    trainer.submit(good)
    gate.opened.set()
    wait_for(trainer, (bad, good))
    assert (bad.state, good.state) == ("failed", "finished")
    assert bad.history().ended.what and bad.history().ended.why and bad.history().ended.do
    assert not bad.queue_lock.is_locked


def test_closing_stops_the_current_run_and_keeps_its_model(trainer, gate, new_run):
    current, waiting = new_run(config=TrainConfig(epochs=100, tokens_per_step=64, evaluations=1)), new_run()
    trainer.submit(current)
    assert gate.entered.wait(PATIENCE)
    trainer.submit(waiting)
    closing = threading.Thread(target=trainer.close, args=(PATIENCE,))
    closing.start()
    gate.opened.set()
    closing.join(PATIENCE)
    assert not closing.is_alive()
    assert current.state == "stopped" and current.has_model and waiting.history().started is None


def test_a_run_that_was_never_submitted_is_not_stopped(trainer, new_run):
    assert trainer.stop(new_run()) is False
