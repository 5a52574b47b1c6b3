"""Models of the Hugging Face Hub: in the local cache, or downloaded by a process of its own, which can be stopped."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from mlm_gui.errors import UserError

HUB_NAME = re.compile(r"(?:[A-Za-z0-9][\w.-]{0,95}/)?[A-Za-z0-9][\w.-]{0,95}")
SMALL_FILES, WEIGHTS = ["*.json", "*.txt", "*.model"], ["*.safetensors"]
"""What is downloaded: configuration and tokenizer, then the weights, in the one format that holds no code."""
ELSEWHERE = ["*/*"]
"""Nothing in a repository's folders: they hold the same model for other programs."""
MAX_MODEL_BYTES = 4 * 2**30
"""Largest model that is downloaded, all its files together."""
DOWNLOAD_SECONDS = 3600.0
"""A download that takes longer is broken off."""


def cached(name: str) -> Path | None:
    """Folder of a Hub model that is whole in the local cache; None when it is not. Raises UserError for what is no Hub name."""
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    if not HUB_NAME.fullmatch(name) or ".." in name:
        raise UserError(
            f"There is no model called {name[:100]}.",
            "It is not the bundled starter, not a folder on this machine, and not a Hub name (owner/name).",
            "Choose the starter, or give the path of a model folder or a Hub name such as google-bert/bert-base-uncased.",
        )
    try:
        patterns = SMALL_FILES + WEIGHTS
        folder = Path(
            huggingface_hub.snapshot_download(
                name, allow_patterns=patterns, ignore_patterns=ELSEWHERE, local_files_only=True
            )
        )
    except LocalEntryNotFoundError:
        return None
    return (
        folder if (folder / "config.json").is_file() and has_weights(folder) else None
    )  # the weights arrive last


def has_weights(folder: Path) -> bool:
    """True when all files of the weights are there; large ones come in several, which an index names."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return any(folder.glob("*.safetensors"))
    try:
        named = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
    except (OSError, ValueError, KeyError, AttributeError):
        return False
    return all((folder / name).is_file() for name in set(named))


def fetch(name: str, max_bytes: int = MAX_MODEL_BYTES, seconds: float = DOWNLOAD_SECONDS) -> Path:
    """Folder of a Hub model, from the local cache when it is there, else downloaded.

    max_bytes: of all files together, checked before any of them is fetched. seconds: until the download is broken off, look-ups included.
    Raises UserError when it does not arrive.
    """
    folder = cached(name)
    if folder is not None:
        return folder
    package = str(Path(__file__).parents[3])
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH")))),
    }
    command = [
        sys.executable,
        "-m",
        "mlm_gui.core.model.download",
        name,
        str(max_bytes),
        str(seconds),
    ]
    try:
        answer = subprocess.run(
            command,
            capture_output=True,
            timeout=seconds,
            env=environment,
            stdin=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        said = json.loads(answer.stdout.strip().splitlines()[-1])
    except subprocess.TimeoutExpired:
        raise UserError(
            f"{name} did not arrive in time.",
            f"Its download was broken off after {seconds:,.0f} seconds.",
            "Try again when the connection is faster, or choose a smaller model; the bundled starter needs none.",
        ) from None
    except (ValueError, IndexError) as error:  # the process was killed before it could say anything
        raise UserError(
            f"{name} could not be downloaded.",
            "The download was broken off.",
            "Try again, or choose the bundled starter.",
        ) from error
    if "error" in said:
        raise UserError(*said["error"])
    return Path(said["folder"])
