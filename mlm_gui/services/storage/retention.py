"""What a hosted server forgets: texts, downloads and uploads of visitors, by age and by size. Runs are never touched."""

import logging
import os
import shutil
import time
from pathlib import Path

from mlm_gui.services.limits import Limits
from mlm_gui.services.runs.checkpoints import bytes_in

log = logging.getLogger(__name__)
SWEPT = ("texts", "exports", "uploads")
"""Folders of the home folder whose files and folders go, each as a whole. A run keeps its text in its own folder."""
SWEEP_SECONDS = 600.0
"""Between two sweeps."""


def sweep(home: Path, limits: Limits, now: float | None = None) -> int:
    """Removes what was last written more than `limits.kept_seconds` ago, then the oldest while all together have more than `limits.kept_bytes`.

    Returns how many went; where nothing is to be forgotten, as on a laptop, none. now: seconds since 1970.
    """
    if limits.kept_seconds is None:
        return 0
    oldest_kept = (time.time() if now is None else now) - limits.kept_seconds
    places = [
        place for folder in SWEPT if (home / folder).is_dir() for place in (home / folder).iterdir()
    ]
    found = sorted(
        (_last_written(place), bytes_in(place) if _is_folder(place) else _size(place), place)
        for place in places
    )
    num_gone, size = 0, sum(size for _, size, _ in found)
    for written, its_size, place in found:
        if written >= oldest_kept and size <= limits.kept_bytes:
            break
        try:
            shutil.rmtree(place) if _is_folder(place) else place.unlink(missing_ok=True)
        except OSError as error:
            log.warning("%s could not be swept away: %s", place.name, error)
            continue
        num_gone, size = num_gone + 1, size - its_size
    return num_gone


def _last_written(place: Path) -> float:
    """Of a file, or of the newest file of a folder; seconds since 1970."""
    inside = (
        (_written(Path(folder) / name) for folder, _, names in os.walk(place) for name in names)
        if _is_folder(place)
        else ()
    )
    return max(inside, default=_written(place))


def _is_folder(place: Path) -> bool:
    """True for a folder; a link to one is only a link."""
    return place.is_dir() and not place.is_symlink()


def _written(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:  # it went by itself meanwhile
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
