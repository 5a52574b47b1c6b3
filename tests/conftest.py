"""What every test may ask for. The environment is set before anything imports transformers or gradio."""

import functools
import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ.setdefault(
    "OMP_WAIT_POLICY", "passive"
)  # spinning threads make a busy machine thirty times slower

from pathlib import Path

import families
import pytest
import torch

from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.evaluation import report as verdict
from mlm_gui.core.evaluation.report import examination, general_paragraphs
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.services.limits import LAPTOP
from mlm_gui.services.studio import Studio

torch.set_num_threads(
    1 if "PYTEST_XDIST_WORKER" in os.environ else 2
)  # two workers share two cores


@pytest.fixture(scope="session")
def sample_path() -> Path:
    """A text of our own: the bundled almanac."""
    return families.SAMPLE


@pytest.fixture(scope="session")
def corpus(sample_path) -> Corpus:
    return Corpus.from_files([sample_path])


@pytest.fixture(scope="session")
def lm() -> MaskedLM:
    """The starter, loaded once. A test that trains takes a copy."""
    return MaskedLM.load("starter")


@pytest.fixture(scope="session")
def family_folder(tmp_path_factory):
    """Folder of a tiny random model of a family, built on first use."""
    home, built = tmp_path_factory.mktemp("families"), {}

    def folder(kind: str) -> Path:
        if kind not in built:
            built[kind] = families.build(kind, home / kind)
        return built[kind]

    return folder


@pytest.fixture(scope="session")
def family(family_folder):
    """A loaded MaskedLM of a family, loaded on first use."""
    loaded = {}

    def load(kind: str) -> MaskedLM:
        if kind not in loaded:
            loaded[kind] = MaskedLM.load(family_folder(kind))
        return loaded[kind]

    return load


@pytest.fixture
def studio(tmp_path):
    """Services over an empty home folder; its trainer is stopped afterwards."""
    studio = Studio.open(tmp_path / "home", LAPTOP)
    yield studio
    studio.training_queue.close()


@pytest.fixture(scope="session")
def maskless_folder(tmp_path_factory) -> Path:
    """A model folder whose tokenizer has no mask token."""
    from families import build_maskless

    return build_maskless(tmp_path_factory.mktemp("maskless"))


@pytest.fixture
def exam_seeds() -> tuple[int, ...]:
    """One draw of blanks."""
    return (0,)


@pytest.fixture(autouse=True)
def short_exams(monkeypatch, exam_seeds):
    """Runs that tests train sit their exam on `exam_seeds` instead of five draws of blanks, and on a few paragraphs of general English;
    the exam's own tests ask for what they need."""
    monkeypatch.setattr(verdict, "examination", functools.partial(examination, seeds=exam_seeds))
    monkeypatch.setattr(verdict, "general_paragraphs", lambda: general_paragraphs()[:6])
