"""The two models that the Compare tab asks, and how their guesses are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlm_gui.services.runs.lineage import with_base
from mlm_gui.services.runs.run import Run
from mlm_gui.services.studio import Studio
from mlm_gui.ui.run_text import run_label

if TYPE_CHECKING:
    from mlm_gui.core.inference.fill import Blank

ITS_OWN_BASE = ""
"""Value of the base list: the model that the tuned one started from."""


def run_of(studio: Studio, visitor: str, name: object) -> Run | None:
    """The run behind a model's name, when this visitor may see it."""
    return studio.run_named(name, visitor)


def pair(
    studio: Studio, visitor: str, base: str | None, tuned: str | None
) -> tuple[str, str | None]:
    """Names of the two models to ask; the second is None as long as nothing is chosen. Raises UserError for one that this visitor may not use."""
    run = run_of(studio, visitor, tuned)
    tuned_name = studio.usable(tuned, visitor) if isinstance(tuned, str) and tuned.strip() else None
    if isinstance(base, str) and base.strip():
        return studio.usable(base, visitor), tuned_name
    return with_base(
        run.job.model, lambda model: studio.usable(model, visitor)
    ) if run else "starter", tuned_name


def called(studio: Studio, visitor: str, name: str) -> str:
    """How a model is called on the page."""
    run = run_of(studio, visitor, name)
    return run_label(run) if run else name


def guesses(title: str, tone: str, blank: Blank) -> dict:
    """Bars of one blank; the longest bar is the most probable token's."""
    most = max(guess.probability for guess in blank.guesses)
    rows = [
        {
            "token": guess.token,
            "share": guess.probability / max(most, 0.3),
            "text": f"{guess.probability:.1%}",
            "note": f"{guess.token}: probability {guess.probability:.2%}",
        }
        for guess in blank.guesses
    ]
    return {"title": title, "tone": tone, "rows": rows, "empty": ""}
