"""Everything the page and the shell stand on, made once for a home folder."""

from dataclasses import dataclass
from pathlib import Path

from mlm_gui.services.jobs import Trainer
from mlm_gui.services.laboratory import Laboratory
from mlm_gui.services.limits import Limits
from mlm_gui.services.models import Models
from mlm_gui.services.runs import Run, Runs
from mlm_gui.services.sittings import Sittings
from mlm_gui.services.store import ID, Texts


@dataclass(frozen=True)
class Studio:
    """The services of one server."""

    home: Path
    limits: Limits
    texts: Texts
    runs: Runs
    models: Models
    trainer: Trainer
    sittings: Sittings
    laboratory: Laboratory

    @classmethod
    def open(cls, home: Path, limits: Limits) -> "Studio":
        """Makes the folders that are missing; starts no thread."""
        runs = Runs(home)
        models = Models(runs, limits)
        trainer, sittings = Trainer(models.load, limits), Sittings(models.load, limits)
        return cls(home, limits, Texts(home), runs, models, trainer, sittings, Laboratory(models))

    def visible(self, run_id: object, owner: str) -> Run | None:
        """The run, when it is there and this visitor may see it: on a laptop everyone's, on a hosted server only their own."""
        run = self.runs.find(run_id)
        return run if run and self._may_see(run, owner) else None

    def visible_runs(self, owner: str) -> list[Run]:
        """Newest first."""
        return [run for run in self.runs.all() if self._may_see(run, owner)]

    def may_start(self, owner: object) -> bool:
        """Where strangers visit, only a browser that has its id may start runs: without one they would belong to everybody."""
        return not self.limits.hosted or (isinstance(owner, str) and bool(ID.fullmatch(owner)))

    def _may_see(self, run: Run, owner: str) -> bool:
        return not self.limits.hosted or (bool(owner) and run.owned_by(owner))
