"""A run at one moment, for everybody who shows more than one thing of it."""

from dataclasses import dataclass

from mlm_gui.core.training.events import Failed, Finished
from mlm_gui.core.training.history import History
from mlm_gui.services.runs.job import Job


@dataclass(frozen=True)
class RunSnapshot:
    """All parts were read once, fit each other, and never change."""

    id: str
    job: Job | None
    """None when the folder is damaged."""
    state: str
    """See `state_of`, and "damaged" when there is no readable job."""
    history: History
    checkpoint_step: int
    """The step from which the run would resume; 0 when it would start over."""
    has_model: bool
    findings: tuple[str, ...]
    """One sentence for each damage, and for what is safe of a damaged run."""
    is_held_here: bool
    """True while the run waits or trains in this very process."""

    @property
    def name(self) -> str:
        """Empty for a damaged run."""
        return self.job.name if self.job else ""


def state_of(history: History, is_locked: bool) -> str:
    """ "queued", "running", "paused", "finished", "stopped", "failed" or "interrupted".

    is_locked: somebody holds the folder. An interrupted run is one whose process went away.
    """
    if isinstance(history.ended, Finished):
        return "stopped" if history.ended.reason == "stopped" else "finished"
    if isinstance(history.ended, Failed):
        return "failed"
    if history.paused:
        return "paused"
    if is_locked:
        return "queued" if history.is_waiting else "running"
    return "interrupted"
