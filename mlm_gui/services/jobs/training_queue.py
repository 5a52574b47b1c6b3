"""The server's one training thread: runs wait their turn, and a closed page changes nothing."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from mlm_gui.core.training.events import Event, Finished, Paused, Queued, Stepped
from mlm_gui.errors import UserError
from mlm_gui.services.jobs.turn import Turn
from mlm_gui.services.limits import Limits
from mlm_gui.services.resources import lower_thread_priority
from mlm_gui.services.runs.finetune import finetune
from mlm_gui.services.runs.more_passes import continue_for
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.runs.run import RESUMABLE_STATES, Run

if TYPE_CHECKING:
    from mlm_gui.core.model.masked_lm import MaskedLM

log = logging.getLogger(__name__)
ENDING_SECONDS = 5.0
"""Within this time a finished run leaves the device."""


class TrainingQueue:
    """Trains runs one after the other, in the order in which they came.

    Paused runs are not in the queue.
    """

    def __init__(
        self,
        create: Callable[[RunRequest], Run],
        load: Callable[[str], MaskedLM],
        limits: Limits,
    ) -> None:
        self._create = create
        self._load = load
        self._limits = limits
        self._waiting: list[Turn] = []
        self._current: Turn | None = None
        self._creating: list[str] = []
        """Owners for whom a run folder is being written; one each at a time."""
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def start(self, request: RunRequest) -> Run:
        """Creates the run and puts it in the queue.

        While a run of the very same request waits or trains, that one is returned: a double click
        starts one run. Raises UserError when the owner has too many waiting already, or the
        server is closing, and as `Runs.create` does.
        """
        owner = request.owner
        with self._changed:
            self._changed.wait_for(lambda: owner not in self._creating)
            for turn in self._all():
                if turn.request and request.is_same_as(turn.request):
                    return turn.run
            self._check_room(owner)
            self._creating.append(owner)
        try:
            run = self._create(request)  # a long text takes its time; nobody else waits for it
            with self._changed:
                self._put(Turn(run, request))
        finally:
            with self._changed:
                self._creating.remove(owner)
                self._changed.notify_all()
        return run

    def submit(self, run: Run) -> None:
        """Puts a new run in the queue that was created already. Raises UserError as `start`."""
        with self._changed:
            self._check_room(run.sound_job().owner)
            self._put(Turn(run))

    def resume(self, run: Run, owner: str) -> None:
        """Puts a paused, stopped, interrupted or failed run at the end of the queue.

        It resumes from its newest whole checkpoint. Pressed twice, it does so once. Raises
        UserError for a run in another state or of somebody else, and as `start` does.
        """
        with self._changed:
            turn = self._turn_of(run)
            if turn is None:
                self._check_may_resume(run, owner)
                self._check_room(owner)
                self._put_again(Turn(run))
            else:
                is_pausing = turn.pause.is_set() or turn.is_one_step
                turn.is_wanted_again = is_pausing or run.state == "paused"
                turn.is_one_step = False
                turn.pause.clear()

    def train_more(self, run: Run, more_epochs: object, owner: str) -> None:
        """Gives a finished run more passes over its text and puts it in the queue.

        Raises UserError, with nothing changed, as `continue_for` and `resume` do.
        """
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
                self._put_again(Turn(run))
            finally:
                run.queue_lock.release()

    def one_step(self, run: Run) -> None:
        """Has a paused run take exactly one step and pause again.

        It comes next, since it is short. Pressed while it does, nothing more happens. Raises
        UserError as `resume` does.
        """
        with self._changed:
            if self._turn_of(run) is None:
                owner = run.sound_job().owner
                self._check_may_resume(run, owner)
                self._check_room(owner)
                self._put_again(Turn(run, is_one_step=True), first=True)

    def pause(self, run: Run) -> bool:
        """Asks the run to leave the device after its current step, checkpointed.

        A waiting one leaves the queue. False when it neither waits nor trains.
        """
        with self._changed:
            turn = self._turn_of(run)
            if turn is None:
                return False
            turn.is_wanted_again = False
            if turn is self._current:
                turn.pause.set()
            else:
                snapshot = run.snapshot()
                latest = snapshot.history.latest
                seconds = latest.seconds if latest else 0.0
                self._leave(turn, Paused(snapshot.checkpoint_step, seconds))
            return True

    def stop(self, run: Run) -> bool:
        """Asks the run to end after its current step and to save its model.

        One that has not begun just ends. A run that was paused or interrupted comes next, without
        another step: the model of its checkpoint is saved. False when there is nothing to stop.
        """
        with self._changed:
            turn = self._turn_of(run)
            if turn is not None:
                self._stop_turn(turn)
                return True
            snapshot = run.snapshot()
            if snapshot.state in ("paused", "interrupted") and snapshot.checkpoint_step:
                turn = Turn(run)
                turn.stop.set()
                self._put_again(turn, first=True)
                return True
            if snapshot.state == "paused":
                _record(run, Finished(0, "stopped", 0.0))
                return True
        return False

    def _stop_turn(self, turn: Turn) -> None:
        turn.stop.set()
        if turn not in self._waiting:
            return
        if turn.run.checkpoint_step:
            self._waiting.remove(turn)
            self._waiting.insert(0, turn)
        else:
            self._leave(turn, Finished(0, "stopped", 0.0))

    def position(self, run_id: str) -> int:
        """How many runs come before this one; 0 when it trains, or is not in the queue."""
        with self._changed:
            ids = [turn.run.id for turn in self._all()]
        return ids.index(run_id) if run_id in ids else 0

    def wait_until_idle(self, timeout: float) -> bool:
        """Waits until no run waits or trains. False when that takes longer, in seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._all(), timeout)

    def wait_for(self, run: Run, timeout: float) -> bool:
        """Waits until this run neither waits nor trains. False when that takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: self._turn_of(run) is None, timeout)

    def close(self, timeout: float = 20.0) -> None:
        """Pauses the current run after its step and waits until its checkpoint is written.

        Waiting runs stay unstarted, and nothing starts any more.
        """
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

    def _all(self) -> list[Turn]:
        return ([self._current] if self._current else []) + self._waiting

    def _turn_of(self, run: Run) -> Turn | None:
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
                f"You have {mine} training or waiting, "
                f"and the limit here is {self._limits.max_waiting_runs}.",
                "Wait until one ends, or stop it.",
            )
        if len(self._all()) + len(self._creating) >= self._limits.max_queue:
            raise UserError(
                "This run was not started.",
                "Too many runs are waiting on this server.",
                "Try again in a few minutes.",
            )

    def _check_may_resume(self, run: Run, owner: str) -> None:
        config, state = run.sound_job().config, run.state
        self._check_is_theirs(run, owner)
        if state not in RESUMABLE_STATES:
            raise UserError(
                "This run cannot go on.",
                f"It is {state}.",
                "Choose a run that was paused, stopped or interrupted.",
            )
        if config.epochs > self._limits.max_epochs or config.max_steps > self._limits.max_steps:
            raise UserError(
                "This run cannot go on.",
                f"This server allows {self._limits.max_epochs} passes over the text "
                f"and {self._limits.max_steps:,} steps.",
                "Start a shorter run.",
            )

    def _check_is_theirs(self, run: Run, owner: str) -> None:
        if self._limits.hosted and not run.owned_by(owner):
            raise UserError(
                "This run cannot go on.", "It belongs to somebody else.", "Choose one of your own."
            )

    def _put_again(self, turn: Turn, first: bool = False) -> None:
        """Like `_put`, for a run that has begun. Raises UserError, with nothing changed."""
        self._put(turn, first)
        try:
            _record(turn.run, Queued(turn.run.checkpoint_step))
        except UserError:
            self._waiting.remove(turn)
            turn.run.queue_lock.release()
            raise

    def _leave(self, turn: Turn, event: Event) -> None:
        """Takes a waiting run from the queue and records that in its folder."""
        _record(turn.run, event)
        self._waiting.remove(turn)
        turn.run.queue_lock.release()
        self._changed.notify_all()

    def _put(self, turn: Turn, first: bool = False) -> None:
        self._check_open()
        turn.run.hold()
        self._waiting.insert(0 if first else len(self._waiting), turn)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="training", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _work(self) -> None:
        lower_thread_priority()
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
                            again = Turn(turn.run, turn.request, turn.context)
                            self._put_again(again, first=True)
                    self._changed.notify_all()

    def _train(self, turn: Turn) -> None:
        from mlm_gui.core.training.device import Device

        try:
            for event in finetune(turn.run, self._load, turn.stop.is_set, turn.pause.is_set):
                if turn.is_one_step and isinstance(event, Stepped):
                    turn.pause.set()
        except UserError as error:
            log.info("run %s failed: %s", turn.run.id, error)  # its own events hold it
        except Exception:  # the thread must outlive any run
            log.exception("run %s failed", turn.run.id)
        Device().free()


def _record(run: Run, event: Event) -> None:
    """Writes an event of the queue. Raises UserError when the folder cannot be written."""
    try:
        run.append(event)
    except OSError as error:
        raise UserError(
            "Nothing was changed.",
            f"The run's folder cannot be written: {error.strerror or error}.",
            "Make room on the disk, then try again.",
        ) from error
