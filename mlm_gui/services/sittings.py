"""Exams asked for from the page: they are sat in the background, one at a time, and can be watched and cancelled."""

import contextlib
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from mlm_gui.core.documents import Corpus
from mlm_gui.core.model import MaskedLM
from mlm_gui.core.verdict import Material, Report, bounded, examination, general_paragraphs
from mlm_gui.errors import UserError
from mlm_gui.services.exams import finished, keep, learned_from, material_of, num_seen, seconds_of
from mlm_gui.services.limits import Limits
from mlm_gui.services.runs import Run
from mlm_gui.services.store import new_id

log = logging.getLogger(__name__)
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

    @property
    def live(self) -> bool:
        return self.state in ("waiting", "sitting")


class Sittings:
    """All exams of this server that were asked for since it started."""

    def __init__(self, load: Callable[[str], MaskedLM], limits: Limits) -> None:
        self._load, self._limits = load, limits
        self._sittings: OrderedDict[str, Sitting] = OrderedDict()
        self._changing, self._turn = threading.Lock(), threading.Lock()

    def sit_run(self, run: Run, owner: str) -> Sitting:
        """Examines a run against the model it started from, on its own unseen text, and keeps the result in its folder."""

        def work(sitting: Sitting) -> Report | None:
            history = run.history()
            material = material_of(run, run.corpus.split(run.job.held_out, run.job.split_seed))
            report = self._examine(sitting, run.job.model, f"run:{run.id}", material, seconds_of(history))
            if report and not run.queue_lock.is_locked:
                keep(run, report, history)
            return report

        return self._start(Sitting(owner, run.job.name), work)

    def sit_pair(self, base: str, tuned: str, corpus: Corpus, owner: str) -> Sitting:
        """Examines any two models on any text; the result stays in memory."""

        def work(sitting: Sitting) -> Report | None:
            return self._examine(sitting, base, tuned, corpus)

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

    def _start(self, sitting: Sitting, work: Callable[[Sitting], Report | None]) -> Sitting:
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

    def _sit(self, sitting: Sitting, work: Callable[[Sitting], Report | None]) -> None:
        with contextlib.suppress(OSError, AttributeError):  # so that the page stays quick; Windows has no such call
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        with self._turn:
            try:
                if not sitting.cancelled.is_set():
                    sitting.state = "sitting"
                    sitting.report = work(sitting)
                sitting.state = "done" if sitting.report else "cancelled"
            except UserError as error:
                sitting.error, sitting.state = error, "failed"
            except Exception as error:  # the person is told, whatever it was
                log.exception("an exam failed")
                sitting.error = UserError(
                    "The exam stopped.", f"An unexpected error came up ({type(error).__name__}).", "Try it again; nothing was lost."
                )
                sitting.state = "failed"

    def _examine(self, sitting: Sitting, base_name: str, tuned_name: str, text: Material | Corpus, seconds_trained: float = 0.0) -> Report | None:
        base, tuned = self._load(base_name), self._load(tuned_name)
        if isinstance(text, Corpus):
            unseen = bounded(text.paragraphs)
            seen = [num_seen(unseen, _learned(lm)) for lm in (base, tuned)]
            text = Material(base_name, tuned_name, text.name, unseen, unseen, general_paragraphs(), *seen)

        def go_on(share: float) -> bool:
            sitting.share = share
            return not sitting.cancelled.is_set()

        return finished(examination(base, tuned, text, seconds_trained), go_on)


def _learned(lm: MaskedLM) -> tuple[str, ...]:
    """The text a model was trained on here, when it lies in a run's folder."""
    from pathlib import Path

    folder = Path(lm.model.name_or_path)
    return learned_from(folder.parent) if folder.name == "model" else ()
