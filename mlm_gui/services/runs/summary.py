"""One line of each run for a list; what has come to rest is read once and remembered."""

from dataclasses import dataclass
from pathlib import Path

from mlm_gui.services.runs.run import Run

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
    state = run.state
    if run.job is None:
        why = " ".join(run.findings) or "Its folder cannot be read."
        return RunSummary(
            run.id,
            "damaged run",
            "",
            "",
            state,
            0,
            0,
            None,
            None,
            None,
            "",
            run.disk_bytes,
            False,
            why,
        )
    history, job = run.history(), run.job
    scores = history.evaluations
    ended, paused = history.ended, history.paused
    why = getattr(ended, "why", "") or (paused.why if paused else "")
    if state == "interrupted":
        why = (
            f"Its server went away. Safe up to step {run.checkpoint_step:,}."
            if run.checkpoint_step
            else "Its server went away before anything was safe."
        )
    before, after = (scores[0].loss, history.kept_score.loss) if scores else (None, None)
    total = history.started.total_steps if history.started else 0
    why = " ".join(part for part in (why, *run.findings) if part)
    return RunSummary(
        run.id,
        job.name,
        job.corpus_name,
        job.model,
        state,
        history.num_steps,
        total,
        before,
        after,
        history.best_step_kept,
        job.created,
        run.disk_bytes,
        run.has_model,
        why,
    )


def _version(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
