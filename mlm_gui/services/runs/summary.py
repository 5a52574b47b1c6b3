"""One line of each run for a list; what has come to rest is read once and remembered."""

from dataclasses import dataclass
from pathlib import Path

from mlm_gui.core.training.events import Failed
from mlm_gui.services.runs.run import Run
from mlm_gui.services.runs.snapshot import RunSnapshot

AT_REST = ("finished", "stopped", "failed", "paused", "damaged")
"""In these states nothing changes without a change of job.json or events.jsonl."""


@dataclass(frozen=True)
class RunSummary:
    """A run in a list."""

    id: str
    name: str
    text: str
    model: str
    state: str
    num_steps: int
    total_steps: int
    before: float | None
    """Loss on unseen text before the first step."""
    after: float | None
    """The same of the model that was kept, or of the latest weights as long as none was."""
    best_step_kept: int | None
    """The step of the kept model, when that is not the last one."""
    created: str
    disk_bytes: int
    has_model: bool
    why: str
    """What is wrong with it; empty when nothing is."""


class RunSummaries:
    """The lines of a home folder's runs."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple, RunSummary]] = {}

    def line(self, run: Run) -> RunSummary:
        """The run's line; read anew only when its files changed or it is alive."""
        version = tuple(
            _version(run.folder / name)
            for name in ("job.json", "events.jsonl", "model", "checkpoints")
        )
        known = self._known.get(run.id)
        if known and known[0] == version and known[1].state in AT_REST:
            return known[1]
        line = _read(run)
        self._known[run.id] = (version, line)
        return line


def _read(run: Run) -> RunSummary:
    snapshot = run.snapshot()
    history, job = snapshot.history, snapshot.job
    first_score = history.evaluations[0] if history.evaluations else None
    kept_score = history.kept_score
    return RunSummary(
        id=run.id,
        name=job.name if job else "damaged run",
        text=job.corpus_name if job else "",
        model=job.model if job else "",
        state=snapshot.state,
        num_steps=history.num_steps if job else 0,
        total_steps=history.started.total_steps if job and history.started else 0,
        before=first_score.loss if job and first_score else None,
        after=kept_score.loss if job and kept_score else None,
        best_step_kept=history.best_step_kept if job else None,
        created=job.created if job else "",
        disk_bytes=run.disk_bytes,
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
