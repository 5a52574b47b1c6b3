"""How much memory this process has needed."""

import re
from pathlib import Path


def peak_bytes() -> int:
    """The highest resident memory of this process so far; Linux only.

    Read from /proc, since getrusage counts what the parent had when it started this process.
    """
    return (
        int(
            re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))[
                1
            ]
        )
        * 1024
    )


def current_bytes() -> int:
    """The resident memory of this process now; Linux only."""
    return (
        int(
            re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))[
                1
            ]
        )
        * 1024
    )
