"""What a run has shown so far, folded from its events; charts and facts are functions of it."""

from dataclasses import dataclass, field

from mlm_gui.core.events import Evaluated, Event, Examined, Failed, Finished, Resumed, Saved, Started, Stepped

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
    latest: Stepped | None = None
    saved: Saved | None = None
    examined: Examined | None = None
    ended: Finished | Failed | None = None
    _average: float = 0.0

    def add(self, event: Event) -> None:
        """Takes the next event of the run."""
        if isinstance(event, Started):
            self.started = event
        elif isinstance(event, Resumed):
            self._go_back_to(event)
        elif isinstance(event, Stepped):
            self._smooth(event.loss)
            self.latest = event
        elif isinstance(event, Evaluated):
            self.evaluations.append(event)
        elif isinstance(event, Saved):
            self.saved = event
        elif isinstance(event, Examined):
            self.examined = event
        elif isinstance(event, (Finished, Failed)):
            self.ended = event

    def _go_back_to(self, event: Resumed) -> None:
        """Forgets what was seen after the checkpoint; those steps are taken again."""
        losses, evaluations = self.losses[: event.step], [score for score in self.evaluations if score.step <= event.step]
        self.losses, self.smoothed, self.evaluations, self.ended = [], [], evaluations, None
        self._average = 0.0
        for loss in losses:
            self._smooth(loss)

    def _smooth(self, loss: float) -> None:
        self._average += (loss - self._average) / SMOOTHING_STEPS
        self.losses.append(loss)
        self.smoothed.append(self._average / (1 - (1 - 1 / SMOOTHING_STEPS) ** len(self.losses)))

    @property
    def num_steps(self) -> int:
        return len(self.losses)

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None before the second step or after the end."""
        if not self.started or not self.latest or self.latest.step < 2 or self.ended:
            return None
        return self.latest.seconds / self.latest.step * (self.started.total_steps - self.latest.step)
