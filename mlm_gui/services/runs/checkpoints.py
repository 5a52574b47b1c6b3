"""Checkpoints: what a run needs to go on, on disk whole or not at all. No pickle: safetensors for tensors, JSON for numbers."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from mlm_gui.errors import UserError

if TYPE_CHECKING:
    from mlm_gui.core.training.state import State

FORMAT = 2
"""Version of a checkpoint's folder; one of a version that is not read here is passed over."""
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
SPARE_BYTES = 4 * 2**20
"""Room that a checkpoint leaves on the disk, for the events and the end of the run."""
BLOCK_BYTES = 2**20


class CannotWrite(UserError):
    """The disk is full, read-only or failing: the run pauses, and what was safe before is still safe."""


class _Damaged(Exception):
    """Why a checkpoint cannot be used, in words."""


class Checkpoints:
    """The checkpoints of one run: the newest, and the best where that is another one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, state: State) -> int:
        """Puts `state` on the disk and returns its bytes; only when it was read back right do older ones go.

        Raises CannotWrite, with nothing half-written left and the earlier checkpoints whole.
        """
        aside = self.folder / PARTIAL
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._sweep()
            self._check_room(state)
            folders = self._newest_first()
            serial = int(folders[0].name.partition("-")[0]) + 1 if folders else 1
            place = self.folder / f"{serial:06d}-step-{state.numbers['step']}"
            aside = self.folder / (place.name + PARTIAL)
            _write(aside, state)
            aside.replace(place)
            _sync(self.folder)
            aside = place
            manifest = _read_manifest(place)
            _check_hashes(place, manifest)
        except (OSError, SafetensorError, _Damaged) as error:
            shutil.rmtree(aside, ignore_errors=True)
            raise cannot_write("The checkpoint could not be written.", error) from error
        self._let_go(place, state.numbers.get("best_step"))
        return sum(file["bytes"] for file in manifest["files"].values())

    def newest_whole(self) -> tuple[State | None, tuple[str, ...]]:
        """The newest state whose every byte is as it was written, None when there is none; and what was passed over, in words."""
        skipped_checkpoints = []
        for folder in self._newest_first():
            try:
                return _read(folder), tuple(skipped_checkpoints)
            except _Damaged as why:
                step = folder.name.rpartition("-")[2]
                skipped_checkpoints.append(f"The checkpoint of step {step} is passed over: {why}.")
        return None, tuple(skipped_checkpoints)

    def at(self, step: int) -> State | None:
        """The newest whole state of this very step, or None."""
        for folder in self._newest_first():
            with contextlib.suppress(_Damaged):
                if _read_manifest(folder)["step"] == step:
                    return _read(folder)
        return None

    @property
    def checkpoint_step(self) -> int:
        """Step of the newest checkpoint that looks whole, from its manifest and the sizes of its files; 0 when there is none."""
        for folder in self._newest_first():
            with contextlib.suppress(_Damaged):
                return _read_manifest(folder)["step"]
        return 0

    @property
    def bytes_used(self) -> int:
        return bytes_in(self.folder)

    @staticmethod
    def bytes_needed(state: State) -> int:
        """Bytes that `write` puts on the disk, about; while it does, the older checkpoints are there too."""
        return 4096 + sum(
            256 + tensor.numel() * tensor.element_size() for tensor in state.tensors.values()
        )

    def _check_room(self, state: State) -> None:
        free, needed = shutil.disk_usage(self.folder).free, self.bytes_needed(state) + SPARE_BYTES
        if free < needed:
            raise CannotWrite(
                "The run is paused: the disk is nearly full.",
                f"A checkpoint needs {needed / 2**20:,.0f} MB and {free / 2**20:,.0f} MB are free.",
                "Make room on the disk, for example by deleting old runs, then press Go on.",
            )

    def _newest_first(self) -> list[Path]:
        found = [
            folder
            for folder in self.folder.glob("*-step-*")
            if folder.name.partition("-")[0].isdigit() and folder.suffix != PARTIAL
        ]
        return sorted(found, key=lambda folder: int(folder.name.partition("-")[0]), reverse=True)

    def _sweep(self) -> None:
        """Removes what a killed program left half-written."""
        for leftover in self.folder.glob(f"*{PARTIAL}"):
            shutil.rmtree(leftover, ignore_errors=True)

    def _let_go(self, newest: Path, best_step: float | None) -> None:
        """Removes every checkpoint but the newest and the one with the lowest loss on unseen text."""
        best = None
        for folder in self._newest_first():
            with contextlib.suppress(_Damaged):
                if best is None and _read_manifest(folder)["step"] == best_step:
                    best = folder
            if folder not in (newest, best):
                shutil.rmtree(folder, ignore_errors=True)


def cannot_write(what: str, error: Exception) -> CannotWrite:
    """The three sentences for a disk that did not take something."""
    reason = (
        (error.strerror if isinstance(error, OSError) else None)
        or str(error)
        or type(error).__name__
    )
    return CannotWrite(
        f"The run is paused: {what[0].lower()}{what[1:]}",
        f"The system said: {reason}.",
        "Make room on the disk, then press Go on.",
    )


def bytes_in(folder: Path) -> int:
    """Bytes of all files under a folder; one that goes while it is counted counts nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(place) / name).stat().st_size
    return total


def _write(folder: Path, state: State) -> None:
    from safetensors.torch import save_file

    folder.mkdir()
    save_file(
        {name: tensor.detach().to("cpu").contiguous() for name, tensor in state.tensors.items()},
        folder / TENSORS,
    )
    (folder / NUMBERS).write_text(json.dumps(state.numbers), encoding="utf-8")
    files = {}
    for name in (TENSORS, NUMBERS):
        _sync(folder / name)
        files[name] = {"bytes": (folder / name).stat().st_size, "sha256": _digest(folder / name)}
    manifest = {"format": FORMAT, "step": state.numbers["step"], "files": files}
    content = json.dumps({**manifest, "sha256": _digest_of(manifest)})
    (folder / MANIFEST).write_text(content, encoding="utf-8")
    _sync(folder / MANIFEST)
    _sync(folder)


def _read(folder: Path) -> State:
    from safetensors.torch import load_file

    from mlm_gui.core.training.state import State

    _check_hashes(folder, _read_manifest(folder))
    try:
        numbers = json.loads((folder / NUMBERS).read_text(encoding="utf-8"))
        renamed = {NAMES_OF_FORMAT_1.get(name, name): number for name, number in numbers.items()}
        return State(load_file(folder / TENSORS), renamed)
    except (OSError, ValueError, AttributeError, SafetensorError) as error:
        raise _Damaged(f"it cannot be read ({type(error).__name__})") from error


def _read_manifest(folder: Path) -> dict:
    """The manifest, when it is right in itself and every file has the size it names."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        told = manifest.pop("sha256")
    except OSError:
        raise _Damaged(f"its {MANIFEST} is missing") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _Damaged(f"its {MANIFEST} is damaged") from None
    if told != _digest_of(manifest):
        raise _Damaged(f"its {MANIFEST} is damaged")
    if manifest.get("format") not in (1, FORMAT):
        raise _Damaged("another version of the program wrote it")
    for name in (TENSORS, NUMBERS):
        try:
            size = (folder / name).stat().st_size
        except OSError:
            raise _Damaged(f"its {name} is missing") from None
        if size != manifest["files"][name]["bytes"]:
            raise _Damaged(f"its {name} is not whole")
    return manifest


def _check_hashes(folder: Path, manifest: dict) -> None:
    for name, file in manifest["files"].items():
        if _digest(folder / name) != file["sha256"]:
            raise _Damaged(f"its {name} was changed after it was written")


def _digest_of(manifest: dict) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                found.update(block)
    except OSError as error:
        raise _Damaged(f"its {path.name} cannot be read ({error.strerror})") from error
    return found.hexdigest()


def _sync(path: Path) -> None:
    """Has the system put a file, or the names in a folder, on the disk itself."""
    if path.is_dir() and os.name != "posix":  # Windows opens no folders
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
