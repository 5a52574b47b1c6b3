"""What a run has reported so far, folded from its events; charts and facts follow from it."""

import dataclasses
from dataclasses import dataclass, field

from mlm_gui.core.training.events import (
    Checkpointed,
    CheckpointSkipped,
    Evaluated,
    Event,
    Examined,
    Failed,
    Finished,
    MicroBatchesSplit,
    Paused,
    Probed,
    Queued,
    Resumed,
    Saved,
    Started,
    Stepped,
)

SMOOTHING_STEPS = 10
"""The smoothed loss is an exponential average over about this many steps."""


@dataclass
class History:
    """A fold over the events of a run; `add` takes the next one."""

    started: Started | None = None
    losses: list[float] = field(default_factory=list)
    """Loss of each step, in order."""
    smoothed: list[float] = field(default_factory=list)
    """Exponential average of the losses, bias-corrected (Kingma & Ba 2015, section 3)."""
    evaluations: list[Evaluated] = field(default_factory=list)
    probed: list[Probed] = field(default_factory=list)
    """The guesses for the pinned sentences, at each evaluation."""
    turns: list[Resumed | Paused | MicroBatchesSplit] = field(default_factory=list)
    """Interruptions of the run, in order; the chart marks them."""
    latest: Stepped | None = None
    saved: Saved | None = None
    is_trained: bool = False
    """True when its model is saved and has not been trained further."""
    examined: Examined | None = None
    ended: Finished | Failed | None = None
    paused: Paused | None = None
    is_waiting: bool = True
    """True until the run first trains, and again while it is back in the queue."""
    checkpointed: Checkpointed | None = None
    skipped_checkpoints: list[str] = field(default_factory=list)
    """Why each damaged checkpoint was not used."""
    _steps: list[int] = field(default_factory=list)
    _average: float = 0.0

    def add(self, event: Event) -> None:
        """Takes the next event of the run."""
        if isinstance(event, (Resumed, Paused, MicroBatchesSplit)):
            self.turns.append(event)
        if isinstance(event, (Started, Resumed, Stepped, Saved)):
            self.is_trained = isinstance(event, Saved)
        match event:
            case Started():
                self._go_back_to(0)
                self.started = event
                self.latest = None
            case Resumed():
                self._go_back_to(event.step)
                self._continue_from(event)
            case Stepped():
                self._smooth(event.step, event.loss)
                self.latest = event
            case Evaluated():
                others = [score for score in self.evaluations if score.step != event.step]
                self.evaluations = [*others, event]
            case Probed():
                others_probed = [answers for answers in self.probed if answers.step != event.step]
                self.probed = [*others_probed, event]
            case Saved():
                self.saved = event
                self.examined = None
            case Checkpointed():
                self.checkpointed = event
            case CheckpointSkipped():
                self.skipped_checkpoints.append(event.why)
            case Queued():
                self.is_waiting = True
                self.ended = None
                self.paused = None
            case Paused():
                self.paused = event
                self.ended = None
            case Examined():
                self.examined = event
            case Finished() | Failed():
                self.ended = event
                self.paused = None

    def _go_back_to(self, step: int) -> None:
        """Forgets what was reported after this step, since those steps are taken again."""
        kept_losses = [
            (number, loss)
            for number, loss in zip(self._steps, self.losses, strict=True)
            if number <= step
        ]
        self._steps = []
        self.losses = []
        self.smoothed = []
        self._average = 0.0
        is_new_start = step == 0
        self.evaluations = [
            score for score in self.evaluations if score.step <= step and not is_new_start
        ]
        self.probed = [
            answers for answers in self.probed if answers.step <= step and not is_new_start
        ]
        self.is_waiting = False
        self.ended = None
        self.paused = None
        self.skipped_checkpoints = []
        for number, loss in kept_losses:
            self._smooth(number, loss)

    def _continue_from(self, event: Resumed) -> None:
        """Sets total, time and epochs to those of the checkpoint.

        A run that was given more epochs has a new total.
        """
        if self.started:
            self.started = dataclasses.replace(self.started, total_steps=event.total_steps)
        if self.latest:
            epoch = self.latest.epoch / self.latest.step * event.step
            self.latest = dataclasses.replace(
                self.latest, step=event.step, epoch=epoch, seconds=event.seconds
            )

    def _smooth(self, step: int, loss: float) -> None:
        self._average += (loss - self._average) / SMOOTHING_STEPS
        self._steps.append(step)
        self.losses.append(loss)
        self.smoothed.append(self._average / (1 - (1 - 1 / SMOOTHING_STEPS) ** len(self.losses)))

    @property
    def curve(self) -> tuple[list[int], list[float], list[float]]:
        """Steps, losses and smoothed losses, equally long even while a step is being added."""
        steps = list(self._steps)
        losses = list(self.losses)
        smoothed = list(self.smoothed)
        shortest = min(len(steps), len(losses), len(smoothed))
        return steps[:shortest], losses[:shortest], smoothed[:shortest]

    @property
    def num_steps(self) -> int:
        """Steps taken, by the number of the newest."""
        return self._steps[-1] if self._steps else 0

    @property
    def kept_score(self) -> Evaluated | None:
        """The score that counts: the saved model's, otherwise the latest.

        It is the latest while the run trains, and when the saved model was not scored.
        """
        if self.is_trained and self.saved:
            for score in reversed(self.evaluations):
                if score.step == self.saved.step:
                    return score
        return self.evaluations[-1] if self.evaluations else None

    @property
    def best_step_kept(self) -> int | None:
        """The step whose model was saved, when it is not the last: an early stop keeps the best."""
        if self.is_trained and self.saved and self.saved.step < self.num_steps:
            return self.saved.step
        return None

    @property
    def seconds_left(self) -> float | None:
        """Estimated from the pace so far; None before the second step and after the end."""
        if not self.started or not self.latest or self.latest.step < 2 or self.ended:
            return None
        seconds_per_step = self.latest.seconds / self.latest.step
        return seconds_per_step * (self.started.total_steps - self.latest.step)
