"""Pre-flight: what a run would take, measured by three real steps on a model of its own that is then thrown away."""

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlm_gui.core.config import TrainConfig
from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.evaluation.sample_size import small_sample_warning
from mlm_gui.core.training.events import Evaluated, Started, Stepped
from mlm_gui.errors import UserError
from mlm_gui.services import resources as memory
from mlm_gui.services.limits import Limits
from mlm_gui.services.models.models import Models
from mlm_gui.services.runs.registry import Runs
from mlm_gui.services.runs.run import LIVE_STATES

MEASURED_STEPS = 3
"""The first is not timed: it warms up."""
MIN_FREE_BYTES = 50 * 2**20
"""Below this no run is started."""
STATE_SHARE = 3
"""A checkpoint holds the weights and two moments of the optimiser, each as large as the weights."""
CHECKPOINTS_KEPT = 3
"""The newest and the best, and a third one while it is being written."""
BYTES_PER_NUMBER = 4
BYTES_PER_EVENT = 190
"""Of events.jsonl, about."""


@dataclass(frozen=True)
class Forecast:
    """What a run would take, and why it could not be; sizes in bytes, times in seconds."""

    total_steps: int
    epochs: int
    num_paragraphs: int
    """Trained on."""
    num_held_out: int
    """Paragraphs kept unseen."""
    num_split: int
    """Parts that long paragraphs are cut into beyond one each; cut away, when the run goes as taught."""
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
    """Why the exam would give none, and what would do."""


class Preflight:
    """Measures one run at a time, and only while no run trains: it would slow both, and share their random numbers."""

    def __init__(self, home: Path, runs: Runs, models: Models, limits: Limits) -> None:
        self._home, self._runs, self._models, self._limits = home, runs, models, limits
        self._asking: list[str] = []
        """Visitors whose measurement waits or is under way."""
        self._measuring = threading.Lock()
        self._given_up = threading.Event()
        self._num_starting, self._counting = 0, threading.Lock()

    def check_room(self, model: str) -> None:
        """The cheap check at every start. Raises UserError when the disk is nearly full."""
        free = shutil.disk_usage(self._home).free
        if free < MIN_FREE_BYTES:
            raise UserError(
                "This run was not started.",
                f"Only {free / 1e6:,.0f} MB of the disk are free, and {model[:60]} needs room for its checkpoints.",
                "Make room, for example by deleting old runs.",
            )

    @contextlib.contextmanager
    def measuring_paused(self) -> Iterator[None]:
        """While it is open nothing is measured; a measurement under way gives up after its step."""
        with self._counting:
            self._num_starting += 1
            self._given_up.set()
        try:
            with self._measuring:
                yield
        finally:
            with self._counting:
                self._num_starting -= 1
                if not self._num_starting:
                    self._given_up.clear()

    def forecast(
        self,
        corpus: Corpus,
        model: str,
        config: TrainConfig,
        held_out: float,
        split_seed: int,
        owner: str = "",
    ) -> Forecast:
        """What this run would take. Raises UserError when the text is too small, the model cannot be loaded, or this visitor, or everybody together,
        waits for too many answers already.
        """
        with self._counting:
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
            self._models.bring(model)
            return self._measured(corpus, model, config, held_out, split_seed)
        finally:
            with self._counting:
                self._asking.remove(owner)

    def _measured(self, *wanted: Any) -> Forecast:
        """`_forecast` in a thread of low priority, one at a time."""
        found: list[Forecast | BaseException] = []

        def measure() -> None:
            with contextlib.suppress(
                OSError, AttributeError
            ):  # so that the page stays quick; Windows has no such call
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
            try:
                found.append(self._forecast(*wanted))
            except BaseException as error:  # raised again where it was asked for
                found.append(error)

        thread = threading.Thread(target=measure, name="preflight", daemon=True)
        with self._measuring:
            thread.start()
            thread.join()
        if isinstance(found[0], BaseException):
            raise found[0]
        return found[0]

    def _forecast(
        self, corpus: Corpus, model: str, config: TrainConfig, held_out: float, split_seed: int
    ) -> Forecast:
        from mlm_gui.core.tokens import num_ordinary
        from mlm_gui.core.training.device import Device
        from mlm_gui.core.training.loop import Training

        split = corpus.split(held_out, split_seed)
        memory.begin_peak()
        training = Training(self._models.load(model), split, config, self._given_up.is_set)
        lm, busy = training.lm, self._is_busy()
        tokenizer = lm.tokenizer
        times, scored, device, num_tokens = [], 0.0, str(lm.device), training.plan.shards.num_tokens
        if not busy:
            before = 0.0
            events = training.events()
            for event in events:
                if isinstance(event, Started):
                    device = event.device
                elif isinstance(event, Evaluated):
                    scored = event.seconds - before
                    before = event.seconds
                elif isinstance(event, Stepped):
                    times.append(event.seconds - before)
                    before = event.seconds
                    if event.step == MEASURED_STEPS:
                        break
            events.close()
        peak, free = memory.peak_bytes(), memory.free_bytes()
        num_steps, num_parameters = training.total_steps, lm.num_parameters
        num_sequences = (
            training.plan.shards[0].num_sequences if len(training.plan.shards) == 1 else 0
        )
        del training
        Device().free()
        weights = num_parameters * BYTES_PER_NUMBER
        disk = (
            weights * (1 + STATE_SHARE * CHECKPOINTS_KEPT)
            + num_steps * BYTES_PER_EVENT
            + 4 * num_tokens
        )
        disk_free = shutil.disk_usage(self._home).free
        timed = times[1:] or times
        seconds = (
            sum(timed) / len(timed) * num_steps + scored * (config.evaluations + 1)
            if timed
            else None
        )
        reasons = []
        if disk + MIN_FREE_BYTES > disk_free:
            reasons.append(
                "The disk has too little room. Delete old runs, or choose a smaller model."
            )
        needed = weights * (1 + STATE_SHARE)  # weights, gradient and two moments
        if free is not None and busy and needed > free:
            reasons.append(
                "The memory is too small for this model. Choose a smaller one, or close other programs."
            )
        note = ""
        if not timed:
            note = (
                "Another run trains at this moment, so time and memory were not measured."
                if busy
                else "A run was started meanwhile."
            )
        return Forecast(
            total_steps=num_steps,
            epochs=config.epochs,
            num_paragraphs=len(split.train),
            num_held_out=len(split.held_out),
            num_split=max(0, num_sequences - len(split.train)),
            num_tokens=num_tokens,
            tutorial_mode=config.tutorial_mode,
            device=device,
            seconds=seconds,
            memory=peak if timed else None,
            memory_free=free,
            disk=disk,
            disk_free=disk_free,
            reasons=tuple(reasons),
            note=note,
            no_verdict=small_sample_warning(
                corpus, held_out, split_seed, lambda paragraphs: num_ordinary(paragraphs, tokenizer)
            ),
        )

    def _is_busy(self) -> bool:
        return any(run.state in LIVE_STATES for run in self._runs.all())
