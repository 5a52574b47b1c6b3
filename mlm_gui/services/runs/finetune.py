"""Training in a run's folder.

Every event is written, checkpoints are taken, the model is saved and examined.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from mlm_gui.core.corpus.corpus import Corpus, Split
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
from mlm_gui.services.runs.job import Job
from mlm_gui.services.runs.lineage import with_base
from mlm_gui.services.runs.model_card import model_card
from mlm_gui.services.runs.run import Run
from mlm_gui.services.storage.files import write_whole

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from mlm_gui.core.model.masked_lm import MaskedLM
    from mlm_gui.core.training.loop import Training

CHECKPOINT_SECONDS = 30.0
"""Seconds of training between two checkpoints, besides one at each new best score."""
FIRST_CHECKPOINT_SECONDS = 2.0
"""The first one comes early, so that a short run has something to resume from."""
CHECKPOINT_SHARE = 0.05
"""Where writing is slow, timed checkpoints come so seldom that they take no more of the time."""


def never() -> bool:
    """The answer of nobody who would stop or pause a run."""
    return False


@dataclass(frozen=True)
class _Control:
    """How a run is trained, and who may end it."""

    load: Callable[[str], MaskedLM]
    stop: Callable[[], bool]
    pause: Callable[[], bool]
    checkpoint_seconds: float

    def is_over(self) -> bool:
        """True when the run is to be stopped or paused."""
        return self.stop() or self.pause()


def finetune(
    run: Run,
    load: Callable[[str], MaskedLM],
    stop: Callable[[], bool] = never,
    pause: Callable[[], bool] = never,
    every: float = CHECKPOINT_SECONDS,
) -> Iterator[Event]:
    """Trains in the run's folder, from its newest whole checkpoint; yields each written event.

    It ends with Finished (the model is saved), Paused or Failed. When `stop()` turns true, the run
    ends after the current step: saved, scored and usable. When `pause()` does, it is checkpointed
    only, and another call resumes it. A full disk pauses it too, with the reason.
    every: seconds of training between checkpoints; 0 writes one after each step.
    Closing the generator keeps a checkpoint and the model. Raises UserError for what the person
    can put right, after writing it as Failed.
    """
    if not run.queue_lock.is_locked:
        run.hold()
    try:
        yield from _train(run, _Control(load, stop, pause, every))
    except UserError as error:
        _write_failure(run, error)
        raise
    except Exception as error:
        log.exception("run %s failed", run.id)
        failure = _unexpected(error)
        _write_failure(run, failure)
        raise failure from error
    finally:
        run.queue_lock.release()


def _write_failure(run: Run, error: UserError) -> None:
    with contextlib.suppress(OSError):  # without the event the run is interrupted: true as well
        run.append(Failed(error.what, error.why, error.do))


def _unexpected(error: Exception) -> UserError:
    from mlm_gui.core.training.device import is_out_of_memory

    if is_out_of_memory(error):
        return UserError(
            "Training stopped: the memory is full.",
            "The model, its text or their checkpoint did not fit beside the other programs.",
            "Close other programs or choose a smaller model, then resume: "
            "the last checkpoint is safe.",
        )
    if isinstance(error, OSError):
        return UserError(
            "The run could not be read or written.",
            f"The system said: {error.strerror or error}.",
            "Put that right, then resume.",
        )
    return UserError(
        "Training stopped.",
        f"An unexpected error came up ({type(error).__name__}).",
        "Resume from the last checkpoint; if it comes back, report it with the server's log.",
    )


class _Recorder:
    """Writes what a training does into the run's folder, and knows what of it is safe there."""

    def __init__(self, run: Run, training: Training, checkpoint_seconds: float) -> None:
        self.run = run
        self.training = training
        self.saved_step = 0
        """Step of the newest checkpoint."""
        self.saved_seconds = 0.0
        """Seconds of training up to it."""
        self.is_over = False
        self._interval_seconds = checkpoint_seconds
        self._write_seconds = 0.0
        """How long writing the newest checkpoint took."""

    def write(self, event: Event) -> Event:
        """The event, once it is in the run's folder. Raises CannotWrite."""
        self.is_over = isinstance(event, (Finished, Paused))
        try:
            self.run.append(event, sync=self.is_over or isinstance(event, Checkpointed))
        except OSError as error:
            raise cannot_write("What happened could not be written.", error) from error
        return event

    def restore(self) -> list[CheckpointSkipped]:
        """Goes back to the newest whole checkpoint; returns one event for each damaged one."""
        state, skipped = self.run.checkpoints.newest_whole()
        if state is not None:
            self.training.restore(state)
            self._mark_safe()
        return [CheckpointSkipped(why) for why in skipped]

    def _mark_safe(self) -> None:
        self.saved_step = self.training.step
        self.saved_seconds = self.training.seconds

    def is_due(self, event: Event) -> bool:
        """True when a checkpoint is due: the score is the best so far, or some time has passed."""
        if self.training.step == self.saved_step:
            return False
        if isinstance(event, Evaluated):
            return event.step == self.training.best_step
        if not self._interval_seconds:
            return True
        wait = FIRST_CHECKPOINT_SECONDS
        if self.saved_step:
            wait = max(self._interval_seconds, self._write_seconds / CHECKPOINT_SHARE)
        return self.training.seconds - self.saved_seconds >= wait

    def checkpoint(self) -> Iterator[Event]:
        """A checkpoint of the steps done, unless there is one already. Raises CannotWrite."""
        if self.training.step > self.saved_step:
            began = time.monotonic()
            size = self.run.checkpoints.write(self.training.state())
            self._write_seconds = time.monotonic() - began
            self._mark_safe()
            yield self.write(Checkpointed(self.saved_step, self.saved_seconds, size))

    def save(self, lm: MaskedLM, step: int) -> Event:
        """The model and its card. Raises CannotWrite."""
        try:
            (self.run.folder / EXAM_FILE).unlink(missing_ok=True)  # it was of another model
            lm.save(self.run.model_folder)
        except (OSError, SafetensorError) as error:
            raise cannot_write("The model could not be written.", error) from error
        saved = self.write(Saved(step, self.run.model_folder.name))
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


def _train(run: Run, control: _Control) -> Iterator[Event]:
    from mlm_gui.core.training.loop import Training
    from mlm_gui.core.training.parameters import is_finite

    job, corpus = run.sound_job(), _sound_corpus(run)
    lm = with_base(job.model, control.load)
    split = run.split(corpus)
    try:
        training = Training(
            lm, split, job.config, control.is_over, run.folder / "tokens", job.schedule_restart_step
        )
    except OSError as error:
        reason = cannot_write("The text's tokens could not be written.", error)
        yield _write_pause(run, reason, step=0, seconds=0.0)
        return
    recorder = _Recorder(run, training, control.checkpoint_seconds)
    try:
        yield from _take_steps(recorder, job, lm, control)
        if recorder.is_over:
            return
        yield from recorder.checkpoint()
        if training.reason == "stopped" and not control.stop():
            yield recorder.write(Paused(training.step, training.seconds))
        else:
            yield from _finish(recorder, lm, split, control)
    except CannotWrite as error:
        yield _write_pause(run, error, recorder.saved_step, recorder.saved_seconds)
    except (UserError, GeneratorExit):  # between two steps: the weights are those of the last one
        if training.step and not recorder.is_over and is_finite(lm):
            with contextlib.suppress(CannotWrite):
                list(recorder.checkpoint())
                recorder.save(lm, training.step)
        raise


def _sound_corpus(run: Run) -> Corpus:
    """The text of the run. Raises UserError when it is not the one that the run began with."""
    corpus = run.corpus
    if fingerprint_of(corpus.paragraphs) != run.sound_job().fingerprint:
        raise UserError(
            "This run cannot be trained.",
            "Its text, corpus.json, is not the one it began with.",
            "Start a new run.",
        )
    return corpus


def _take_steps(recorder: _Recorder, job: Job, lm: MaskedLM, control: _Control) -> Iterator[Event]:
    """Trains from the newest checkpoint until the training ends, or is paused before a step."""
    from mlm_gui.core.inference.probe_answers import probe

    training = recorder.training
    skipped = recorder.restore()
    if control.pause() and not control.stop():
        yield recorder.write(Paused(training.step, training.seconds))
        return
    for event in training.events():
        yield recorder.write(event)
        if isinstance(event, Evaluated) and job.probes:
            yield recorder.write(Probed(event.step, probe(lm, job.probes)))
        while skipped:  # after the first event, which clears the ones of an earlier session
            yield recorder.write(skipped.pop(0))
        if recorder.is_due(event):
            yield from recorder.checkpoint()


def _finish(recorder: _Recorder, lm: MaskedLM, split: Split, control: _Control) -> Iterator[Event]:
    """Saves the model, scores it where that was not done, and examines it. Raises CannotWrite.

    After an early stop the best model is saved.
    """
    from mlm_gui.core.inference.probe_answers import probe

    run, training, job = recorder.run, recorder.training, recorder.run.sound_job()
    step, seconds, kept_step = training.step, training.seconds, training.step
    if training.reason == "early":
        best = run.checkpoints.at(training.best_step)
        if training.best_step == 0:
            lm, kept_step = with_base(job.model, control.load), 0
        elif best is not None:
            training.restore(best)
            kept_step = training.step
    yield recorder.save(lm, kept_step)
    if all(score.step != kept_step for score in run.history().evaluations):
        yield recorder.write(training.score())
        if job.probes:
            yield recorder.write(Probed(kept_step, probe(lm, job.probes)))
        recorder.write_card()
    for event in evaluate_when_saved(run, lm, control.load, split, control.stop):
        yield recorder.write(event)
    yield recorder.write(Finished(step, training.reason, seconds))


def _write_pause(run: Run, error: CannotWrite, step: int, seconds: float) -> Paused:
    """The pause that a disk made necessary, written where even that is possible."""
    paused = Paused(step, seconds, error.what, error.why, error.do)
    with contextlib.suppress(OSError):  # without the event the run is interrupted: true as well
        run.append(paused, sync=True)
    return paused
