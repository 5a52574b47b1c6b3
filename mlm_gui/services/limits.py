"""How much one visitor, and all of them together, may ask for; enforced where the work is done."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """One profile of limits."""

    hosted: bool
    """True where strangers visit: no folders of the machine as models, and everyone sees only their own runs."""
    max_upload_bytes: int
    """Of one file."""
    max_text_characters: int
    """Of one corpus."""
    max_files: int
    max_waiting_runs: int
    """Runs that may wait or train at once, per visitor."""
    max_queue: int
    """Runs that may wait or train at once, of everybody together."""
    max_surprise_words: int
    """Words of a text whose surprise is measured at once."""
    max_epochs: int
    max_steps: int


LAPTOP = Limits(
    hosted=False,
    max_upload_bytes=100 * 2**20,
    max_text_characters=2_000_000_000,
    max_files=200,
    max_waiting_runs=5,
    max_queue=50,
    max_surprise_words=20_000,
    max_epochs=100,
    max_steps=1_000_000,
)
HOSTED = Limits(
    hosted=True,
    max_upload_bytes=10 * 2**20,
    max_text_characters=1_000_000,
    max_files=20,
    max_waiting_runs=1,
    max_queue=8,
    max_surprise_words=2_000,
    max_epochs=10,
    max_steps=5_000,
)
PROFILES = {"laptop": LAPTOP, "hosted": HOSTED}
