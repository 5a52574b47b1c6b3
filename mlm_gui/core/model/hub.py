"""Models of the Hugging Face Hub: from the local cache, or downloaded by a process of its own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from mlm_gui.errors import UserError

HUB_NAME = re.compile(r"(?:[A-Za-z0-9][\w.-]{0,95}/)?[A-Za-z0-9][\w.-]{0,95}")
SMALL_FILES = ["*.json", "*.txt", "*.model"]
"""Configuration and tokenizer."""
WEIGHTS = ["*.safetensors"]
"""The weights, in the one format that holds no code."""
ELSEWHERE = ["*/*"]
"""Files in a repository's folders are left out: they hold the same model for other programs."""
MAX_MODEL_BYTES = 4 * 2**30
"""Largest model that is downloaded, all its files together."""
DOWNLOAD_SECONDS = 3600.0
"""A download that takes longer is stopped."""


def cached(name: str) -> Path | None:
    """Folder of a Hub model that is complete in the local cache, else None.

    Raises UserError for a name that no Hub model can have.
    """
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    if not HUB_NAME.fullmatch(name) or ".." in name:
        raise UserError(
            f"There is no model called {name[:100]}.",
            "It is not the bundled starter, not a folder on this machine, and not a Hub name "
            "(owner/name).",
            "Choose the starter, or give the path of a model folder or a Hub name such as "
            "google-bert/bert-base-uncased.",
        )
    try:
        folder = Path(
            huggingface_hub.snapshot_download(
                name,
                allow_patterns=SMALL_FILES + WEIGHTS,
                ignore_patterns=ELSEWHERE,
                local_files_only=True,
            )
        )
    except LocalEntryNotFoundError:
        return None
    is_complete = (folder / "config.json").is_file() and has_weights(folder)
    return folder if is_complete else None


def has_weights(folder: Path) -> bool:
    """True when all files of the weights are there; an index names the files of large weights."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return any(folder.glob("*.safetensors"))
    try:
        names = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
    except (OSError, ValueError, KeyError, AttributeError):
        return False
    return all((folder / name).is_file() for name in set(names))


def fetch(name: str, max_bytes: int = MAX_MODEL_BYTES, seconds: float = DOWNLOAD_SECONDS) -> Path:
    """Folder of a Hub model, from the local cache or downloaded.

    max_bytes: limit for all files together, checked before the first is fetched. seconds: limit
    for the whole download, look-ups included. Raises UserError when the model does not arrive.
    """
    folder = cached(name)
    if folder is not None:
        return folder
    try:
        answer = json.loads(_download(name, max_bytes, seconds).strip().splitlines()[-1])
    except subprocess.TimeoutExpired:
        raise UserError(
            f"{name} did not arrive in time.",
            f"Its download was broken off after {seconds:,.0f} seconds.",
            "Try again when the connection is faster, or choose a smaller model; the bundled "
            "starter needs none.",
        ) from None
    except (ValueError, IndexError) as error:  # the process was killed before it could answer
        raise UserError(
            f"{name} could not be downloaded.",
            "The download was broken off.",
            "Try again, or choose the bundled starter.",
        ) from error
    if "error" in answer:
        raise UserError(*answer["error"])
    return Path(answer["folder"])


def _download(name: str, max_bytes: int, seconds: float) -> str:
    """What a process of `mlm_gui.core.model.download` prints; it is stopped after `seconds`."""
    package = str(Path(__file__).parents[3])
    search_path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    module = "mlm_gui.core.model.download"
    return subprocess.run(
        [sys.executable, "-m", module, name, str(max_bytes), str(seconds)],
        capture_output=True,
        timeout=seconds,
        env={**os.environ, "PYTHONPATH": search_path},
        stdin=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    ).stdout
