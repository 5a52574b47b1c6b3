"""Exams asked for from the page: they are sat in the background, one at a time, and can be watched and cancelled."""

import contextlib
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mlm_gui.core.documents import Corpus
from mlm_gui.core.model import MaskedLM
from mlm_gui.core.verdict import Material, Report, bounded, examination, general_paragraphs
from mlm_gui.errors import UserError
from mlm_gui.services.exams import examine_again, finished, learned_from, num_seen
from mlm_gui.services.limits import Limits
from mlm_gui.services.runs import Run
from mlm_gui.services.store import new_id

log = logging.getLogger(__name__)
Work = Callable[[Callable[[float], bool]], Report | None]
"""Sits an exam: gets a function that hears the share done and says whether to go on."""
KEPT_SITTINGS = 40
"""Ended sittings whose reports stay in memory; the oldest go first."""


@dataclass
class Sitting:
    """One exam in the background; the thread that sits it writes, everybody else reads."""

    owner: str
    subject: str
    """What is examined, for the one who waits."""
    id: str = field(default_factory=new_id)
    share: float = 0.0
    """Of the work, 0 to 1."""
    state: str = "waiting"
    """ "waiting", "sitting", "done", "failed" or "cancelled"."""
    report: Report | None = None
    error: UserError | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def live(self) -> bool:
        return self.state in ("waiting", "sitting")

    def go_on(self, share: float) -> bool:
        """Hears how much is done; False once it is cancelled."""
        self.share = share
        return not self.cancelled.is_set()


class Sittings:
    """All exams of this server that were asked for since it started."""

    def __init__(self, load: Callable[[str], MaskedLM], limits: Limits) -> None:
        self._load, self._limits = load, limits
        self._sittings: OrderedDict[str, Sitting] = OrderedDict()
        self._changing, self._turn = threading.Lock(), threading.Lock()

    def sit_run(self, run: Run, owner: str) -> Sitting:
        """Examines a run against the model it started from, on its own unseen text, and keeps the result in its folder."""
        return self._start(Sitting(owner, run.job.name), lambda go_on: examine_again(run, self._load, go_on))

    def sit_pair(self, models: tuple[str, str], called: tuple[str, str], corpus: Corpus, owner: str) -> Sitting:
        """Examines any two models, base and tuned, on any text; `called` is how the report names them. The result stays in memory."""

        def work(go_on: Callable[[float], bool]) -> Report | None:
            base, tuned = map(self._load, models)
            unseen = bounded(corpus.paragraphs)
            seen = (num_seen(unseen, _learned(lm)) for lm in (base, tuned))
            return finished(examination(base, tuned, Material(*called, corpus.name, unseen, unseen, general_paragraphs(), *seen)), go_on)

        return self._start(Sitting(owner, corpus.name), work)

    def find(self, sitting_id: object, owner: str) -> Sitting | None:
        """The sitting of this id, when this visitor asked for it."""
        sitting = self.look(sitting_id)
        return sitting if sitting and sitting.owner == owner else None

    def look(self, sitting_id: object) -> Sitting | None:
        """The sitting of this id, whoever asks: its 128 random bits are the only key a poll has."""
        return self._sittings.get(sitting_id) if isinstance(sitting_id, str) else None

    def close(self) -> None:
        """Cancels everything."""
        for sitting in list(self._sittings.values()):
            sitting.cancelled.set()

    def _start(self, sitting: Sitting, work: Work) -> Sitting:
        with self._changing:
            live = [other for other in self._sittings.values() if other.live]
            if any(other.owner == sitting.owner for other in live):
                raise UserError("This exam was not started.", "Another exam of yours is being sat.", "Wait until it ends, or cancel it.")
            if len(live) >= self._limits.max_queue:
                raise UserError("This exam was not started.", "Too many are being sat on this server.", "Try again in a few minutes.")
            self._sittings[sitting.id] = sitting
            for ended in [other for other in self._sittings.values() if not other.live][: max(0, len(self._sittings) - KEPT_SITTINGS)]:
                del self._sittings[ended.id]
        threading.Thread(target=self._sit, args=(sitting, work), name="exam", daemon=True).start()
        return sitting

    def _sit(self, sitting: Sitting, work: Work) -> None:
        with contextlib.suppress(OSError, AttributeError):  # so that the page stays quick; Windows has no such call
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        with self._turn:
            try:
                if not sitting.cancelled.is_set():
                    sitting.state = "sitting"
                    sitting.report = work(sitting.go_on)
                sitting.state = "done" if sitting.report else "cancelled"
            except UserError as error:
                sitting.error, sitting.state = error, "failed"
            except Exception as error:  # the person is told, whatever it was
                log.exception("an exam failed")
                sitting.error = UserError(
                    "The exam stopped.", f"An unexpected error came up ({type(error).__name__}).", "Try it again; nothing was lost."
                )
                sitting.state = "failed"
            finally:
                sitting.over.set()


def _learned(lm: MaskedLM) -> tuple[str, ...]:
    """The text a model was trained on here, when it lies in a run's folder."""
    folder = Path(lm.model.name_or_path)
    return learned_from(folder.parent) if folder.name == "model" else ()
