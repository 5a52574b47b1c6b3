"""Background tasks: work that the page asks for and does not wait for.

They are done one after the other, and can be watched and cancelled.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from mlm_gui.errors import UserError
from mlm_gui.services.limits import Limits
from mlm_gui.services.resources import lower_thread_priority
from mlm_gui.services.storage.files import new_id

log = logging.getLogger(__name__)
KEPT_TASKS = 40
"""Ended tasks whose results stay in memory; the oldest go first."""
Result = TypeVar("Result")


@dataclass
class BackgroundTask(Generic[Result]):
    """One piece of work. The thread that does it writes; everybody else reads."""

    owner: str
    subject: str
    """What it is about, for the one who waits."""
    id: str = field(default_factory=new_id)
    share: float = 0.0
    """Of the work, 0 to 1."""
    state: str = "waiting"
    """ "waiting", "running", "done", "failed" or "cancelled"."""
    result: Result | None = None
    error: UserError | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def live(self) -> bool:
        return self.state in ("waiting", "running")

    def keep_going(self, share: float) -> bool:
        """Takes the share done; returns False once the task is cancelled."""
        self.share = share
        return not self.cancelled.is_set()


Task = TypeVar("Task", bound=BackgroundTask[Any])  # a task of any kind of result
Work = Callable[[Callable[[float], bool]], object | None]
"""Does a task. It calls its argument with the share done, and ends when that returns False.

It returns the result, or None when it was cancelled.
"""


class BackgroundTasks(Generic[Task]):
    """All tasks of one kind since the server started."""

    def __init__(self, called: str, limits: Limits) -> None:
        """`called` names one of them in messages, as in "exam"."""
        self._called = called
        self._limits = limits
        self._tasks: OrderedDict[str, Task] = OrderedDict()
        self._changing = threading.Lock()
        self._turn = threading.Lock()

    def find(self, task_id: object, owner: object) -> Task | None:
        """The task of this id, when this visitor asked for it."""
        task = self._tasks.get(task_id) if isinstance(task_id, str) else None
        return task if task and task.owner == owner else None

    def is_busy_for(self, owner: object) -> bool:
        """True while something that this visitor asked for waits or is under way."""
        return any(task.live and task.owner == owner for task in list(self._tasks.values()))

    def close(self) -> None:
        """Cancels everything."""
        for task in list(self._tasks.values()):
            task.cancelled.set()

    def start(self, task: Task, work: Work) -> Task:
        """Begins the work in a thread of its own.

        Raises UserError when this visitor, or everybody together, has too much under way.
        """
        with self._changing:
            self._check_room(task.owner)
            self._tasks[task.id] = task
            self._forget_oldest()
        threading.Thread(target=self._do, args=(task, work), name=self._called, daemon=True).start()
        return task

    def _check_room(self, owner: str) -> None:
        live = [task for task in self._tasks.values() if task.live]
        if any(task.owner == owner for task in live):
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

    def _forget_oldest(self) -> None:
        ended = [task.id for task in self._tasks.values() if not task.live]
        num_too_many = max(0, len(self._tasks) - KEPT_TASKS)
        for task_id in ended[:num_too_many]:
            del self._tasks[task_id]

    def _do(self, task: Task, work: Work) -> None:
        lower_thread_priority()
        with self._turn:
            try:
                if not task.cancelled.is_set():
                    task.state = "running"
                    task.result = work(task.keep_going)
                task.state = "cancelled" if task.result is None else "done"
            except UserError as error:
                task.error = error
                task.state = "failed"
            except Exception as error:  # whatever it was, the person gets three sentences
                log.exception("a background task (%s) failed", self._called)
                task.error = UserError(
                    f"The {self._called} stopped.",
                    f"An unexpected error came up ({type(error).__name__}).",
                    "Try it again; nothing was lost.",
                )
                task.state = "failed"
            finally:
                task.over.set()
