"""Settings that libraries read once, when they are first imported."""

import contextlib
import ctypes
import os
import sys
from pathlib import Path


def prepare(home: Path | None = None) -> None:
    """Call before gradio or torch is imported; what the person has set already stays.

    home: the folder that keeps the page's uploads. Without it Gradio takes a folder that all users
    of the machine share, and cannot write into one that belongs to somebody else.
    """
    if home is not None:
        os.environ.setdefault("GRADIO_TEMP_DIR", str(home.absolute() / "uploads"))
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # no look-ups from the server
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # OpenMP's waiting threads sleep instead of spinning: a fifth slower on an idle machine, but not three times slower on a busy one
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if sys.platform == "linux":
        with contextlib.suppress(
            OSError, AttributeError
        ):  # glibc gives every big tensor back to the kernel otherwise; training is a tenth to a third slower then
            allocator = ctypes.CDLL("libc.so.6")
            allocator.mallopt(_M_MMAP_MAX, 0)
            allocator.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


_M_MMAP_MAX, _M_TRIM_THRESHOLD = -4, -1
"""From glibc's malloc.h."""
