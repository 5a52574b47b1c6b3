"""Runs that started from another run's model: that model must stay as it is, and when it is gone that is said."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from mlm_gui.errors import UserError
from mlm_gui.services.runs.job import Job, read_job
from mlm_gui.services.storage.files import ID

Made = TypeVar("Made")
RUN = "run:"
"""How the name of a run's model begins; the run's id follows."""


def children_of(folder: Path) -> dict[str, Job]:
    """The jobs of the runs of the same home folder that started from the model of this one, by their ids."""
    if not ID.fullmatch(
        folder.name
    ):  # a run in a folder of the person's own: nobody can tell where its children lie
        return {}
    names = (f"{RUN}{folder.name}", str(folder / "model"))
    jobs = {
        other.name: read_job(other)[0]
        for other in folder.parent.iterdir()
        if ID.fullmatch(other.name)
    }
    return {run_id: job for run_id, job in jobs.items() if job and job.model in names}


def check_may_change(folder: Path) -> None:
    """Raises UserError when another run started from the model of the run in this folder: its base would change under it."""
    children = children_of(folder)
    if children:
        raise UserError(
            "This run stays as it is.",
            f"{named(children)} started from its model and {_is_or_are(children)} compared with it.",
            f"Start a new run from its model instead, or delete {_it_or_them(children)} first.",
        )


def check_may_go(folder: Path, *, together_with: set[str]) -> None:
    """Raises UserError when another run started from the model of the run in this folder, unless it is deleted too."""
    children = {
        run_id: job for run_id, job in children_of(folder).items() if run_id not in together_with
    }
    if children:
        raise UserError(
            "Nothing was deleted.",
            f"{named(children)} started from the model of a chosen run and {_is_or_are(children)} compared with it.",
            f"Choose {_it_or_them(children)} too, or keep this one.",
        )


def called_base(folder: Path, model: str) -> str:
    """How the model that the run in this folder started from is called: by its run's present name, when it came from one of the same home folder."""
    if not model.startswith(RUN):
        return model
    run_id = model.removeprefix(RUN)
    parent = read_job(folder.parent / run_id)[0] if ID.fullmatch(run_id) else None
    return f"the run “{parent.name}”" if parent else "an earlier run that is not here any more"


def with_base(model: str, use: Callable[[str], Made]) -> Made:
    """What `use` makes of the model that a run started from. Raises UserError that says so when it is gone or damaged."""
    try:
        return use(model)
    except UserError as error:
        if not model.startswith(RUN) and not Path(model).is_absolute():
            raise  # the starter or a Hub name: what was said of it is the whole truth
        came_from = "the model of another run" if model.startswith(RUN) else f"the folder {model}"
        gone = not model.startswith(RUN) and not Path(model).is_dir()
        raise UserError(
            "The model that this run started from cannot be used.",
            f"It was {came_from}. {'That folder is not there any more.' if gone else f'{error.what} {error.why}'}",
            "Put it back from a copy; or start a new run, or compare with another model.",
        ) from error


def named(children: dict[str, Job]) -> str:
    """The runs by name: the first three, and how many more there are."""
    names = [f"“{job.name}”" for job in children.values()]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _is_or_are(children: dict[str, Job]) -> str:
    return "is" if len(children) == 1 else "are"


def _it_or_them(children: dict[str, Job]) -> str:
    return "it" if len(children) == 1 else "them"
