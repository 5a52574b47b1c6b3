"""Files and pasted text -> paragraphs, piece by piece: of a plain text file no more is held than a paragraph."""

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
"""Lines no longer than this, in blocks between blank lines, are taken for the wrapped lines of one paragraph."""
LONGEST_PARAGRAPH = 1_000_000
"""Characters. A longer line is cut, at a space where it has one; a longer block counts as lines, not as one wrapped paragraph."""
JUDGED_CHARACTERS = 100_000
"""So much of the beginning is looked at for signs that no text has."""
BEGINNING_BYTES = 2**20
"""Charset-normalizer is shown so much of a file that is not UTF-8 from the beginning on, else the piece in which that shows."""
_READ_BYTES = 2**20
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


def read_paragraphs(path: Path, name: str) -> Iterator[str]:
    """Paragraphs of one text file. Raises UserError for a missing, empty, oversized, binary or unknown kind of file."""
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
                yield from _checked(
                    name,
                    _markdown_blocks(text.read())
                    if ending in MARKDOWN_ENDINGS
                    else _blocks(_lines(text)),
                )
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
    """The encoding of a file: byte-order mark and strict UTF-8 first, then charset-normalizer, by its beginning. Raises UserError for binary content."""
    beginning = file.read(BEGINNING_BYTES)
    for mark, encoding in _MARKS:
        if beginning.startswith(mark):
            return encoding
    binary = UserError(
        f"{name} does not look like text.",
        "It holds bytes that no text encoding uses; it may be a picture, a program or a word-processor file.",
        "Save the document as plain text (.txt) and choose that file.",
    )
    decoder, piece, before, foreign = codecs.getincrementaldecoder("utf-8")(), beginning, b"", b""
    while piece or before:
        if b"\x00" in piece:
            raise binary
        try:
            if not foreign:
                decoder.decode(piece, final=not piece)
        except UnicodeDecodeError:
            foreign = piece or before
        before, piece = piece, file.read(_READ_BYTES)
    encoding = _guessed_encoding(foreign) if foreign else "utf-8"
    text = codecs.getincrementaldecoder(encoding or "ascii")("replace").decode(beginning)[
        :JUDGED_CHARACTERS
    ]
    if not encoding or len(_CONTROL.findall(text)) > 0.02 * len(text):
        raise binary
    return encoding


def _guessed_encoding(content: bytes) -> str:
    """By charset-normalizer; "" when it has no guess."""
    import charset_normalizer

    guesses = charset_normalizer.from_bytes(content)
    best = guesses.best()
    if best is None:
        return ""
    western = best.encoding != "cp1250" and any(
        "cp1252" in guess.could_be_from_charset for guess in guesses
    )  # short texts fit many: take the commonest
    return "cp1252" if western else best.encoding


def _lines(text: io.TextIOBase) -> Iterator[str]:
    """Lines without their ends; one longer than LONGEST_PARAGRAPH in several, cut at its last space."""
    rest = ""
    while line := rest + text.readline(LONGEST_PARAGRAPH + 1 - len(rest)):
        line, rest = validation.readable(line), ""
        if not line.endswith("\n") and len(line) > LONGEST_PARAGRAPH:
            cut = line.rfind(" ") + 1 or len(line)
            line, rest = line[:cut], line[cut:]
        yield line.removesuffix("\n")


def _blocks(lines: Iterable[str]) -> Iterator[str]:
    """Blocks between blank lines when their lines are hard-wrapped, single lines otherwise; and so when there is only one block."""
    block: list[str] = []
    num_characters, is_over, are_several = 0, False, False
    for line in lines:
        if not line or line.isspace():
            is_over = num_characters > 0
            continue
        if is_over:
            are_several = True
            yield from _pieces(block, are_several)
        if is_over or not num_characters:
            block, num_characters, is_over, line = [], 0, False, line.lstrip()
        block.append(line)
        num_characters += len(line)
        if num_characters > LONGEST_PARAGRAPH:
            yield from block
            block.clear()
    yield from _pieces([*block[:-1], *(line.rstrip() for line in block[-1:])], are_several)


def _pieces(block: list[str], are_several: bool) -> list[str]:
    return (
        ["\n".join(block)]
        if block and are_several and max(map(len, block)) <= HARD_WRAP_WIDTH
        else block
    )


def _checked(name: str, pieces: Iterable[str]) -> Iterator[str]:
    """The pieces that hold words, their control signs taken out and their spaces made one each."""
    paragraph = None
    for piece in pieces:
        cleaned = " ".join(_CONTROL.sub(" ", piece).split())
        if any(map(str.isalnum, cleaned)):
            paragraph = cleaned
            yield paragraph
    if paragraph is None:
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
