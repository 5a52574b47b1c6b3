"""The home folder, ids that nobody can guess, and files written whole or not at all."""

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from mlm_gui.errors import UserError

ID = re.compile(r"[0-9a-f]{32}")


def new_id() -> str:
    """128 random bits as 32 hexadecimal digits: nobody guesses it."""
    return secrets.token_hex(16)


def default_home() -> Path:
    """`MLM_GUI_HOME` when it is set, `~/.mlm-gui` otherwise."""
    return Path(os.environ.get("MLM_GUI_HOME") or Path.home() / ".mlm-gui")


def exports_folder(home: Path) -> Path:
    """The folder of files to download: the only one of the home folder that is served."""
    return home / "exports"


def check_home(home: Path) -> None:
    """Raises UserError when the home folder is something else than a folder, or cannot be read.

    A home folder that is not there yet is fine: it is made when something is written.
    """
    try:
        with os.scandir(home):
            return
    except FileNotFoundError:
        return
    except OSError as error:
        raise home_error(home, error) from error


def make_home(home: Path) -> None:
    """Makes the home folder where it is missing. Raises UserError when nothing can be written."""
    check_home(home)
    probe = home / f"{new_id()}.partial"
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise home_error(home, error) from error


def home_error(home: Path, error: OSError) -> UserError:
    """The three sentences for a home folder that the system refuses."""
    return UserError(
        f"The home folder {home} cannot be used.",
        f"The system said: {error.strerror or error}.",
        "Choose another folder with --home or MLM_GUI_HOME, or put its permissions right.",
    )


def write_whole(path: Path, content: str) -> None:
    """Writes a text file. A reader sees the old file or the new one, never a part."""
    put_whole(path, lambda aside: aside.write_text(content, encoding="utf-8"))


def put_whole(path: Path, make: Callable[[Path], object]) -> None:
    """Has `make` write a file beside `path`, flushes it to the disk, then renames it."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
    try:
        make(aside)
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)  # it is still there only when the disk refused


def is_readable_file(path: Path) -> bool:
    """True for a file that can be looked at; False where the system refuses even that."""
    try:
        return path.is_file()
    except OSError:
        return False


def bytes_in(folder: Path) -> int:
    """Bytes of all files under a folder. A file that goes meanwhile counts nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(place) / name).stat().st_size
    return total


def link_or_copy(source: Path, target: Path) -> None:
    """Gives a file a second name. Only for files that are never written again."""
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)
