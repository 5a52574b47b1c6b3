"""More passes for a run that has finished."""

import math
from dataclasses import replace

from mlm_gui.core import validation
from mlm_gui.core.training.events import Paused
from mlm_gui.errors import UserError
from mlm_gui.services.limits import LAPTOP, Limits
from mlm_gui.services.runs.run import Run


def continue_for(run: Run, more_epochs: int, limits: Limits = LAPTOP) -> None:
    """Gives a finished run more passes over its text; it is then paused at its last step, and goes on when it is told to.

    The learning rate warms up and falls once more over the added steps: at the end of the first part it had fallen to nothing.
    Call it with the run's folder held: see `Trainer.train_more`. Raises UserError when the run has not finished, its last checkpoint is gone, or it would
    come to more than `limits` allow; nothing is changed then.
    """
    job, snapshot = run.sound_job(), run.snapshot()
    history, step = snapshot.history, snapshot.checkpoint_step
    more = validation.whole("The number of further passes", more_epochs, 1, 100)
    if snapshot.state != "finished":
        raise UserError(
            "This run was not given more passes.",
            "It has not finished yet.",
            "Let it go on to its end first.",
        )
    if not step or not history.latest:
        raise UserError(
            "This run cannot go on.",
            "Its last checkpoint is not there any more.",
            "Start a new run from its model.",
        )
    done = history.latest.epoch * step / history.latest.step
    is_whole = not job.config.max_steps and history.ended.reason == "done"
    most = 0 if is_whole else step + max(1, round(more * step / done))
    config = replace(job.config, epochs=math.ceil(round(done, 6)) + more, max_steps=most)
    if config.epochs > limits.max_epochs or config.max_steps > limits.max_steps:
        allowed = f"With them it comes to {config.epochs} passes; this server allows {limits.max_epochs}, and {limits.max_steps:,} steps."
        raise UserError(
            "This run was not given more passes.",
            allowed,
            "Choose fewer, or start a new run from its model.",
        )
    seconds = history.latest.seconds
    run.rewrite(replace(job, config=config, schedule_restart_step=step))
    run.append(Paused(step, seconds))
