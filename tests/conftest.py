"""Fixtures that every test may use.

The environment is set before anything imports transformers or gradio.
"""

import functools
import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# threads that spin while they wait make a busy machine thirty times slower
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from collections.abc import Callable, Iterator
from pathlib import Path

import families
import pytest
import torch

from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.evaluation import report
from mlm_gui.core.evaluation.report import evaluate_both, general_paragraphs
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.services.limits import LAPTOP
from mlm_gui.services.studio import Studio

torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)  # two workers, two cores


@pytest.fixture(scope="session")
def sample_path() -> Path:
    """The bundled almanac, a text written for this package."""
    return families.SAMPLE


@pytest.fixture(scope="session")
def corpus(sample_path: Path) -> Corpus:
    return Corpus.from_files([sample_path])


@pytest.fixture(scope="session")
def lm() -> MaskedLM:
    """The starter, loaded once. A test that trains takes a copy."""
    return MaskedLM.load("starter")


@pytest.fixture(scope="session")
def family_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of a tiny random model of a family, built on first use."""
    home = tmp_path_factory.mktemp("families")

    @functools.cache
    def folder(kind: str) -> Path:
        return families.build(kind, home / kind)

    return folder


@pytest.fixture(scope="session")
def family(family_folder: Callable[[str], Path]) -> Callable[[str], MaskedLM]:
    """A MaskedLM of a family, loaded on first use."""

    @functools.cache
    def load(kind: str) -> MaskedLM:
        return MaskedLM.load(family_folder(kind))

    return load


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """Services over an empty home folder; the training queue is closed afterwards."""
    studio = Studio.open(tmp_path / "home", LAPTOP)
    yield studio
    studio.training_queue.close()


@pytest.fixture(scope="session")
def maskless_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder whose tokenizer has no mask token."""
    return families.build_maskless(tmp_path_factory.mktemp("maskless"))


@pytest.fixture
def exam_seeds() -> tuple[int, ...]:
    """One draw of blanks."""
    return (0,)


@pytest.fixture(autouse=True)
def short_exams(monkeypatch: pytest.MonkeyPatch, exam_seeds: tuple[int, ...]) -> None:
    """Evaluations of test runs use `exam_seeds` and a few paragraphs of general English.

    The tests of the evaluation itself ask for what they need.
    """
    short = functools.partial(evaluate_both, seeds=exam_seeds)
    monkeypatch.setattr(report, "evaluate_both", short)
    monkeypatch.setattr(report, "general_paragraphs", lambda: general_paragraphs()[:6])
