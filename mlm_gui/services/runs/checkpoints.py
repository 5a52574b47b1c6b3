"""Checkpoints: what a run needs to resume, on the disk whole or not at all.

There is no pickle: tensors are in safetensors files and numbers in JSON.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from safetensors import SafetensorError

from mlm_gui.errors import UserError
from mlm_gui.services.storage.files import bytes_in

if TYPE_CHECKING:
    from mlm_gui.core.training.state import State

FORMAT = 2
"""Version of a checkpoint's folder. Version 1 is read too; any other version is skipped."""
NAMES_OF_FORMAT_1 = {
    "_seconds": "training_seconds",
    "_scored": "scored_step",
    "_worse": "evaluations_without_best",
    "_timed_seconds": "timed_seconds",
    "_timed_tokens": "timed_tokens",
}
"""Counters that the first format named otherwise, old name to new."""
TENSORS, NUMBERS, MANIFEST = "state.safetensors", "numbers.json", "manifest.json"
PARTIAL = ".partial"
"""End of a folder's name while it is being written."""
_NAME = re.compile(r"\d+-step-\d+")
SPARE_BYTES = 4 * 2**20
"""Room that a checkpoint leaves on the disk, for the events and the end of the run."""
BLOCK_BYTES = 2**20


class _File(TypedDict):
    """What a manifest records of one file."""

    bytes: int
    sha256: str


class Manifest(TypedDict):
    """The content of manifest.json, without its own hash."""

    format: int
    step: int
    files: dict[str, _File]


class CannotWrite(UserError):
    """The disk is full, read-only or failing.

    The run pauses, and what was safe before is still safe.
    """


class Damaged(Exception):
    """Why a checkpoint cannot be used, in words."""


class Checkpoints:
    """The checkpoints of one run: the newest, and the best where that is another one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, state: State) -> int:
        """Puts `state` on the disk and returns its bytes.

        Older checkpoints go only when it was read back right. Raises CannotWrite, with nothing
        half-written left and the earlier checkpoints whole.
        """
        step = int(state.numbers["step"])
        unfinished = self.folder / PARTIAL
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._sweep()
            self._check_room(state)
            checkpoint = self.folder / f"{self._next_serial():06d}-step-{step}"
            unfinished = checkpoint.with_name(checkpoint.name + PARTIAL)
            _write(unfinished, state)
            unfinished.replace(checkpoint)
            unfinished = checkpoint
            flush_to_disk(self.folder)
            manifest = read_manifest(checkpoint)
            check_hashes(checkpoint, manifest)
        except (OSError, SafetensorError, Damaged) as error:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise cannot_write("The checkpoint could not be written.", error) from error
        self._remove_older(checkpoint, state.numbers.get("best_step"))
        return sum(file["bytes"] for file in manifest["files"].values())

    def newest_whole(self) -> tuple[State | None, tuple[str, ...]]:
        """The newest state whose every byte is as it was written; None when there is none.

        Also one sentence for each newer checkpoint that was skipped.
        """
        skipped: list[str] = []
        for folder in self._newest_first():
            try:
                return _read(folder), tuple(skipped)
            except Damaged as why:
                step = folder.name.rpartition("-")[2]
                skipped.append(f"The checkpoint of step {step} is passed over: {why}.")
        return None, tuple(skipped)

    def at(self, step: int) -> State | None:
        """The newest whole state of this very step, or None."""
        for folder in self._newest_first():
            with contextlib.suppress(Damaged):
                if read_manifest(folder)["step"] == step:
                    return _read(folder)
        return None

    @property
    def checkpoint_step(self) -> int:
        """Step of the newest checkpoint that looks whole; 0 when there is none.

        Only its manifest and the sizes of its files are looked at.
        """
        for folder in self._newest_first():
            with contextlib.suppress(Damaged):
                return read_manifest(folder)["step"]
        return 0

    @property
    def bytes_used(self) -> int:
        return bytes_in(self.folder)

    @staticmethod
    def bytes_needed(state: State) -> int:
        """About how many bytes `write` adds while the older checkpoints are still there."""
        sizes = (tensor.numel() * tensor.element_size() for tensor in state.tensors.values())
        return 4096 + 256 * len(state.tensors) + sum(sizes)

    def _next_serial(self) -> int:
        folders = self._newest_first()
        return _serial_of(folders[0]) + 1 if folders else 1

    def _check_room(self, state: State) -> None:
        free = shutil.disk_usage(self.folder).free
        needed = self.bytes_needed(state) + SPARE_BYTES
        if free < needed:
            raise CannotWrite(
                "The run is paused: the disk is nearly full.",
                f"A checkpoint needs {needed / 2**20:,.0f} MB and {free / 2**20:,.0f} MB are free.",
                "Make room on the disk, for example by deleting old runs, then press Resume.",
            )

    def _newest_first(self) -> list[Path]:
        try:
            folders = list(self.folder.iterdir())
        except OSError:  # no checkpoint yet, or a folder that cannot be looked into
            return []
        found = [folder for folder in folders if _NAME.fullmatch(folder.name)]
        return sorted(found, key=_serial_of, reverse=True)

    def _sweep(self) -> None:
        """Removes what a killed program left half-written."""
        for leftover in self.folder.glob(f"*{PARTIAL}"):
            shutil.rmtree(leftover, ignore_errors=True)

    def _remove_older(self, newest: Path, best_step: float | None) -> None:
        """Removes every checkpoint but the newest and the one with the lowest held-out loss."""
        best = None
        for folder in self._newest_first():
            with contextlib.suppress(Damaged):
                if best is None and read_manifest(folder)["step"] == best_step:
                    best = folder
            if folder not in (newest, best):
                shutil.rmtree(folder, ignore_errors=True)


def cannot_write(what: str, error: Exception) -> CannotWrite:
    """The three sentences for a disk that did not take something."""
    strerror = error.strerror if isinstance(error, OSError) else None
    reason = strerror or str(error) or type(error).__name__
    return CannotWrite(
        f"The run is paused: {what[0].lower()}{what[1:]}",
        f"The system said: {reason}.",
        "Make room on the disk, then press Resume.",
    )


def read_manifest(folder: Path) -> Manifest:
    """The manifest, when it is sound and every file has the size it names. Raises Damaged."""
    try:
        record = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        digest = record.pop("sha256")
    except OSError:
        raise Damaged(f"its {MANIFEST} is missing") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Damaged(f"its {MANIFEST} is damaged") from None
    if digest != digest_of(record):
        raise Damaged(f"its {MANIFEST} is damaged")
    if record.get("format") not in (1, FORMAT):
        raise Damaged("another version of the program wrote it")
    manifest: Manifest = record
    for name in (TENSORS, NUMBERS):
        try:
            size = (folder / name).stat().st_size
        except OSError:
            raise Damaged(f"its {name} is missing") from None
        if size != manifest["files"][name]["bytes"]:
            raise Damaged(f"its {name} is not whole")
    return manifest


def check_hashes(folder: Path, manifest: Manifest) -> None:
    """Raises Damaged when a file was changed after it was written."""
    for name, file in manifest["files"].items():
        if _digest_of_file(folder / name) != file["sha256"]:
            raise Damaged(f"its {name} was changed after it was written")


def digest_of(manifest: object) -> str:
    """The sha256 that a manifest carries of itself."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _serial_of(folder: Path) -> int:
    """000007-step-40 -> 7"""
    return int(folder.name.partition("-")[0])


def _write(folder: Path, state: State) -> None:
    from safetensors.torch import save_file

    folder.mkdir()
    tensors = {
        name: tensor.detach().to("cpu").contiguous() for name, tensor in state.tensors.items()
    }
    save_file(tensors, folder / TENSORS)
    (folder / NUMBERS).write_text(json.dumps(state.numbers), encoding="utf-8")
    files: dict[str, _File] = {}
    for name in (TENSORS, NUMBERS):
        flush_to_disk(folder / name)
        size = (folder / name).stat().st_size
        files[name] = {"bytes": size, "sha256": _digest_of_file(folder / name)}
    manifest: Manifest = {
        "format": FORMAT,
        "step": int(state.numbers["step"]),
        "files": files,
    }
    content = json.dumps({**manifest, "sha256": digest_of(manifest)})
    (folder / MANIFEST).write_text(content, encoding="utf-8")
    flush_to_disk(folder / MANIFEST)
    flush_to_disk(folder)


def _read(folder: Path) -> State:
    from safetensors.torch import load_file

    from mlm_gui.core.training.state import State

    check_hashes(folder, read_manifest(folder))
    try:
        numbers = json.loads((folder / NUMBERS).read_text(encoding="utf-8"))
        renamed = {NAMES_OF_FORMAT_1.get(name, name): number for name, number in numbers.items()}
        return State(load_file(folder / TENSORS), renamed)
    except (OSError, ValueError, AttributeError, RecursionError, SafetensorError) as error:
        raise Damaged(f"it cannot be read ({type(error).__name__})") from error


def _digest_of_file(path: Path) -> str:
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for block in iter(lambda: file.read(BLOCK_BYTES), b""):
                found.update(block)
    except OSError as error:
        raise Damaged(f"its {path.name} cannot be read ({error.strerror})") from error
    return found.hexdigest()


def flush_to_disk(path: Path) -> None:
    """Has the system put a file, or the names in a folder, on the disk itself."""
    if path.is_dir() and os.name != "posix":  # Windows opens no folders
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
