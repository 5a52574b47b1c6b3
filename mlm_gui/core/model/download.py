"""Downloads one model from the Hub into the local cache.

`python -m mlm_gui.core.model.download NAME MAX_BYTES SECONDS` prints one line of JSON: {"folder"}
or {"error": three sentences}. It is a process of its own because a download inside a thread cannot
be stopped: a server that sends one byte now and then would keep it for ever.
"""

import fnmatch
import json
import os
import shutil
import signal
import sys
from pathlib import Path

os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

import huggingface_hub
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

from mlm_gui.core.formatting import format_bytes
from mlm_gui.core.model.hub import ELSEWHERE, SMALL_FILES, WEIGHTS
from mlm_gui.errors import UserError

TIMEOUT_SECONDS = 10
"""Limit for each look-up."""
RESERVED_BYTES = 2**30
"""Bytes of the disk that a download leaves free for the runs and their checkpoints."""


def main(name: str, max_bytes: str, seconds: str) -> None:
    """Prints the result; ends by itself even when nobody waits for it any more."""
    if hasattr(signal, "alarm"):  # Windows has none, so only the waiting process stops it there
        signal.alarm(int(float(seconds)) + 1)
    result: dict[str, object]
    try:
        result = {"folder": download(name, int(max_bytes))}
    except UserError as error:
        result = {"error": error.args}
    print(json.dumps(result), flush=True)


def download(name: str, max_bytes: int) -> str:
    """Folder of the downloaded model.

    Raises UserError, before any file is fetched where that is possible.
    """
    try:
        check_size(name, max_bytes)
        _fetch(name, SMALL_FILES)
        return _fetch(name, WEIGHTS)  # last, so that a folder with weights is complete
    except UserError:
        raise
    except GatedRepoError as error:
        raise UserError(
            f"{name} may not be downloaded.",
            "Its owner asks every reader to agree to terms first.",
            "Agree on the model's page and log in with `hf auth login`, or choose another model.",
        ) from error
    except RepositoryNotFoundError as error:
        raise UserError(
            f"There is no model called {name}.",
            "The Hugging Face Hub does not know it, and there is no such folder here.",
            "Check the spelling, or choose the bundled starter.",
        ) from error
    except Exception as error:  # the HTTP library behind the hub client has its own error classes
        raise UserError(
            f"{name} could not be downloaded.",
            f"The Hugging Face Hub did not answer ({type(error).__name__}), and the model is not "
            "stored on this machine.",
            "Check the connection, or choose the bundled starter, which needs none.",
        ) from error


def _fetch(name: str, patterns: list[str]) -> str:
    """Fetches the files that match and returns their folder."""
    return str(
        huggingface_hub.snapshot_download(
            name,
            allow_patterns=patterns,
            ignore_patterns=ELSEWHERE,
            etag_timeout=TIMEOUT_SECONDS,
        )
    )


def check_size(name: str, max_bytes: int) -> None:
    """Raises UserError when the Hub reports no safe weights, too many bytes, or a full disk."""
    sizes = _file_sizes(name)
    if not any(size for file, size in sizes.items() if file.endswith(".safetensors")):
        raise UserError(
            f"The weights of {name} cannot be used.",
            "Only the safe format, safetensors, is loaded, and this model has none.",
            "Choose another model.",
        )
    size = sum(sizes.values())
    if size > max_bytes:
        raise UserError(
            f"{name} is too large.",
            f"It has {format_bytes(size)} and the limit here is {format_bytes(max_bytes)}.",
            "Choose a smaller model.",
        )
    cache = huggingface_hub.constants.HF_HUB_CACHE
    Path(cache).mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(cache).free
    if size > free - RESERVED_BYTES:
        raise UserError(
            f"There is no room for {name}.",
            f"It has {format_bytes(size)} and only {format_bytes(free)} of the disk are free, of "
            f"which {format_bytes(RESERVED_BYTES)} are left for runs.",
            "Make room, then try again.",
        )


def _file_sizes(name: str) -> dict[str, int]:
    """Bytes of each file that would be downloaded, as the Hub reports them."""
    details = huggingface_hub.HfApi().model_info(name, files_metadata=True, timeout=TIMEOUT_SECONDS)
    return {
        file.rfilename: file.size or 0
        for file in details.siblings or []
        if "/" not in file.rfilename
        and any(fnmatch.fnmatchcase(file.rfilename, pattern) for pattern in SMALL_FILES + WEIGHTS)
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
