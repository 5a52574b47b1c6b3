"""All runs of a home folder: created, found, deleted."""

import dataclasses
import itertools
import shutil
from pathlib import Path

from mlm_gui.errors import UserError
from mlm_gui.services.models.references import run_id_of
from mlm_gui.services.runs.evaluation import forget_learned
from mlm_gui.services.runs.lineage import check_may_go
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.runs.run import LIVE_STATES, Run
from mlm_gui.services.storage.files import ID, exports_folder, home_error, new_id


class Runs:
    """All runs of a home folder."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "runs"
        self._known: dict[str, Run] = {}

    @property
    def num_known(self) -> int:
        """Runs in memory; those that are gone leave it at the next look at all runs."""
        return len(self._known)

    def create(self, request: RunRequest) -> Run:
        """A new run under an id that nobody can guess.

        It is called after its text where the request has no name; a second run of that name gets
        a number. Raises UserError as `Run.create` does, and for the model of a run that is being
        trained.
        """
        name = request.name or self._free_name(request.corpus.name, request.owner)
        run = Run.create(self.folder / new_id(), dataclasses.replace(request, name=name))
        parent = self.find(run_id_of(request.model))
        # Only now, when a parent that begins to train can see its child and so stays as it is.
        if parent and parent.state in LIVE_STATES:
            shutil.rmtree(run.folder)
            raise UserError(
                "This run was not started.",
                "The run it would start from is being trained, so its model will change.",
                "Wait until that one ends.",
            )
        self._known[run.id] = run
        return run

    def _free_name(self, name: str, owner: str) -> str:
        """The name, or the first of "name 2", "name 3", … that no run of this owner has."""
        taken = {run.job.name for run in self.all() if run.job and run.job.owner == owner}
        if name not in taken:
            return name
        numbered = (f"{name} {number}" for number in itertools.count(2))
        return next(free for free in numbered if free not in taken)

    def find(self, run_id: object) -> Run | None:
        """The run of this id, or None. An id is looked up, never used as a path unchecked."""
        if not isinstance(run_id, str) or not ID.fullmatch(run_id):
            return None
        if not (self.folder / run_id).is_dir():
            self._known.pop(run_id, None)
            return None
        known = self._known.get(run_id)
        if known is None or known.job is None:
            known = self._known[run_id] = Run(self.folder / run_id)
        return known

    def all(self) -> list[Run]:
        """Newest first. Raises UserError when the home folder cannot be read."""
        try:
            names = [folder.name for folder in self.folder.iterdir()]
        except FileNotFoundError:  # nothing was written in this home folder yet
            names = []
        except OSError as error:
            raise home_error(self.folder.parent, error) from error
        for gone in self._known.keys() - set(names):
            del self._known[gone]
        found = [run for run in map(self.find, names) if run]
        return sorted(found, key=lambda run: run.job.created if run.job else "", reverse=True)


def check_deletable(*runs: Run) -> None:
    """Raises UserError while one of the runs is being trained, or another run needs its model."""
    for run in runs:
        if run.state in LIVE_STATES:
            raise UserError(
                "Nothing was deleted.",
                "A chosen run is still being trained or waits for its turn.",
                "Stop it first, or leave it out.",
            )
        check_may_go(run.folder, together_with={run.id for run in runs})


def delete(*runs: Run) -> None:
    """Removes runs with everything they wrote, downloads included.

    Raises UserError as `check_deletable` does, before anything is gone, and when the disk refuses.
    """
    check_deletable(*runs)
    try:
        for run in runs:
            shutil.rmtree(run.folder)
            forget_learned()  # its text may have been kept there
            if ID.fullmatch(run.id):  # a run outside a home folder has no downloads
                home = run.folder.parents[1]
                shutil.rmtree(exports_folder(home) / run.id, ignore_errors=True)
    except OSError as error:
        raise UserError(
            "The run could not be deleted whole.",
            f"The system said: {error.strerror or error}.",
            "Put that right, then delete it again.",
        ) from error
