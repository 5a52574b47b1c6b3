"""Paragraphs of files and of pasted text; a plain text file is read one paragraph at a time."""

import codecs
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from mlm_gui.core import validation
from mlm_gui.errors import UserError

MAX_FILE_BYTES = 100 * 2**20
"""Largest file that is read, in bytes."""
TEXT_ENDINGS = (".txt", ".text", ".md", ".markdown")
MARKDOWN_ENDINGS = (".md", ".markdown")
"""Markdown is parsed whole, in memory."""
HARD_WRAP_WIDTH = 100
"""Blocks between blank lines count as hard-wrapped paragraphs when no line is longer than this."""
LONGEST_PARAGRAPH = 1_000_000
"""Characters of the longest paragraph.

A longer line is cut, at a space where it has one. A longer block counts as lines.
"""
JUDGED_CHARACTERS = 100_000
"""Characters at the beginning of a file that are searched for signs of binary content."""
MAX_CONTROL_SHARE = 0.02
"""A file with a larger share of control characters is binary."""
BEGINNING_BYTES = 2**20
"""Bytes at the beginning of a file that are read together.

Charset-normalizer sees them when they are not UTF-8. Otherwise it sees the first later block
that is not.
"""
READ_BYTES = 2**20
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


def read_paragraphs(path: Path, name: str) -> Iterator[str]:
    """Paragraphs of one text file.

    Raises UserError for a missing, empty, oversized or binary file, or an unknown kind of file.
    """
    ending = Path(name).suffix.lower()
    if ending not in TEXT_ENDINGS:
        raise UserError(
            f"{name} was not read.",
            "Its kind of file is not known here.",
            "Save it as plain text (.txt) or Markdown (.md) and try again.",
        )
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise UserError(
                f"{name} was not read.",
                f"It has {size / 2**20:.0f} MB and the limit is {MAX_FILE_BYTES // 2**20} MB.",
                "Split it into smaller files.",
            )
        with path.open("rb") as file:
            encoding = encoding_of(file, name)
            file.seek(0)
            with io.TextIOWrapper(file, encoding, "replace", newline=None) as text:
                if ending in MARKDOWN_ENDINGS:
                    pieces = _markdown_blocks(text.read())
                else:
                    pieces = _blocks(_lines(text))
                yield from _checked(name, pieces)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise UserError(
            f"{name} could not be read.",
            f"The system said: {getattr(error, 'strerror', None) or error}.",
            "Check the name and the permissions, then try again.",
        ) from error


def paragraphs_in(name: str, text: str) -> Iterator[str]:
    """Paragraphs of a plain text. Raises UserError when it holds no words."""
    return _checked(name, _blocks(_lines(io.StringIO(validation.readable(text), newline=None))))


def encoding_of(file: BinaryIO, name: str) -> str:
    """The encoding of a file. Raises UserError for binary content.

    A byte-order mark decides first, then strict UTF-8, then charset-normalizer's guess.
    """
    beginning = file.read(BEGINNING_BYTES)
    for mark, encoding in _MARKS:
        if beginning.startswith(mark):
            return encoding
    binary = UserError(
        f"{name} does not look like text.",
        "It holds bytes that no text encoding uses; it may be a picture, a program or a "
        "word-processor file.",
        "Save the document as plain text (.txt) and choose that file.",
    )
    decoder = codecs.getincrementaldecoder("utf-8")()
    foreign = b""  # the first block that is not UTF-8
    block = beginning
    while True:
        following = file.read(READ_BYTES)
        if b"\x00" in block:
            raise binary
        if not foreign and not _decodes(decoder, block, is_last=not following):
            foreign = block
        if not following:
            break
        block = following
    guess = _guessed_encoding(foreign) if foreign else "utf-8"
    lenient = codecs.getincrementaldecoder(guess or "ascii")("replace")
    judged = lenient.decode(beginning)[:JUDGED_CHARACTERS]
    num_controls = len(_CONTROL.findall(judged))
    if not guess or num_controls > MAX_CONTROL_SHARE * len(judged):
        raise binary
    return guess


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes, is_last: bool) -> bool:
    try:
        decoder.decode(block, final=is_last)
    except UnicodeDecodeError:
        return False
    return True


def _guessed_encoding(content: bytes) -> str:
    """Charset-normalizer's guess; "" when it has none."""
    import charset_normalizer

    guesses = charset_normalizer.from_bytes(content)
    best = guesses.best()
    if best is None:
        return ""
    fits_western = any("cp1252" in guess.could_be_from_charset for guess in guesses)
    if fits_western and best.encoding != "cp1250":  # short texts fit many: take the commonest
        return "cp1252"
    return best.encoding


def _lines(text: io.TextIOBase) -> Iterator[str]:
    """Lines without their ends.

    A line longer than LONGEST_PARAGRAPH comes in several parts, each cut at its last space.
    """
    rest = ""
    while line := rest + text.readline(LONGEST_PARAGRAPH + 1 - len(rest)):
        line = validation.readable(line)
        rest = ""
        if not line.endswith("\n") and len(line) > LONGEST_PARAGRAPH:
            cut = line.rfind(" ") + 1 or len(line)
            rest = line[cut:]
            line = line[:cut]
        yield line.removesuffix("\n")


def _blocks(lines: Iterable[str]) -> Iterator[str]:
    """Blocks between blank lines where their lines are hard-wrapped, single lines elsewhere.

    A text of one block gives single lines too.
    """
    block: list[str] = []
    num_characters = 0  # of the block so far, also of lines that were already passed on
    block_has_ended = False
    are_several = False
    for line in lines:
        if not line or line.isspace():
            block_has_ended = num_characters > 0
            continue
        if block_has_ended:
            are_several = True
            yield from _unwrapped(block, are_several)
        if block_has_ended or not num_characters:
            block = []
            num_characters = 0
            block_has_ended = False
            line = line.lstrip()
        block.append(line)
        num_characters += len(line)
        if num_characters > LONGEST_PARAGRAPH:
            yield from block
            block.clear()
    if block:
        block[-1] = block[-1].rstrip()
    yield from _unwrapped(block, are_several)


def _unwrapped(block: list[str], are_several: bool) -> list[str]:
    """The block as one paragraph when its lines are hard-wrapped, else its lines."""
    if block and are_several and max(map(len, block)) <= HARD_WRAP_WIDTH:
        return ["\n".join(block)]
    return block


def _checked(name: str, pieces: Iterable[str]) -> Iterator[str]:
    """The pieces that hold words, without control characters and repeated spaces."""
    has_words = False
    for piece in pieces:
        cleaned = " ".join(_CONTROL.sub(" ", piece).split())
        if any(map(str.isalnum, cleaned)):
            has_words = True
            yield cleaned
    if not has_words:
        raise UserError(
            f"{name} holds no words.",
            "It is empty, or has only spaces and signs.",
            "Choose a file, or paste a text, with words in it.",
        )


def _markdown_blocks(text: str) -> Iterator[str]:
    """The words of each Markdown block, without the marks."""
    from markdown_it import MarkdownIt

    for token in MarkdownIt("commonmark").enable("table").parse(validation.readable(text)):
        if token.type == "inline":
            yield "".join(
                " " if child.type in ("softbreak", "hardbreak") else child.content
                for child in token.children or []
            )
        elif token.type in ("fence", "code_block"):
            yield token.content
