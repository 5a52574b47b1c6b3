"""Settings that libraries read once, when they are first imported."""

import contextlib
import ctypes
import os
import sys
from pathlib import Path

_M_MMAP_MAX, _M_TRIM_THRESHOLD = -4, -1
"""From glibc's malloc.h."""


def prepare(home: Path | None = None) -> None:
    """Call it before gradio or torch is imported. What the person has set already stays.

    home: the folder that keeps the page's uploads. Without it Gradio takes a folder that all users
    of the machine share, and cannot write into one that belongs to somebody else.
    """
    if home is not None:
        os.environ.setdefault("GRADIO_TEMP_DIR", str(home.absolute() / "uploads"))
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # the server looks nothing up
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # OpenMP's waiting threads sleep instead of spinning. That is a fifth slower on an idle
    # machine, and three times faster on a busy one.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if sys.platform == "linux":
        _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Has glibc keep big freed tensors. Returning them makes training up to a third slower."""
    with contextlib.suppress(OSError, AttributeError):  # a system with another C library
        allocator = ctypes.CDLL("libc.so.6")
        allocator.mallopt(_M_MMAP_MAX, 0)
        allocator.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
