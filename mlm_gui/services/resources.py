"""Memory of this process and of the device it trains on."""

import contextlib
import os
from pathlib import Path

_STATUS, _CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def begin_peak() -> None:
    """From now on `peak_bytes` counts anew, where the system can."""
    if cuda := _cuda():
        cuda.reset_peak_memory_stats()
    with contextlib.suppress(OSError):
        _CLEAR_REFS.write_text("5")


def used_bytes() -> int | None:
    """Memory in use: the GPU's by this process where there is one, else this process's; None where the system does not say."""
    return cuda.memory_allocated() if (cuda := _cuda()) else _of_process("VmRSS")


def peak_bytes() -> int | None:
    """The most that was in use since `begin_peak`; None where the system does not say."""
    return cuda.max_memory_allocated() if (cuda := _cuda()) else _of_process("VmHWM")


def free_bytes() -> int | None:
    """What could still be taken without swapping; None where the system does not say."""
    if cuda := _cuda():
        return cuda.mem_get_info()[0] + cuda.memory_reserved() - cuda.memory_allocated()
    found = _field(Path("/proc/meminfo"), "MemAvailable")
    if found is None and hasattr(os, "sysconf") and "SC_AVPHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return found


def _cuda():
    """torch.cuda where there is a GPU it can use, else None."""
    import torch

    return torch.cuda if torch.cuda.is_available() else None


def _of_process(name: str) -> int | None:
    return _field(_STATUS, name)


def _field(path: Path, name: str) -> int | None:
    """A line such as "VmRSS:  812 kB", in bytes."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in path.read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    return None
