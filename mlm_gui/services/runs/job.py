"""What was asked of a run: job.json, and how a damaged one is reported."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlm_gui.core import validation
from mlm_gui.core.config import MAX_STEPS, TrainConfig
from mlm_gui.core.inference.probes import pinned
from mlm_gui.errors import UserError
from mlm_gui.services.storage.files import write_whole

FORMAT = 2
"""Version of job.json. Version 1 is read too; a run of any other version is shown as damaged."""
NAMES_OF_FORMAT_1 = {
    "warm_again_after": "schedule_restart_step",
    "as_taught": "tutorial_mode",
}
"""Fields that the first format named otherwise, old name to new; of the job and of its config."""
LONGEST_NAME = 80
"""Characters of a run's name."""


@dataclass(frozen=True)
class Job:
    """What a run was asked for, written before anything else of it.

    Later only its name changes and, with more passes, its length.
    """

    name: str
    model: str
    config: TrainConfig
    held_out: float
    """Share of the paragraphs that are never trained on."""
    split_seed: int
    corpus_name: str
    fingerprint: str
    """sha256 of the corpus."""
    owner: str
    """Opaque key of the visitor who started it."""
    created: str
    """UTC, ISO 8601."""
    schedule_restart_step: int = 0
    """The step at which the run was last given more passes: there the schedule restarts."""
    probes: tuple[str, ...] = ()
    """Pinned sentences, each with a blank, that the learning model fills at every evaluation."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "probes", pinned("\n".join(self.probes)))
        validation.whole("The step a run goes on from", self.schedule_restart_step, 0, MAX_STEPS)

    def named(self, name: object) -> "Job":
        """The same job under another name: one line without control characters.

        Raises UserError for an empty name.
        """
        text = validation.text("The run's name", name, 10_000)
        printable = "".join(sign if sign.isprintable() else " " for sign in text)
        cleaned = " ".join(printable.split())[:LONGEST_NAME].strip()
        if not cleaned:
            raise UserError(
                "The run was not renamed.", "Its new name is empty.", "Type a name of a few words."
            )
        return dataclasses.replace(self, name=cleaned)

    def write(self, folder: Path) -> None:
        """Writes job.json into the run's folder, whole or not at all."""
        record = {"format": FORMAT, **dataclasses.asdict(self)}
        write_whole(folder / "job.json", json.dumps(record, ensure_ascii=False, indent=1))


def read_job(folder: Path) -> tuple[Job | None, str]:
    """The job, or None and the reason as a sentence."""
    try:
        record = json.loads((folder / "job.json").read_text(encoding="utf-8"))
        version = record.pop("format")
        if version not in (1, FORMAT):
            return None, (
                "Another version of the program wrote this run "
                f"(format {repr(version)[:20]}, this one reads 1 and {FORMAT})."
            )
        config = TrainConfig(**_under_present_names(record.pop("config")))
        job = Job(**_under_present_names(record), config=config)
    except OSError:
        return None, "Its job.json is missing or cannot be read."
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, UserError):
        return None, "Its job.json is damaged."
    texts = (job.name, job.model, job.corpus_name, job.fingerprint, job.owner, job.created)
    if not all(isinstance(value, str) for value in texts):
        return None, "Its job.json holds something else than a job."
    return job, ""


def _under_present_names(record: Mapping[str, Any]) -> dict[str, Any]:
    return {NAMES_OF_FORMAT_1.get(name, name): value for name, value in record.items()}
