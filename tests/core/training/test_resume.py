"""A resumed run repeats the uninterrupted run to the last digit."""

import dataclasses
import itertools
import math

import pytest
import torch

from mlm_gui.core.config import TrainConfig
from mlm_gui.core.corpus.corpus import Split
from mlm_gui.core.training import loop
from mlm_gui.core.training.events import Evaluated, Resumed, Started, Stepped
from mlm_gui.core.training.loop import Training
from mlm_gui.core.training.state import State
from mlm_gui.errors import UserError

SHORT = TrainConfig(epochs=2, max_steps=7, tokens_per_step=256, evaluations=3, dropout=0.1)


@pytest.fixture(scope="module")
def split(corpus):
    whole = corpus.split(0.1, 0)
    return Split(whole.train[:14], whole.held_out[:4])


@pytest.fixture(scope="module")
def whole_run(lm, split):
    return list(Training(lm.copy(), split, SHORT).events())


def kept(state: State) -> State:
    """A copy, as a disk would keep it."""
    tensors = {name: tensor.clone() for name, tensor in state.tensors.items()}
    return State(tensors, dict(state.numbers))


def without_time(events) -> list:
    timeless = []
    for event in events:
        speed = {"tokens_per_second": 0} if isinstance(event, Stepped) else {}
        timeless.append(dataclasses.replace(event, seconds=0, **speed))
    return timeless


@pytest.mark.parametrize("num_events", [1, 2, 3, 4, 5, 6, 8])
def test_a_resumed_run_has_the_events_of_the_whole_run(lm, split, whole_run, num_events):
    """Interrupted before and after the evaluations, in the middle of an epoch and at its end."""
    first = Training(lm.copy(), split, SHORT)
    events = first.events()
    seen = [next(events) for _ in range(num_events)]
    state = kept(first.state())
    events.close()
    torch.rand(3)
    second = Training(lm.copy(), split, SHORT)
    second.restore(state)
    rest = list(second.events())
    if first.step:
        assert rest[0] == Resumed(first.step, 7, pytest.approx(first.seconds))
    else:
        assert isinstance(rest[0], Started)
    again = [event for event in rest[1:] if event not in seen]
    assert without_time(seen[1:] + again) == without_time(whole_run[1:]) and second.reason == "done"
    assert second.best_loss == min(
        event.loss for event in whole_run if isinstance(event, Evaluated)
    )


def test_a_state_is_plain_tensors_and_numbers(lm, split):
    training = Training(lm.copy(), split, SHORT)
    list(itertools.takewhile(lambda event: not isinstance(event, Stepped), training.events()))
    state = training.state()
    assert all(isinstance(number, (int, float)) for number in state.numbers.values())
    places = [(tensor.untyped_storage().data_ptr()) for tensor in state.tensors.values()]
    assert len(set(places)) == len(places)
    num_parameters = sum(
        tensor.numel() for name, tensor in state.tensors.items() if name.startswith("weights.")
    )
    assert num_parameters == lm.num_parameters


@pytest.mark.parametrize("harm", ["missing", "shape", "numbers"])
def test_a_state_of_another_model_is_refused(lm, split, harm):
    training = Training(lm.copy(), split, SHORT)
    state = kept(training.state())
    name = next(iter(state.tensors))
    if harm == "missing":
        del state.tensors[name]
    elif harm == "shape":
        state.tensors[name] = state.tensors[name][:-1]
    else:
        state.numbers.pop("step")
    with pytest.raises(UserError, match="does not fit"):
        training.restore(state)


def test_pauses_do_not_count_as_training_time(lm, split, monkeypatch):
    clock = itertools.count()
    monkeypatch.setattr(loop.time, "monotonic", lambda: float(next(clock)))
    training = Training(lm.copy(), split, dataclasses.replace(SHORT, max_steps=2))
    times = []
    for event in training.events():
        for _ in range(1000):
            loop.time.monotonic()
        if isinstance(event, Stepped):
            times.append(event.seconds)
    assert times[-1] < 100


def test_a_stop_ends_the_run_before_another_step(lm, split):
    asked = []
    training = Training(lm.copy(), split, SHORT, stop=lambda: bool(asked))
    steps = 0
    for event in training.events():
        if isinstance(event, Stepped):
            steps += 1
            asked = [True] if steps == 2 else asked
    assert (steps, training.reason) == (2, "stopped")


def test_a_run_without_progress_ends_early(lm, split, monkeypatch):
    evaluate = loop.evaluate
    losses = iter([5.0, 4.0, 4.5, 4.25, 3.0, 2.0])
    monkeypatch.setattr(
        loop, "evaluate", lambda *exam: dataclasses.replace(evaluate(*exam), loss=next(losses))
    )
    training = Training(lm.copy(), split, dataclasses.replace(SHORT, evaluations=7, patience=2))
    events = list(training.events())
    assert [event.loss for event in events if isinstance(event, Evaluated)] == [5.0, 4.0, 4.5, 4.25]
    assert (training.reason, training.step) == ("early", 3)
    assert (training.best_step, training.best_loss) == (1, 4.0)
    assert math.isfinite(training.state().numbers["best_loss"])
