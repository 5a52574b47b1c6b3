"""Saving a model: what the folder holds, and what a kill leaves behind."""

import functools
import json
import shutil
from pathlib import Path

import families
import pytest
import torch
import transformers as hf
from tokenizers import Tokenizer

from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.core.tokens import tokenize


@pytest.fixture(scope="module")
def saved(family, tmp_path_factory):
    """A family's model, and the folder it was saved in, the only one there."""
    home = tmp_path_factory.mktemp("saved")

    @functools.cache
    def save(kind: str) -> tuple[MaskedLM, Path]:
        lm, folder = family(kind), home / kind / "model"
        lm.save(folder)
        return lm, folder

    return save


@pytest.mark.parametrize("kind", families.ARCHITECTURES)
def test_a_saved_model_loads_in_transformers_with_equal_logits(saved, kind):
    lm, folder = saved(kind)
    tokenizer = hf.AutoTokenizer.from_pretrained(folder)
    model = hf.AutoModelForMaskedLM.from_pretrained(folder).eval()
    question = tokenizer(
        ["The beans and the peas of April.", "Sow."], padding=True, return_tensors="pt"
    )
    question = {name: question[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        torch.testing.assert_close(
            lm.model(**question).logits, model(**question).logits, rtol=1e-5, atol=1e-5
        )
    assert lm.model.config._attn_implementation == "packed", (
        "saving must not change how this model attends"
    )


@pytest.mark.parametrize("kind", families.ARCHITECTURES)
def test_a_saved_folder_does_not_mention_packed_attention(saved, kind):
    _, folder = saved(kind)
    for file in folder.glob("*.json"):
        assert '"packed"' not in file.read_text(encoding="utf-8"), file.name
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_a_saved_tokenizer_does_not_truncate(lm, corpus, tmp_path):
    copied = lm.copy()
    tokenize(corpus.paragraphs[:3], copied.tokenizer, 16)
    copied.save(tmp_path / "model")
    raw = Tokenizer.from_file(str(tmp_path / "model" / "tokenizer.json"))
    assert raw.truncation is None
    assert len(raw.encode(" ".join(corpus.paragraphs[:3])).ids) > 100
    assert "max_length" not in json.loads(
        (tmp_path / "model" / "tokenizer_config.json").read_text()
    )


def test_saving_again_replaces_the_folder(family, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "stale.txt").write_text("old")
    family("bert").save(tmp_path / "model")
    assert not (tmp_path / "model" / "stale.txt").exists()
    assert (tmp_path / "model" / "config.json").exists()


class Killed(BaseException):
    """The process ends here."""


def test_a_kill_while_the_old_model_is_removed_leaves_a_whole_model(saved, tmp_path, monkeypatch):
    lm, folder = saved("bert")
    shutil.copytree(folder, tmp_path / "model")

    def remove_weights_and_die(removed, *options, **named_options):
        if (removed / "model.safetensors").exists():
            (removed / "model.safetensors").unlink()
            raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(shutil, "rmtree", remove_weights_and_die)
        lm.save(tmp_path / "model")
    assert MaskedLM.load(tmp_path / "model").num_parameters == lm.num_parameters
    lm.save(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"], "leftovers are removed"


@pytest.mark.parametrize("num_renames", [0, 1])
def test_a_kill_between_two_renames_leaves_a_whole_model_or_none(
    saved, tmp_path, monkeypatch, num_renames
):
    lm, folder = saved("bert")
    shutil.copytree(folder, tmp_path / "model")
    rename = Path.replace
    renamed = []

    def rename_or_die(path, target):
        if len(renamed) == num_renames:
            raise Killed
        renamed.append(path)
        return rename(path, target)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(Path, "replace", rename_or_die)
        lm.save(tmp_path / "model")
    if (tmp_path / "model").exists():
        assert MaskedLM.load(tmp_path / "model").num_parameters == lm.num_parameters
    lm.save(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"], "leftovers are removed"
