"""What a run reports while it trains: frozen values, each of which is one JSON line on disk.

Each class names its `kind`, the value of "event" in that line. A class may be renamed, but its
kind stays, since old runs are read by it.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, get_args

Guess = list[str | float]
"""A token and its probability, as JSON has them."""


@dataclass(frozen=True)
class Started:
    """The run is about to take its first step."""

    kind: ClassVar[str] = "started"
    total_steps: int
    epochs: int
    num_train_tokens: int
    """Estimated from the first shard when the text exceeds a megabyte."""
    num_held_out_tokens: int
    """Tokens of the part that is scored; see held_out.MAX_EVALUATION_CHARACTERS."""
    num_parameters: int
    learning_rate: float
    device: str
    packed: bool
    """False when the model only takes padded batches, which is slower."""


@dataclass(frozen=True)
class Resumed:
    """The run continues from a checkpoint; earlier events about later steps no longer count."""

    kind: ClassVar[str] = "resumed"
    step: int
    total_steps: int
    seconds: float
    """Training time up to that step."""


@dataclass(frozen=True)
class Stepped:
    """The optimiser has taken one step."""

    kind: ClassVar[str] = "stepped"
    step: int
    epoch: float
    """Passes over the text so far."""
    loss: float
    """Mean over the chosen tokens of this step's batch, in nats, before the step."""
    learning_rate: float
    tokens_per_second: float
    """Real tokens over the time spent in steps so far; the first step is left out."""
    seconds: float
    """Training time since the run started; a pause does not count."""


@dataclass(frozen=True)
class Evaluated:
    """The held-out text was scored on its fixed masks; of a long text a fixed random part."""

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
    """The pinned sentences were filled again; see inference.probes."""

    kind: ClassVar[str] = "probed"
    step: int
    answers: list[list[Guess]]
    """For each sentence up to five [token, probability], most probable first."""

    def __post_init__(self) -> None:
        for answer in self.answers:
            for token, probability in answer:
                is_guess = (
                    isinstance(token, str)
                    and isinstance(probability, (int, float))
                    and 0 <= probability <= 1
                )
                if not is_guess:
                    raise ValueError(f"{token!r} with {probability!r} is no guess")


@dataclass(frozen=True)
class MicroBatchesSplit:
    """Memory ran out: from this step on, each step has more micro-batches.

    The gradient stays the same.
    """

    kind: ClassVar[str] = "shrunk"
    step: int
    parts: int


@dataclass(frozen=True)
class Checkpointed:
    """A complete checkpoint of this step is on disk."""

    kind: ClassVar[str] = "checkpointed"
    step: int
    seconds: float
    """Training time up to that step."""
    bytes: int


@dataclass(frozen=True)
class CheckpointSkipped:
    """A damaged checkpoint was not used; the run took an older one or started again."""

    kind: ClassVar[str] = "passedover"
    why: str


@dataclass(frozen=True)
class Queued:
    """A run that had started is in the queue again."""

    kind: ClassVar[str] = "queued"
    step: int


@dataclass(frozen=True)
class Paused:
    """The run left the device; it continues from its checkpoint when a person resumes it."""

    kind: ClassVar[str] = "paused"
    step: int
    seconds: float
    what: str = ""
    why: str = ""
    do: str = ""
    """The three sentences of the error; empty when a person asked for the pause."""


@dataclass(frozen=True)
class Saved:
    """The model was written."""

    kind: ClassVar[str] = "saved"
    step: int
    folder: str


@dataclass(frozen=True)
class Examined:
    """The finished run was evaluated; the whole report is in the run's folder."""

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
    """Change of the loss on general text, in nats; above zero the model forgot something."""
    seconds: float
    """Duration of the evaluation."""


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
    """The last event of a run that could not continue, with the sentences of a UserError."""

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


def as_record(event: Event) -> dict[str, object]:
    """The event as plain values for one JSON line, with its kind under "event"."""
    return {"event": event.kind, **dataclasses.asdict(event)}


def from_record(record: Mapping[str, object]) -> Event:
    """The event that `as_record` wrote; raises ValueError or another built-in error otherwise."""
    values = dict(record)
    event_class = _KINDS[values.pop("event")]
    event: Event = event_class(**values)
    for field in dataclasses.fields(event):
        _check_type(field, getattr(event, field.name))
    return event


def _check_type(field: "dataclasses.Field[object]", value: object) -> None:
    """Raises ValueError for a value that JSON cannot have given this field."""
    is_bool = isinstance(value, bool)
    if field.type is float:
        fits = isinstance(value, (int, float)) and not is_bool and math.isfinite(value)
    elif field.type is int:
        fits = isinstance(value, int) and not is_bool
    elif field.type is bool:
        fits = is_bool
    elif field.type is str:
        fits = isinstance(value, str)
    else:
        fits = isinstance(value, list)
    if not fits:
        raise ValueError(f"{field.name} is {value!r}")


_KINDS = {each.kind: each for each in get_args(Event)}
