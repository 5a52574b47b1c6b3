"""Files and pasted text -> Corpus: paragraphs that know which document they come from, and the split into train and held out."""

import random
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from mlm_gui.core import validation
from mlm_gui.core.corpus.near_duplicates import Survey, groups_in, groups_of, num_repeated, survey
from mlm_gui.core.corpus.paragraphs import (
    ParagraphFile,
    ParagraphWriter,
    chosen,
    end_to_end,
    fingerprint_of,
)
from mlm_gui.core.corpus.reader import paragraphs_in, read_paragraphs
from mlm_gui.errors import UserError


@dataclass(frozen=True)
class Document:
    """One file or one pasted text, as paragraphs in reading order."""

    name: str
    paragraphs: Sequence[str]
    """A tuple, or Filed when the text is a long one."""


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

    train: Sequence[str]
    held_out: Sequence[str]

    @classmethod
    def of(cls, paragraphs: Sequence[str], is_held_out: np.ndarray) -> "Split":
        """is_unseen: bool [N], True for a paragraph that is held out."""
        return cls(
            chosen(paragraphs, np.flatnonzero(~is_held_out)),
            chosen(paragraphs, np.flatnonzero(is_held_out)),
        )


@dataclass(frozen=True)
class Findings:
    """What takes a pass over the text to find out; kept with a long one."""

    fingerprint: str
    statistics: Statistics
    groups: np.ndarray
    """int [N], see `duplicates.groups_in`."""


@dataclass(frozen=True)
class Corpus:
    """The texts a model is to learn from."""

    name: str
    documents: tuple[Document, ...]
    findings: Findings | None = field(default=None, compare=False, repr=False)
    """None where they are found anew whenever they are asked for."""

    @property
    def paragraphs(self) -> Sequence[str]:
        """All of them, in reading order."""
        return end_to_end([document.paragraphs for document in self.documents])

    @property
    def fingerprint(self) -> str:
        """sha256 over all paragraphs, as 64 hexadecimal digits."""
        return self.findings.fingerprint if self.findings else fingerprint_of(self.paragraphs)

    @classmethod
    def from_text(cls, text: str, name: str = "pasted text") -> "Corpus":
        """One document from a string; raises UserError when it holds no words."""
        return cls._gathered(name, [(name, lambda: paragraphs_in(name, text))])

    @classmethod
    def from_files(
        cls,
        paths: Iterable[str | Path],
        names: Iterable[str] | None = None,
        folder: Path | None = None,
        refused: list[tuple[str, UserError]] | None = None,
    ) -> "Corpus":
        """Reads .txt and .md files in any encoding. A long text goes piece by piece into a file of its own.

        names: shown instead of the file names. folder: where that file is made; the system's place for temporary files without it.
        Raises UserError for the first bad file; with a list `refused` only when all are bad, and the list takes name and reason of each.
        """
        files = [Path(path) for path in paths]
        shown = list(names) if names is not None else [file.name for file in files]
        if not files:
            raise UserError(
                "There is no file.", "Nothing was chosen.", "Choose at least one .txt or .md file."
            )
        name = (
            Path(shown[0]).stem
            if len(shown) == 1
            else f"{Path(shown[0]).stem} and {len(shown) - 1} more"
        )
        sources = [
            (each, lambda file=file, each=each: read_paragraphs(file, each))
            for file, each in zip(files, shown, strict=True)
        ]
        return cls._gathered(name, sources, folder, refused)

    @classmethod
    def _gathered(
        cls,
        name: str,
        sources: Sequence[tuple[str, Callable[[], Iterator[str]]]],
        folder: Path | None = None,
        refused: list[tuple[str, UserError]] | None = None,
    ) -> "Corpus":
        collected, places = ParagraphWriter(folder), []
        for shown, read in sources:
            start = len(collected)
            try:
                for paragraph in read():
                    collected.add(paragraph)
            except UserError as error:
                if refused is None:
                    raise
                refused.append((shown, error))
                continue
            places.append((shown, slice(start, len(collected))))
        if not places:
            raise refused[0][1]
        paragraphs = collected.finish()
        return cls(name, tuple(Document(shown, paragraphs[place]) for shown, place in places))

    def looked_through(self) -> "Corpus":
        """A long text with its findings, which takes two passes over it; a short one, or one that has them, as it is."""
        if self.findings or not isinstance(self.paragraphs, ParagraphFile):
            return self
        found = survey(self.paragraphs)
        statistics = self._statistics_of(found)
        return replace(
            self, findings=Findings(fingerprint_of(self.paragraphs), statistics, groups_in(found))
        )

    def statistics(self) -> Statistics:
        """Counts that need no tokenizer."""
        return (
            self.findings.statistics
            if self.findings
            else self._statistics_of(survey(self.paragraphs))
        )

    def _statistics_of(self, found: Survey) -> Statistics:
        words = found.num_words
        return Statistics(
            num_documents=len(self.documents),
            num_paragraphs=len(words),
            num_words=int(words.sum()),
            longest_words=int(words.max()),
            median_words=float(np.median(words)),
            num_duplicates=num_repeated(found),
        )

    @cached_property
    def groups(self) -> np.ndarray:
        """int32 [N]: for each paragraph the first one of those that say the same, or nearly."""
        return self.findings.groups if self.findings else groups_of(self.paragraphs)

    def split(self, held_out: float = 0.1, seed: int = 0) -> Split:
        """Holds out a share of the paragraphs; see `unseen`."""
        return Split.of(self.paragraphs, self.unseen(held_out, seed))

    def unseen(self, held_out: float = 0.1, seed: int = 0) -> np.ndarray:
        """bool [N], the paragraphs to hold out, drawn with `seed`; equal and nearly equal ones always land on the same side.

        Raises UserError when either side would be empty.
        """
        share = validation.fraction("The held-out share", held_out, 0.01, 0.5)
        seed = validation.whole("The seed", seed, 0, 2**31 - 1)
        group = self.groups
        groups = array("q", np.unique(group).astype(np.int64).tobytes())
        if len(groups) < 2:
            raise UserError(
                "This text is too small to train on.",
                "It has one distinct paragraph, and one must be kept unseen to test what was learned.",
                "Add text: at least a few paragraphs, better a few hundred.",
            )
        random.Random(seed).shuffle(groups)
        sizes, wanted, is_held_out = (
            np.bincount(group),
            max(1, round(len(group) * share)),
            np.zeros(len(group), bool),
        )
        for candidate in groups:
            if sizes[candidate] <= wanted:
                is_held_out[candidate] = True
                wanted -= sizes[candidate]
            if not wanted:
                break
        if not is_held_out.any():  # every group is larger than the share: the smallest
            is_held_out[min(groups, key=sizes.__getitem__)] = True
        return is_held_out[group]
