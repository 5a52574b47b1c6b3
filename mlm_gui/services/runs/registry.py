"""All runs of a home folder: found, trained, gone on with, deleted."""

from __future__ import annotations

import itertools
import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from mlm_gui.core.config import TrainConfig
from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.errors import UserError
from mlm_gui.services.runs.evaluation import learned_by
from mlm_gui.services.runs.lineage import RUN, check_may_go
from mlm_gui.services.runs.run import LIVE_STATES, Run
from mlm_gui.services.storage.files import ID, new_id

if TYPE_CHECKING:
    pass

log = logging.getLogger(__name__)


class Runs:
    """All runs of a home folder."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "runs"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._known: dict[str, Run] = {}

    def create(
        self,
        corpus: Corpus,
        model: str,
        config: TrainConfig,
        held_out: float,
        split_seed: int,
        owner: str = "",
        name: str = "",
        probes: tuple[str, ...] = (),
    ) -> Run:
        """A new run under an id that nobody can guess, called after its text unless it has a `name`; a second one of that name gets a number. Raises UserError as `Run.create` does, and for the model of a run that is being trained."""
        run = Run.create(
            self.folder / new_id(),
            corpus,
            model,
            config,
            held_out,
            split_seed,
            owner,
            name or self._free_name(corpus.name, owner),
            probes,
        )
        parent = self.find(model.removeprefix(RUN)) if model.startswith(RUN) else None
        if (
            parent and parent.state in LIVE_STATES
        ):  # looked at once the child can be seen: a parent that begins now sees it and stays as it is
            shutil.rmtree(run.folder)
            raise UserError(
                "This run was not started.",
                "The run it would start from is being trained, so its model will change.",
                "Wait until that one ends.",
            )
        self._known[run.id] = run
        return run

    def _free_name(self, name: str, owner: str) -> str:
        taken = {run.job.name for run in self.all() if run.owned_by(owner)}
        return next(
            free
            for number in itertools.count(1)
            if (free := name if number == 1 else f"{name} {number}") not in taken
        )

    def find(self, run_id: object) -> Run | None:
        """The run of this id, or None; an id is looked up, never used as a path unchecked."""
        if (
            not isinstance(run_id, str)
            or not ID.fullmatch(run_id)
            or not (self.folder / run_id).is_dir()
        ):
            return None
        if run_id not in self._known or self._known[run_id].job is None:
            self._known[run_id] = Run(self.folder / run_id)
        return self._known[run_id]

    def all(self) -> list[Run]:
        """Newest first."""
        found = [run for folder in self.folder.iterdir() if (run := self.find(folder.name))]
        return sorted(found, key=lambda run: run.job.created if run.job else "", reverse=True)


def check_deletable(*runs: Run) -> None:
    """Raises UserError while one of the runs is being trained, or another run started from its model."""
    for run in runs:
        if run.state in LIVE_STATES:
            raise UserError(
                "Nothing was deleted.",
                "A chosen run is still being trained or waits for its turn.",
                "Stop it first, or leave it out.",
            )
        check_may_go(run.folder, together_with={run.id for run in runs})


def delete(*runs: Run) -> None:
    """Removes runs with everything they wrote, downloads included. Raises UserError as `check_deletable` does, before anything is gone, and when the
    disk refuses.
    """
    check_deletable(*runs)
    try:
        for run in runs:
            shutil.rmtree(run.folder)
            learned_by.cache_clear()  # its text may have been there
            if ID.fullmatch(
                run.id
            ):  # a run of a home folder; one in a folder of the person's own has no downloads
                shutil.rmtree(run.folder.parents[1] / "exports" / run.id, ignore_errors=True)
    except OSError as error:
        raise UserError(
            "The run could not be deleted whole.",
            f"The system said: {error.strerror or error}.",
            "Put that right, then delete it again.",
        ) from error
