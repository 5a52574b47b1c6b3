"""Paragraphs of a text: held in memory while it is short, left in a file and read when asked for when it is long."""

import hashlib
import secrets
import shutil
import struct
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import overload

import numpy as np

from mlm_gui.errors import UserError

MOST_HELD_CHARACTERS = 8_000_000
"""A longer text goes to a file."""
SEPARATOR = "\x1e"
"""Stands between two paragraphs in a file; no paragraph that was read from a text holds it."""
ROW = np.dtype([("start", "<i8"), ("bytes", "<i4"), ("characters", "<i4")])
"""One paragraph in the index: the byte of the text at which it begins, and its length."""
_READ_BYTES = 2**20
"""About so much is read at a time; a longer paragraph is read whole."""
_READ_PARAGRAPHS = 1_000
ENDINGS = (".text", ".index")
"""Of the two files that a long text consists of."""


class ParagraphFile(Sequence[str]):
    """All or some paragraphs of a text in a file. Neither the text nor its index is held; only the numbers of the paragraphs are, where some are meant.

    Raises OSError when the files are gone.
    """

    def __init__(
        self, path: Path, numbers: np.ndarray | range | None = None, keeper: object = None
    ) -> None:
        """path: the two files' without their endings. numbers: ascending, int32 [N] or a range; None for all. keeper: is kept as long as this is."""
        self.path, self._keeper = path, keeper
        self.num_in_file = path.with_suffix(".index").stat().st_size // ROW.itemsize
        self.numbers = range(self.num_in_file) if numbers is None else numbers

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> "ParagraphFile": ...
    def __getitem__(self, place):
        if isinstance(place, slice):
            if (place.step or 1) < 0:
                raise ValueError("a text in a file is read forwards")
            return ParagraphFile(self.path, self.numbers[place], self._keeper)
        number = int(self.numbers[place])
        return next(self._read([range(number, number + 1)]))

    def __iter__(self) -> Iterator[str]:
        return self._read(
            self.numbers[start : start + _READ_PARAGRAPHS]
            for start in range(0, len(self), _READ_PARAGRAPHS)
        )

    def _read(self, blocks) -> Iterator[str]:
        with self.path.with_suffix(".text").open("rb", buffering=0) as text:
            for numbers in blocks:
                rows = self._rows(int(numbers[0]), int(numbers[-1]) + 1)[
                    np.asarray(numbers, np.int64) - int(numbers[0])
                ]
                ends = rows["start"] + rows["bytes"]
                first = 0
                while first < len(rows):
                    start = int(rows["start"][first])
                    last = max(first + 1, int(np.searchsorted(ends, start + _READ_BYTES, "right")))
                    text.seek(start)
                    content = text.read(int(ends[last - 1]) - start)
                    for begin, end in zip(
                        (rows["start"][first:last] - start).tolist(),
                        (ends[first:last] - start).tolist(),
                        strict=True,
                    ):
                        yield content[begin:end].decode("utf-8", "surrogatepass")
                    first = last

    def _rows(self, start: int, end: int) -> np.ndarray:
        return np.fromfile(
            self.path.with_suffix(".index"), ROW, end - start, offset=start * ROW.itemsize
        )

    @property
    def is_whole(self) -> bool:
        """True when these are all paragraphs of the file."""
        return len(self) == self.num_in_file

    @property
    def lengths(self) -> np.ndarray:
        """int32 [N], characters of each paragraph."""
        blocks = [
            self._rows(start, start + _READ_BYTES)["characters"]
            for start in range(0, self.num_in_file, _READ_BYTES)
        ]
        characters = np.concatenate([np.zeros(0, np.int32), *blocks])
        return characters if self.is_whole else characters[np.asarray(self.numbers, np.int64)]

    def chosen(self, numbers: np.ndarray) -> "ParagraphFile":
        """Some of these, by their places here, ascending."""
        return ParagraphFile(self.path, np.asarray(self.numbers, np.int32)[numbers], self._keeper)

    def check(self) -> None:
        """Raises ValueError when the two files do not belong together."""
        end = -len(SEPARATOR)
        for start in range(0, self.num_in_file, _READ_BYTES):
            rows = self._rows(start, start + _READ_BYTES)
            ends = rows["start"] + rows["bytes"]
            if (rows["start"] != np.concatenate([[end], ends[:-1]]) + len(SEPARATOR)).any() or (
                rows["bytes"] < 0
            ).any():
                raise ValueError("the index is damaged")
            end = int(ends[-1])
        if end != self.path.with_suffix(".text").stat().st_size:
            raise ValueError("the text and its index do not fit")

    def through(self, last: "ParagraphFile") -> "ParagraphFile | None":
        """From the first of these to the end of `last`, when both are stretches of one file."""
        if (
            self.path != last.path
            or not isinstance(self.numbers, range)
            or not isinstance(last.numbers, range)
        ):
            return None
        return ParagraphFile(self.path, range(self.numbers.start, last.numbers.stop), self._keeper)


def lengths_of(paragraphs: Sequence[str]) -> np.ndarray:
    """int [N], characters of each paragraph; of a text in a file without reading it."""
    return (
        paragraphs.lengths
        if isinstance(paragraphs, ParagraphFile)
        else np.fromiter(map(len, paragraphs), np.int64, len(paragraphs))
    )


def chosen(paragraphs: Sequence[str], numbers: np.ndarray) -> Sequence[str]:
    """The paragraphs of these numbers, ascending."""
    return (
        paragraphs.chosen(numbers)
        if isinstance(paragraphs, ParagraphFile)
        else tuple(paragraphs[number] for number in numbers.tolist())
    )


def end_to_end(parts: Sequence[Sequence[str]]) -> Sequence[str]:
    """All parts as one: a tuple, or a view of their file when they are stretches of one that follow each other."""
    if parts and all(isinstance(part, ParagraphFile) for part in parts):
        whole = parts[0].through(parts[-1])
        if whole is not None and len(whole) == sum(map(len, parts)):
            return whole
    return tuple(chain.from_iterable(parts))


def beginning_of(paragraphs: Sequence[str], most_characters: int) -> Sequence[str]:
    """The first paragraphs, whole, just over `most_characters`; all of a shorter text."""
    return paragraphs[
        : int(np.searchsorted(np.cumsum(lengths_of(paragraphs), dtype=np.int64), most_characters))
        + 1
    ]


def some_of(paragraphs: Sequence[str], most_characters: int) -> Sequence[str]:
    """All of a short text; of a longer one a fixed random selection of whole paragraphs, just over `most_characters`, in their order."""
    lengths = lengths_of(paragraphs)
    if lengths.sum() <= most_characters:
        return paragraphs
    order = np.random.default_rng(0).permutation(len(paragraphs))
    enough = int(np.searchsorted(np.cumsum(lengths[order], dtype=np.int64), most_characters)) + 1
    return chosen(paragraphs, np.sort(order[:enough]))


def fingerprint_of(paragraphs: Sequence[str]) -> str:
    """sha256 over all paragraphs with SEPARATOR between them, as 64 hexadecimal digits; of a whole file that is the sha256 of its bytes."""
    found = hashlib.sha256()
    if isinstance(paragraphs, ParagraphFile) and paragraphs.is_whole:
        with paragraphs.path.with_suffix(".text").open("rb") as file:
            while block := file.read(_READ_BYTES):
                found.update(block)
    else:
        for number, paragraph in enumerate(paragraphs):
            found.update(f"{SEPARATOR if number else ''}{paragraph}".encode())
    return found.hexdigest()


class _Folder:
    """A folder that goes when nobody holds this object any more."""

    def __init__(self, parent: Path | None) -> None:
        if parent:
            parent.mkdir(parents=True, exist_ok=True)
        self.path = Path(tempfile.mkdtemp(".partial", "text-", parent))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


class ParagraphWriter:
    """Takes paragraphs one after the other; they stay in memory as long as they are few, and go to a file then."""

    def __init__(self, parent: Path | None = None) -> None:
        """parent: where the files of a long text are made, in a folder of their own; the system's place for temporary files without it."""
        self._parent, self._held, self._num_characters, self._num_bytes = parent, [], 0, 0
        self._folder: _Folder | None = None
        self._num_filed = 0

    def __len__(self) -> int:
        return self._num_filed + len(self._held)

    def add(self, paragraph: str) -> None:
        """Raises UserError when the disk refuses."""
        self._held.append(paragraph)
        self._num_characters += len(paragraph)
        if self._num_characters > (_READ_BYTES if self._folder else MOST_HELD_CHARACTERS):
            self._on_disk(self._write)

    def finish(self) -> Sequence[str]:
        """All of them: a tuple, or Filed; its files go with the last view of them."""
        if self._folder is None:
            return tuple(self._held)
        for call in (self._write, self._text.close, self._index.close):
            self._on_disk(call)
        return ParagraphFile(self._path, keeper=self._folder)

    @staticmethod
    def _on_disk(call: Callable[[], None]) -> None:
        """Raises UserError where the disk refuses."""
        try:
            call()
        except OSError as error:
            raise UserError(
                "The text was not read to its end.",
                f"A long one is laid on the disk, and the system said: {error.strerror or error}.",
                "Make room on the disk, then bring it again.",
            ) from error

    def _write(self) -> None:
        if self._folder is None:
            self._folder = _Folder(self._parent)
            self._path = self._folder.path / secrets.token_hex(4)
            self._text, self._index = (
                self._path.with_suffix(ending).open("wb") for ending in ENDINGS
            )
        for paragraph in self._held:
            content = paragraph.encode("utf-8", "surrogatepass")
            if self._num_filed:
                self._text.write(SEPARATOR.encode())
                self._num_bytes += 1
            self._text.write(content)
            self._index.write(struct.pack("<qii", self._num_bytes, len(content), len(paragraph)))
            self._num_bytes += len(content)
            self._num_filed += 1
        self._held.clear()
        self._num_characters = 0
