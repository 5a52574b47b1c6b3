"""What a run reports while it trains: frozen values that pickle, print, and go to disk as one JSON line each.

Each class names its `kind`, the word under "event" in that line. A class may be renamed; its kind stays, since old runs are read by it.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Started:
    """The run is about to take its first step."""

    kind: ClassVar[str] = "started"
    total_steps: int
    epochs: int
    num_train_tokens: int
    """Of a text above a megabyte: what its first part lets expect."""
    num_held_out_tokens: int
    """Of a long held-out text: of the fixed random part that is scored, see exam.MAX_EVALUATION_CHARACTERS."""
    num_parameters: int
    learning_rate: float
    device: str
    packed: bool
    """False when the model only takes padded batches, which is slower."""


@dataclass(frozen=True)
class Resumed:
    """The run goes on from a checkpoint: whatever was said of later steps is void."""

    kind: ClassVar[str] = "resumed"
    step: int
    total_steps: int
    seconds: float
    """Training time up to that step."""


@dataclass(frozen=True)
class Stepped:
    """One step of the optimiser is done."""

    kind: ClassVar[str] = "stepped"
    step: int
    epoch: float
    """Passes over the text so far."""
    loss: float
    """Mean over the chosen tokens of this step, in nats, before the step."""
    learning_rate: float
    tokens_per_second: float
    """Real tokens over the time spent in steps so far, the first one left out."""
    seconds: float
    """Training time since the run started; a pause does not count."""


@dataclass(frozen=True)
class Evaluated:
    """The held-out text, of a long one a fixed random part, was scored on its fixed masks."""

    kind: ClassVar[str] = "evaluated"
    step: int
    loss: float
    perplexity: float
    top1: float
    top5: float
    num_masks: int
    seconds: float


@dataclass(frozen=True)
class Probed:
    """The pinned sentences were asked again; see `core.probes`."""

    kind: ClassVar[str] = "probed"
    step: int
    answers: list
    """For each sentence up to five [token, probability], most probable first."""

    def __post_init__(self) -> None:
        for token, share in (guess for answer in self.answers for guess in answer):
            if (
                not isinstance(token, str)
                or not isinstance(share, (int, float))
                or not 0 <= share <= 1
            ):
                raise ValueError(f"{token!r} with {share!r} is no guess")


@dataclass(frozen=True)
class MicroBatchesSplit:
    """Memory ran out: from this step on, each step is computed in more parts. The gradient stays the same."""

    kind: ClassVar[str] = "shrunk"
    step: int
    parts: int


@dataclass(frozen=True)
class Checkpointed:
    """What a run needs to go on from this step is on the disk, whole."""

    kind: ClassVar[str] = "checkpointed"
    step: int
    seconds: float
    """Training time up to that step."""
    bytes: int


@dataclass(frozen=True)
class CheckpointSkipped:
    """A damaged checkpoint was not used; an older one was, or the run began again."""

    kind: ClassVar[str] = "passedover"
    why: str


@dataclass(frozen=True)
class Queued:
    """A run that had begun waits for its turn again."""

    kind: ClassVar[str] = "queued"
    step: int


@dataclass(frozen=True)
class Paused:
    """The run left the device and goes on from its checkpoint when it is told to."""

    kind: ClassVar[str] = "paused"
    step: int
    seconds: float
    what: str = ""
    why: str = ""
    do: str = ""
    """The three sentences of what went wrong; empty when somebody asked for the pause."""


@dataclass(frozen=True)
class Saved:
    """The model was written."""

    kind: ClassVar[str] = "saved"
    step: int
    folder: str


@dataclass(frozen=True)
class Examined:
    """The run has sat its exam; the whole report is in the run's folder."""

    kind: ClassVar[str] = "examined"
    verdict: str
    sentence: str
    base_loss: float
    tuned_loss: float
    difference: float
    difference_low: float
    difference_high: float
    p_value: float
    forgetting: float
    """Change of the loss on general text, in nats; above zero something was forgotten."""
    seconds: float
    """The exam took so long."""


@dataclass(frozen=True)
class Finished:
    """The last event of a run that ended as it should."""

    kind: ClassVar[str] = "finished"
    step: int
    reason: str
    """"done", "stopped", or "early": the held-out loss had stopped falling."""
    seconds: float


@dataclass(frozen=True)
class Failed:
    """The last event of a run that could not go on, in the three sentences of a UserError."""

    kind: ClassVar[str] = "failed"
    what: str
    why: str
    do: str


Event = (
    Started
    | Resumed
    | Stepped
    | Evaluated
    | Probed
    | MicroBatchesSplit
    | Checkpointed
    | CheckpointSkipped
    | Queued
    | Paused
    | Saved
    | Examined
    | Finished
    | Failed
)


def as_record(event: Event) -> dict:
    """The event as plain values for one JSON line; its kind stands under "event"."""
    return {"event": event.kind, **dataclasses.asdict(event)}


def from_record(record: dict) -> Event:
    """The event that `as_record` wrote. Raises ValueError or another built-in error for anything else."""
    values = dict(record)
    event = _KINDS[values.pop("event")](**values)
    for field in dataclasses.fields(event):
        value = getattr(event, field.name)
        fits = (int, float) if field.type is float else field.type
        if not isinstance(value, fits) or isinstance(value, bool) != (field.type is bool):
            raise ValueError(f"{field.name} is {value!r}")
        if field.type is float and not math.isfinite(value):
            raise ValueError(f"{field.name} is no number")
    return event


_KINDS = {each.kind: each for each in Event.__args__}
