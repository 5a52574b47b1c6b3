"""Results of long measurements, one JSON line each, so that an interrupted one goes on where it
was.
"""

import json
from pathlib import Path


def read(path: Path) -> list[dict]:
    """What was written so far; nothing when there is no file."""
    return (
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        if path.is_file()
        else []
    )


def append(path: Path, record: dict) -> None:
    with path.open("a", encoding="utf-8") as out:
        out.write(json.dumps(record) + "\n")
