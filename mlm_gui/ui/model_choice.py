"""Models as the lists of the page name them: the starter, and every run that has a model."""

from __future__ import annotations

from mlm_gui.core.assets import STARTER
from mlm_gui.services.models.references import name_of_run, names_run
from mlm_gui.services.runs.run import Run
from mlm_gui.services.studio import Studio
from mlm_gui.ui.run_text import run_label


def model_choices(studio: Studio, visitor: str) -> list[tuple[str, str]]:
    """Labels and names: the starter, and every run of this visitor that has a model."""
    runs = [run for run in studio.visible_runs(visitor) if run.has_model]
    return [
        ("Starter (bundled, offline)", STARTER),
        *((run_label(run), name_of_run(run.id)) for run in runs),
    ]


def run_of(studio: Studio, visitor: str, name: str | None) -> Run | None:
    """The run behind a model's name, when this visitor may see it; None for any other model."""
    return studio.run_named(name, visitor)


def is_run(name: str) -> bool:
    """True for the name of a run's model, whether or not the run is there."""
    return names_run(name)


def label_of(studio: Studio, visitor: str, name: str) -> str:
    """How a model is called on the page."""
    run = run_of(studio, visitor, name)
    return run_label(run) if run else name
