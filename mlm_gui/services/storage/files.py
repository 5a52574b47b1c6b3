"""Files written whole or not at all, under ids that nobody can guess."""

import os
import re
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

ID = re.compile(r"[0-9a-f]{32}")


def new_id() -> str:
    """128 random bits as 32 hexadecimal digits: nobody guesses it."""
    return secrets.token_hex(16)


def default_home() -> Path:
    """`MLM_GUI_HOME` when it is set, `~/.mlm-gui` otherwise."""
    return Path(os.environ.get("MLM_GUI_HOME") or Path.home() / ".mlm-gui")


def write_whole(path: Path, content: str) -> None:
    """Writes beside, flushes to the disk, then renames: a reader sees the old file or the new one, never a part."""
    put_whole(path, lambda aside: aside.write_text(content, encoding="utf-8"))


def put_whole(path: Path, make: Callable[[Path], object]) -> None:
    """Has `make` write a file beside, flushes it to the disk, then renames it."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
    try:
        make(aside)
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)  # there only when the disk refused


def link_or_copy(source: Path, target: Path) -> None:
    """The files of a text are never written again, so that two names may stand for one."""
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)
