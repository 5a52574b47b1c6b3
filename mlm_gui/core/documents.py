"""Files and pasted text -> Corpus: paragraphs that know which document they come from, and the split into train and held out."""

import hashlib
import random
import re
import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mlm_gui.core import checks
from mlm_gui.core.duplicates import groups_of
from mlm_gui.errors import UserError

MAX_FILE_BYTES = 100 * 2**20
"""Largest file that is read, in bytes."""
TEXT_ENDINGS = (".txt", ".text", ".md", ".markdown")
HARD_WRAP_WIDTH = 100
"""Lines no longer than this, in blocks between blank lines, are taken for the wrapped lines of one paragraph."""


@dataclass(frozen=True)
class Document:
    """One file or one pasted text, as paragraphs in reading order."""

    name: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class Statistics:
    """Plain counts of a corpus; words are runs of non-space characters."""

    num_documents: int
    num_paragraphs: int
    num_words: int
    longest_words: int
    """Words in the longest paragraph."""
    median_words: float
    num_duplicates: int
    """Paragraphs that repeat an earlier one, capitals and spacing aside."""


@dataclass(frozen=True)
class Split:
    """Paragraphs to train on and paragraphs held out; no text stands on both sides."""

    train: tuple[str, ...]
    held_out: tuple[str, ...]


@dataclass(frozen=True)
class Corpus:
    """The texts a model is to learn from."""

    name: str
    documents: tuple[Document, ...]

    @property
    def paragraphs(self) -> tuple[str, ...]:
        return tuple(paragraph for document in self.documents for paragraph in document.paragraphs)

    @property
    def fingerprint(self) -> str:
        """sha256 over all paragraphs, as 64 hexadecimal digits."""
        return hashlib.sha256("\x1e".join(self.paragraphs).encode()).hexdigest()

    @classmethod
    def from_text(cls, text: str, name: str = "pasted text") -> "Corpus":
        """One document from a string; raises UserError when it holds no words."""
        return cls(name, (_document(name, text, markdown=False),))

    @classmethod
    def from_files(cls, paths: Iterable[str | Path], names: Iterable[str] | None = None) -> "Corpus":
        """Reads .txt and .md files in any encoding; `names` are shown instead of the file names. Raises UserError for the first bad file."""
        files = [Path(path) for path in paths]
        shown = list(names) if names is not None else [file.name for file in files]
        if not files:
            raise UserError("There is no file.", "Nothing was chosen.", "Choose at least one .txt or .md file.")
        documents = tuple(read_document(file, name) for file, name in zip(files, shown, strict=True))
        return cls(Path(shown[0]).stem if len(shown) == 1 else f"{Path(shown[0]).stem} and {len(shown) - 1} more", documents)

    def statistics(self) -> Statistics:
        """Counts that need no tokenizer."""
        words = [len(paragraph.split()) for paragraph in self.paragraphs]
        return Statistics(
            num_documents=len(self.documents),
            num_paragraphs=len(words),
            num_words=sum(words),
            longest_words=max(words),
            median_words=statistics.median(words),
            num_duplicates=len(words) - len({_folded(paragraph) for paragraph in self.paragraphs}),
        )

    def split(self, held_out: float = 0.1, seed: int = 0) -> Split:
        """Holds out a share of the paragraphs, drawn with `seed`; equal and nearly equal paragraphs always land on the same side.

        Raises UserError when either side would be empty.
        """
        share = checks.fraction("The held-out share", held_out, 0.01, 0.5)
        seed = checks.whole("The seed", seed, 0, 2**31 - 1)
        paragraphs = self.paragraphs
        group = groups_of(paragraphs)
        groups = sorted(set(group))
        if len(groups) < 2:
            raise UserError(
                "This text is too small to train on.",
                "It has one distinct paragraph, and one must be kept unseen to test what was learned.",
                "Add text: at least a few paragraphs, better a few hundred.",
            )
        random.Random(seed).shuffle(groups)
        sizes, wanted, unseen = Counter(group), max(1, round(len(paragraphs) * share)), set()
        for candidate in groups:
            if sizes[candidate] <= wanted:
                unseen.add(candidate)
                wanted -= sizes[candidate]
        unseen = unseen or {min(groups, key=sizes.__getitem__)}  # every group is larger than the share: the smallest
        sides: tuple[list[str], list[str]] = ([], [])
        for paragraph, its_group in zip(paragraphs, group, strict=True):
            sides[its_group in unseen].append(paragraph)
        return Split(tuple(sides[0]), tuple(sides[1]))


def read_document(path: Path, name: str) -> Document:
    """Paragraphs of one text file. Raises UserError for a missing, empty, oversized, binary or unknown kind of file."""
    if Path(name).suffix.lower() not in TEXT_ENDINGS:
        raise UserError(
            f"{name} was not read.", "Its kind of file is not known here.", "Save it as plain text (.txt) or Markdown (.md) and try again."
        )
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise UserError(
                f"{name} was not read.",
                f"It has {size / 2**20:.0f} MB and the limit is {MAX_FILE_BYTES // 2**20} MB.",
                "Split it into smaller files.",
            )
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise UserError(
            f"{name} could not be read.",
            f"The system said: {getattr(error, 'strerror', None) or error}.",
            "Check the name and the permissions, then try again.",
        ) from error
    return _document(name, decode(content, name), markdown=Path(name).suffix.lower() in (".md", ".markdown"))


def decode(content: bytes, name: str) -> str:
    """Text of a file in any encoding: byte-order mark and strict UTF-8 first, then charset-normalizer. Raises UserError for binary content."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe\x00\x00", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    binary = UserError(
        f"{name} does not look like text.",
        "It holds bytes that no text encoding uses; it may be a picture, a program or a word-processor file.",
        "Save the document as plain text (.txt) and choose that file.",
    )
    if b"\x00" in content:
        raise binary
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        import charset_normalizer

        guesses = charset_normalizer.from_bytes(content[: 2**20])
        best = guesses.best()
        if best is None:
            raise binary from None
        western = best.encoding != "cp1250" and any(
            "cp1252" in guess.could_be_from_charset for guess in guesses
        )  # short texts fit many: take the commonest
        text = content.decode("cp1252" if western else best.encoding, "replace")
    if len(_CONTROL.findall(text[:100_000])) > 0.02 * min(len(text), 100_000):
        raise binary
    return text


_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


def _folded(paragraph: str) -> str:
    return " ".join(paragraph.lower().split())


def _document(name: str, text: str, markdown: bool) -> Document:
    text = checks.readable(text)
    pieces = _markdown_blocks(text) if markdown else _blocks(text)
    paragraphs = tuple(cleaned for piece in pieces if any(map(str.isalnum, cleaned := " ".join(_CONTROL.sub(" ", piece).split()))))
    if not paragraphs:
        raise UserError(f"{name} holds no words.", "It is empty, or has only spaces and signs.", "Choose a file, or paste a text, with words in it.")
    return Document(name, paragraphs)


def _blocks(text: str) -> list[str]:
    """Blocks between blank lines when their lines are hard-wrapped, single lines otherwise."""
    pieces: list[str] = []
    blocks = re.split(r"\n[^\S\n]*\n\s*", text.replace("\r\n", "\n").replace("\r", "\n").strip())
    for block in blocks:
        lines = block.split("\n")
        wrapped = len(blocks) > 1 and max(map(len, lines)) <= HARD_WRAP_WIDTH
        pieces.extend([block] if wrapped else lines)
    return pieces


def _markdown_blocks(text: str) -> list[str]:
    """The words of each Markdown block, without the marks."""
    from markdown_it import MarkdownIt

    blocks = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "inline":
            blocks.append("".join(" " if child.type in ("softbreak", "hardbreak") else child.content for child in token.children or []))
        elif token.type in ("fence", "code_block"):
            blocks.append(token.content)
    return blocks
