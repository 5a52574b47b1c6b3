"""More passes for a run that has finished."""

import math
from dataclasses import replace

from mlm_gui.core import validation
from mlm_gui.core.config import TrainConfig
from mlm_gui.core.training.events import Finished, Paused
from mlm_gui.errors import UserError
from mlm_gui.services.limits import LAPTOP, Limits
from mlm_gui.services.runs.run import Run

MOST_PASSES = 100
"""That can be added at once."""


def continue_for(run: Run, more_epochs: object, limits: Limits = LAPTOP) -> None:
    """Gives a finished run more passes over its text; it is then paused at its last step.

    The learning rate had fallen to nothing at the last step, so the schedule restarts over the
    added steps: warm-up, then decay. Call it with the run's folder held, as
    `TrainingQueue.train_more` does. Raises UserError, with nothing changed, when the run has not
    finished, its last checkpoint is gone, or it would come to more than `limits` allow.
    """
    job, snapshot = run.sound_job(), run.snapshot()
    latest, ended = snapshot.history.latest, snapshot.history.ended
    step = snapshot.checkpoint_step
    more = validation.whole("The number of further passes", more_epochs, 1, MOST_PASSES)
    if snapshot.state != "finished" or not isinstance(ended, Finished):
        raise UserError(
            "This run was not given more passes.",
            "It has not finished yet.",
            "Let it go on to its end first.",
        )
    if not step or not latest:
        raise UserError(
            "This run cannot go on.",
            "Its last checkpoint is not there any more.",
            "Start a new run from its model.",
        )
    passes_done = latest.epoch * step / latest.step
    is_whole = not job.config.max_steps and ended.reason == "done"
    config = _longer(job.config, passes_done, more, 0 if is_whole else step)
    if config.epochs > limits.max_epochs or config.max_steps > limits.max_steps:
        raise UserError(
            "This run was not given more passes.",
            f"With them it comes to {config.epochs} passes; "
            f"this server allows {limits.max_epochs}, and {limits.max_steps:,} steps.",
            "Choose fewer, or start a new run from its model.",
        )
    run.rewrite(replace(job, config=config, schedule_restart_step=step))
    run.append(Paused(step, latest.seconds))


def _longer(config: TrainConfig, passes_done: float, more: int, cut_at_step: int) -> TrainConfig:
    """The settings with more passes.

    cut_at_step: the last step of a run that ended in the middle of a pass, else 0. Such a run gets
    a number of steps: 30 steps in 1.5 passes and 2 passes more -> 30 + 40.
    """
    epochs = math.ceil(round(passes_done, 6)) + more
    max_steps = 0
    if cut_at_step:
        max_steps = cut_at_step + max(1, round(more * cut_at_step / passes_done))
    return replace(config, epochs=epochs, max_steps=max_steps)
