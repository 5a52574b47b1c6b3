"""Preflight: what a run would take, measured by three real steps on a model that is thrown away."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlm_gui.core.evaluation.sample_size import small_sample_warning
from mlm_gui.core.training.events import Evaluated, Started, Stepped
from mlm_gui.errors import UserError
from mlm_gui.services import resources
from mlm_gui.services.limits import Limits
from mlm_gui.services.models.models import Models
from mlm_gui.services.runs.registry import Runs
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.runs.run import LIVE_STATES

if TYPE_CHECKING:
    from mlm_gui.core.training.loop import Training

MEASURED_STEPS = 3
"""The first is not timed: it warms up."""
MIN_FREE_BYTES = 50 * 2**20
"""With less free room on the disk no run is started."""
STATE_SHARE = 3
"""A checkpoint holds the weights and two moments of the optimiser, each as large as the weights."""
CHECKPOINTS_KEPT = 3
"""The newest and the best, and a third one while it is being written."""
BYTES_PER_NUMBER = 4
BYTES_PER_EVENT = 190
"""About so much of events.jsonl."""


@dataclass(frozen=True)
class Forecast:
    """What a run would take, and why it could not work; sizes in bytes, times in seconds."""

    total_steps: int
    epochs: int
    num_paragraphs: int
    """Trained on."""
    num_held_out: int
    """Paragraphs kept unseen."""
    num_split: int
    """Sequences beyond one for each paragraph: long paragraphs are cut.

    In tutorial mode the rest is cut away instead.
    """
    num_tokens: int
    tutorial_mode: bool
    device: str
    seconds: float | None
    """For the whole run; None when nothing was measured."""
    memory: int | None
    """The most that was in use while measuring, this program included."""
    memory_free: int | None
    disk: int
    disk_free: int
    reasons: tuple[str, ...] = ()
    """Why the run cannot work; empty when it can."""
    note: str = ""
    """Why nothing was measured."""
    no_verdict: str = ""
    """Why the exam would give no verdict, and what would help."""


@dataclass
class _Measured:
    """What a few steps took."""

    device: str
    step_seconds: list[float]
    evaluation_seconds: float = 0.0

    def seconds(self, num_steps: int, num_evaluations: int) -> float | None:
        """For a whole run; None when no step was taken."""
        timed = self.step_seconds[1:] or self.step_seconds
        if not timed:
            return None
        seconds_per_step = sum(timed) / len(timed)
        return seconds_per_step * num_steps + self.evaluation_seconds * num_evaluations


class Preflight:
    """Measures one run at a time, and only while no run trains.

    Otherwise both would be slower, and would share their random numbers.
    """

    def __init__(self, home: Path, runs: Runs, models: Models, limits: Limits) -> None:
        self._home = home
        self._runs = runs
        self._models = models
        self._limits = limits
        self._asking: list[str] = []
        """Visitors whose measurement waits or is under way."""
        self._changed = threading.Condition()
        self._num_starting = 0
        """Runs that are being started: while there are any, nothing is measured."""
        self._is_measuring = False
        self._give_up = threading.Event()

    def check_room(self, model: str) -> None:
        """The cheap check at every start. Raises UserError when the disk is nearly full."""
        free = resources.free_disk_bytes(self._home)
        if free < MIN_FREE_BYTES:
            raise UserError(
                "This run was not started.",
                f"Only {free / 1e6:,.0f} MB of the disk are free, "
                f"and {model[:60]} needs room for its checkpoints.",
                "Make room, for example by deleting old runs.",
            )

    @contextlib.contextmanager
    def measuring_paused(self) -> Iterator[None]:
        """While it is open nothing is measured; a measurement under way gives up after its step.

        Several may be open at once: two visitors who start runs do not wait for each other.
        """
        with self._changed:
            self._num_starting += 1
            self._give_up.set()
        try:
            with self._changed:
                self._changed.wait_for(lambda: not self._is_measuring)
            yield
        finally:
            with self._changed:
                self._num_starting -= 1
                if not self._num_starting:
                    self._give_up.clear()
                self._changed.notify_all()

    @contextlib.contextmanager
    def _measuring(self) -> Iterator[None]:
        """One at a time, and only while no run is being started."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_measuring and not self._num_starting)
            self._is_measuring = True
        try:
            yield
        finally:
            with self._changed:
                self._is_measuring = False
                self._changed.notify_all()

    def forecast(self, request: RunRequest) -> Forecast:
        """What this run would take.

        Raises UserError when the text is too small, the model cannot be loaded, or this visitor,
        or everybody together, waits for too many answers already.
        """
        with self._asked_by(request.owner):
            self._models.bring(request.model)
            return self._in_background(request)

    @contextlib.contextmanager
    def _asked_by(self, owner: str) -> Iterator[None]:
        """Counts a question. Raises UserError for one too many."""
        with self._changed:
            if owner in self._asking:
                raise UserError(
                    "Nothing was measured.",
                    "Another check of yours is under way.",
                    "Wait for its answer.",
                )
            if len(self._asking) >= self._limits.max_queue:
                raise UserError(
                    "Nothing was measured.",
                    "Too many checks are waiting on this server.",
                    "Try again in a few minutes, or just start.",
                )
            self._asking.append(owner)
        try:
            yield
        finally:
            with self._changed:
                self._asking.remove(owner)

    def _in_background(self, request: RunRequest) -> Forecast:
        """The forecast, made in a thread of low priority."""
        outcome: list[Forecast | BaseException] = []

        def measure() -> None:
            resources.lower_thread_priority()
            try:
                outcome.append(self._forecast(request))
            except BaseException as error:  # raised again where it was asked for
                outcome.append(error)

        thread = threading.Thread(target=measure, name="preflight", daemon=True)
        with self._measuring():
            thread.start()
            thread.join()
        (result,) = outcome
        if isinstance(result, BaseException):
            raise result
        return result

    def _forecast(self, request: RunRequest) -> Forecast:
        from mlm_gui.core.tokens import num_ordinary
        from mlm_gui.core.training.device import Device
        from mlm_gui.core.training.loop import Training

        config = request.config
        split = request.corpus.split(request.held_out, request.split_seed)
        resources.begin_peak()
        lm = self._models.load(request.model)
        training = Training(lm, split, config, self._give_up.is_set)
        is_busy = any(run.state in LIVE_STATES for run in self._runs.all())
        measured = _Measured(str(lm.device), [])
        if not is_busy:
            _measure(training, measured)
        peak, free = resources.peak_bytes(), resources.free_bytes()
        num_steps, tokenizer = training.total_steps, lm.tokenizer
        num_tokens, num_sequences = training.plan.shards.num_tokens, _num_sequences(training)
        weights = lm.num_parameters * BYTES_PER_NUMBER
        del training, lm
        Device().free()
        disk_needed = _disk_needed(weights, num_steps, num_tokens)
        disk_free = resources.free_disk_bytes(self._home)
        seconds = measured.seconds(num_steps, config.evaluations + 1)
        reasons = []
        if disk_needed + MIN_FREE_BYTES > disk_free:
            reasons.append(
                "The disk has too little room. Delete old runs, or choose a smaller model."
            )
        memory_needed = weights * (1 + STATE_SHARE)  # weights, gradient and two moments
        if is_busy and free is not None and memory_needed > free:
            reasons.append(
                "The memory is too small for this model. "
                "Choose a smaller one, or close other programs."
            )
        return Forecast(
            total_steps=num_steps,
            epochs=config.epochs,
            num_paragraphs=len(split.train),
            num_held_out=len(split.held_out),
            num_split=max(0, num_sequences - len(split.train)),
            num_tokens=num_tokens,
            tutorial_mode=config.tutorial_mode,
            device=measured.device,
            seconds=seconds,
            memory=peak if seconds is not None else None,
            memory_free=free,
            disk=disk_needed,
            disk_free=disk_free,
            reasons=tuple(reasons),
            note=_note(seconds, is_busy),
            no_verdict=small_sample_warning(
                request.corpus,
                request.held_out,
                request.split_seed,
                lambda paragraphs: num_ordinary(paragraphs, tokenizer),
            ),
        )


def _measure(training: Training, measured: _Measured) -> None:
    """Takes a few steps; leaving the loop ends the training."""
    before = 0.0
    for event in training.events():
        if isinstance(event, Started):
            measured.device = event.device
        elif isinstance(event, Evaluated):
            measured.evaluation_seconds = event.seconds - before
            before = event.seconds
        elif isinstance(event, Stepped):
            measured.step_seconds.append(event.seconds - before)
            before = event.seconds
            if event.step == MEASURED_STEPS:
                break


def _num_sequences(training: Training) -> int:
    """Sequences of a text that is held in one piece; 0 for a longer one, which is not counted."""
    pieces = training.plan.shards
    return pieces[0].num_sequences if len(pieces) == 1 else 0


def _disk_needed(weights: int, num_steps: int, num_tokens: int) -> int:
    """Bytes of the model, its checkpoints, the events and the tokens."""
    states = weights * (1 + STATE_SHARE * CHECKPOINTS_KEPT)
    return states + num_steps * BYTES_PER_EVENT + num_tokens * BYTES_PER_NUMBER


def _note(seconds: float | None, is_busy: bool) -> str:
    """Why nothing was measured; empty when something was."""
    if seconds is not None:
        return ""
    if is_busy:
        return "Another run trains at this moment, so time and memory were not measured."
    return "A run was started meanwhile."
