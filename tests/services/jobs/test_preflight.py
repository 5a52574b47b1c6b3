"""The forecast before a start."""

import threading

import pytest

from mlm_gui.core.config import TrainConfig
from mlm_gui.core.training.loop import Training
from mlm_gui.errors import UserError
from mlm_gui.services.jobs.preflight import Preflight
from mlm_gui.services.limits import LAPTOP
from mlm_gui.services.models.models import Models
from mlm_gui.services.runs.finetune import finetune
from mlm_gui.services.runs.registry import Runs
from mlm_gui.services.runs.request import RunRequest

PATIENCE = 60.0
SHORT = TrainConfig(epochs=1, max_steps=4, tokens_per_step=128, evaluations=1)


@pytest.fixture
def request_of(corpus):
    """A function that makes the request of an owner."""
    return lambda owner="": RunRequest(corpus=corpus, config=SHORT, owner=owner)


def test_a_forecast_counts_what_the_run_then_does_and_leaves_nothing_behind(studio, request_of):
    forecast = studio.preflight.forecast(request_of())
    assert forecast.seconds > 0
    assert forecast.reasons == ()
    assert not studio.home.exists()
    run = studio.runs.create(request_of())
    list(finetune(run, studio.models.load))
    history = run.history()
    assert forecast.total_steps == history.started.total_steps == 4
    assert forecast.num_tokens == history.started.num_train_tokens
    assert 0 < run.disk_bytes < forecast.disk + 2**20
    assert [answers.step for answers in history.probed] == [0, 4]
    assert len(run.job.probes) == len(history.probed[0].answers)


def test_nothing_is_measured_while_another_run_trains(studio, request_of):
    run = studio.runs.create(request_of())
    with run.queue_lock:
        forecast = studio.preflight.forecast(request_of())
    assert forecast.seconds is None
    assert "Another run" in forecast.note


def test_nothing_is_measured_while_a_run_is_being_started(studio, request_of, monkeypatch):
    """A forecast that is asked for meanwhile waits, and is measured when the run has started."""
    is_measuring = threading.Event()
    load = studio.models.load
    monkeypatch.setattr(studio.models, "load", lambda name: (is_measuring.set(), load(name))[1])
    forecasts = []
    asking = threading.Thread(
        target=lambda: forecasts.append(studio.preflight.forecast(request_of()))
    )
    with studio.preflight.measuring_paused():
        asking.start()
        assert not is_measuring.wait(0.5)
    asking.join(PATIENCE)
    assert is_measuring.is_set() and forecasts[0].seconds > 0


def test_a_measurement_under_way_gives_up_when_a_run_is_started(studio, request_of, monkeypatch):
    is_measuring, may_go_on = threading.Event(), threading.Event()
    events = Training.events

    def held(self):
        for number, event in enumerate(events(self)):
            yield event
            if number == 1:
                is_measuring.set()
                assert may_go_on.wait(PATIENCE)

    monkeypatch.setattr(Training, "events", held)
    forecasts = []
    asking = threading.Thread(
        target=lambda: forecasts.append(studio.preflight.forecast(request_of()))
    )
    asking.start()
    assert is_measuring.wait(PATIENCE)
    is_paused = threading.Event()

    def start() -> None:
        with studio.preflight.measuring_paused():
            is_paused.set()

    starting = threading.Thread(target=start)
    starting.start()
    assert not is_paused.wait(0.1), "it waits for the step under way"
    may_go_on.set()
    starting.join(PATIENCE)
    asking.join(PATIENCE)
    assert is_paused.is_set() and forecasts[0].seconds is None
    assert forecasts[0].note == "A run was started meanwhile."


def test_two_runs_are_started_at_once_without_waiting_for_each_other(studio):
    both_are_starting = threading.Barrier(2)
    errors = []

    def start() -> None:
        try:
            with studio.preflight.measuring_paused():
                both_are_starting.wait(5)
        except threading.BrokenBarrierError as error:
            errors.append(error)

    starts = [threading.Thread(target=start) for _ in range(2)]
    for thread in starts:
        thread.start()
    for thread in starts:
        thread.join(PATIENCE)
    assert errors == []


def test_one_check_a_visitor_and_a_bounded_number_of_all(tmp_path, request_of, monkeypatch):
    limits = LAPTOP.__class__(**{**vars(LAPTOP), "max_queue": 2})
    runs = Runs(tmp_path)
    models = Models(runs, limits)
    preflight = Preflight(tmp_path, runs, models, limits)
    are_asking, may_go_on = threading.Barrier(3), threading.Event()

    def bring(name: str) -> None:
        are_asking.wait(PATIENCE)
        assert may_go_on.wait(PATIENCE)
        raise UserError("No model.", "This test has none.", "Go on.")

    monkeypatch.setattr(models, "bring", bring)

    def ask(owner: str) -> None:
        with pytest.raises(UserError, match="No model"):
            preflight.forecast(request_of(owner))

    threads = [threading.Thread(target=ask, args=(owner,)) for owner in ("ann", "bob")]
    for thread in threads:
        thread.start()
    are_asking.wait(PATIENCE)
    with pytest.raises(UserError, match="Another check of yours"):
        preflight.forecast(request_of("ann"))
    with pytest.raises(UserError, match="Too many checks"):
        preflight.forecast(request_of("eve"))
    may_go_on.set()
    for thread in threads:
        thread.join(PATIENCE)
    monkeypatch.setattr(models, "bring", lambda name: None)
    monkeypatch.setattr(models, "load", lambda name: (_ for _ in ()).throw(MemoryError()))
    with pytest.raises(MemoryError):  # an answered visitor may ask again
        preflight.forecast(request_of("ann"))


def test_a_full_disk_refuses_the_start(studio, monkeypatch):
    monkeypatch.setattr("mlm_gui.services.jobs.preflight.MIN_FREE_BYTES", 2**62)
    with pytest.raises(UserError, match="MB of the disk are free"):
        studio.preflight.check_room("starter")
