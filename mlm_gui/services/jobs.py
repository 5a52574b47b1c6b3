"""The server's one training thread: runs wait their turn, and a closed page changes nothing."""

import contextlib
import contextvars
import logging
import os
import threading
from collections.abc import Callable

from mlm_gui.core.events import Failed, Finished
from mlm_gui.core.model import MaskedLM
from mlm_gui.errors import UserError
from mlm_gui.services.limits import Limits
from mlm_gui.services.runs import Run, finetune

log = logging.getLogger(__name__)


class Trainer:
    """Trains runs one after the other, in the order they were submitted."""

    def __init__(self, load: Callable[[str], MaskedLM], limits: Limits) -> None:
        self._load, self._limits = load, limits
        self._waiting: list[tuple[Run, threading.Event, contextvars.Context]] = []
        self._current: tuple[Run, threading.Event] | None = None
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def start(self, create: Callable[[], Run], owner: str, same: Callable[[Run], bool] = lambda run: False) -> Run:
        """Creates a run and puts it in the queue, in one breath.

        When a run of this owner that is `same` waits or trains already, that one is returned: a double click starts one run.
        Raises UserError when the owner has too many waiting already.
        """
        with self._changed:
            for other in self._all():
                if other.owned_by(owner) and same(other):
                    return other
            mine = sum(other.owned_by(owner) for other in self._all())
            if mine >= self._limits.max_waiting_runs:
                raise UserError(
                    "This run was not started.",
                    f"You have {mine} training or waiting, and the limit here is {self._limits.max_waiting_runs}.",
                    "Wait until one ends, or stop it.",
                )
            if len(self._all()) >= self._limits.max_queue:
                raise UserError("This run was not started.", "Too many runs are waiting on this server.", "Try again in a few minutes.")
            run = create()
            run.queue_lock.acquire(timeout=0)
            self._waiting.append((run, threading.Event(), contextvars.copy_context()))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="training", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return run

    def submit(self, run: Run) -> None:
        """Puts a run that exists already in the queue; see `start`."""
        self.start(lambda: run, run.job.owner)

    def stop(self, run: Run) -> bool:
        """Asks the run to end after its current step, keeping its model; a waiting one is taken from the queue. False when it is neither."""
        with self._changed:
            if self._current and self._current[0].id == run.id:
                self._current[1].set()
                return True
            for entry in self._waiting:
                if entry[0].id == run.id:
                    self._waiting.remove(entry)
                    run.append(Finished(0, "stopped", 0.0))
                    run.queue_lock.release()
                    return True
        return False

    def position(self, run: Run) -> int:
        """How many runs come before this one; 0 when it trains, or is not here."""
        with self._changed:
            ids = [other.id for other in self._all()]
        return ids.index(run.id) if run.id in ids else 0

    def close(self, timeout: float = 20.0) -> None:
        """Stops the current run after its step, waits until it is saved, and leaves waiting runs unstarted."""
        with self._changed:
            for run, _, _ in self._waiting:
                run.queue_lock.release()
            self._waiting.clear()
            if self._current:
                self._current[1].set()
            self._changed.wait_for(lambda: self._current is None, timeout)

    def _all(self) -> list[Run]:
        return ([self._current[0]] if self._current else []) + [run for run, _, _ in self._waiting]

    def _work(self) -> None:
        with contextlib.suppress(OSError, AttributeError):  # so that the page stays quick; Windows has no such call
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                run, stop, context = self._waiting.pop(0)
                self._current = (run, stop)
            try:
                context.run(self._train, run, stop)
            finally:
                with self._changed:
                    self._current = None
                    self._changed.notify_all()

    def _train(self, run: Run, stop: threading.Event) -> None:
        try:
            for _ in finetune(run, self._load, stop.is_set):
                pass
        except UserError as error:
            log.info("run %s failed: %s", run.id, error)  # it stands in the run's own events
        except Exception as error:  # the thread must outlive any run; the person is told in the run's events
            log.exception("run %s failed", run.id)
            with contextlib.suppress(OSError):
                run.append(
                    Failed(
                        "Training stopped.",
                        f"An unexpected error came up ({type(error).__name__}).",
                        "Start it again; if it comes back, report it with the server's log.",
                    )
                )
