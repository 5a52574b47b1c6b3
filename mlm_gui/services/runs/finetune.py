"""Training in a run's folder: every event is written, checkpoints are taken, the model is saved and evaluated."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from mlm_gui.core.corpus.corpus import Split
from mlm_gui.core.corpus.paragraphs import fingerprint_of
from mlm_gui.core.training.events import (
    Checkpointed,
    CheckpointSkipped,
    Evaluated,
    Event,
    Failed,
    Finished,
    Paused,
    Probed,
    Saved,
)
from mlm_gui.errors import UserError
from mlm_gui.services.runs.checkpoints import CannotWrite, cannot_write
from mlm_gui.services.runs.evaluation import EXAM_FILE, evaluate_when_saved
from mlm_gui.services.runs.lineage import with_base
from mlm_gui.services.runs.model_card import model_card
from mlm_gui.services.runs.run import Run
from mlm_gui.services.storage.files import write_whole

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from mlm_gui.core.model.masked_lm import MaskedLM
    from mlm_gui.core.training.loop import Training


CHECKPOINT_SECONDS = 30.0
"""Seconds of training between two checkpoints, besides one at each new best score; see `_Teaching.is_due`."""


FIRST_CHECKPOINT_SECONDS = 2.0
"""The first one comes early, so that a short run has something to go on from."""


CHECKPOINT_SHARE = 0.05
"""Where writing is slow, checkpoints by the clock come so seldom that they take no more than this share of the time."""


def never() -> bool:
    """The answer of nobody who would stop or pause a run."""
    return False


def finetune(
    run: Run,
    load: Callable[[str], MaskedLM],
    stop: Callable[[], bool] = never,
    pause: Callable[[], bool] = never,
    every: float = CHECKPOINT_SECONDS,
) -> Iterator[Event]:
    """Trains in the run's folder, from its newest whole checkpoint if there is one; yields every event after writing it.

    Ends with Finished (the model is saved), Paused or Failed. When `stop()` turns true the run ends after the current step, saved, scored and
    usable; when `pause()` does, it is only checkpointed, and another call goes on. A disk that takes nothing pauses it too, with the reason.
    every: seconds of training between checkpoints; 0 writes one after each step. Closing the generator keeps a checkpoint and the model.
    Raises UserError for what the person can put right, after writing it as Failed.
    """
    if not run.queue_lock.is_locked:
        run.hold()
    try:
        yield from _finetune(run, load, stop, pause, every)
    except UserError as error:
        _fail(run, error)
        raise
    except Exception as error:
        log.exception("run %s failed", run.id)
        failed = _unexpected(error)
        _fail(run, failed)
        raise failed from error
    finally:
        run.queue_lock.release()


def _fail(run: Run, error: UserError) -> None:
    with contextlib.suppress(
        OSError
    ):  # a disk that takes nothing leaves the run interrupted, which is true as well
        run.append(Failed(error.what, error.why, error.do))


def _unexpected(error: Exception) -> UserError:
    from mlm_gui.core.training.device import is_out_of_memory

    if is_out_of_memory(error):
        return UserError(
            "Training stopped: the memory is full.",
            "The model, its text or their checkpoint did not fit beside the other programs.",
            "Close other programs or choose a smaller model, then go on: the last checkpoint is safe.",
        )
    if isinstance(error, OSError):
        return UserError(
            "The run could not be read or written.",
            f"The system said: {error.strerror or error}.",
            "Put that right, then go on.",
        )
    return UserError(
        "Training stopped.",
        f"An unexpected error came up ({type(error).__name__}).",
        "Go on from the last checkpoint; if it comes back, report it with the server's log.",
    )


class _Work:
    """A run at work: its training, and what of it is safe on the disk."""

    def __init__(self, run: Run, training: Training, every: float) -> None:
        self.run, self.training = run, training
        self.checkpoint_step, self.checkpoint_seconds, self.is_over = 0, 0.0, False
        self._every, self._write_seconds = every, 0.0

    def say(self, event: Event) -> Event:
        """The event, once it stands in the run's folder. Raises CannotWrite."""
        self.is_over = isinstance(event, (Finished, Paused))
        try:
            self.run.append(event, sync=self.is_over or isinstance(event, Checkpointed))
        except OSError as error:
            raise cannot_write("What happened could not be written.", error) from error
        return event

    def go_back(self) -> list[CheckpointSkipped]:
        """Takes up the newest whole checkpoint, and says which were damaged."""
        state, skipped_checkpoints = self.run.checkpoints.newest_whole()
        if state is not None:
            self.training.restore(state)
            self.checkpoint_step, self.checkpoint_seconds = (
                self.training.step,
                self.training.seconds,
            )
        return [CheckpointSkipped(why) for why in skipped_checkpoints]

    def is_due(self, event: Event) -> bool:
        """True when the step just done should be made safe: the model is better than ever before, or some time has gone by."""
        if self.training.step == self.checkpoint_step:
            return False
        if isinstance(event, Evaluated):
            return event.step == self.training.best_step
        wait = (
            max(self._every, self._write_seconds / CHECKPOINT_SHARE)
            if self.checkpoint_step
            else FIRST_CHECKPOINT_SECONDS
        )
        return not self._every or self.training.seconds - self.checkpoint_seconds >= wait

    def make_safe(self) -> Iterator[Event]:
        """A checkpoint of the steps done, unless it is there already. Raises CannotWrite."""
        if self.training.step > self.checkpoint_step:
            began = time.monotonic()
            size = self.run.checkpoints.write(self.training.state())
            self._write_seconds = time.monotonic() - began
            self.checkpoint_step, self.checkpoint_seconds = (
                self.training.step,
                self.training.seconds,
            )
            yield self.say(Checkpointed(self.checkpoint_step, self.checkpoint_seconds, size))

    def save(self, lm: MaskedLM, step: int) -> Saved:
        """The model and its card. Raises CannotWrite."""
        try:
            (self.run.folder / EXAM_FILE).unlink(missing_ok=True)  # it was of another model
            lm.save(self.run.model_folder)
        except (OSError, SafetensorError) as error:
            raise cannot_write("The model could not be written.", error) from error
        saved = self.say(Saved(step, self.run.model_folder.name))
        self.write_card()
        return saved

    def write_card(self) -> None:
        """The model's card, once there is a score to put in it. Raises CannotWrite."""
        history = self.run.history()
        if history.kept_score is None:
            return
        card = model_card(self.run.sound_job(), history)
        try:
            write_whole(self.run.model_folder / "README.md", card)
        except OSError as error:
            raise cannot_write("The model's card could not be written.", error) from error


def _finetune(
    run: Run,
    load: Callable[[str], MaskedLM],
    stop: Callable[[], bool],
    pause: Callable[[], bool],
    every: float,
) -> Iterator[Event]:
    from mlm_gui.core.inference.probe_answers import probe
    from mlm_gui.core.training.loop import Training, is_finite

    job, corpus = run.sound_job(), run.corpus
    if fingerprint_of(corpus.paragraphs) != job.fingerprint:
        raise UserError(
            "This run cannot be trained.",
            "Its text, corpus.json, is not the one it began with.",
            "Start a new run.",
        )
    lm = with_base(job.model, load)
    split = run.split(corpus)
    try:
        training = Training(
            lm,
            split,
            job.config,
            lambda: stop() or pause(),
            run.folder / "tokens",
            job.schedule_restart_step,
        )
    except OSError as error:
        yield _pause_for(
            run, cannot_write("The text's tokens could not be written.", error), 0, 0.0
        )
        return
    work = _Work(run, training, every)
    try:
        skipped_checkpoints = work.go_back()
        if pause() and not stop():
            yield work.say(Paused(training.step, training.seconds))
            return
        for event in training.events():
            yield work.say(event)
            if isinstance(event, Evaluated) and job.probes:
                yield work.say(Probed(event.step, probe(lm, job.probes)))
            while skipped_checkpoints:
                yield work.say(skipped_checkpoints.pop(0))
            if work.is_due(event):
                yield from work.make_safe()
        yield from work.make_safe()
        if training.reason == "stopped" and not stop():
            yield work.say(Paused(training.step, training.seconds))
        else:
            yield from _end(work, lm, load, split, stop)
    except CannotWrite as error:
        yield _pause_for(run, error, work.checkpoint_step, work.checkpoint_seconds)
    except (UserError, GeneratorExit):  # between two steps: the weights are those of the last one
        if training.step and not work.is_over and is_finite(lm):
            with contextlib.suppress(CannotWrite):
                list(work.make_safe())
                work.save(lm, training.step)
        raise


def _end(
    work: _Work,
    lm: MaskedLM,
    load: Callable[[str], MaskedLM],
    split: Split,
    stop: Callable[[], bool],
) -> Iterator[Event]:
    """Saves the model, the best one when the run ended early, scores it if that was not done, and examines it. Raises CannotWrite."""
    from mlm_gui.core.inference.probe_answers import probe

    run, training = work.run, work.training
    step, seconds, kept_step = training.step, training.seconds, training.step
    if training.reason == "early":
        best = run.checkpoints.at(training.best_step)
        if training.best_step == 0:
            lm, kept_step = with_base(run.sound_job().model, load), 0
        elif best is not None:
            training.restore(best)
            kept_step = training.step
    yield work.save(lm, kept_step)
    if all(score.step != kept_step for score in run.history().evaluations):
        yield work.say(training.score())
        if run.sound_job().probes:
            yield work.say(Probed(kept_step, probe(lm, run.sound_job().probes)))
        work.write_card()
    for event in evaluate_when_saved(run, lm, load, split, stop):
        yield work.say(event)
    yield work.say(Finished(step, training.reason, seconds))


def _pause_for(run: Run, error: CannotWrite, step: int, seconds: float) -> Paused:
    """The pause that a disk made necessary; where not even that can be written, the run is interrupted, which is true as well."""
    paused = Paused(step, seconds, error.what, error.why, error.do)
    with contextlib.suppress(OSError):
        run.append(paused, sync=True)
    return paused
