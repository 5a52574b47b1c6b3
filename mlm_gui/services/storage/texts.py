"""The texts of the home folder, under ids of our own, written whole or not at all.

A short text is one JSON file. A long one is four files of one name: .text and .index (see
`core.corpus.paragraphs`), .groups (which paragraphs are near-duplicates, an int32 array) and
.json, written last, with the names, the fingerprint and the statistics.
"""

import contextlib
import dataclasses
import json
import logging
import shutil
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from mlm_gui.core.corpus.corpus import Corpus, Document, Findings, Statistics
from mlm_gui.core.corpus.paragraphs import ENDINGS, ParagraphFile
from mlm_gui.errors import UserError
from mlm_gui.services.storage.files import ID, link_or_copy, new_id, put_whole, write_whole

log = logging.getLogger(__name__)
LONG_FORMAT = 2
"""Version of the JSON file beside a long text; the file of a short text has no number."""
ABANDONED_SECONDS = 24 * 3600
"""A text that was still being read this long ago belongs to a program that was killed."""
FORGOTTEN = (
    "A server that strangers visit keeps a text for a day, and less when it is full; "
    "or its files on the disk are damaged."
)
"""Why a text is not there any more."""
UNREADABLE = (OSError, ValueError, TypeError, KeyError, RecursionError)
"""What reading a missing or damaged text raises."""


class _LongDocument(TypedDict):
    name: str
    num_paragraphs: int


class _LongText(TypedDict):
    """The JSON file beside a long text."""

    format: int
    name: str
    documents: list[_LongDocument]
    fingerprint: str
    statistics: dict[str, Any]
    """The fields of `Statistics`."""


def corpus_to_json(corpus: Corpus) -> str:
    documents = [
        {"name": document.name, "paragraphs": list(document.paragraphs)}
        for document in corpus.documents
    ]
    return json.dumps({"name": corpus.name, "documents": documents}, ensure_ascii=False)


def corpus_from_json(content: str) -> Corpus:
    record = json.loads(content)
    documents = (
        Document(document["name"], tuple(document["paragraphs"]))
        for document in record["documents"]
    )
    return Corpus(record["name"], tuple(documents))


def write_corpus(path: Path, corpus: Corpus) -> None:
    """Keeps the text as `path`, a .json file, with the files of a long one beside it.

    These are linked where the disk allows it, else copied.
    """
    paragraphs = corpus.paragraphs
    if not isinstance(paragraphs, ParagraphFile) or not paragraphs.is_whole:
        write_whole(path, corpus_to_json(corpus))
        return
    for ending in ENDINGS:
        put_whole(
            path.with_suffix(ending), partial(link_or_copy, paragraphs.path.with_suffix(ending))
        )
    findings = _findings_of(corpus)
    put_whole(path.with_suffix(".groups"), findings.groups.astype(np.int32).tofile)
    documents: list[_LongDocument] = [
        {"name": document.name, "num_paragraphs": len(document.paragraphs)}
        for document in corpus.documents
    ]
    record: _LongText = {
        "format": LONG_FORMAT,
        "name": corpus.name,
        "documents": documents,
        "fingerprint": findings.fingerprint,
        "statistics": dataclasses.asdict(findings.statistics),
    }
    write_whole(path, json.dumps(record, ensure_ascii=False))


def _findings_of(corpus: Corpus) -> Findings:
    """The findings of a long text."""
    findings = corpus.looked_through().findings
    assert findings is not None  # a long text always has them then
    return findings


def read_corpus(path: Path) -> Corpus:
    """The text kept as `path`. Raises one of UNREADABLE when it is missing or damaged."""
    content = path.read_text(encoding="utf-8")
    record = json.loads(content)
    if "format" not in record:
        return corpus_from_json(content)
    if record["format"] != LONG_FORMAT:
        raise ValueError("another version of the program wrote this text")
    return _read_long(path, record)


def _read_long(path: Path, record: _LongText) -> Corpus:
    paragraphs = ParagraphFile(path.with_suffix(""))
    paragraphs.check()
    groups = np.fromfile(path.with_suffix(".groups"), np.int32)
    counts = [document["num_paragraphs"] for document in record["documents"]]
    if not len(paragraphs) == sum(counts) == len(groups):
        raise ValueError("the files of this text do not fit together")
    if groups.min() < 0 or (groups > np.arange(len(groups))).any():
        raise ValueError("the groups of near-duplicates are damaged")
    documents, start = [], 0
    for document, count in zip(record["documents"], counts, strict=True):
        documents.append(Document(document["name"], paragraphs[start : start + count]))
        start += count
    statistics = Statistics(**record["statistics"])
    findings = Findings(record["fingerprint"], statistics, groups)
    return Corpus(record["name"], tuple(documents), findings)


class Texts:
    """Texts that visitors brought, kept in the home folder."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "texts"
        for left in self.folder.glob("*.partial"):
            if left.is_dir() and time.time() - left.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(left, ignore_errors=True)

    def gather(
        self,
        files: Iterable[str | Path],
        names: Iterable[str] | None = None,
        refused: list[tuple[str, UserError]] | None = None,
    ) -> Corpus:
        """Like `Corpus.from_files`. A long text goes to this disk, so that keeping it is cheap.

        refused: takes name and error of each bad file; the good ones are kept. Raises UserError
        that names every bad file when all of them are bad.
        """
        try:
            return Corpus.from_files(files, names, self.folder, refused)
        except UserError as error:
            if refused is None or len(refused) < 2:
                raise
            reasons = " ".join(f"{error.what} {error.why}" for _, error in refused)
            raise UserError("None of the files was read.", reasons, refused[0][1].do) from error

    def add(self, corpus: Corpus) -> str:
        """Keeps the text and returns its id.

        Raises UserError when the disk refuses, and leaves nothing behind then.
        """
        text_id = new_id()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_corpus(self.folder / f"{text_id}.json", corpus)
        except OSError as error:
            self._remove(text_id)
            raise UserError(
                "The text was not kept.",
                f"The system said: {error.strerror or error}.",
                "Make room on the disk, then bring it again.",
            ) from error
        return text_id

    def _remove(self, text_id: str) -> None:
        for left in self.folder.glob(f"{text_id}.*"):
            with contextlib.suppress(OSError):  # the disk that refused may be read-only by now
                left.unlink(missing_ok=True)

    def find(self, text_id: object) -> Corpus | None:
        """The text of this id; None when there is none, or a damaged one."""
        path = self.folder / f"{text_id}.json"
        if not isinstance(text_id, str) or not ID.fullmatch(text_id) or not path.is_file():
            return None
        try:
            return read_corpus(path)
        except UNREADABLE:
            log.exception("the text %s cannot be read", text_id)
            return None

    def is_gone(self, text_id: object) -> bool:
        """True for a well-formed id whose text is missing or damaged."""
        is_id = isinstance(text_id, str) and bool(ID.fullmatch(text_id))
        return is_id and self.find(text_id) is None

    def get(self, text_id: object) -> Corpus:
        """Like `find`; raises UserError when there is none."""
        corpus = self.find(text_id)
        if corpus is not None:
            return corpus
        if self.is_gone(text_id):
            raise UserError(
                "The text is not on this server any more.",
                FORGOTTEN,
                "Bring it again on the Text tab; your runs keep theirs.",
            )
        raise UserError(
            "There is no text yet.",
            "Nothing was uploaded, pasted or chosen in this browser.",
            "Open the Text tab and bring a text, or choose a sample.",
        )
