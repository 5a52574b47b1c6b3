"""The two models that the Compare tab asks, and the blank they are asked about."""

from __future__ import annotations

from typing import NamedTuple

from mlm_gui.core.assets import STARTER
from mlm_gui.errors import UserError
from mlm_gui.services.runs.lineage import with_base
from mlm_gui.services.studio import Studio
from mlm_gui.ui.model_choice import run_of
from mlm_gui.ui.run_text import job_of
from mlm_gui.ui.tabs.compare.question import CompareQuestion

ITS_OWN_BASE = ""
"""Value of the base list: the model that the tuned one started from."""


class ModelPair(NamedTuple):
    """Names of the two models."""

    base: str
    tuned: str | None
    """None as long as none is chosen."""


class ChosenBlank(NamedTuple):
    """One blank of a question, and who is asked about it."""

    models: ModelPair
    text: str
    """With [MASK] for every blank."""
    place: int
    """Of the blank, the first one 0."""


def pair(studio: Studio, visitor: str, base: str | None, tuned: str | None) -> ModelPair:
    """The two models to ask. Raises UserError for one that this visitor may not use."""
    has_tuned = tuned is not None and bool(tuned.strip())
    tuned_name = studio.usable(tuned, visitor) if has_tuned else None
    if base is not None and base.strip():
        return ModelPair(studio.usable(base, visitor), tuned_name)
    run = run_of(studio, visitor, tuned)
    if run is None:
        return ModelPair(STARTER, tuned_name)
    own_base = with_base(job_of(run).model, lambda model: studio.usable(model, visitor))
    return ModelPair(own_base, tuned_name)


def chosen_blank(studio: Studio, question: CompareQuestion) -> ChosenBlank:
    """The chosen blank. Raises UserError for a sentence without one."""
    if not question.num_blanks:
        raise UserError(
            "There is nothing to fill.",
            "The sentence has no blank.",
            "Click a word to hide it, or write ___ where a word is missing.",
        )
    models = pair(studio, question.visitor, question.base, question.tuned)
    return ChosenBlank(models, question.masked_text, question.place)
