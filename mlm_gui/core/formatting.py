"""Sizes and durations in words, the same in every message, in the shell and on the page."""

UNITS = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
"""Powers of a thousand, as disks are sold."""


def format_bytes(count: float) -> str:
    """A size with two digits or more: 2_400_000 -> "2.4 MB", 24_000_000 -> "24 MB"."""
    for unit, size in UNITS:
        if count >= size:
            digits = 1 if count < 10 * size else 0
            return f"{count / size:,.{digits}f} {unit}"
    return f"{count:,.0f} bytes"


def format_duration(seconds: float | None) -> str:
    """A duration as on a clock: 70 -> "1:10", 3670 -> "1:01:10", None -> "–"."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours}:{minutes_left:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def describe_duration(seconds: float) -> str:
    """A duration in words: 24 -> "24 seconds", 100 -> "1.7 minutes"."""
    if seconds < 90:
        count = max(1, round(seconds))
        return f"{count} {'second' if count == 1 else 'seconds'}"
    return f"{seconds / 60:.1f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
