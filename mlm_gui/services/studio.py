"""Everything the page and the shell stand on, made once for a home folder."""

import importlib
import logging
from dataclasses import dataclass
from pathlib import Path

from mlm_gui.core.assets import STARTER
from mlm_gui.errors import UserError
from mlm_gui.services.jobs.evaluations import EvaluationJobs
from mlm_gui.services.jobs.preflight import Preflight
from mlm_gui.services.jobs.surprisal import SurprisalJobs
from mlm_gui.services.jobs.training_queue import TrainingQueue
from mlm_gui.services.limits import Limits
from mlm_gui.services.models.masking_preview import MaskingPreview
from mlm_gui.services.models.models import Models
from mlm_gui.services.runs.registry import Runs
from mlm_gui.services.runs.run import Run
from mlm_gui.services.runs.summary import RunSummaries
from mlm_gui.services.storage.files import ID
from mlm_gui.services.storage.texts import Texts

log = logging.getLogger(__name__)
ENGINE_MODULES = (
    "mlm_gui.core.masking.explanation",
    "mlm_gui.core.inference.fill",
    "mlm_gui.core.training.loop",
    "mlm_gui.core.evaluation.report",
)
"""What is loaded behind the page, in the order in which a page needs it."""


@dataclass(frozen=True)
class Studio:
    """The services of one server."""

    home: Path
    limits: Limits
    texts: Texts
    runs: Runs
    models: Models
    training_queue: TrainingQueue
    evaluation_jobs: EvaluationJobs
    masking_preview: MaskingPreview
    preflight: Preflight
    run_summaries: RunSummaries
    surprisal_jobs: SurprisalJobs

    @classmethod
    def open(cls, home: Path, limits: Limits) -> "Studio":
        """Makes the folders that are missing; starts no thread."""
        runs = Runs(home)
        models = Models(runs, limits)
        training_queue, evaluation_jobs, preflight = (
            TrainingQueue(models.load, limits),
            EvaluationJobs(models.load, limits),
            Preflight(home, runs, models, limits),
        )
        return cls(
            home,
            limits,
            Texts(home),
            runs,
            models,
            training_queue,
            evaluation_jobs,
            MaskingPreview(models),
            preflight,
            RunSummaries(),
            SurprisalJobs(models, limits),
        )

    def warm_up(self) -> None:
        """Loads torch, transformers and the starter, so that the first draw and the first training need not wait for them. Takes seconds; failing is no harm."""
        try:
            self.models.tokenizer(STARTER)
            for name in ENGINE_MODULES:
                importlib.import_module(name)
            self.models.borrow(STARTER)
        except Exception:
            log.exception("The warm-up failed; whatever it was comes up again when it is needed.")

    def visible(self, run_id: object, owner: str) -> Run | None:
        """The run, when it is there and this visitor may see it: on a laptop everyone's, on a hosted server only their own."""
        run = self.runs.find(run_id)
        return run if run and self._may_see(run, owner) else None

    def visible_runs(self, owner: str) -> list[Run]:
        """Newest first."""
        return [run for run in self.runs.all() if self._may_see(run, owner)]

    def usable(self, name: object, owner: str) -> str:
        """The name of a model that this visitor may ask. Raises UserError when there is none of that name, or it is another visitor's run."""
        run_id = (
            name.strip().removeprefix("run:")
            if isinstance(name, str) and name.strip().startswith("run:")
            else None
        )
        if run_id is not None and self.visible(run_id, owner) is None:
            raise UserError(
                "That run has no model.",
                "It is not on this server any more, or it never reached a save.",
                "Choose another run, or train one.",
            )
        self.models.tokenizer(name)  # refuses an unknown model at once
        return name.strip()

    def may_start(self, owner: object) -> bool:
        """Where strangers visit, only a browser that has its id may start runs: without one they would belong to everybody."""
        return not self.limits.hosted or (isinstance(owner, str) and bool(ID.fullmatch(owner)))

    def _may_see(self, run: Run, owner: str) -> bool:
        return not self.limits.hosted or (bool(owner) and run.owned_by(owner))
