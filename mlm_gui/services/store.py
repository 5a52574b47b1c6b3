"""The home folder: texts and runs on disk under ids of our own, written whole or not at all."""

import dataclasses
import json
import os
import re
import secrets
from pathlib import Path

from mlm_gui.core.documents import Corpus, Document
from mlm_gui.errors import UserError

ID = re.compile(r"[0-9a-f]{32}")

FORGOTTEN = "A server that strangers visit keeps a text for a day, and less when it is full."
"""Why a text is not there any more."""


def new_id() -> str:
    """128 random bits as 32 hexadecimal digits: nobody guesses it."""
    return secrets.token_hex(16)


def default_home() -> Path:
    """`MLM_GUI_HOME` when it is set, `~/.mlm-gui` otherwise."""
    return Path(os.environ.get("MLM_GUI_HOME") or Path.home() / ".mlm-gui")


def write_whole(path: Path, content: str) -> None:
    """Writes beside, flushes to the disk, then renames: a reader sees the old file or the new one, never a part."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
    with aside.open("w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def corpus_to_json(corpus: Corpus) -> str:
    return json.dumps(dataclasses.asdict(corpus), ensure_ascii=False)


def corpus_from_json(content: str) -> Corpus:
    record = json.loads(content)
    return Corpus(record["name"], tuple(Document(document["name"], tuple(document["paragraphs"])) for document in record["documents"]))


class Texts:
    """Corpora that visitors brought, each in one file of the home folder."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "texts"
        self.folder.mkdir(parents=True, exist_ok=True)

    def add(self, corpus: Corpus) -> str:
        """Keeps `corpus` and returns its id."""
        text_id = new_id()
        write_whole(self.folder / f"{text_id}.json", corpus_to_json(corpus))
        return text_id

    def find(self, text_id: object) -> Corpus | None:
        """The corpus of this id, or None when there is none."""
        path = self.folder / f"{text_id}.json"
        if not isinstance(text_id, str) or not ID.fullmatch(text_id) or not path.is_file():
            return None
        return corpus_from_json(path.read_text(encoding="utf-8"))

    def is_gone(self, text_id: object) -> bool:
        """True for an id that a text once had, and nothing lies under it now."""
        return isinstance(text_id, str) and bool(ID.fullmatch(text_id)) and self.find(text_id) is None

    def get(self, text_id: object) -> Corpus:
        """Like `find`; raises UserError when there is none."""
        corpus = self.find(text_id)
        if corpus is None and self.is_gone(text_id):
            raise UserError("The text is not on this server any more.", FORGOTTEN, "Bring it again on the Text tab; your runs keep theirs.")
        if corpus is None:
            raise UserError(
                "There is no text yet.",
                "Nothing was uploaded, pasted or chosen in this browser.",
                "Open the Text tab and bring a text, or choose a sample.",
            )
        return corpus
