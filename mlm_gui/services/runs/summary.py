"""One line of each run for a list. A run at rest is read once and remembered."""

from dataclasses import dataclass
from pathlib import Path

from mlm_gui.core.training.events import Failed
from mlm_gui.services.runs.run import Run
from mlm_gui.services.runs.snapshot import RunSnapshot

AT_REST = ("finished", "stopped", "failed", "paused", "damaged")
"""In these states nothing changes without a change of job.json or events.jsonl."""
WATCHED_FILES = ("job.json", "events.jsonl", "model", "checkpoints")
Version = tuple[tuple[int, int] | None, ...]
"""Time and size of each watched file; None for a missing one."""


@dataclass(frozen=True)
class RunSummary:
    """A run in a list."""

    id: str
    state: str
    disk_bytes: int
    name: str = "damaged run"
    text: str = ""
    model: str = ""
    num_steps: int = 0
    total_steps: int = 0
    before: float | None = None
    """Held-out loss before the first step."""
    after: float | None = None
    """Held-out loss of the saved model, or of the latest weights as long as none was saved."""
    best_step_kept: int | None = None
    """The step of the saved model, when that is not the last one."""
    created: str = ""
    has_model: bool = False
    why: str = ""
    """What is wrong with it; empty when nothing is."""


class RunSummaries:
    """The lines of a home folder's runs."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[Version, RunSummary]] = {}

    def line(self, run: Run) -> RunSummary:
        """The run's line; read anew only when its files changed or it is alive."""
        version = tuple(_version(run.folder / name) for name in WATCHED_FILES)
        known = self._known.get(run.folder)
        if known and known[0] == version and known[1].state in AT_REST:
            return known[1]
        self._forget_gone()
        line = _read(run)
        self._known[run.folder] = (version, line)
        return line

    @property
    def num_kept(self) -> int:
        """Lines in memory."""
        return len(self._known)

    def _forget_gone(self) -> None:
        for folder in [folder for folder in list(self._known) if not folder.is_dir()]:
            self._known.pop(folder, None)


def _read(run: Run) -> RunSummary:
    snapshot = run.snapshot()
    history, job = snapshot.history, snapshot.job
    if job is None:
        return RunSummary(run.id, snapshot.state, run.disk_bytes, why=_why(snapshot))
    first_score = history.evaluations[0] if history.evaluations else None
    kept_score = history.kept_score
    return RunSummary(
        id=run.id,
        state=snapshot.state,
        disk_bytes=run.disk_bytes,
        name=job.name,
        text=job.corpus_name,
        model=job.model,
        num_steps=history.num_steps,
        total_steps=history.started.total_steps if history.started else 0,
        before=first_score.loss if first_score else None,
        after=kept_score.loss if kept_score else None,
        best_step_kept=history.best_step_kept,
        created=job.created,
        has_model=snapshot.has_model,
        why=_why(snapshot),
    )


def _why(run: RunSnapshot) -> str:
    """What is wrong with a run, in sentences; empty when nothing is."""
    ended, paused = run.history.ended, run.history.paused
    sentences = list(run.findings)
    if run.state == "damaged":
        return " ".join(sentences) or "Its folder cannot be read."
    if run.state == "interrupted" and run.checkpoint_step:
        sentences.insert(0, f"Its server went away. Safe up to step {run.checkpoint_step:,}.")
    elif run.state == "interrupted":
        sentences.insert(0, "Its server went away before anything was safe.")
    elif isinstance(ended, Failed):
        sentences.insert(0, ended.why)
    elif paused:
        sentences.insert(0, paused.why)
    return " ".join(filter(None, sentences))


def _version(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
