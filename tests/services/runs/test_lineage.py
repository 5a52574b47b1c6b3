"""A run that others started from keeps its model; a base that is gone is reported."""

import argparse
import dataclasses
import shutil
import threading

import pytest

from mlm_gui.cli.train import run_request
from mlm_gui.core.config import TrainConfig
from mlm_gui.core.training.events import Finished, Paused, Queued
from mlm_gui.errors import UserError
from mlm_gui.services.jobs.training_queue import TrainingQueue
from mlm_gui.services.limits import LAPTOP
from mlm_gui.services.runs.evaluation import examine_again
from mlm_gui.services.runs.finetune import finetune
from mlm_gui.services.runs.registry import delete
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.runs.run import Run
from mlm_gui.ui.tabs.compare.models import pair

SHORT = TrainConfig(epochs=1, max_steps=2, tokens_per_step=64, evaluations=1)


@pytest.fixture
def parent(studio, corpus, lm) -> Run:
    run = studio.runs.create(
        RunRequest(corpus=corpus, config=SHORT, owner="ann", name="the parent")
    )
    lm.save(run.model_folder)
    run.append(Paused(1, 1.0))
    return run


@pytest.fixture
def child(studio, corpus, lm, parent) -> Run:
    run = studio.runs.create(
        RunRequest(
            corpus=corpus, model=f"run:{parent.id}", config=SHORT, owner="ann", name="the child"
        )
    )
    lm.save(run.model_folder)
    run.append(Finished(2, "done", 1.0))
    return run


def test_a_run_that_another_one_started_from_is_deleted_only_together_with_it(
    studio, parent, child
):
    with pytest.raises(UserError, match="“the child” started from"):
        delete(parent)
    assert parent.folder.exists()
    delete(parent, child)
    assert studio.runs.all() == []


@pytest.mark.parametrize("door", ["go on", "one step", "stop", "more passes", "shell"])
def test_a_run_that_another_one_started_from_is_not_trained_further(
    studio, parent, child, door, monkeypatch
):
    monkeypatch.setattr(Run, "checkpoint_step", 1)
    doors = {
        "go on": lambda: studio.training_queue.resume(parent, "ann"),
        "one step": lambda: studio.training_queue.one_step(parent),
        "stop": lambda: studio.training_queue.stop(parent),
        "more passes": lambda: (
            parent.append(Finished(1, "done", 1.0)),
            studio.training_queue.train_more(parent, 1, "ann"),
        ),
        "shell": lambda: list(finetune(parent, studio.models.load)),
    }
    job = parent.job
    with pytest.raises(UserError, match="“the child” started from its model"):
        doors[door]()
    assert (
        parent.state in ("paused", "finished")
        and Run(parent.folder).job == job
        and not parent.queue_lock.is_locked
    )
    delete(child)
    parent.hold()
    parent.queue_lock.release()


def test_no_run_starts_from_one_that_is_being_trained(studio, corpus, parent):
    parent.append(Queued(1))
    request = RunRequest(corpus=corpus, model=f"run:{parent.id}", config=SHORT)
    refused = pytest.raises(UserError, match="is being trained, so its model will change")
    with parent.queue_lock, refused:
        studio.runs.create(request)
    assert studio.runs.all() == [parent]


@pytest.mark.parametrize("harm", ["gone", "damaged"])
def test_a_base_that_is_gone_or_damaged_is_reported_wherever_it_is_needed(
    studio, parent, child, harm
):
    if harm == "gone":
        shutil.rmtree(parent.folder)
    else:
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (parent.model_folder / name).write_text("{")
        (parent.model_folder / "model.safetensors").write_bytes(b"none")
    doors = (
        lambda: list(finetune(Run(child.folder), studio.models.load)),
        lambda: examine_again(child, studio.models.load),
        lambda: pair(studio, "ann", "", f"run:{child.id}"),
        lambda: studio.masking_preview.plan(child),
    )
    for door in doors:
        with pytest.raises(UserError, match="started from cannot be used") as caught:
            door()
        assert "Hub" not in str(caught.value) and "model of another run" in caught.value.why


def test_a_base_in_a_folder_that_is_gone_is_reported_without_asking_the_hub(
    studio, corpus, tmp_path
):
    run = studio.runs.create(
        RunRequest(corpus=corpus, model=str(tmp_path / "old" / "model"), config=SHORT)
    )
    with pytest.raises(UserError, match="That folder is not there any more") as caught:
        list(finetune(run, studio.models.load))
    assert "Hub" not in str(caught.value)


def test_in_a_folder_of_its_own_a_run_knows_its_base_by_its_place(
    studio, parent, sample_path, tmp_path
):
    names = ("epochs", "max_steps", "learning_rate", "tokens_per_step", "mask_rate", "unit", "seed")
    options = argparse.Namespace(
        files=[str(sample_path)],
        model=f"run:{parent.id}",
        recipe="quick",
        held_out=0.1,
        out=tmp_path / "x",
        **dict.fromkeys(names),
    )
    assert run_request(studio, options).model == str(parent.model_folder)
    options.out = None
    assert run_request(studio, options).model == f"run:{parent.id}"


def test_without_room_in_the_queue_a_run_that_was_to_get_more_passes_is_left_as_it_was(
    studio, child, monkeypatch
):
    queue = TrainingQueue(
        studio.runs.create, studio.models.load, dataclasses.replace(LAPTOP, max_queue=0)
    )
    written = (child.folder / "events.jsonl").read_bytes()
    monkeypatch.setattr(Run, "checkpoint_step", 2)
    with pytest.raises(UserError, match="Too many runs"):
        queue.train_more(child, 1, "ann")
    assert (
        (child.folder / "events.jsonl").read_bytes() == written
        and Run(child.folder).job == child.job
        and child.state == "finished"
    )


def test_many_who_look_at_a_run_never_take_each_other_for_one_who_trains(parent):
    parent.append(Queued(1))
    (parent.folder / "run.lock").touch()
    seen: list[str] = []

    def look() -> None:
        seen.extend(parent.state for _ in range(300))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == ["interrupted"] * 1200
