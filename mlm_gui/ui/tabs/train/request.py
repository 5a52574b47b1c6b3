"""What a new run is started with: the page's values, checked."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated

from mlm_gui.core.config import TrainConfig
from mlm_gui.errors import UserError
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.studio import Studio
from mlm_gui.ui.door import Between, TextId, VisitorId


@dataclass(frozen=True)
class RunChoice:
    """What the page knows of a new run besides its settings; one field for each widget."""

    visitor: VisitorId
    text_id: TextId
    model: str | None
    held_out: Annotated[float, Between("The held-out share", 2, 50)]
    """Per cent of the paragraphs."""
    split_seed: Annotated[int, Between("The seed", 0, 2**31 - 1)]


def run_request(
    studio: Studio, choice: RunChoice, config: TrainConfig, probes: tuple[str, ...] = ()
) -> RunRequest:
    """The request for a run. Raises UserError for what cannot be trained here."""
    corpus = studio.texts.get(choice.text_id)
    limits = studio.limits
    if config.epochs > limits.max_epochs:
        raise UserError(
            "This run was not started.",
            f"This server allows {limits.max_epochs} passes over the text.",
            "Choose fewer passes.",
        )
    if limits.hosted:
        max_steps = min(config.max_steps or limits.max_steps, limits.max_steps)
        config = dataclasses.replace(config, max_steps=max_steps)
    return RunRequest(
        corpus=corpus,
        # an unknown model, or another visitor's, is refused before a run folder is made
        model=studio.usable(choice.model, choice.visitor),
        config=config,
        held_out=choice.held_out / 100,
        split_seed=choice.split_seed,
        owner=choice.visitor,
        probes=probes,
    )


def check_may_start(studio: Studio, visitor: VisitorId) -> None:
    """Raises UserError where a visitor needs an id and has none."""
    if not studio.may_start(visitor):
        raise UserError(
            "This run was not started.",
            "The page is not ready: this browser has no id yet.",
            "Reload the page and try again.",
        )
