"""Runs that started from the model of another run.

That model must stay as it is, and a base that is gone is reported.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from mlm_gui.errors import UserError
from mlm_gui.services.models.references import name_of_run, names_run, run_id_of
from mlm_gui.services.runs.job import Job, read_job
from mlm_gui.services.storage.files import ID

Made = TypeVar("Made")


def parent_folder(folder: Path, model: str) -> Path | None:
    """The folder of the run whose model this is; None for a model of no run.

    folder: of the run that started from `model`.
    """
    run_id = run_id_of(model)
    if run_id is not None:
        return folder.parent / run_id if ID.fullmatch(run_id) else None
    return Path(model).parent if Path(model).name == "model" else None


def children_of(folder: Path) -> dict[str, Job]:
    """The jobs of the runs that started from the model of this run, by their ids.

    Only runs of the same home folder are found.
    """
    if not ID.fullmatch(folder.name):  # a run outside a home folder: its children are anywhere
        return {}
    names = (name_of_run(folder.name), str(folder / "model"))
    others = [other for other in folder.parent.iterdir() if ID.fullmatch(other.name)]
    jobs = {other.name: read_job(other)[0] for other in others}
    return {run_id: job for run_id, job in jobs.items() if job and job.model in names}


def check_may_change(folder: Path) -> None:
    """Raises UserError when another run started from this run's model: its base would change."""
    children = children_of(folder)
    if children:
        raise UserError(
            "This run stays as it is.",
            f"{named(children)} started from its model "
            f"and {_is_or_are(children)} compared with it.",
            f"Start a new run from its model instead, or delete {_it_or_them(children)} first.",
        )


def check_may_go(folder: Path, *, together_with: set[str]) -> None:
    """Raises UserError when another run started from this run's model, unless it goes too."""
    children = {
        run_id: job for run_id, job in children_of(folder).items() if run_id not in together_with
    }
    if children:
        raise UserError(
            "Nothing was deleted.",
            f"{named(children)} started from the model of a chosen run "
            f"and {_is_or_are(children)} compared with it.",
            f"Choose {_it_or_them(children)} too, or keep this one.",
        )


def called_base(folder: Path, model: str) -> str:
    """What reports call the model that the run in this folder started from.

    The model of a run of the same home folder goes by that run's present name.
    """
    if not names_run(model):
        return model
    parent = parent_folder(folder, model)
    job = read_job(parent)[0] if parent else None
    return f"the run “{job.name}”" if job else "an earlier run that is not here any more"


def with_base(model: str, use: Callable[[str], Made]) -> Made:
    """What `use` makes of the model that a run started from.

    Raises UserError that names this model when it is gone or damaged.
    """
    try:
        return use(model)
    except UserError as error:
        if not names_run(model) and not Path(model).is_absolute():
            raise  # for the starter and for Hub names the error is complete as it is
        is_gone = not names_run(model) and not Path(model).is_dir()
        source = "the model of another run" if names_run(model) else f"the folder {model}"
        reason = "That folder is not there any more." if is_gone else f"{error.what} {error.why}"
        raise UserError(
            "The model that this run started from cannot be used.",
            f"It was {source}. {reason}",
            "Put it back from a copy; or start a new run, or compare with another model.",
        ) from error


def named(children: dict[str, Job]) -> str:
    """The runs by name: the first three, and how many more there are."""
    names = [f"“{job.name}”" for job in children.values()]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _is_or_are(children: dict[str, Job]) -> str:
    return "is" if len(children) == 1 else "are"


def _it_or_them(children: dict[str, Job]) -> str:
    return "it" if len(children) == 1 else "them"
