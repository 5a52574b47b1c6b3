"""All services of the page and the shell, made once for a home folder."""

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
from mlm_gui.services.models.references import run_id_of
from mlm_gui.services.runs.registry import Runs
from mlm_gui.services.runs.run import Run
from mlm_gui.services.runs.summary import RunSummaries
from mlm_gui.services.storage.files import ID, exports_folder
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
        """Makes no folder and starts no thread: both come when they are needed."""
        runs = Runs(home)
        models = Models(runs, limits)
        return cls(
            home=home,
            limits=limits,
            texts=Texts(home),
            runs=runs,
            models=models,
            training_queue=TrainingQueue(runs.create, models.load, limits),
            evaluation_jobs=EvaluationJobs(models.load, limits),
            masking_preview=MaskingPreview(models),
            preflight=Preflight(home, runs, models, limits),
            run_summaries=RunSummaries(),
            surprisal_jobs=SurprisalJobs(models, limits),
        )

    @property
    def exports_folder(self) -> Path:
        """Files to download: the one folder of the home folder that is served."""
        return exports_folder(self.home)

    def warm_up(self) -> None:
        """Loads torch, transformers and the starter before the first question needs them.

        It takes seconds, and failing does no harm.
        """
        try:
            self.models.tokenizer(STARTER)
            for name in ENGINE_MODULES:
                importlib.import_module(name)
            self.models.borrow(STARTER)
        except Exception:
            log.exception("The warm-up failed; the same error comes again when it is needed.")

    def visible(self, run_id: object, owner: object) -> Run | None:
        """The run, when it is there and this visitor may see it.

        On a laptop everybody sees every run, on a hosted server only their own.
        """
        run = self.runs.find(run_id)
        return run if run and self._may_see(run, owner) else None

    def visible_runs(self, owner: object) -> list[Run]:
        """Newest first."""
        return [run for run in self.runs.all() if self._may_see(run, owner)]

    def run_named(self, model: object, owner: object) -> Run | None:
        """The run whose model has this name, when this visitor may see it."""
        return self.visible(run_id_of(model), owner)

    def usable(self, name: object, owner: object) -> str:
        """The name of a model that this visitor may ask.

        Raises UserError when there is none of that name, or it is another visitor's run.
        """
        if run_id_of(name) is not None and self.run_named(name, owner) is None:
            raise UserError(
                "That run has no model.",
                "It is not on this server any more, or it never reached a save.",
                "Choose another run, or train one.",
            )
        self.models.resolve(name)
        assert isinstance(name, str)  # `resolve` refuses anything else
        self.models.tokenizer(name)  # refuses a model that cannot be read
        return name.strip()

    def may_start(self, owner: object) -> bool:
        """Whether this visitor may start runs.

        Where strangers visit, only a browser that has its id may: without one the runs would
        belong to everybody.
        """
        return not self.limits.hosted or (isinstance(owner, str) and bool(ID.fullmatch(owner)))

    def _may_see(self, run: Run, owner: object) -> bool:
        is_owner = isinstance(owner, str) and bool(owner) and run.owned_by(owner)
        return not self.limits.hosted or is_owner
