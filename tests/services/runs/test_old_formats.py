"""Runs and texts that an earlier version wrote open, compare and go on as they did."""

import dataclasses
import functools
import json
import shutil
from pathlib import Path

import pytest
import torch

from mlm_gui.core.config import TrainConfig
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.core.training import events
from mlm_gui.core.training.state import COUNTERS
from mlm_gui.services.runs.evaluation import read_exam
from mlm_gui.services.runs.finetune import finetune
from mlm_gui.services.runs.job import NAMES_OF_FORMAT_1, Job
from mlm_gui.services.runs.registry import Runs
from mlm_gui.services.runs.summary import RunSummaries
from mlm_gui.services.storage.texts import Texts

WRITTEN_BY_0_1 = Path(__file__).parents[2] / "fixtures" / "version_0_1"
IDS = json.loads((WRITTEN_BY_0_1 / "ids.json").read_text(encoding="utf-8"))


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A copy of the old home folder; the runs name their model relative to the folder around it."""
    copy = tmp_path / "old"
    shutil.copytree(WRITTEN_BY_0_1, copy)
    monkeypatch.chdir(copy)
    return copy / "home"


@pytest.fixture
def find(home):
    runs = Runs(home)
    return lambda name: runs.find(IDS[name])


@functools.cache
def load(name: str) -> MaskedLM:
    return MaskedLM.load(WRITTEN_BY_0_1 / name)


def train(run) -> None:
    for _ in finetune(run, lambda model: load(model).copy(), every=0):
        pass


def losses(run) -> list[tuple[int, float]]:
    steps, raw, _ = run.history().curve
    return list(zip(steps, raw, strict=True))


@pytest.mark.parametrize(
    "name, state, steps",
    [
        ("finished", "finished", 12),
        ("paused", "paused", 7),
        ("interrupted", "interrupted", 6),
        ("queued", "interrupted", 0),
    ],
)
def test_an_old_run_is_read_as_it_was(find, name, state, steps):
    run = find(name)
    assert (run.state, run.history().num_steps, run.findings) == (state, steps, ())
    assert run.job.name == name and run.job.model == "model" and run.job.config.dropout == 0.1
    assert len(run.split().train) == 16 and len(run.split().held_out) == 4


def test_every_line_of_an_old_record_is_read(home):
    for record in home.glob("runs/*/events.jsonl"):
        for line in record.read_text(encoding="utf-8").splitlines():
            assert events.as_record(events.from_record(json.loads(line))) == json.loads(line)


def test_an_old_exam_is_read(find):
    report = read_exam(find("finished").folder)
    assert (
        report.verdict == find("finished").history().examined.verdict
        and report.unseen.base.loss > 0
    )


def test_an_old_run_is_in_the_list_with_its_model(find):
    line = RunSummaries().line(find("finished"))
    assert line.state == "finished" and find("finished").has_model
    assert (
        MaskedLM.load(find("finished").model_folder).num_parameters == load("model").num_parameters
    )


@pytest.fixture
def two_threads():
    """The old runs were trained with two threads; another number adds up in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name, checkpoint_step", [("paused", 7), ("interrupted", 6)])
def test_an_old_run_goes_on_to_the_uninterrupted_run_s_last_digit(
    two_threads, find, name, checkpoint_step
):
    """To the last digit where this processor repeats the whole old run so, else to rounding."""
    run, expected = find(name), losses(find("finished"))
    assert run.checkpoint_step == checkpoint_step
    train(run)
    assert [step for step, _ in losses(run)] == list(range(1, 13))
    assert [loss for _, loss in losses(run)] == pytest.approx(
        [loss for _, loss in expected], rel=1e-4
    )
    anew = find("queued")
    train(anew)
    if losses(anew) == expected:
        assert losses(run) == expected


def test_old_texts_are_read(home):
    texts = Texts(home)
    short, long = texts.find(IDS["short"]), texts.find(IDS["long"])
    assert tuple(long.paragraphs) == tuple(short.paragraphs) and len(short.paragraphs) == 20
    assert long.fingerprint == short.fingerprint and long.statistics() == short.statistics()


def test_the_names_on_disk_are_pinned():
    """A new name here needs a way to read the old one, and a folder of the version before."""
    assert sorted(each.kind for each in events.Event.__args__) == [
        "checkpointed",
        "evaluated",
        "examined",
        "failed",
        "finished",
        "passedover",
        "paused",
        "probed",
        "queued",
        "resumed",
        "saved",
        "shrunk",
        "started",
        "stepped",
    ]
    assert COUNTERS == (
        "step",
        "parts",
        "best_loss",
        "best_step",
        "training_seconds",
        "scored_step",
        "evaluations_without_best",
        "timed_seconds",
        "timed_tokens",
    )
    config = {field.name for field in dataclasses.fields(TrainConfig)}
    job = {field.name for field in dataclasses.fields(Job)}
    written = json.loads(
        (WRITTEN_BY_0_1 / "home" / "runs" / IDS["finished"] / "job.json").read_text(
            encoding="utf-8"
        )
    )
    assert config == {NAMES_OF_FORMAT_1.get(name, name) for name in written["config"]}
    assert job | {"format"} == {NAMES_OF_FORMAT_1.get(name, name) for name in written}
