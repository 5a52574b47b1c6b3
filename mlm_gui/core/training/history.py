"""What a run has shown so far, folded from its events; charts and facts are functions of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar, overload

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
Value = TypeVar("Value")


class Prefix(Sequence[Value]):
    """The first values of a list that only ever grows. It never changes and copies nothing.

    `Prefix([]).plus(5).plus(7)` is [5, 7]: both prefixes share one list, and each knows its length.
    """

    def __init__(self, values: list[Value], length: int | None = None) -> None:
        self._values = values
        self._length = len(values) if length is None else length

    def plus(self, value: Value) -> "Prefix[Value]":
        """A prefix that is one longer. It copies only where another one grew from here before."""
        is_longest = len(self._values) == self._length
        values = self._values if is_longest else self._values[: self._length]
        values.append(value)
        return Prefix(values)

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Value: ...

    @overload
    def __getitem__(self, index: slice) -> list[Value]: ...

    def __getitem__(self, index: int | slice) -> Value | list[Value]:
        if isinstance(index, slice):
            return self._values[slice(*index.indices(self._length))]
        return self._values[range(self._length)[index]]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # like a list, it equals lists

    def __repr__(self) -> str:
        return f"Prefix({list(self)})"


@dataclass(frozen=True)
class Curve:
    """The loss, step by step, with its smoothed line."""

    steps: Prefix[int] = field(default_factory=lambda: Prefix([]))
    losses: Prefix[float] = field(default_factory=lambda: Prefix([]))
    smoothed: Prefix[float] = field(default_factory=lambda: Prefix([]))
    """Exponential average, corrected for its start (Kingma & Ba 2015, section 3)."""
    average: float = 0.0
    """The same average at the last step, not corrected."""

    def after(self, step: int, loss: float) -> "Curve":
        """The curve with one more step."""
        average = self.average + (loss - self.average) / SMOOTHING_STEPS
        share_seen = 1 - (1 - 1 / SMOOTHING_STEPS) ** (len(self.losses) + 1)
        return Curve(
            self.steps.plus(step),
            self.losses.plus(loss),
            self.smoothed.plus(average / share_seen),
            average,
        )

    def up_to(self, last_step: int) -> "Curve":
        """A new curve of the steps up to this one."""
        curve = Curve()
        for step, loss in zip(self.steps, self.losses, strict=True):
            if step <= last_step:
                curve = curve.after(step, loss)
        return curve


@dataclass(frozen=True)
class History:
    """A run up to one event. `after` gives the history up to the next one."""

    started: Started | None = None
    points: Curve = field(default_factory=Curve)
    evaluations: tuple[Evaluated, ...] = ()
    probed: tuple[Probed, ...] = ()
    """What the pinned sentences were filled with, at each evaluation."""
    turns: tuple[Resumed | Paused | MicroBatchesSplit, ...] = ()
    """Where the run was interrupted or changed, in order; the chart marks these steps."""
    latest: Stepped | None = None
    saved: Saved | None = None
    is_trained: bool = False
    """True from the moment its model is saved until it is trained further."""
    examined: Examined | None = None
    ended: Finished | Failed | None = None
    paused: Paused | None = None
    is_waiting: bool = True
    """True until the run first trains, and again while it waits to be resumed."""
    checkpointed: Checkpointed | None = None
    skipped_checkpoints: tuple[str, ...] = ()
    """One sentence for each damaged checkpoint that was not used."""

    def after(self, event: Event) -> "History":
        """The history with one more event. This one stays as it is."""
        if isinstance(event, (Resumed, Paused, MicroBatchesSplit)):
            return replace(self, turns=(*self.turns, event))._folded(event)
        return self._folded(event)

    def _folded(self, event: Event) -> "History":
        match event:
            case Started():
                return replace(self._back_to(0), started=event, latest=None)
            case Resumed():
                return self._back_to(event.step)._counted_from(event)
            case Stepped():
                points = self.points.after(event.step, event.loss)
                return replace(self, points=points, latest=event, is_trained=False)
            case Evaluated():
                others = (score for score in self.evaluations if score.step != event.step)
                return replace(self, evaluations=(*others, event))
            case Probed():
                earlier = (answers for answers in self.probed if answers.step != event.step)
                return replace(self, probed=(*earlier, event))
            case Saved():
                return replace(self, saved=event, is_trained=True, examined=None)
            case Examined():
                return replace(self, examined=event)
            case Checkpointed():
                return replace(self, checkpointed=event)
            case CheckpointSkipped():
                return replace(self, skipped_checkpoints=(*self.skipped_checkpoints, event.why))
            case Queued():
                return replace(self, is_waiting=True, ended=None, paused=None)
            case Paused():
                return replace(self, paused=event, ended=None)
            case Finished() | Failed():
                return replace(self, ended=event, paused=None)
            case MicroBatchesSplit():
                return self

    def _back_to(self, step: int) -> "History":
        """The history without the steps after this one, which are taken again; 0 forgets all."""
        evaluations = (score for score in self.evaluations if step and score.step <= step)
        probed = (answers for answers in self.probed if step and answers.step <= step)
        return replace(
            self,
            points=self.points.up_to(step),
            evaluations=tuple(evaluations),
            probed=tuple(probed),
            is_trained=False,
            is_waiting=False,
            ended=None,
            paused=None,
            skipped_checkpoints=(),
        )

    def _counted_from(self, event: Resumed) -> "History":
        """The history with the steps, the time and the passes at the checkpoint.

        A run that was given more passes has a new total.
        """
        started, latest = self.started, self.latest
        if started:
            started = replace(started, total_steps=event.total_steps)
        if latest:
            epoch = latest.epoch / latest.step * event.step
            latest = replace(latest, step=event.step, epoch=epoch, seconds=event.seconds)
        return replace(self, started=started, latest=latest)

    @property
    def losses(self) -> list[float]:
        """Loss of each step, in order; a new list each time."""
        return list(self.points.losses)

    @property
    def smoothed(self) -> list[float]:
        """Smoothed loss of each step, in order; a new list each time."""
        return list(self.points.smoothed)

    @property
    def curve(self) -> tuple[Sequence[int], Sequence[float], Sequence[float]]:
        """Steps, their losses and their smoothed losses, all of one length; nothing is copied."""
        return self.points.steps, self.points.losses, self.points.smoothed

    @property
    def num_steps(self) -> int:
        """Number of the newest step; 0 before the first."""
        return self.points.steps[-1] if self.points.steps else 0

    @property
    def kept_score(self) -> Evaluated | None:
        """The score that counts: that of the saved model, else of the latest weights."""
        saved = self.saved if self.is_trained else None
        for score in reversed(self.evaluations):
            if saved and score.step == saved.step:
                return score
        return self.evaluations[-1] if self.evaluations else None

    @property
    def best_step_kept(self) -> int | None:
        """The step of the saved model where that is not the last one, after an early stop."""
        if self.is_trained and self.saved and self.saved.step < self.num_steps:
            return self.saved.step
        return None

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None before the second step or after the end."""
        if not self.started or not self.latest or self.latest.step < 2 or self.ended:
            return None
        seconds_per_step = self.latest.seconds / self.latest.step
        return seconds_per_step * (self.started.total_steps - self.latest.step)
