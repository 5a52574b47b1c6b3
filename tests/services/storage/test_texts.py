"""Texts on disk under ids of our own."""

import pytest

from mlm_gui.core.corpus.corpus import Corpus, Document
from mlm_gui.errors import UserError
from mlm_gui.services.storage.files import ID, default_home, new_id, write_whole
from mlm_gui.services.storage.texts import Texts, corpus_from_json, corpus_to_json

CORPUS = Corpus(
    "Gärten & <b>", (Document("a.txt", ("Sow “beans”.", "\u2028odd")), Document("b.md", ("漢字",)))
)
WRONG_IDS = [
    "",
    "../../etc/passwd",
    "..",
    "a" * 31,
    "a" * 33,
    "A" * 32,
    "g" * 32,
    "a" * 32 + "\n",
    "\x00" * 32,
    "a" * 100_000,
    None,
    5,
    ["a"],
    b"a" * 32,
    "/" + "a" * 31,
    "\u0661" * 32,
]


def test_ids_are_unguessable_and_all_different():
    ids = {new_id() for _ in range(1_000)}
    assert len(ids) == 1_000 and all(ID.fullmatch(one) for one in ids)


def test_a_text_comes_back_as_it_went(tmp_path):
    texts = Texts(tmp_path)
    text_id = texts.add(CORPUS)
    assert texts.get(text_id) == texts.find(text_id) == Texts(tmp_path).get(text_id) == CORPUS


def test_a_corpus_survives_json():
    assert corpus_from_json(corpus_to_json(CORPUS)) == CORPUS


@pytest.mark.parametrize("text_id", WRONG_IDS)
def test_a_wrong_id_finds_nothing_and_touches_no_path(tmp_path, text_id):
    texts = Texts(tmp_path)
    (tmp_path / "secret.json").write_text(corpus_to_json(CORPUS))
    assert texts.find(text_id) is None and texts.find("../secret") is None
    with pytest.raises(UserError, match="no text yet"):
        texts.get(text_id)


def test_writing_leaves_the_new_file_and_nothing_beside_it(tmp_path):
    write_whole(tmp_path / "a.json", "old")
    write_whole(tmp_path / "a.json", "new — ü")
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == "new — ü" and len(
        list(tmp_path.iterdir())
    ) == 1


def test_the_home_folder_can_be_set(monkeypatch, tmp_path):
    monkeypatch.setenv("MLM_GUI_HOME", str(tmp_path))
    assert default_home() == tmp_path
    monkeypatch.setenv("MLM_GUI_HOME", "")
    assert default_home().name == ".mlm-gui"


def test_a_text_that_went_is_told_from_none_at_all(tmp_path):
    texts = Texts(tmp_path)
    text_id = texts.add(CORPUS)
    (texts.folder / f"{text_id}.json").unlink()
    with pytest.raises(UserError, match="not on this server any more"):
        texts.get(text_id)
    with pytest.raises(UserError, match="There is no text yet"):
        texts.get("")
