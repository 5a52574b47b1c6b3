"""Memory, disk and processor of this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import threading
from pathlib import Path

_STATUS, _CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_LOWEST_PRIORITY = 19


def lower_thread_priority() -> None:
    """Gives this thread the lowest priority, so that the page stays quick.

    Linux only: on other systems the priority belongs to the whole process, or the number that
    names a thread names some other process.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # without it the page is slower, and all else works
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST_PRIORITY)


def free_disk_bytes(folder: Path) -> int:
    """Free bytes on the disk of this folder, or of the folder in which it would be made."""
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    return shutil.disk_usage(existing).free


def begin_peak() -> None:
    """From now on `peak_bytes` counts anew, where the system can."""
    if _has_gpu():
        import torch

        torch.cuda.reset_peak_memory_stats()
    with contextlib.suppress(OSError):
        _CLEAR_REFS.write_text("5")


def used_bytes() -> int | None:
    """Memory in use by this process: of the GPU where there is one.

    None where the system does not report it.
    """
    if _has_gpu():
        import torch

        return torch.cuda.memory_allocated()
    return _field(_STATUS, "VmRSS")


def peak_bytes() -> int | None:
    """The most that was in use since `begin_peak`; None where the system does not report it."""
    if _has_gpu():
        import torch

        return torch.cuda.max_memory_allocated()
    return _field(_STATUS, "VmHWM")


def free_bytes() -> int | None:
    """Memory that could be taken without swapping; None where the system does not report it."""
    if _has_gpu():
        import torch

        free: int = torch.cuda.mem_get_info()[0]
        return free + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
    available = _field(Path("/proc/meminfo"), "MemAvailable")
    if available is None and "SC_AVPHYS_PAGES" in getattr(os, "sysconf_names", ()):
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return available


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _field(path: Path, name: str) -> int | None:
    """The bytes in a line such as "VmRSS:  812 kB"."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in path.read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    return None
