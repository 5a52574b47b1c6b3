"""Models by name, and who may name what."""

import shutil

import pytest

from mlm_gui.core.inference.fill import fill
from mlm_gui.core.model import loading
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.errors import UserError
from mlm_gui.services.limits import HOSTED, LAPTOP
from mlm_gui.services.models import models as models_module
from mlm_gui.services.models.models import Models
from mlm_gui.services.runs.request import RunRequest

LFS_POINTER = (
    b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 440449768\n"
)


@pytest.fixture
def hosted(studio):
    return Models(studio.runs, HOSTED)


@pytest.mark.parametrize(
    "name",
    [
        "run:",
        "run:" + "0" * 32,
        "run:../../etc",
        "run:" + "a" * 31,
        "run:\x00",
        "run:" + "a" * 10_000,
    ],
)
def test_a_run_that_is_not_there_is_refused(studio, name):
    with pytest.raises(UserError, match="no model"):
        studio.models.resolve(name)


def test_a_run_without_a_model_is_refused(studio, corpus):

    run = studio.runs.create(RunRequest(corpus=corpus))
    with pytest.raises(UserError, match="never reached a save"):
        studio.models.resolve(f"run:{run.id}")


@pytest.mark.parametrize("name", [None, "", "   ", 5, ["starter"], b"starter"])
def test_no_name_is_refused(studio, name):
    with pytest.raises(UserError, match="No model is chosen"):
        studio.models.resolve(name)


def test_a_laptop_may_use_its_own_folders(studio, family_folder):
    folder = str(family_folder("bert"))
    assert studio.models.resolve(folder) == folder and studio.models.load(folder).name == folder


@pytest.mark.parametrize(
    "name",
    [
        "/etc",
        "/",
        "~",
        "~/models",
        ".",
        "..",
        "../../etc",
        "./model",
        "assets/starter",
        "tests",
        "a" * 5_000,
        "model\x00",
        "/tmp/\x00",
    ],
)
def test_a_hosted_server_refuses_folders_and_impossible_names(hosted, monkeypatch, request, name):
    monkeypatch.chdir(request.config.rootpath)
    with pytest.raises(UserError):
        hosted.load(name)
    with pytest.raises(UserError):
        hosted.tokenizer(name)


def test_a_hosted_server_refuses_a_folder_that_exists(hosted, family_folder):
    with pytest.raises(UserError, match="only the starter"):
        hosted.fill(str(family_folder("bert")), "Sow the ___.")


def test_the_starter_is_there_for_everyone(hosted):
    assert (
        hosted.resolve("starter") == hosted.resolve(" starter ") == "starter"
        and hosted.tokenizer("starter").mask_token == "[MASK]"
    )


def test_answers_are_those_of_the_core(studio, lm):
    assert studio.models.fill("starter", "Sow the ___.", 3) == fill(lm, "Sow the ___.", 3)
    assert studio.models.compare("starter", "starter", "Sow the ___.").shifts == ((),)


def test_a_model_for_training_is_nobody_else_s(studio):
    kept = studio.models.borrow("starter")
    assert (
        studio.models.load("starter").model
        is not kept.model
        is studio.models.borrow("starter").model
    )


def watch(monkeypatch, owner: object, name: str) -> list[str]:
    """The arguments with which a loader is called from now on."""
    loaded: list[str] = []
    load = getattr(owner, name)
    monkeypatch.setattr(owner, name, lambda place: (loaded.append(str(place)), load(place))[1])
    return loaded


def test_of_the_loaded_models_the_one_unused_longest_goes_first(studio, family_folder, monkeypatch):
    monkeypatch.setattr(models_module, "KEPT_MODELS", 2)
    loaded = watch(monkeypatch, MaskedLM, "load")
    bert, roberta = str(family_folder("bert")), str(family_folder("roberta"))
    for name in ("starter", bert, "starter", roberta, "starter", bert):
        studio.models.borrow(name)
    assert loaded == ["starter", bert, roberta, bert]


def test_of_the_tokenizers_the_one_unused_longest_goes_first(studio, family_folder, monkeypatch):
    monkeypatch.setattr(models_module, "KEPT_TOKENIZERS", 2)
    loaded = watch(monkeypatch, loading, "load_tokenizer")
    bert, roberta = str(family_folder("bert")), str(family_folder("roberta"))
    for name in ("starter", bert, "starter", roberta, "starter", bert):
        studio.models.tokenizer(name)
    assert loaded == ["starter", bert, roberta, bert], "the starter is the one used most"


def test_a_model_that_was_saved_anew_in_the_same_place_is_loaded_anew(
    studio, family_folder, tmp_path
):
    for kind in ("bert", "roberta"):
        folder = shutil.copytree(family_folder(kind), tmp_path / "new")
        folder.rename(tmp_path / kind)
    place = tmp_path / "model"
    (tmp_path / "bert").rename(place)
    before = studio.models.fill(str(place), "Sow the ___.")
    shutil.rmtree(place)
    (tmp_path / "roberta").rename(place)
    (place / "config.json").write_bytes((place / "config.json").read_bytes())
    assert studio.models.fill(str(place), "Sow the ___.") != before


def test_on_a_hosted_server_everyone_sees_only_their_own_runs(studio, corpus, tmp_path):
    from mlm_gui.services.studio import Studio

    shared, private = Studio.open(tmp_path / "a", LAPTOP), Studio.open(tmp_path / "b", HOSTED)
    for house, others in ((shared, True), (private, False)):
        run = house.runs.create(RunRequest(corpus=corpus, owner="ann"))
        assert house.visible(run.id, "ann") is run and house.visible_runs("ann") == [run]
        assert (house.visible(run.id, "bob") is run) is others and bool(
            house.visible_runs("bob")
        ) is others


def test_a_run_whose_model_is_damaged_is_spoken_of_by_its_name(studio, corpus, lm):

    run = studio.runs.create(RunRequest(corpus=corpus))
    lm.save(run.model_folder)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (run.model_folder / file).unlink()
    for ask in (
        studio.models.tokenizer,
        studio.models.load,
        lambda name: studio.models.fill(name, "a ___", 1),
    ):
        with pytest.raises(UserError) as caught:
            ask(f"run:{run.id}")
        assert str(studio.home) not in str(caught.value) and run.id in str(caught.value)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda content: content[: len(content) // 2], "is cut off"),
        (lambda content: content[:20], "is cut off"),
        (lambda content: b"", "is cut off"),
        (lambda content: LFS_POINTER, "only a pointer of Git LFS"),
    ],
    ids=["half", "header", "empty", "pointer"],
)
def test_weights_that_did_not_arrive_whole_are_named_as_such(
    studio, family_folder, tmp_path, spoil, said
):
    folder = shutil.copytree(family_folder("bert"), tmp_path / "model")
    weights = folder / "model.safetensors"
    weights.write_bytes(spoil(weights.read_bytes()))
    with pytest.raises(UserError, match=said) as refusal:
        studio.models.load(str(folder))
    assert "again" in refusal.value.do


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<!DOCTYPE html><title>Sign in</title>", "is no safetensors file"),
        ((2).to_bytes(8, "little") + b"[]" + b"x" * 99, "The library said"),
    ],
)
def test_a_weights_file_that_holds_something_else_is_refused(
    studio, family_folder, tmp_path, content, said
):
    folder = shutil.copytree(family_folder("bert"), tmp_path / "model")
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(UserError, match=said):
        studio.models.load(str(folder))
