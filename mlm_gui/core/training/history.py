"""What a run has shown so far, folded from its events; charts and facts are functions of it."""

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
"""The smooth line is an exponential average over about this many steps."""


@dataclass
class History:
    """Grows by `add`; never reads anything but the events it is given."""

    started: Started | None = None
    losses: list[float] = field(default_factory=list)
    """Loss of each step, in order."""
    smoothed: list[float] = field(default_factory=list)
    """Exponential average of the losses, corrected for its start (Kingma & Ba 2015, section 3)."""
    evaluations: list[Evaluated] = field(default_factory=list)
    probed: list[Probed] = field(default_factory=list)
    """What the pinned sentences were filled with, at each evaluation."""
    turns: list[Resumed | Paused | MicroBatchesSplit] = field(default_factory=list)
    """Where the run left its straight way, in order; the chart marks them."""
    latest: Stepped | None = None
    saved: Saved | None = None
    is_trained: bool = False
    """True from the moment its model is saved until it is trained further."""
    examined: Examined | None = None
    ended: Finished | Failed | None = None
    paused: Paused | None = None
    is_waiting: bool = True
    """True until the run first trains, and again when it waits to go on."""
    checkpointed: Checkpointed | None = None
    skipped_checkpoints: list[str] = field(default_factory=list)
    """Damaged checkpoints that were not used, in words."""
    _steps: list[int] = field(default_factory=list)
    _average: float = 0.0

    def add(self, event: Event) -> None:
        """Takes the next event of the run."""
        if isinstance(event, (Resumed, Paused, MicroBatchesSplit)):
            self.turns.append(event)
        if isinstance(event, (Started, Resumed, Stepped, Saved)):
            self.is_trained = isinstance(event, Saved)
        if isinstance(event, Started):
            self._go_back_to(0)
            self.started, self.latest = event, None
        elif isinstance(event, Resumed):
            self._go_back_to(event.step)
            self._reckon_from(event)
        elif isinstance(event, Stepped):
            self._smooth(event.step, event.loss)
            self.latest = event
        elif isinstance(event, Evaluated):
            self.evaluations = [score for score in self.evaluations if score.step != event.step] + [
                event
            ]
        elif isinstance(event, Probed):
            self.probed = [answers for answers in self.probed if answers.step != event.step] + [
                event
            ]
        elif isinstance(event, Saved):
            self.saved, self.examined = event, None
        elif isinstance(event, Checkpointed):
            self.checkpointed = event
        elif isinstance(event, CheckpointSkipped):
            self.skipped_checkpoints.append(event.why)
        elif isinstance(event, Queued):
            self.is_waiting, self.ended, self.paused = True, None, None
        elif isinstance(event, Paused):
            self.paused, self.ended = event, None
        elif isinstance(event, Examined):
            self.examined = event
        elif isinstance(event, (Finished, Failed)):
            self.ended, self.paused = event, None

    def _go_back_to(self, step: int) -> None:
        """Forgets what was seen after this step; those steps are taken again."""
        kept_score = [
            (number, loss)
            for number, loss in zip(self._steps, self.losses, strict=True)
            if number <= step
        ]
        self._steps, self.losses, self.smoothed, self._average = [], [], [], 0.0
        self.evaluations = (
            [score for score in self.evaluations if score.step <= step] if step else []
        )
        self.probed = [answers for answers in self.probed if answers.step <= step] if step else []
        self.is_waiting, self.ended, self.paused, self.skipped_checkpoints = False, None, None, []
        for number, loss in kept_score:
            self._smooth(number, loss)

    def _reckon_from(self, event: Resumed) -> None:
        """Total, time and passes as they stood at the checkpoint; a run that goes on for longer has a new total."""
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
        """Steps, their losses and their smoothed losses, as long as each other even while a step is being added."""
        steps, losses, smoothed = list(self._steps), list(self.losses), list(self.smoothed)
        shortest = min(len(steps), len(losses), len(smoothed))
        return steps[:shortest], losses[:shortest], smoothed[:shortest]

    @property
    def num_steps(self) -> int:
        """Steps done, as the newest of them says."""
        return self._steps[-1] if self._steps else 0

    @property
    def kept_score(self) -> Evaluated | None:
        """The score that counts: of the model that was saved, and of the latest weights while it is being trained or when that one was not scored."""
        of_the_saved = [
            score
            for score in self.evaluations
            if self.is_trained and self.saved and score.step == self.saved.step
        ]
        return (of_the_saved or self.evaluations or [None])[-1]

    @property
    def best_step_kept(self) -> int | None:
        """The step whose model was kept, when that was not the last one: an early stop keeps the best."""
        return (
            self.saved.step
            if self.is_trained and self.saved and self.saved.step < self.num_steps
            else None
        )

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None before the second step or after the end."""
        if not self.started or not self.latest or self.latest.step < 2 or self.ended:
            return None
        return (
            self.latest.seconds / self.latest.step * (self.started.total_steps - self.latest.step)
        )
