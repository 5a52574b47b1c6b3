"""The home folder: texts and runs on disk under ids of our own, written whole or not at all.

A short text is one JSON file. A long one is four files of one name: .text and .index (see core.paragraphs), .groups (which paragraphs are
near-duplicates, an int32 array) and .json, written last, with the names, the fingerprint and the statistics.
"""

import dataclasses
import json
import logging
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mlm_gui.core.corpus.corpus import Corpus, Document, Findings, Statistics
from mlm_gui.core.corpus.paragraphs import ENDINGS, ParagraphFile
from mlm_gui.errors import UserError
from mlm_gui.services.storage.files import ID, link_or_copy, new_id, put_whole, write_whole

log = logging.getLogger(__name__)
LONG_FORMAT = 2
"""Of the JSON file beside a long text; a short text's has no number."""
ABANDONED_SECONDS = 24 * 3600
"""A text that was still being read this long ago belongs to a program that was killed."""

FORGOTTEN = "A server that strangers visit keeps a text for a day, and less when it is full; or its files on the disk are damaged."
"""Why a text is not there any more."""


def corpus_to_json(corpus: Corpus) -> str:
    documents = [
        {"name": document.name, "paragraphs": list(document.paragraphs)}
        for document in corpus.documents
    ]
    return json.dumps({"name": corpus.name, "documents": documents}, ensure_ascii=False)


def corpus_from_json(content: str) -> Corpus:
    record = json.loads(content)
    return Corpus(
        record["name"],
        tuple(
            Document(document["name"], tuple(document["paragraphs"]))
            for document in record["documents"]
        ),
    )


def write_corpus(path: Path, corpus: Corpus) -> None:
    """Keeps the text as `path`, a .json file, and the files of a long one beside it: linked where the disk allows, else copied."""
    paragraphs = corpus.paragraphs
    if not isinstance(paragraphs, ParagraphFile) or not paragraphs.is_whole:
        write_whole(path, corpus_to_json(corpus))
        return
    for ending in ENDINGS:
        put_whole(
            path.with_suffix(ending),
            lambda aside, file=paragraphs.path.with_suffix(ending): link_or_copy(file, aside),
        )
    found = corpus.looked_through().findings
    put_whole(path.with_suffix(".groups"), found.groups.astype(np.int32).tofile)
    documents = [
        {"name": document.name, "num_paragraphs": len(document.paragraphs)}
        for document in corpus.documents
    ]
    known = {"fingerprint": found.fingerprint, "statistics": dataclasses.asdict(found.statistics)}
    write_whole(
        path,
        json.dumps(
            {"format": LONG_FORMAT, "name": corpus.name, "documents": documents, **known},
            ensure_ascii=False,
        ),
    )


def read_corpus(path: Path) -> Corpus:
    """The text kept as `path`. Raises OSError, ValueError, TypeError or KeyError when it is missing or damaged."""
    content = path.read_text(encoding="utf-8")
    record = json.loads(content)
    if "format" not in record:
        return corpus_from_json(content)
    if record["format"] != LONG_FORMAT:
        raise ValueError("another version of the program wrote this text")
    paragraphs, ends = (
        ParagraphFile(path.with_suffix("")),
        np.cumsum([0, *(document["num_paragraphs"] for document in record["documents"])]),
    )
    paragraphs.check()
    groups = np.fromfile(path.with_suffix(".groups"), np.int32)
    if (
        not len(paragraphs) == ends[-1] == len(groups)
        or groups.min() < 0
        or (groups > np.arange(len(groups))).any()
    ):
        raise ValueError("the files of this text do not fit together")
    documents = (
        Document(document["name"], paragraphs[start:end])
        for document, start, end in zip(record["documents"], ends, ends[1:], strict=False)
    )
    return Corpus(
        record["name"],
        tuple(documents),
        Findings(record["fingerprint"], Statistics(**record["statistics"]), groups),
    )


class Texts:
    """Corpora that visitors brought, kept in the home folder."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "texts"
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in self.folder.glob("*.partial"):
            if left.is_dir() and time.time() - left.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(left, ignore_errors=True)

    def gather(self, files: Iterable[str | Path], names: Iterable[str] | None = None) -> Corpus:
        """Like `Corpus.from_files`; a long text is laid on this disk, so that keeping it copies nothing."""
        return Corpus.from_files(files, names, self.folder)

    def add(self, corpus: Corpus) -> str:
        """Keeps `corpus` and returns its id; a long one is looked through first. Raises UserError when the disk refuses, and leaves nothing behind."""
        text_id = new_id()
        try:
            write_corpus(self.folder / f"{text_id}.json", corpus)
        except OSError as error:
            for left in self.folder.glob(f"{text_id}.*"):
                left.unlink(missing_ok=True)
            raise UserError(
                "The text was not kept.",
                f"The system said: {error.strerror or error}.",
                "Make room on the disk, then bring it again.",
            ) from error
        return text_id

    def find(self, text_id: object) -> Corpus | None:
        """The corpus of this id, or None when there is none, or one that is damaged."""
        path = self.folder / f"{text_id}.json"
        if not isinstance(text_id, str) or not ID.fullmatch(text_id) or not path.is_file():
            return None
        try:
            return read_corpus(path)
        except (OSError, ValueError, TypeError, KeyError):
            log.exception("the text %s cannot be read", text_id)
            return None

    def is_gone(self, text_id: object) -> bool:
        """True for an id that a text once had, and nothing sound lies under it now."""
        return (
            isinstance(text_id, str) and bool(ID.fullmatch(text_id)) and self.find(text_id) is None
        )

    def get(self, text_id: object) -> Corpus:
        """Like `find`; raises UserError when there is none."""
        corpus = self.find(text_id)
        if corpus is None and self.is_gone(text_id):
            raise UserError(
                "The text is not on this server any more.",
                FORGOTTEN,
                "Bring it again on the Text tab; your runs keep theirs.",
            )
        if corpus is None:
            raise UserError(
                "There is no text yet.",
                "Nothing was uploaded, pasted or chosen in this browser.",
                "Open the Text tab and bring a text, or choose a sample.",
            )
        return corpus
