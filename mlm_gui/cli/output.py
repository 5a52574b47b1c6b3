"""What every command needs: the services of a home folder, and one way to print."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlm_gui.errors import UserError

if TYPE_CHECKING:
    from mlm_gui.services.studio import Studio

INTERRUPTED = 130
"""Exit status of a command that was interrupted."""


def open_studio(options: argparse.Namespace) -> Studio:
    """The services over the home folder that was named, or over the usual one."""
    from mlm_gui.services.limits import LAPTOP
    from mlm_gui.services.storage.files import check_home, default_home
    from mlm_gui.services.studio import Studio

    home = (options.home if "home" in options else None) or default_home()
    check_home(home)
    return Studio.open(home, LAPTOP)


def print_record(record: Mapping[str, object]) -> None:
    """One JSON line on standard output."""
    print(json.dumps(record, ensure_ascii=False), flush=True)


def print_refusals(refused: list[tuple[str, UserError]]) -> None:
    """One line on standard error for each file that was left out."""
    for _, error in refused:
        print(f"Refused: {error}", file=sys.stderr)
