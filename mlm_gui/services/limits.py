"""How much one visitor, and all of them together, may ask for.

Limits are enforced where the work is done.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Limits:
    """One profile of limits."""

    hosted: bool
    """True where strangers visit.

    Then no folder of the machine is a model, and everyone sees only their own runs.
    """
    max_upload_bytes: int
    """Of one file."""
    max_text_characters: int
    """Of one text."""
    max_files: int
    max_waiting_runs: int
    """Runs that may wait or train at once, for each visitor."""
    max_queue: int
    """Runs that may wait or train at once, for everybody together."""
    max_surprise_words: int
    """Words of a text whose surprisal is measured at once."""
    max_epochs: int
    max_steps: int
    hub_models: tuple[str, ...]
    """Names of Hub models that may be fetched; * stands for anything. See `offering`."""
    max_model_bytes: int
    """Of one Hub model."""
    max_downloads: int
    """At once, for everybody together."""
    download_seconds: float
    """Until a download is broken off."""
    download_patience: float | None
    """Seconds that a question waits for a download before it is answered with “ask again”.

    None waits to the end.
    """
    kept_seconds: float | None
    """Age at which visitors' texts, downloads and uploads are removed; None keeps them.

    See `services.storage.retention`.
    """
    kept_bytes: int
    """Of all of these together; beyond it the oldest are removed first."""


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
    hub_models=("*",),
    max_model_bytes=4 * 2**30,
    max_downloads=4,
    download_seconds=3600.0,
    download_patience=None,
    kept_seconds=None,
    kept_bytes=0,
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
    hub_models=("google-bert/*", "distilbert/*", "FacebookAI/*", "answerdotai/*"),
    max_model_bytes=1_000_000_000,
    max_downloads=2,
    download_seconds=300.0,
    download_patience=2.0,
    kept_seconds=24 * 3600.0,
    kept_bytes=2_000_000_000,
)
PROFILES = {"laptop": LAPTOP, "hosted": HOSTED}
HUB_MODELS = "MLM_GUI_HUB_MODELS"
"""The environment variable that does the same as the option --hub-models."""


def offering(limits: Limits, hub_models: str | None) -> Limits:
    """`limits` with other Hub models on offer.

    hub_models: names separated by commas, * for anything, "none" for none. None or "" leaves the
    ones that are there.
    """
    names = tuple(name.strip() for name in (hub_models or "").split(",") if name.strip())
    if not names:
        return limits
    return replace(limits, hub_models=() if names == ("none",) else names)
