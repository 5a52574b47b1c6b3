"""Corpus: texts as paragraphs that know their document, and the split into train and held out."""

import random
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
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
    """A tuple, or a ParagraphFile when the text is long."""


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
    """Paragraphs that repeat an earlier one without regard to capitals and spacing."""


@dataclass(frozen=True)
class Split:
    """Paragraphs to train on and paragraphs held out; no text is on both sides."""

    train: Sequence[str]
    held_out: Sequence[str]

    @classmethod
    def of(cls, paragraphs: Sequence[str], is_held_out: np.ndarray) -> "Split":
        """is_held_out: bool [N], True for a paragraph that is held out."""
        return cls(
            chosen(paragraphs, np.flatnonzero(~is_held_out)),
            chosen(paragraphs, np.flatnonzero(is_held_out)),
        )


@dataclass(frozen=True)
class Findings:
    """Results that need a pass over the text; a long text keeps them."""

    fingerprint: str
    statistics: Statistics
    groups: np.ndarray
    """int [N], see near_duplicates.groups_in."""


Source = tuple[str, Callable[[], Iterator[str]]]
"""A document's name and a function that reads its paragraphs."""


@dataclass(frozen=True)
class Corpus:
    """The texts that a model learns from."""

    name: str
    documents: tuple[Document, ...]
    findings: Findings | None = field(default=None, compare=False, repr=False)
    """None when they are computed each time they are needed."""

    @property
    def paragraphs(self) -> Sequence[str]:
        """All paragraphs, in reading order."""
        return end_to_end([document.paragraphs for document in self.documents])

    @property
    def fingerprint(self) -> str:
        """sha256 over all paragraphs, as 64 hexadecimal digits."""
        return self.findings.fingerprint if self.findings else fingerprint_of(self.paragraphs)

    @classmethod
    def from_text(cls, text: str, name: str = "pasted text") -> "Corpus":
        """One document from a string; raises UserError when it holds no words."""
        return cls._gathered(name, [(name, partial(paragraphs_in, name, text))])

    @classmethod
    def from_files(
        cls,
        paths: Iterable[str | Path],
        names: Iterable[str] | None = None,
        folder: Path | None = None,
        refused: list[tuple[str, UserError]] | None = None,
    ) -> "Corpus":
        """Reads .txt and .md files in any encoding; a long text goes to a file of its own.

        names: shown instead of the file names. folder: where that file is made; without it, the
        system's folder for temporary files. refused: takes the name and the error of each bad
        file. Raises UserError for the first bad file; with `refused`, only when all are bad.
        """
        files = [Path(path) for path in paths]
        shown = list(names) if names is not None else [file.name for file in files]
        if not files:
            raise UserError(
                "There is no file.", "Nothing was chosen.", "Choose at least one .txt or .md file."
            )
        name = Path(shown[0]).stem
        if len(shown) > 1:
            name = f"{name} and {len(shown) - 1} more"
        sources: list[Source] = [
            (document, partial(read_paragraphs, file, document))
            for file, document in zip(files, shown, strict=True)
        ]
        return cls._gathered(name, sources, folder, refused)

    @classmethod
    def _gathered(
        cls,
        name: str,
        sources: Sequence[Source],
        folder: Path | None = None,
        refused: list[tuple[str, UserError]] | None = None,
    ) -> "Corpus":
        """The documents of all sources; see `from_files`."""
        writer = ParagraphWriter(folder)
        ranges: list[tuple[str, slice]] = []
        for document, read in sources:
            start = len(writer)
            try:
                for paragraph in read():
                    writer.add(paragraph)
            except UserError as error:
                if refused is None:
                    raise
                refused.append((document, error))
                continue
            ranges.append((document, slice(start, len(writer))))
        if refused and not ranges:
            _, first_error = refused[0]
            raise first_error
        paragraphs = writer.finish()
        documents = tuple(Document(document, paragraphs[part]) for document, part in ranges)
        return cls(name, documents)

    def looked_through(self) -> "Corpus":
        """This corpus with its findings, which take two passes over a long text.

        A short text, or a text that has its findings, is returned unchanged.
        """
        if self.findings or not isinstance(self.paragraphs, ParagraphFile):
            return self
        surveyed = survey(self.paragraphs)
        findings = Findings(
            fingerprint_of(self.paragraphs), self._statistics_of(surveyed), groups_in(surveyed)
        )
        return replace(self, findings=findings)

    def statistics(self) -> Statistics:
        """Counts that need no tokenizer."""
        if self.findings:
            return self.findings.statistics
        return self._statistics_of(survey(self.paragraphs))

    def _statistics_of(self, surveyed: Survey) -> Statistics:
        words = surveyed.num_words
        return Statistics(
            num_documents=len(self.documents),
            num_paragraphs=len(words),
            num_words=int(words.sum()),
            longest_words=int(words.max()),
            median_words=float(np.median(words)),
            num_duplicates=num_repeated(surveyed),
        )

    @cached_property
    def groups(self) -> np.ndarray:
        """int32 [N]: for each paragraph the first paragraph of its group of near-duplicates."""
        return self.findings.groups if self.findings else groups_of(self.paragraphs)

    def split(self, held_out: float = 0.1, seed: int = 0) -> Split:
        """Holds out a share of the paragraphs; see `is_held_out`."""
        return Split.of(self.paragraphs, self.is_held_out(held_out, seed))

    def is_held_out(self, share: float = 0.1, seed: int = 0) -> np.ndarray:
        """bool [N], the paragraphs to hold out, drawn with `seed`.

        Near-duplicates are always on the same side. Raises UserError when a side would be empty.
        """
        share = validation.fraction("The held-out share", share, 0.01, 0.5)
        seed = validation.whole("The seed", seed, 0, 2**31 - 1)
        group_of = self.groups
        groups = array("q", np.unique(group_of).astype(np.int64).tobytes())
        if len(groups) < 2:
            raise UserError(
                "This text is too small to train on.",
                "It has one distinct paragraph, and one must be kept unseen to test what was "
                "learned.",
                "Add text: at least a few paragraphs, better a few hundred.",
            )
        random.Random(seed).shuffle(groups)
        sizes = np.bincount(group_of)
        wanted = max(1, round(len(group_of) * share))
        group_is_held_out = np.zeros(len(group_of), bool)
        for group in groups:
            if sizes[group] <= wanted:
                group_is_held_out[group] = True
                wanted -= sizes[group]
            if not wanted:
                break
        if not group_is_held_out.any():  # every group is larger than the share: take the smallest
            group_is_held_out[min(groups, key=sizes.__getitem__)] = True
        of_paragraphs: np.ndarray = group_is_held_out[group_of]
        return of_paragraphs
