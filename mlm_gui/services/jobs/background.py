"""Work that the page asks for and does not wait for: done in the background, one after the other, to be watched and cancelled."""

import contextlib
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mlm_gui.errors import UserError
from mlm_gui.services.limits import Limits
from mlm_gui.services.storage.files import new_id

log = logging.getLogger(__name__)
Work = Callable[[Callable[[float], bool]], Any]
"""Does the errand: gets a function that hears the share done and says whether to go on; returns the result, or None when it was cancelled."""
KEPT_ERRANDS = 40
"""Ended errands whose results stay in memory; the oldest go first."""


@dataclass
class BackgroundTask:
    """One piece of work; the thread that does it writes, everybody else reads."""

    owner: str
    subject: str
    """What it is about, for the one who waits."""
    id: str = field(default_factory=new_id)
    share: float = 0.0
    """Of the work, 0 to 1."""
    state: str = "waiting"
    """ "waiting", "sitting" (at work), "done", "failed" or "cancelled"."""
    result: Any = None
    error: UserError | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def live(self) -> bool:
        return self.state in ("waiting", "sitting")

    def keep_going(self, share: float) -> bool:
        """Hears how much is done; False once it is cancelled."""
        self.share = share
        return not self.cancelled.is_set()


class BackgroundTasks:
    """All errands of one kind since the server started."""

    def __init__(self, called: str, limits: Limits) -> None:
        """`called` names one of them in messages, as in "exam"."""
        self._called, self._limits = called, limits
        self._errands: OrderedDict[str, BackgroundTask] = OrderedDict()
        self._changing, self._turn = threading.Lock(), threading.Lock()

    def find(self, errand_id: object, owner: object) -> Any:
        """The errand of this id, when this visitor asked for it."""
        task = self._errands.get(errand_id) if isinstance(errand_id, str) else None
        return task if task and task.owner == owner else None

    def is_busy_for(self, owner: object) -> bool:
        """True while something that this visitor asked for waits or is under way."""
        return any(task.live and task.owner == owner for task in list(self._errands.values()))

    def close(self) -> None:
        """Cancels everything."""
        for task in list(self._errands.values()):
            task.cancelled.set()

    def start(self, task: BackgroundTask, work: Work) -> Any:
        """Begins the work in a thread of its own. Raises UserError when this visitor, or everybody together, has too much under way."""
        with self._changing:
            live = [other for other in self._errands.values() if other.live]
            if any(other.owner == task.owner for other in live):
                raise UserError(
                    f"This {self._called} was not started.",
                    "Another one of yours is under way.",
                    "Wait until it ends, or cancel it.",
                )
            if len(live) >= self._limits.max_queue:
                raise UserError(
                    f"This {self._called} was not started.",
                    "Too many are under way on this server.",
                    "Try again in a few minutes.",
                )
            self._errands[task.id] = task
            for ended in [other for other in self._errands.values() if not other.live][
                : max(0, len(self._errands) - KEPT_ERRANDS)
            ]:
                del self._errands[ended.id]
        threading.Thread(target=self._do, args=(task, work), name=self._called, daemon=True).start()
        return task

    def _do(self, task: BackgroundTask, work: Work) -> None:
        with contextlib.suppress(
            OSError, AttributeError
        ):  # so that the page stays quick; Windows has no such call
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        with self._turn:
            try:
                done = None
                if not task.cancelled.is_set():
                    task.state = "sitting"
                    done = work(task.keep_going)
                task.result = done if done is not None else task.result
                task.state = "done" if done is not None else "cancelled"
            except UserError as error:
                task.error, task.state = error, "failed"
            except Exception as error:  # the person is told, whatever it was
                log.exception("an errand (%s) failed", self._called)
                task.error = UserError(
                    f"The {self._called} stopped.",
                    f"An unexpected error came up ({type(error).__name__}).",
                    "Try it again; nothing was lost.",
                )
                task.state = "failed"
            finally:
                task.over.set()
