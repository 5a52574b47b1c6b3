"""A run is a folder: job.json, corpus.json, events.jsonl and model/. Whoever reads the folder sees the same run."""

import contextlib
import dataclasses
import datetime
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from filelock import FileLock, Timeout

from mlm_gui.core import events
from mlm_gui.core.config import TrainConfig
from mlm_gui.core.documents import Corpus
from mlm_gui.core.events import Event, Failed, Finished, Saved
from mlm_gui.core.history import History
from mlm_gui.core.model import MaskedLM
from mlm_gui.core.training import Training, is_finite
from mlm_gui.errors import UserError
from mlm_gui.services.card import model_card
from mlm_gui.services.exams import LIVE_STATES, sit_exam
from mlm_gui.services.store import ID, corpus_from_json, corpus_to_json, new_id, write_whole

FORMAT = 1
"""Version of the run folder; a folder of another version is shown as damaged, not read."""
_EVENTS = {kind.__name__.lower(): kind for kind in get_args(Event)}


@dataclass(frozen=True)
class Job:
    """What was asked for; written once, before anything else of the run."""

    name: str
    model: str
    config: TrainConfig
    held_out: float
    """Share of the paragraphs kept unseen."""
    split_seed: int
    corpus_name: str
    fingerprint: str
    """sha256 of the corpus."""
    owner: str
    """Opaque key of the visitor who started it."""
    created: str
    """UTC, ISO 8601."""


class Run:
    """One run folder. Several objects, threads or processes may look at the same folder; one at a time trains in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.id = folder.name
        self.model_folder = folder / "model"
        self._history, self._read_bytes, self._reading = History(), 0, threading.Lock()
        self.queue_lock = FileLock(folder / "run.lock", thread_local=False)
        """Held from the moment a run waits until it ends; the system lets go of it when its process dies."""
        self.job = self._read_job()

    @classmethod
    def create(
        cls, folder: Path, corpus: Corpus, model: str, config: TrainConfig, held_out: float, split_seed: int, owner: str = "", name: str = ""
    ) -> "Run":
        """Writes a new run folder. Raises UserError when the text is too small to split, or the folder holds a run already."""
        corpus.split(held_out, split_seed)
        if (folder / "job.json").exists():
            raise UserError(f"{folder} holds a run already.", "A run folder is never written over.", "Choose another folder.")
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        job = Job(name or corpus.name, model, config, held_out, split_seed, corpus.name, corpus.fingerprint, owner, now)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / "corpus.json", corpus_to_json(corpus))
            write_whole(folder / "job.json", json.dumps({"format": FORMAT, **dataclasses.asdict(job)}, ensure_ascii=False, indent=1))
        except OSError as error:
            raise UserError(
                f"The run folder {folder} could not be written.",
                f"The system said: {error.strerror or error}.",
                "Choose another folder, or make room.",
            ) from error
        return cls(folder)

    @property
    def corpus(self) -> Corpus:
        return corpus_from_json((self.folder / "corpus.json").read_text(encoding="utf-8"))

    def history(self) -> History:
        """Everything that has happened; reads only what was added since the last call. A half-written or unreadable line is passed over."""
        with self._reading:
            path = self.folder / "events.jsonl"
            if path.is_file():
                with path.open("rb") as file:
                    file.seek(self._read_bytes)
                    whole_lines = file.read().rpartition(b"\n")[0]
                if whole_lines:
                    self._read_bytes += len(whole_lines) + 1
                    for line in whole_lines.split(b"\n"):
                        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
                            record = json.loads(line)
                            self._history.add(_EVENTS[record.pop("event")](**record))
            return self._history

    @property
    def has_model(self) -> bool:
        """True when there is a model to use, and the record that says where it comes from."""
        return self.job is not None and (self.model_folder / "config.json").is_file()

    @property
    def state(self) -> str:
        """ "queued", "running", "finished", "stopped", "failed", "interrupted" (its server went away) or "damaged"."""
        if self.job is None:
            return "damaged"
        alive = self._is_locked()
        history = self.history()  # read after the lock was looked at: a run that ends in between is seen as ended
        if isinstance(history.ended, Finished):
            return "finished" if history.ended.reason == "done" else "stopped"
        if isinstance(history.ended, Failed):
            return "failed"
        if alive:
            return "running" if history.started else "queued"
        return "interrupted"

    def owned_by(self, owner: str) -> bool:
        return self.job is not None and self.job.owner == owner

    def append(self, event: Event) -> None:
        """Adds one line to events.jsonl, after closing a line that a crash may have left half-written."""
        path = self.folder / "events.jsonl"
        with path.open("ab+") as file:
            if file.tell():
                file.seek(-1, 2)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            file.write(json.dumps(events.as_record(event), ensure_ascii=False).encode() + b"\n")

    def _is_locked(self) -> bool:
        if self.queue_lock.is_locked:
            return True
        if not (self.folder / "run.lock").exists():
            return False
        lock = FileLock(self.folder / "run.lock", thread_local=False)
        try:
            lock.acquire(blocking=False)
        except (Timeout, OSError):
            return True
        lock.release()
        return False

    def _read_job(self) -> Job | None:
        try:
            record = json.loads((self.folder / "job.json").read_text(encoding="utf-8"))
            if record.pop("format") != FORMAT:
                return None
            job = Job(**{**record, "config": TrainConfig(**record["config"])})
            texts = (job.name, job.model, job.corpus_name, job.fingerprint, job.owner, job.created)
            return job if all(isinstance(value, str) for value in texts) else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, UserError):
            return None  # a damaged folder is listed as such and breaks nothing


class Runs:
    """All runs of a home folder."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "runs"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._known: dict[str, Run] = {}

    def create(self, corpus: Corpus, model: str, config: TrainConfig, held_out: float, split_seed: int, owner: str = "", name: str = "") -> Run:
        """A new run under an id that nobody can guess."""
        run = Run.create(self.folder / new_id(), corpus, model, config, held_out, split_seed, owner, name)
        self._known[run.id] = run
        return run

    def find(self, run_id: object) -> Run | None:
        """The run of this id, or None; an id is looked up, never used as a path unchecked."""
        if not isinstance(run_id, str) or not ID.fullmatch(run_id) or not (self.folder / run_id).is_dir():
            return None
        if run_id not in self._known or self._known[run_id].job is None:
            self._known[run_id] = Run(self.folder / run_id)
        return self._known[run_id]

    def all(self) -> list[Run]:
        """Newest first."""
        found = [run for folder in self.folder.iterdir() if (run := self.find(folder.name))]
        return sorted(found, key=lambda run: run.job.created if run.job else "", reverse=True)


def finetune(run: Run, load: Callable[[str], MaskedLM], stop: Callable[[], bool] = lambda: False) -> Iterator[Event]:
    """Trains in the run's folder: loads the model, yields every event after writing it, saves, and ends with Finished or Failed.

    When `stop()` turns true the run ends after the current step: it is scored, saved and usable. Closing the generator saves too.
    """
    lock = run.queue_lock
    try:
        if not lock.is_locked:
            lock.acquire(timeout=0)
    except Timeout:
        raise UserError("This run is being trained already.", "Another program works in its folder.", "Wait until it ends.") from None
    try:
        with contextlib.closing(_finetune(run, load, stop)) as happening:  # closed, and saved, before the lock is let go
            for event in happening:
                run.append(event)
                yield event
    except UserError as error:
        run.append(Failed(error.what, error.why, error.do))
        raise
    except OSError as error:
        failed = UserError(
            "The run could not be written.", f"The system said: {error.strerror or error}.", "Make room on the disk, then start the run again."
        )
        with contextlib.suppress(OSError):
            run.append(Failed(failed.what, failed.why, failed.do))
        raise failed from error
    finally:
        lock.release()


def _finetune(run: Run, load: Callable[[str], MaskedLM], stop: Callable[[], bool]) -> Iterator[Event]:
    job = run.job
    if job is None:
        raise UserError("This run cannot be trained.", "Its folder is damaged: job.json is missing or unreadable.", "Start a new run.")
    lm = load(job.model)
    split = run.corpus.split(job.held_out, job.split_seed)
    training = Training(lm, split, job.config, stop, run.folder / "tokens")
    history, saved = History(), False
    try:
        for event in training.events():
            history.add(event)
            yield event
        if history.evaluations[-1].step != training.step:
            scored = training.score()
            history.add(scored)
            yield scored
        _save(run, lm, history)
        saved = True
        yield Saved(training.step, str(run.model_folder.name))
        yield from sit_exam(run, lm, load, split, stop)
        yield Finished(training.step, training.reason, training.seconds)
    finally:
        if not saved and training.step and is_finite(lm):
            _save(run, lm, history)


def _save(run: Run, lm: MaskedLM, history: History) -> None:
    lm.save(run.model_folder)
    write_whole(run.model_folder / "README.md", model_card(run.job, history))


def delete(run: Run) -> None:
    """Removes the run with everything it wrote. Raises UserError while it is being trained."""
    if run.state in LIVE_STATES:
        raise UserError("This run cannot be deleted yet.", "It is still being trained.", "Stop it first.")
    shutil.rmtree(run.folder)
