"""The server's one training thread: runs wait their turn, and a closed page changes nothing."""

from __future__ import annotations

import contextlib
import contextvars
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlm_gui.core.training.events import Event, Finished, Paused, Queued, Stepped
from mlm_gui.errors import UserError
from mlm_gui.services.limits import Limits
from mlm_gui.services.runs.finetune import finetune
from mlm_gui.services.runs.more_passes import continue_for
from mlm_gui.services.runs.run import RESUMABLE_STATES, Run

if TYPE_CHECKING:
    from mlm_gui.core.model.masked_lm import MaskedLM

log = logging.getLogger(__name__)
ENDING_SECONDS = 5.0
"""A run that has said it is finished leaves the device within this time."""


@dataclass(eq=False)
class _Turn:
    """A run in the queue or on the device, and what is wanted of it."""

    run: Run
    context: contextvars.Context = field(default_factory=contextvars.copy_context)
    stop: threading.Event = field(default_factory=threading.Event)
    pause: threading.Event = field(default_factory=threading.Event)
    is_one_step: bool = False
    """Pauses again after the first step."""
    is_wanted_again: bool = False
    """Somebody pressed Go on while it was about to pause."""


class TrainingQueue:
    """Trains runs one after the other, in the order they were submitted. A paused run is not here: it left its place to the next one."""

    def __init__(self, load: Callable[[str], MaskedLM], limits: Limits) -> None:
        self._load, self._limits = load, limits
        self._waiting: list[_Turn] = []
        self._current: _Turn | None = None
        self._creating: list[str] = []
        """Owners for whom a run folder is being written; one each at a time."""
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def start(
        self, create: Callable[[], Run], owner: str, same: Callable[[Run], bool] = lambda run: False
    ) -> Run:
        """Creates a run and puts it in the queue.

        When a run of this owner that is `same` waits or trains already, that one is returned: a double click starts one run.
        Raises UserError when the owner has too many waiting already, or the server is closing.
        """
        with self._changed:
            self._changed.wait_for(lambda: owner not in self._creating)
            for turn in self._all():
                if turn.run.owned_by(owner) and same(turn.run):
                    return turn.run
            self._check_room(owner)
            self._creating.append(owner)
        try:
            run = create()  # a long text takes its time; nobody else waits for it
            with self._changed:
                self._put(_Turn(run))
        finally:
            with self._changed:
                self._creating.remove(owner)
                self._changed.notify_all()
        return run

    def submit(self, run: Run) -> None:
        """Puts a run that exists already in the queue; see `start`."""
        self.start(lambda: run, run.job.owner)

    def resume(self, run: Run, owner: str) -> None:
        """Puts a run that was paused, stopped, interrupted or failed at the end of the queue; it goes on from its newest whole checkpoint.

        Pressed twice, it does so once. Raises UserError for a run in another state or of somebody else, and as `start` does.
        """
        with self._changed:
            turn = self._turn_of(run)
            if turn is None:
                self._check_may_go_on(run, owner)
                self._check_room(owner)
                self._put_again(_Turn(run))
            else:
                turn.is_wanted_again = (
                    turn.pause.is_set() or turn.is_one_step or run.state == "paused"
                )
                turn.is_one_step = False
                turn.pause.clear()

    def train_more(self, run: Run, more_epochs: int, owner: str) -> None:
        """Gives a finished run more passes over its text and puts it in the queue. Raises UserError, with nothing changed, as `continue_for` and `resume` do."""
        with self._changed:
            self._check_is_theirs(run, owner)
            self._changed.wait_for(
                lambda: self._turn_of(run) is None or run.state != "finished", ENDING_SECONDS
            )
            if self._turn_of(run):
                raise UserError(
                    "This run was not given more passes.",
                    "It has not finished yet.",
                    "Let it go on to its end first.",
                )
            self._check_room(owner)
            run.hold()
            try:
                continue_for(run, more_epochs, self._limits)
                self._put_again(_Turn(run))
            finally:
                run.queue_lock.release()

    def one_step(self, run: Run) -> None:
        """Has a paused run take exactly one step and pause again; it comes next, since it is short. Pressed while it does, nothing more happens.

        Raises UserError as `resume` does.
        """
        with self._changed:
            if self._turn_of(run) is None:
                owner = run.sound_job().owner
                self._check_may_go_on(run, owner)
                self._check_room(owner)
                self._put_again(_Turn(run, is_one_step=True), first=True)

    def pause(self, run: Run) -> bool:
        """Asks the run to leave the device after its current step, checkpointed; a waiting one leaves the queue. False when it is neither."""
        with self._changed:
            turn = self._turn_of(run)
            if turn is None:
                return False
            turn.is_wanted_again = False
            if turn is self._current:
                turn.pause.set()
            else:
                latest = run.history().latest
                self._leave(turn, Paused(run.checkpoint_step, latest.seconds if latest else 0.0))
            return True

    def stop(self, run: Run) -> bool:
        """Asks the run to end after its current step, keeping its model; one that has not begun just ends. False when there is nothing to stop.

        A run that was paused or interrupted comes next, without taking another step: its model is saved from its checkpoint.
        """
        with self._changed:
            turn = self._turn_of(run)
            if turn is not None:
                turn.stop.set()
                if turn in self._waiting and run.checkpoint_step:
                    self._waiting.remove(turn)
                    self._waiting.insert(0, turn)
                elif turn in self._waiting:
                    self._leave(turn, Finished(0, "stopped", 0.0))
                return True
            snapshot = run.snapshot()
            if snapshot.state in ("paused", "interrupted") and snapshot.checkpoint_step:
                turn = _Turn(run)
                turn.stop.set()
                self._put_again(turn, first=True)
                return True
            if snapshot.state == "paused":
                _record(run, Finished(0, "stopped", 0.0))
                return True
        return False

    def position(self, run_id: str) -> int:
        """How many runs come before this one; 0 when it trains, or is not here."""
        with self._changed:
            ids = [turn.run.id for turn in self._all()]
        return ids.index(run_id) if run_id in ids else 0

    def close(self, timeout: float = 20.0) -> None:
        """Pauses the current run after its step, waits until its checkpoint is written, and leaves waiting runs unstarted; nothing starts any more."""
        with self._changed:
            self._is_closed = True
            for turn in self._waiting:
                turn.run.queue_lock.release()
            self._waiting.clear()
            if self._current:
                self._current.is_wanted_again = False
                self._current.pause.set()
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._current is None, timeout)

    def _all(self) -> list[_Turn]:
        return ([self._current] if self._current else []) + self._waiting

    def _turn_of(self, run: Run) -> _Turn | None:
        return next((turn for turn in self._all() if turn.run.id == run.id), None)

    def _check_open(self) -> None:
        if self._is_closed:
            raise UserError(
                "This run was not started.",
                "The server is about to close.",
                "Start it again when the server is back.",
            )

    def _check_room(self, owner: str) -> None:
        self._check_open()
        mine = sum(turn.run.owned_by(owner) for turn in self._all())
        if mine >= self._limits.max_waiting_runs:
            raise UserError(
                "This run was not started.",
                f"You have {mine} training or waiting, and the limit here is {self._limits.max_waiting_runs}.",
                "Wait until one ends, or stop it.",
            )
        if len(self._all()) + len(self._creating) >= self._limits.max_queue:
            raise UserError(
                "This run was not started.",
                "Too many runs are waiting on this server.",
                "Try again in a few minutes.",
            )

    def _check_may_go_on(self, run: Run, owner: str) -> None:
        config = run.sound_job().config
        self._check_is_theirs(run, owner)
        if run.state not in RESUMABLE_STATES:
            raise UserError(
                "This run cannot go on.",
                f"It is {run.state}.",
                "Choose a run that was paused, stopped or interrupted.",
            )
        if config.epochs > self._limits.max_epochs or config.max_steps > self._limits.max_steps:
            allowed = f"This server allows {self._limits.max_epochs} passes over the text and {self._limits.max_steps:,} steps."
            raise UserError("This run cannot go on.", allowed, "Start a shorter run.")

    def _check_is_theirs(self, run: Run, owner: str) -> None:
        if self._limits.hosted and not run.owned_by(owner):
            raise UserError(
                "This run cannot go on.", "It belongs to somebody else.", "Choose one of your own."
            )

    def _put_again(self, turn: _Turn, first: bool = False) -> None:
        """Like `_put`, for a run that has begun; where that cannot be written nothing is changed. Raises UserError."""
        self._put(turn, first)
        try:
            _record(turn.run, Queued(turn.run.checkpoint_step))
        except UserError:
            self._waiting.remove(turn)
            turn.run.queue_lock.release()
            raise

    def _leave(self, turn: _Turn, event: Event) -> None:
        """Takes a waiting run from the queue, and says so in its folder."""
        _record(turn.run, event)
        self._waiting.remove(turn)
        turn.run.queue_lock.release()

    def _put(self, turn: _Turn, first: bool = False) -> None:
        self._check_open()
        turn.run.hold()
        self._waiting.insert(0 if first else len(self._waiting), turn)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="training", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _work(self) -> None:
        with contextlib.suppress(
            OSError, AttributeError
        ):  # so that the page stays quick; Windows has no such call
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_closed)
                if self._is_closed:
                    return
                turn = self._current = self._waiting.pop(0)
            try:
                turn.context.run(self._train, turn)
            finally:
                with self._changed:
                    self._current = None
                    if turn.is_wanted_again and turn.run.state == "paused":
                        with contextlib.suppress(UserError):
                            self._put_again(_Turn(turn.run, turn.context), first=True)
                    self._changed.notify_all()

    def _train(self, turn: _Turn) -> None:
        from mlm_gui.core.training.device import Device

        try:
            for event in finetune(turn.run, self._load, turn.stop.is_set, turn.pause.is_set):
                if turn.is_one_step and isinstance(event, Stepped):
                    turn.pause.set()
        except UserError as error:
            log.info("run %s failed: %s", turn.run.id, error)  # it stands in the run's own events
        except Exception:  # the thread must outlive any run
            log.exception("run %s failed", turn.run.id)
        Device().free()


def _record(run: Run, event: Event) -> None:
    try:
        run.append(event)
    except OSError as error:
        raise UserError(
            "Nothing was changed.",
            f"The run's folder cannot be written: {error.strerror or error}.",
            "Make room on the disk, then try again.",
        ) from error
