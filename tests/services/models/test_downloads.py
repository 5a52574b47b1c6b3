"""Models of the Hub, from a Hub of our own.

They are bounded in size and time and offered by name. Nobody holds a turn or a lock meanwhile.
"""

import dataclasses
import json
import threading

import huggingface_hub
import pytest
from hub import open_hub

from mlm_gui.core.config import TrainConfig
from mlm_gui.core.model.hub import has_weights
from mlm_gui.errors import UserError
from mlm_gui.services.limits import HOSTED, LAPTOP, offering
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.studio import Studio

NAME = "google-bert/tiny"
PATIENCE = 30.0


@pytest.fixture
def hub(family_folder, monkeypatch, tmp_path):
    """A Hub with one model and an empty cache. Processes that download see nothing else."""
    with open_hub({NAME: family_folder("bert"), "stranger/tiny": family_folder("bert")}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        yield hub


def hosted(tmp_path, **changes) -> Studio:
    return Studio.open(
        tmp_path / "home", dataclasses.replace(HOSTED, download_patience=PATIENCE, **changes)
    )


def test_a_model_is_fetched_once_without_what_it_does_not_need_and_used_by_its_name(
    hub, tmp_path, family_folder
):
    studio = hosted(tmp_path)
    lm = studio.models.load(NAME)
    assert lm.name == NAME and studio.models.tokenizer(NAME).mask_token
    files = [asked for asked in hub.asked if asked.startswith("GET google-bert")]
    assert any("model.safetensors" in asked for asked in files) and not any(
        asked.endswith((".bin", ".py", ".md")) for asked in files
    )
    num_asked = len(hub.asked)
    assert studio.models.fill(NAME, "Sow the ___.") and len(hub.asked) == num_asked, (
        "it lies in the cache now"
    )


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"model.safetensors": 10**12}, "is too large"),
        ({"vocab.txt": 10**12, "tokenizer.json": 10**12}, "is too large"),
        ({"model.safetensors": 0}, "Only the safe format"),
    ],
)
def test_what_the_hub_says_of_its_size_is_checked_before_any_file_is_asked_for(
    hub, tmp_path, claims, said
):
    hub.claims = claims
    with pytest.raises(UserError, match=said):
        hosted(tmp_path).models.tokenizer(NAME)
    assert not any("resolve" in asked for asked in hub.asked)


def test_a_download_that_drips_is_broken_off_and_may_be_tried_again(hub, tmp_path):
    hub.drips = {"model.safetensors"}
    with pytest.raises(UserError, match="did not arrive in time"):
        hosted(tmp_path, download_seconds=2.0).models.tokenizer(NAME)
    hub.drips = set()
    assert hosted(tmp_path).models.load(NAME).packs is not None, (
        "what had arrived in part was not taken for the whole"
    )


def test_a_hosted_server_fetches_only_what_it_offers(hub, tmp_path):
    studio = hosted(tmp_path)
    for ask in (
        studio.models.load,
        studio.models.tokenizer,
        studio.models.borrow,
        lambda name: studio.usable(name, "a" * 32),
    ):
        with pytest.raises(UserError, match="google-bert"):
            ask("stranger/tiny")
    assert not hub.asked
    assert offering(HOSTED, None) is HOSTED is offering(HOSTED, " ,")
    assert (
        offering(HOSTED, "a/b, c/*").hub_models == ("a/b", "c/*")
        and offering(LAPTOP, "none").hub_models == ()
    )
    with pytest.raises(UserError, match="nothing is fetched"):
        Studio.open(tmp_path / "none", offering(HOSTED, "none")).models.tokenizer(NAME)


def test_while_a_model_is_on_its_way_its_visitor_is_told_and_everybody_else_is_answered(
    hub, tmp_path, corpus
):
    hub.drips = {"model.safetensors"}
    studio = Studio.open(
        tmp_path / "home",
        dataclasses.replace(HOSTED, download_patience=0.05, download_seconds=20.0, max_downloads=1),
    )
    short = TrainConfig(epochs=1, max_steps=2, tokens_per_step=64)
    for ask in (
        studio.models.tokenizer,
        lambda name: studio.models.fill(name, "Sow the ___."),
        lambda name: studio.preflight.forecast(
            RunRequest(corpus=corpus, model=name, config=short, owner="ann")
        ),
    ):
        with pytest.raises(UserError, match="is being downloaded"):
            ask(NAME)
    with pytest.raises(UserError, match="Other models are being downloaded"):
        studio.models.tokenizer("google-bert/other")
    answered = []
    thread = threading.Thread(
        target=lambda: answered.append(studio.models.fill("starter", "Sow the ___."))
    )
    thread.start()
    thread.join(PATIENCE)
    assert answered
    with studio.preflight.measuring_paused():
        pass


def test_weights_in_several_files_count_only_when_all_are_there(tmp_path):
    parts = [tmp_path / f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    parts[0].write_bytes(b"x")
    (tmp_path / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"a": parts[0].name, "b": parts[1].name}})
    )
    assert not has_weights(tmp_path)
    parts[1].write_bytes(b"x")
    assert has_weights(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text("[")
    assert not has_weights(tmp_path)
