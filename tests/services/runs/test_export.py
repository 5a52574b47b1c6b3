"""What is taken away works without us."""

import zipfile

import pytest
import torch
import transformers as hf

from mlm_gui.core.config import TrainConfig
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.errors import UserError
from mlm_gui.services.limits import LAPTOP
from mlm_gui.services.runs.export import export_zip
from mlm_gui.services.runs.finetune import finetune
from mlm_gui.services.runs.model_card import model_card
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.studio import Studio


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """One home for all; tests leave its runs as they are."""
    return Studio.open(tmp_path_factory.mktemp("home"), LAPTOP)


@pytest.fixture(scope="module")
def base(family) -> MaskedLM:
    """A small random model: a zip does not care how good its model is."""
    return family("bert")


@pytest.fixture(scope="module")
def trained(studio, corpus, base):
    run = studio.runs.create(
        RunRequest(
            corpus=corpus,
            config=TrainConfig(epochs=1, max_steps=2, tokens_per_step=128, evaluations=1),
            name="../Ångström's <Almanac>/..",
        )
    )
    for _ in finetune(run, lambda name: base.copy()):
        pass
    return run


def test_the_zip_loads_in_transformers_and_gives_the_run_s_answers(trained, studio, tmp_path):
    path = export_zip(trained, tmp_path / "exports")
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        archive.extractall(tmp_path / "away")
    (folder,) = (tmp_path / "away").iterdir()
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md"} <= {
        name.split("/")[-1] for name in names
    }
    assert all(len(name.split("/")) == 2 and ".." not in name for name in names)
    answers = hf.pipeline(
        "fill-mask",
        model=hf.AutoModelForMaskedLM.from_pretrained(folder),
        tokenizer=hf.AutoTokenizer.from_pretrained(folder),
        device="cpu",
    )("Sow the [MASK] in April.", top_k=5)
    (blank,) = studio.models.fill(f"run:{trained.id}", "Sow the ___ in April.", 5)
    assert [guess.probability for guess in blank.guesses] == pytest.approx(
        [answer["score"] for answer in answers], abs=1e-5
    )


def test_the_zip_lies_inside_the_given_folder_under_the_run_s_own_name(trained, tmp_path):
    path = export_zip(trained, tmp_path / "exports")
    assert (
        path.resolve().is_relative_to((tmp_path / "exports").resolve())
        and path.name == "ångström-s-almanac.zip"
    )
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert export_zip(trained, tmp_path / "exports") == path


def test_a_tuned_model_differs_from_its_base(trained, base):
    tuned = hf.AutoModelForMaskedLM.from_pretrained(trained.model_folder)
    assert any(
        not torch.equal(ours, theirs)
        for ours, theirs in zip(tuned.parameters(), base.model.parameters(), strict=True)
    )


def test_the_card_holds_the_measured_numbers_and_no_markup_from_names(trained):
    history, card = trained.history(), model_card(trained.job, trained.history())
    assert (
        f"{history.evaluations[0].loss:.3f}" in card
        and f"{history.evaluations[-1].loss:.3f}" in card
        and trained.job.fingerprint in card
    )
    assert "<Almanac>" not in card and card.startswith("---\n")


def test_a_run_without_a_model_has_nothing_to_export(studio, corpus, tmp_path):
    run = studio.runs.create(RunRequest(corpus=corpus))
    with pytest.raises(UserError, match="no model to download"):
        export_zip(run, tmp_path)


def test_pages_that_ask_at_once_all_get_a_whole_zip(trained, tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(lambda _: export_zip(trained, tmp_path / "exports"), range(16)))
    (path,) = paths
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    assert [file.name for file in path.parent.iterdir()] == [path.name]
