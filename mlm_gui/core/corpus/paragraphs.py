"""Paragraphs of a text: a short text is held in memory, a long one is read from a file."""

import hashlib
import secrets
import shutil
import struct
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import BinaryIO, overload

import numpy as np

from mlm_gui.errors import UserError

MOST_HELD_CHARACTERS = 8_000_000
"""A longer text goes to a file."""
SEPARATOR = "\x1e"
"""Divides two paragraphs in a file; no paragraph that was read from a text contains it."""
ROW = np.dtype([("start", "<i8"), ("bytes", "<i4"), ("characters", "<i4")])
"""One paragraph in the index: where its bytes start in the text, and its length."""
READ_BYTES = 2**20
"""Bytes read from a file at a time; a longer paragraph is read whole."""
READ_PARAGRAPHS = 1_000
"""Paragraphs looked up in the index at a time."""
ENDINGS = (".text", ".index")
"""Endings of the two files that keep a long text."""


class ParagraphFile(Sequence[str]):
    """All or some paragraphs of a text in a file.

    Neither the text nor its index is held in memory. A selection holds only the numbers of its
    paragraphs. Reading raises OSError when the files are gone.
    """

    def __init__(
        self, path: Path, numbers: np.ndarray | range | None = None, keeper: object = None
    ) -> None:
        """path: the two files, without their endings.

        numbers: the selected paragraphs, ascending, int32 [N] or a range; None selects all.
        keeper: an object that is kept alive as long as this view is.
        """
        self.path = path
        self._keeper = keeper
        self.num_in_file = path.with_suffix(".index").stat().st_size // ROW.itemsize
        self.numbers = range(self.num_in_file) if numbers is None else numbers

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> "ParagraphFile": ...
    def __getitem__(self, place: int | slice) -> "str | ParagraphFile":
        if isinstance(place, slice):
            if (place.step or 1) < 0:
                raise ValueError("a text in a file is read forwards")
            return ParagraphFile(self.path, self.numbers[place], self._keeper)
        number = int(self.numbers[place])
        return next(self._read([range(number, number + 1)]))

    def __iter__(self) -> Iterator[str]:
        return self._read(
            self.numbers[start : start + READ_PARAGRAPHS]
            for start in range(0, len(self), READ_PARAGRAPHS)
        )

    def _read(self, blocks: Iterable[np.ndarray | range]) -> Iterator[str]:
        """The paragraphs of each block of numbers, in order."""
        with self.path.with_suffix(".text").open("rb", buffering=0) as text:
            for numbers in blocks:
                first_number = int(numbers[0])
                rows = self._rows(first_number, int(numbers[-1]) + 1)
                yield from _decoded(text, rows[np.asarray(numbers, np.int64) - first_number])

    def _rows(self, start: int, end: int) -> np.ndarray:
        """Index entries of the paragraphs from `start` to before `end`."""
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
            self._rows(start, start + READ_BYTES)["characters"]
            for start in range(0, self.num_in_file, READ_BYTES)
        ]
        characters = np.concatenate([np.zeros(0, np.int32), *blocks])
        return characters if self.is_whole else characters[np.asarray(self.numbers, np.int64)]

    def chosen(self, numbers: np.ndarray) -> "ParagraphFile":
        """The paragraphs at these positions of this view, ascending."""
        return ParagraphFile(self.path, np.asarray(self.numbers, np.int32)[numbers], self._keeper)

    def check(self) -> None:
        """Raises ValueError when the text and its index do not belong together."""
        end = -len(SEPARATOR)
        for start in range(0, self.num_in_file, READ_BYTES):
            rows = self._rows(start, start + READ_BYTES)
            ends = rows["start"] + rows["bytes"]
            expected_starts = np.concatenate([[end], ends[:-1]]) + len(SEPARATOR)
            if (rows["start"] != expected_starts).any() or (rows["bytes"] < 0).any():
                raise ValueError("the index is damaged")
            end = int(ends[-1])
        if end != self.path.with_suffix(".text").stat().st_size:
            raise ValueError("the text and its index do not fit")

    def through(self, last: "ParagraphFile") -> "ParagraphFile | None":
        """From the first of these to the end of `last`; None unless both are ranges of one file."""
        if self.path != last.path:
            return None
        if not isinstance(self.numbers, range) or not isinstance(last.numbers, range):
            return None
        return ParagraphFile(self.path, range(self.numbers.start, last.numbers.stop), self._keeper)


def _decoded(text: BinaryIO, rows: np.ndarray) -> Iterator[str]:
    """The paragraphs of these index entries; about READ_BYTES are read at once."""
    starts = rows["start"]
    ends = starts + rows["bytes"]
    first = 0
    while first < len(rows):
        block_start = int(starts[first])
        last = max(first + 1, int(np.searchsorted(ends, block_start + READ_BYTES, "right")))
        text.seek(block_start)
        content = text.read(int(ends[last - 1]) - block_start)
        begins_in_block = (starts[first:last] - block_start).tolist()
        ends_in_block = (ends[first:last] - block_start).tolist()
        for begin, end in zip(begins_in_block, ends_in_block, strict=True):
            yield content[begin:end].decode("utf-8", "surrogatepass")
        first = last


def lengths_of(paragraphs: Sequence[str]) -> np.ndarray:
    """int [N], characters of each paragraph; a text in a file is not read for it."""
    if isinstance(paragraphs, ParagraphFile):
        return paragraphs.lengths
    return np.fromiter(map(len, paragraphs), np.int64, len(paragraphs))


def chosen(paragraphs: Sequence[str], numbers: np.ndarray) -> Sequence[str]:
    """The paragraphs of these numbers, ascending."""
    if isinstance(paragraphs, ParagraphFile):
        return paragraphs.chosen(numbers)
    return tuple(paragraphs[number] for number in numbers.tolist())


def end_to_end(parts: Sequence[Sequence[str]]) -> Sequence[str]:
    """All parts as one text: a view of a file where possible, otherwise a tuple.

    Parts that follow each other in one file are one view of that file.
    """
    files = [part for part in parts if isinstance(part, ParagraphFile)]
    if files and len(files) == len(parts):
        whole = files[0].through(files[-1])
        if whole is not None and len(whole) == sum(map(len, files)):
            return whole
    return tuple(chain.from_iterable(parts))


def beginning_of(paragraphs: Sequence[str], most_characters: int) -> Sequence[str]:
    """The first whole paragraphs, just over `most_characters`; a shorter text entirely."""
    return paragraphs[: _number_within(lengths_of(paragraphs), most_characters)]


def some_of(paragraphs: Sequence[str], most_characters: int) -> Sequence[str]:
    """A fixed random selection of whole paragraphs, just over `most_characters`, in their order.

    A shorter text is returned entirely.
    """
    lengths = lengths_of(paragraphs)
    if lengths.sum() <= most_characters:
        return paragraphs
    order = np.random.default_rng(0).permutation(len(paragraphs))
    num_selected = _number_within(lengths[order], most_characters)
    return chosen(paragraphs, np.sort(order[:num_selected]))


def _number_within(lengths: np.ndarray, most_characters: int) -> int:
    """How many paragraphs of these lengths together just exceed `most_characters`."""
    return int(np.searchsorted(np.cumsum(lengths, dtype=np.int64), most_characters)) + 1


def fingerprint_of(paragraphs: Sequence[str]) -> str:
    """sha256 over all paragraphs with SEPARATOR between them, as 64 hexadecimal digits.

    For a whole file it is the sha256 of the file's bytes.
    """
    digest = hashlib.sha256()
    if isinstance(paragraphs, ParagraphFile) and paragraphs.is_whole:
        with paragraphs.path.with_suffix(".text").open("rb") as file:
            while block := file.read(READ_BYTES):
                digest.update(block)
    else:
        for number, paragraph in enumerate(paragraphs):
            digest.update(f"{SEPARATOR if number else ''}{paragraph}".encode())
    return digest.hexdigest()


class _Folder:
    """A temporary folder that is removed when nobody holds this object any more."""

    def __init__(self, parent: Path | None) -> None:
        if parent:
            parent.mkdir(parents=True, exist_ok=True)
        self.path = Path(tempfile.mkdtemp(".partial", "text-", parent))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


class ParagraphWriter:
    """Collects paragraphs, in memory while they are few and in a file when they are many."""

    def __init__(self, parent: Path | None = None) -> None:
        """parent: the folder in which the files of a long text get a folder of their own.

        Without it they go to the system's folder for temporary files.
        """
        self._parent = parent
        self._held: list[str] = []
        self._num_characters = 0
        self._num_bytes = 0
        self._num_filed = 0
        self._folder: _Folder | None = None

    def __len__(self) -> int:
        return self._num_filed + len(self._held)

    def add(self, paragraph: str) -> None:
        """Takes the next paragraph. Raises UserError when the disk refuses."""
        self._held.append(paragraph)
        self._num_characters += len(paragraph)
        if self._num_characters > (READ_BYTES if self._folder else MOST_HELD_CHARACTERS):
            self._on_disk(self._write)

    def finish(self) -> Sequence[str]:
        """All paragraphs: a tuple, or a ParagraphFile whose files go with the last view of it."""
        if self._folder is None:
            return tuple(self._held)
        for call in (self._write, self._text.close, self._index.close):
            self._on_disk(call)
        return ParagraphFile(self._path, keeper=self._folder)

    @staticmethod
    def _on_disk(call: Callable[[], None]) -> None:
        """Calls `call`; raises UserError when the disk refuses."""
        try:
            call()
        except OSError as error:
            raise UserError(
                "The text was not read to its end.",
                f"A long text is written to disk, and the system said: {error.strerror or error}.",
                "Make room on the disk, then bring it again.",
            ) from error

    def _write(self) -> None:
        """Moves the paragraphs in memory to the files."""
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
                self._num_bytes += len(SEPARATOR)
            self._text.write(content)
            self._index.write(struct.pack("<qii", self._num_bytes, len(content), len(paragraph)))
            self._num_bytes += len(content)
            self._num_filed += 1
        self._held.clear()
        self._num_characters = 0
