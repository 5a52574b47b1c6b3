"""What was asked of a run: job.json, written whole, and what a damaged one is called."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

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
    """What was asked for; written before anything else of the run. Only its name and, for more passes, its length change later."""

    name: str
    model: str
    config: TrainConfig
    held_out: float
    """Share of the paragraphs kept unseen."""
    split_seed: int
    corpus_name: str
    fingerprint: str
    """sha256 of the corpus."""
    owner: str
    """Opaque key of the visitor who started it."""
    created: str
    """UTC, ISO 8601."""
    schedule_restart_step: int = 0
    """The step at which the run was last given more passes; the learning rate climbs and falls once more from there."""

    probes: tuple[str, ...] = ()
    """Pinned sentences, each with a blank, that the learning model fills at every evaluation."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "probes", pinned("\n".join(self.probes)))
        validation.whole("The step a run goes on from", self.schedule_restart_step, 0, MAX_STEPS)

    def named(self, name: object) -> "Job":
        """The same job under another name: one line without control characters. Raises UserError for an empty name."""
        shown = validation.text("The run's name", name, 10_000)
        cleaned = " ".join("".join(sign if sign.isprintable() else " " for sign in shown).split())[
            :LONGEST_NAME
        ].strip()
        if not cleaned:
            raise UserError(
                "The run was not renamed.", "Its new name is empty.", "Type a name of a few words."
            )
        return dataclasses.replace(self, name=cleaned)

    def write(self, folder: Path) -> None:
        write_whole(
            folder / "job.json",
            json.dumps(
                {"format": FORMAT, **dataclasses.asdict(self)}, ensure_ascii=False, indent=1
            ),
        )


def read_job(folder: Path) -> tuple[Job | None, str]:
    """The job, or None and the reason in words."""
    try:
        record = json.loads((folder / "job.json").read_text(encoding="utf-8"))
        written_by = record.pop("format")
        if written_by not in (1, FORMAT):
            return (
                None,
                "Another version of the program wrote this run "
                f"(format {repr(written_by)[:20]}, this one reads 1 and {FORMAT}).",
            )
        config = TrainConfig(**_under_present_names(record.pop("config")))
        job = Job(**_under_present_names(record), config=config)
        texts = (job.name, job.model, job.corpus_name, job.fingerprint, job.owner, job.created)
        return (
            (job, "")
            if all(isinstance(value, str) for value in texts)
            else (None, "Its job.json holds something else than a job.")
        )
    except OSError:
        return None, "Its job.json is missing or cannot be read."
    except (ValueError, TypeError, KeyError, AttributeError, UserError):
        return None, "Its job.json is damaged."


def _under_present_names(record: dict[str, object]) -> dict[str, object]:
    return {NAMES_OF_FORMAT_1.get(name, name): value for name, value in record.items()}
