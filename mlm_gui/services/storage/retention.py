"""What a hosted server forgets: texts, downloads and uploads of visitors, by age and by size.

Runs are never touched: each keeps its text in its own folder.
"""

import logging
import os
import shutil
import time
from pathlib import Path
from typing import NamedTuple

from mlm_gui.services.limits import Limits
from mlm_gui.services.storage.files import bytes_in, exports_folder

log = logging.getLogger(__name__)
SWEEP_SECONDS = 600.0
"""Between two sweeps."""


class _Entry(NamedTuple):
    """A file or folder that goes as a whole."""

    last_written: float
    """Seconds since 1970."""
    num_bytes: int
    path: Path


def sweep(home: Path, limits: Limits, now: float | None = None) -> int:
    """Removes what is older than `limits.kept_seconds`, then the oldest above `limits.kept_bytes`.

    Returns how many files and folders went; none where nothing is to be forgotten, as on a laptop.
    now: seconds since 1970.
    """
    if limits.kept_seconds is None:
        return 0
    oldest_kept = (time.time() if now is None else now) - limits.kept_seconds
    entries = _oldest_first(home)
    total_bytes = sum(entry.num_bytes for entry in entries)
    num_gone = 0
    for entry in entries:
        if entry.last_written >= oldest_kept and total_bytes <= limits.kept_bytes:
            break
        try:
            _remove(entry.path)
        except OSError as error:
            log.warning("%s could not be swept away: %s", entry.path.name, error)
            continue
        num_gone += 1
        total_bytes -= entry.num_bytes
    return num_gone


def _oldest_first(home: Path) -> list[_Entry]:
    """Everything in the folders of visitors' files."""
    folders = (home / "texts", exports_folder(home), home / "uploads")
    paths = [path for folder in folders if folder.is_dir() for path in folder.iterdir()]
    return sorted(_Entry(_last_written(path), _num_bytes(path), path) for path in paths)


def _remove(path: Path) -> None:
    if _is_folder(path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _last_written(path: Path) -> float:
    """Of a file, or of the newest file in a folder; seconds since 1970."""
    if not _is_folder(path):
        return _modified(path)
    inside = (
        _modified(Path(folder) / name) for folder, _, names in os.walk(path) for name in names
    )
    return max(inside, default=_modified(path))


def _num_bytes(path: Path) -> int:
    if _is_folder(path):
        return bytes_in(path)
    try:
        return path.lstat().st_size
    except OSError:  # it went by itself meanwhile
        return 0


def _modified(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:  # it went by itself meanwhile
        return 0.0


def _is_folder(path: Path) -> bool:
    """True for a folder; a link to one is only a link."""
    return path.is_dir() and not path.is_symlink()
