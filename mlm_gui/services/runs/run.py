"""One run is one folder. Everybody who reads the folder sees the same run.

It holds job.json, corpus.json, split.json, events.jsonl, checkpoints/ and model/.
"""

import datetime
import json
import os
import shutil
import threading
from pathlib import Path

from filelock import FileLock, Timeout

from mlm_gui.core.corpus.corpus import Corpus, Split
from mlm_gui.core.corpus.paragraphs import lengths_of
from mlm_gui.core.inference.probes import probes_from
from mlm_gui.core.training import events
from mlm_gui.core.training.events import Event
from mlm_gui.core.training.history import History
from mlm_gui.errors import UserError
from mlm_gui.services.runs.checkpoints import Checkpoints
from mlm_gui.services.runs.held_out import read_held_out, write_held_out
from mlm_gui.services.runs.job import Job, read_job
from mlm_gui.services.runs.lineage import check_may_change
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.runs.snapshot import RunSnapshot, state_of
from mlm_gui.services.storage.files import bytes_in, is_readable_file
from mlm_gui.services.storage.texts import UNREADABLE, read_corpus, write_corpus

LIVE_STATES = ("queued", "running")
"""A run in one of these waits, trains or is examined."""
RESUMABLE_STATES = ("paused", "interrupted", "stopped", "failed")
"""A run in one of these resumes from its newest whole checkpoint, or starts over without one."""
UNREADABLE_LINE = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    ZeroDivisionError,
    RecursionError,
)
"""What a line of events.jsonl may raise that holds something else than the next event."""
HOLD_SECONDS = 0.5
"""How long `Run.hold` waits: another program that looks at the state locks it for a moment."""


class Run:
    """One run folder.

    Several objects, threads or processes may look at the same folder. One at a time trains in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.id = folder.name
        self.model_folder = folder / "model"
        self.checkpoints = Checkpoints(folder / "checkpoints")
        self._history = History()
        self._read_bytes = 0
        self._num_unreadable = 0
        self._reading = threading.Lock()
        self._looking = threading.Lock()
        self.queue_lock = FileLock(folder / "run.lock", thread_local=False)
        """Held from the moment a run waits until it ends or pauses.

        The system releases it when the process dies.
        """
        self.job, self._damage = read_job(folder)

    @classmethod
    def create(cls, folder: Path, request: RunRequest) -> "Run":
        """Writes a new run folder.

        Raises UserError when the text is too small to split, or the folder holds a run already.
        """
        request.config.check_length(int(lengths_of(request.corpus.paragraphs).sum()))
        corpus = request.corpus.looked_through()
        is_held_out = corpus.is_held_out(request.held_out, request.split_seed)
        split = Split.of(corpus.paragraphs, is_held_out)
        if (folder / "job.json").exists():
            raise UserError(
                f"{folder} holds a run already.",
                "A run folder is never written over.",
                "Choose another folder.",
            )
        job = Job(
            name=request.name or corpus.name,
            model=request.model,
            config=request.config,
            held_out=request.held_out,
            split_seed=request.split_seed,
            corpus_name=corpus.name,
            fingerprint=corpus.fingerprint,
            owner=request.owner,
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            probes=request.probes or probes_from(split.held_out, split.train),
        )
        is_new = not folder.exists()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_corpus(folder / "corpus.json", corpus)
            write_held_out(folder / "split.json", corpus, job.held_out, job.split_seed, is_held_out)
            job.write(folder)
        except OSError as error:
            if is_new:  # half a run is of no use
                shutil.rmtree(folder, ignore_errors=True)
            raise UserError(
                f"The run folder {folder} could not be written.",
                f"The system said: {error.strerror or error}.",
                "Choose another folder, or make room.",
            ) from error
        return cls(folder)

    @property
    def corpus(self) -> Corpus:
        """The text. Raises UserError when it is missing or damaged."""
        try:
            return read_corpus(self.folder / "corpus.json")
        except UNREADABLE as error:
            raise UserError(
                "This run cannot be trained.",
                "Its text, corpus.json, is missing or damaged.",
                "Start a new run from the text, or from its model.",
            ) from error

    def split(self, corpus: Corpus | None = None) -> Split:
        """The two sides of the text, as drawn when the run was made.

        corpus: the text, where it has been read already. Raises UserError when the text or the
        job is missing or damaged, and as `read_held_out` does.
        """
        job, corpus = self.sound_job(), corpus or self.corpus
        has_begun = self.history().num_steps > 0
        return Split.of(
            corpus.paragraphs,
            read_held_out(
                self.folder / "split.json", corpus, job.held_out, job.split_seed, has_begun
            ),
        )

    def snapshot(self) -> RunSnapshot:
        """The run at this moment. Whoever needs two things of a run takes both from one snapshot.

        A state and a history that are read one after the other may belong to different moments.
        """
        job, damage = self.job, self._damage
        state, history = self._state_and_history()
        checkpoint_step = self.checkpoint_step
        return RunSnapshot(
            id=self.id,
            job=job,
            state=state,
            history=history,
            checkpoint_step=checkpoint_step,
            has_model=self.has_model,
            findings=self._findings(history, damage, checkpoint_step),
            is_held_here=self.queue_lock.is_locked,
        )

    def history(self) -> History:
        """All events so far. It reads only the lines that were added since the last call.

        A half-written or unreadable line is skipped. The answer never changes.
        """
        with self._reading:
            for line in self._new_lines():
                try:
                    event = events.from_record(json.loads(line))
                    self._history = self._history.after(event)
                except UNREADABLE_LINE:
                    self._num_unreadable += bool(line)
            return self._history

    def _new_lines(self) -> list[bytes]:
        try:
            with (self.folder / "events.jsonl").open("rb") as file:
                file.seek(self._read_bytes)
                whole_lines = file.read().rpartition(b"\n")[0]
        except OSError:  # no events yet, or none that can be read: the job and checkpoints count
            return []
        self._read_bytes += len(whole_lines) + 1 if whole_lines else 0
        return whole_lines.split(b"\n") if whole_lines else []

    @property
    def has_model(self) -> bool:
        """True when there is a model to use, and the record of where it comes from."""
        return self.job is not None and is_readable_file(self.model_folder / "config.json")

    @property
    def state(self) -> str:
        """The state alone; see `RunSnapshot.state`."""
        return self._state_and_history()[0]

    def _state_and_history(self) -> tuple[str, History]:
        if self.job is None:
            return "damaged", self.history()
        is_locked = self._is_locked()
        # The lock comes first: a run that ends in between has ended.
        history = self.history()
        state = state_of(history, is_locked)
        if state == "interrupted" and self._is_locked():  # it was put in the queue in between
            history = self.history()
            state = state_of(history, is_locked=True)
        return state, history

    @property
    def checkpoint_step(self) -> int:
        """The step from which the run would resume; 0 when it would start over."""
        return self.checkpoints.checkpoint_step

    @property
    def disk_bytes(self) -> int:
        """Bytes of everything in the run's folder."""
        return bytes_in(self.folder)

    @property
    def findings(self) -> tuple[str, ...]:
        """The findings alone; see `RunSnapshot.findings`."""
        return self.snapshot().findings

    def _findings(self, history: History, damage: str, checkpoint_step: int) -> tuple[str, ...]:
        found = [damage] if damage else []
        if not damage and not is_readable_file(self.folder / "corpus.json"):
            found.append("Its text, corpus.json, is missing: it cannot be trained further.")
        if self._num_unreadable:
            found.append(
                f"{self._num_unreadable} lines of its record cannot be read; "
                "the chart goes on without them."
            )
        found += history.skipped_checkpoints
        if damage and is_readable_file(self.model_folder / "config.json"):
            found.append(
                "Its model is there: the folder model/ in the run's folder can be copied and used."
            )
        if damage and checkpoint_step:
            found.append(f"Its checkpoint of step {checkpoint_step} is there.")
        return tuple(found)

    def owned_by(self, owner: str) -> bool:
        return self.job is not None and self.job.owner == owner

    def rename(self, name: object) -> None:
        """Gives the run another name, in its folder too.

        Raises UserError for an empty name, a damaged run, or a disk that takes nothing.
        """
        self.rewrite(self.sound_job().named(name))

    def append(self, event: Event, sync: bool = False) -> None:
        """Adds one line to events.jsonl. A line that a crash left half-written is closed first.

        sync: returns only when the line is on the disk.
        """
        path = self.folder / "events.jsonl"
        with path.open("ab+") as file:
            if file.tell():
                file.seek(-1, 2)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            file.write(json.dumps(events.as_record(event), ensure_ascii=False).encode() + b"\n")
            if sync:
                file.flush()
                os.fsync(file.fileno())

    def sound_job(self) -> Job:
        """The job. Raises UserError when the folder is damaged."""
        if self.job is None:
            raise UserError(
                "This run cannot be used.",
                f"Its folder is damaged. {self._damage}",
                "Start a new run.",
            )
        return self.job

    def rewrite(self, job: Job) -> None:
        """Replaces the job in the folder. Raises UserError when the disk does not take it."""
        try:
            job.write(self.folder)
        except OSError as error:
            raise UserError(
                "The run could not be changed.",
                f"The system said: {error.strerror or error}.",
                "Make room on the disk, then try again.",
            ) from error
        self.job = job

    def _is_locked(self) -> bool:
        if self.queue_lock.is_locked:
            return True
        if not is_readable_file(self.folder / "run.lock"):
            return False
        lock = FileLock(self.folder / "run.lock", thread_local=False)
        with self._looking:  # two who look at once would each take the other for a trainer
            try:
                lock.acquire(blocking=False)
            except Timeout:
                return True
            except OSError:  # a folder that cannot be written: nobody trains in it
                return False
            lock.release()
        return False

    def hold(self) -> None:
        """Takes the folder for this process.

        Raises UserError when another process works in it, when it cannot be written, or when
        another run started from its model, which would change.
        """
        try:
            with self._looking:
                self.queue_lock.acquire(timeout=HOLD_SECONDS)
        except Timeout:
            raise UserError(
                "This run is being trained already.",
                "Another program works in its folder.",
                "Wait until it ends.",
            ) from None
        except OSError as error:
            raise UserError(
                "This run cannot be trained.",
                f"Its folder cannot be written: {error.strerror or error}.",
                "Put that right, then try again.",
            ) from error
        if self.has_model:
            try:
                check_may_change(self.folder)
            except UserError:
                self.queue_lock.release()
                raise
