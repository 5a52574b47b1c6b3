"""The files of a command; "-" stands for standard input."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlm_gui.errors import UserError

if TYPE_CHECKING:
    from mlm_gui.core.corpus.corpus import Corpus
    from mlm_gui.services.studio import Studio

STANDARD_INPUT = "-"
STANDARD_INPUT_NAME = "standard input.txt"


def gather(
    studio: Studio, files: Sequence[str], names: Sequence[str] | None = None
) -> tuple[Corpus, list[tuple[str, UserError]]]:
    """The text of all files that can be read; name and error of each of the others.

    names: shown instead of the file names. Raises UserError when no file can be read.
    """
    refused: list[tuple[str, UserError]] = []
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(file) for file in files]
        shown = list(names) if names is not None else [path.name for path in paths]
        for number, file in enumerate(files):
            if file == STANDARD_INPUT:
                paths[number] = _saved_input(Path(folder))
                shown[number] = STANDARD_INPUT_NAME
        corpus = studio.texts.gather(paths, shown, refused)
    return corpus, refused


def _saved_input(folder: Path) -> Path:
    """Standard input as a file, so that it is read like any other."""
    path = folder / STANDARD_INPUT_NAME
    with path.open("ab") as file:
        file.write(sys.stdin.buffer.read())
    return path
