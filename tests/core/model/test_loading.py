"""Models that cannot be used: each error has three sentences, and no code of a model runs."""

import json
import math
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import transformers as hf

from mlm_gui.core.model.loading import load_tokenizer
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.errors import UserError


def refusal(name) -> UserError:
    with pytest.raises(UserError) as raised:
        MaskedLM.load(name)
    error = raised.value
    for sentence in (error.what, error.why, error.do):
        assert sentence.strip().endswith((".", "!", "?")), "each part is a sentence"
    assert len(str(error)) < 1_000
    return error


@pytest.mark.parametrize(
    "name",
    [
        "bert-base-nowhere",
        "nobody/no-such-model",
        "../../etc",
        "../../etc/passwd",
        "",
        "   ",
        "/no/such/folder",
        "a" * 5_000,
        "bert\x00base",
        "owner/na\x00me",
        "a--b",
        "x/y/z",
        "\ud800",
    ],
)
def test_an_unknown_model_name_offline_is_refused_in_three_sentences(name):
    refusal(name)


@pytest.fixture
def folder(family_folder, tmp_path):
    """A good BERT folder for a test to spoil."""
    return shutil.copytree(family_folder("bert"), tmp_path / "spoiled")


def test_the_folder_is_good_before_a_test_spoils_it(folder):
    assert MaskedLM.load(folder).packs


def test_a_tokenizer_without_a_mask_token_is_refused(maskless_folder):
    assert "mask token" in refusal(maskless_folder).why
    with pytest.raises(UserError, match="mask token"):
        load_tokenizer(str(maskless_folder))


def test_an_empty_folder_is_refused(tmp_path):
    refusal(tmp_path)


def test_a_folder_without_safetensors_is_refused(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "safetensors" in refusal(folder).why


def test_a_folder_without_a_tokenizer_is_refused(folder):
    for file in folder.iterdir():
        if file.name not in ("config.json", "model.safetensors"):
            file.unlink()
    refusal(folder)


def test_weights_without_a_head_are_refused(folder):
    model = hf.AutoModel.from_pretrained(folder)
    model.save_pretrained(folder)
    assert "head" in refusal(folder).what


def test_weights_that_are_not_numbers_are_refused(folder):
    model = hf.AutoModelForMaskedLM.from_pretrained(folder)
    with torch.no_grad():
        model.bert.encoder.layer[0].output.dense.weight[0, 0] = math.nan
    model.save_pretrained(folder)
    assert "NaN" in refusal(folder).why


def test_truncated_weights_are_refused(folder):
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])
    refusal(folder)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"model_type": "no-such-kind"}'])
def test_a_broken_config_is_refused(folder, content):
    (folder / "config.json").write_text(content)
    refusal(folder)


def test_a_tokenizer_larger_than_its_model_is_refused(folder):
    tokenizer = hf.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["heirloom", "cotyledon"])
    tokenizer.save_pretrained(folder)
    assert "fit" in refusal(folder).what


def test_code_in_a_model_folder_is_not_run(folder, tmp_path):
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModelForMaskedLM": "evil.Evil", "AutoConfig": "evil.Config"}
    config["model_type"] = "evil"
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text(
        f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Evil: ...\nclass Config: ...\n"
    )
    refusal(folder)
    assert not (tmp_path / "ran").exists()


def test_several_threads_may_load_at_once():
    """As when a run starts during a question; transformers alone would report missing weights."""
    with ThreadPoolExecutor(4) as threads:
        models = list(threads.map(lambda _: MaskedLM.load("starter"), range(8)))
    state = models[0].model.state_dict()
    assert all(
        torch.equal(state[name], weight)
        for lm in models[1:]
        for name, weight in lm.model.state_dict().items()
    )
