"""A run that broke off resumes as if nothing had happened.

What prevents that is reported, and costs nothing that was safe.
"""

import errno
import functools
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from mlm_gui.core.config import TrainConfig
from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.core.training.events import (
    Checkpointed,
    CheckpointSkipped,
    Evaluated,
    Examined,
    Failed,
    Finished,
    Paused,
    Resumed,
    Saved,
    Started,
    Stepped,
)
from mlm_gui.core.training.loop import Training
from mlm_gui.errors import UserError
from mlm_gui.services.limits import HOSTED
from mlm_gui.services.runs import finetune as runs
from mlm_gui.services.runs.finetune import finetune
from mlm_gui.services.runs.more_passes import continue_for
from mlm_gui.services.runs.registry import Runs, delete
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.runs.run import Run

SHORT = TrainConfig(epochs=1, max_steps=6, tokens_per_step=64, evaluations=3, dropout=0.1)
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture(scope="module")
def text(corpus) -> Corpus:
    return Corpus.from_text("\n".join(corpus.paragraphs[:12]), "almanac")


@pytest.fixture(scope="module")
def whole(tmp_path_factory, text, family_folder) -> Run:
    """A run that was never broken off."""
    run = Runs(tmp_path_factory.mktemp("whole")).create(
        RunRequest(
            corpus=text, model=str(family_folder("bert")), config=SHORT, held_out=0.2, owner="ann"
        )
    )
    train(run)
    return run


@pytest.fixture
def new_run(tmp_path, text, family_folder):
    home = Runs(tmp_path)
    return lambda config=SHORT: home.create(
        RunRequest(
            corpus=text, model=str(family_folder("bert")), config=config, held_out=0.2, owner="ann"
        )
    )


def train(run: Run, steps: int = 0) -> list:
    """The run's events; with `steps` it is paused after so many."""
    seen = []
    pause = (
        (lambda: sum(isinstance(event, Stepped) for event in seen) >= steps)
        if steps
        else runs.never
    )
    for event in finetune(run, load, pause=pause, every=0):
        seen.append(event)
    return seen


@functools.cache
def loaded(name: str) -> MaskedLM:
    return MaskedLM.load(name)


def load(name: str) -> MaskedLM:
    return loaded(name).copy()


def kinds(events) -> list[str]:
    return [type(event).__name__ for event in events]


def fail(*_, **__):
    raise FULL


def test_a_paused_run_resumes_to_the_same_losses_and_model(whole, new_run):
    paused = new_run()
    assert (
        kinds(train(paused, 2))[-1] == "Paused"
        and (paused.state, paused.checkpoint_step) == ("paused", 2)
        and not paused.queue_lock.is_locked
    )
    assert Run(paused.folder).state == "paused" and not paused.has_model
    second = train(Run(paused.folder))
    assert (
        isinstance(second[0], Resumed)
        and (second[0].step, second[0].total_steps) == (2, 6)
        and paused.state == "finished"
    )
    assert paused.history().losses == whole.history().losses
    one, other = (MaskedLM.load(run.model_folder).model.state_dict() for run in (whole, paused))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert [score.loss for score in paused.history().evaluations] == [
        score.loss for score in whole.history().evaluations
    ]


def test_a_stopped_run_is_checkpointed_then_saved_then_scored_and_resumes(whole, new_run):
    run = new_run()
    seen = []
    for event in finetune(run, load, lambda: any(isinstance(event, Stepped) for event in seen)):
        seen.append(event)
    order = [
        "Started",
        "Evaluated",
        "Probed",
        "Stepped",
        "Checkpointed",
        "Saved",
        "Evaluated",
        "Probed",
        "Finished",
    ]
    assert kinds(seen) == order and run.state == "stopped"
    train(run)
    assert run.state == "finished" and run.history().losses == whole.history().losses


def test_checkpoints_come_by_the_clock_and_at_each_best_score(new_run, monkeypatch):
    seen = kinds(finetune(new_run(), load))
    assert 1 <= seen.count("Checkpointed") <= 4, "the best scores, and the end"
    monkeypatch.setattr(runs, "FIRST_CHECKPOINT_SECONDS", 0.0)
    seen = kinds(finetune(new_run(), load))
    assert (
        seen[seen.index("Checkpointed") - 1] == "Stepped"
        and seen[: seen.index("Checkpointed")].count("Stepped") == 1
    ), "the first comes early"


def test_a_closed_generator_keeps_a_checkpoint_and_the_model(new_run):
    run = new_run()
    events = finetune(run, load)
    next(event for event in events if isinstance(event, Stepped) and event.step == 2)
    events.close()
    assert (run.state, run.checkpoint_step, run.has_model) == ("interrupted", 2, True)


def test_an_early_end_keeps_the_model_of_the_best_score(new_run):
    run = new_run(
        TrainConfig(
            epochs=4,
            tokens_per_step=64,
            evaluations=20,
            patience=2,
            learning_rate=0.1,
            warmup_share=0,
        )
    )
    events = train(run)
    scores = {event.step: event.loss for event in events if isinstance(event, Evaluated)}
    best = min(scores, key=scores.get)
    assert events[-1].reason == "early" and run.state == "finished" and best < events[-1].step
    assert run.history().saved.step == best and run.history().kept_score.loss == scores[best]
    split = run.corpus.split(0.2, 0)
    assert Training(
        MaskedLM.load(run.model_folder), split, run.job.config
    ).score().loss == pytest.approx(scores[best], rel=1e-6)
    assert f"{scores[best]:.3f}" in (run.model_folder / "README.md").read_text(encoding="utf-8")


def test_a_finished_run_takes_more_passes_with_a_new_warm_up_and_can_break_off_there(new_run):
    config = TrainConfig(epochs=1, tokens_per_step=256, evaluations=2, warmup_share=0.5)
    run, broken = new_run(config), new_run(config)
    for each in (run, broken):
        train(each)
        continue_for(each, 2)
        assert (each.state, each.job.config.epochs, Run(each.folder).job) == ("paused", 3, each.job)
    first = run.history().num_steps
    events = train(run)
    assert (
        events[0] == Resumed(first, 3 * first, pytest.approx(events[0].seconds))
        and run.history().started.total_steps == 3 * first
    )
    rates = [event.learning_rate for event in events if isinstance(event, Stepped)]
    assert rates[0] < rates[first - 1] == max(rates) > rates[-1], (
        "up over half of the added steps, then down"
    )
    train(broken, 3)
    train(Run(broken.folder))
    assert (
        broken.history().losses == run.history().losses and len(run.history().losses) == 3 * first
    )


def test_a_run_cut_short_by_its_steps_takes_more_passes_too(new_run):
    run = new_run(SHORT)
    train(run)
    continue_for(run, 1)
    assert run.job.config.max_steps > 6
    train(run)
    assert run.state == "finished" and run.history().num_steps == run.job.config.max_steps


def test_only_a_finished_run_with_its_checkpoint_takes_more_passes_within_the_limits(new_run):
    run = new_run()
    with pytest.raises(UserError, match="not given more"):
        continue_for(run, 1)
    train(run)
    for wrong in (0, 101, 1.5, float("nan"), "2", None):
        with pytest.raises(UserError):
            continue_for(run, wrong)
    asked = run.job
    with pytest.raises(UserError, match="this server allows 10"):
        continue_for(run, 10, HOSTED)
    assert (Run(run.folder).job, run.state) == (asked, "finished")
    shutil.rmtree(run.checkpoints.folder)
    with pytest.raises(UserError, match="cannot go on"):
        continue_for(run, 1)
    assert run.state == "finished"


# ---- faults


def test_a_damaged_checkpoint_is_skipped_and_reported(whole, new_run):
    run = new_run()
    train(run, 4)
    best = run.history().evaluations
    newest = max(run.checkpoints.folder.iterdir())
    os.truncate(newest / "state.safetensors", 100)
    events = train(run)
    said = [event for event in events if isinstance(event, CheckpointSkipped)]
    assert len(said) == 1 and "step 4" in said[0].why and run.findings == (said[0].why,)
    assert isinstance(events[0], (Resumed, Started)) and best
    assert run.history().losses == whole.history().losses


@pytest.mark.parametrize("target", ["checkpoint", "events", "model"])
def test_a_full_disk_pauses_the_run_with_the_reason_and_it_resumes_when_there_is_room(
    whole, new_run, monkeypatch, target
):
    run = new_run()
    train(run, 2)
    with monkeypatch.context() as patch:
        if target == "checkpoint":
            patch.setattr("safetensors.torch.save_file", fail)
        elif target == "model":
            patch.setattr(MaskedLM, "save", fail)
        else:
            append = Run.append
            patch.setattr(
                Run,
                "append",
                lambda run, event, sync=False: (
                    fail() if isinstance(event, Stepped) else append(run, event, sync)
                ),
            )
        events = train(run)
    assert (
        isinstance(events[-1], Paused)
        and "No space left" in events[-1].why
        and events[-1].what
        and events[-1].do
    )
    assert run.state == "paused" and run.checkpoint_step == (6 if target == "model" else 2)
    train(run)
    assert run.state == "finished" and run.history().losses == whole.history().losses


def test_a_folder_that_takes_not_even_the_reason_leaves_the_run_interrupted_and_safe(
    new_run, monkeypatch
):
    run = new_run()
    train(run, 2)
    run.append(Resumed(2, 6, 1.0))
    monkeypatch.setattr(Run, "append", fail)
    assert kinds(train(run)) == ["Paused"]
    assert (run.state, run.checkpoint_step) == ("interrupted", 2)


def test_a_loss_that_is_no_number_keeps_the_last_good_weights_and_names_the_cause(
    new_run, monkeypatch
):
    run = new_run()
    original = Training._loss
    monkeypatch.setattr(
        Training,
        "_loss",
        lambda self, *batch: original(self, *batch) * (float("nan") if self.step == 3 else 1),
    )
    with pytest.raises(UserError, match="no longer a number"):
        train(run)
    assert (run.state, run.checkpoint_step) == (
        "failed",
        3,
    ) and "learning rate" in run.history().ended.why
    assert all(
        bool(torch.isfinite(tensor).all())
        for tensor in MaskedLM.load(run.model_folder).model.state_dict().values()
    )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "memory"),
        (ZeroDivisionError(), "unexpected error came up (ZeroDivisionError)"),
    ],
)
def test_an_unexpected_error_is_three_sentences_and_the_run_resumes_later(
    new_run, monkeypatch, error, said
):
    run = new_run()
    train(run, 2)
    with monkeypatch.context() as patch:
        patch.setattr(Training, "_learning_rate", lambda self: (_ for _ in ()).throw(error))
        with pytest.raises(UserError) as caught:
            train(run)
    assert (
        said in str(caught.value)
        and run.history().ended == Failed(caught.value.what, caught.value.why, caught.value.do)
        and run.state == "failed"
    )
    train(run)
    assert run.state == "finished"


def test_a_clock_set_back_changes_no_duration(new_run, monkeypatch):
    run, moments = new_run(), iter(range(10**9, 0, -3600))
    monkeypatch.setattr(time, "time", lambda: float(next(moments)))
    for steps in (2, 0):
        seconds = [
            event.seconds
            for event in train(run, steps)
            if hasattr(event, "seconds") and not isinstance(event, Examined)
        ]
        assert seconds == sorted(seconds) and 0 <= seconds[0] < seconds[-1] < 60


def test_a_checkpoint_of_another_model_is_refused_in_words(new_run, family_folder):
    run = new_run()
    train(run, 2)
    run.rewrite(run.job.__class__(**{**vars(run.job), "model": str(family_folder("distilbert"))}))
    with pytest.raises(UserError, match="does not fit"):
        train(run)
    assert run.state == "failed"


@pytest.mark.parametrize(
    "content",
    [None, b"", b"{", b"[]", b"\xff\xff", b'{"name": 5}', b'{"name": "x", "documents": []}'],
)
def test_a_run_without_its_text_fails_with_that_reason(new_run, content):
    run = new_run()
    train(run, 2)
    path = run.folder / "corpus.json"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(UserError, match="corpus.json"):
        train(run)
    assert run.state == "failed" and run.checkpoint_step == 2


def test_a_run_whose_events_are_lost_resumes(new_run):
    run = new_run()
    train(run, 2)
    (run.folder / "events.jsonl").unlink()
    again = Run(run.folder)
    assert (again.state, again.checkpoint_step) == ("interrupted", 2)
    train(again)
    assert again.state == "finished" and again.history().num_steps == 6 and again.has_model


@pytest.mark.parametrize(
    "line",
    [
        {
            "event": "stepped",
            "step": "x",
            "epoch": 0.1,
            "loss": 5.0,
            "learning_rate": 1e-3,
            "tokens_per_second": 0.0,
            "seconds": 1.0,
        },
        7,
    ],
)
def test_an_unreadable_line_is_counted_and_the_run_resumes(new_run, line):
    run = new_run()
    train(run, 2)
    with (run.folder / "events.jsonl").open("a") as file:
        file.write(json.dumps(line) + '\n{"event": "stepp')
    train(run)
    assert (
        run.state == "finished"
        and run.history().num_steps == 6
        and any("2 lines" in finding for finding in Run(run.folder).findings)
    )


# ---- names and disk


def test_a_run_is_renamed_in_its_folder_and_names_are_cleaned(new_run):
    run = new_run()
    run.rename("  My\tfirst\n\x07 run <b> ")
    assert Run(run.folder).job.name == run.job.name == "My first run <b>"
    run.rename("é" * 500)
    assert len(run.job.name) == 80
    for wrong in ("", " \n\x00".replace("\x00", ""), None, 5, ["x"], "x" * 100_000):
        with pytest.raises(UserError):
            run.rename(wrong)
    assert Run(run.folder).job.name == run.job.name == "é" * 80


def test_deleting_takes_the_downloads_too_and_nothing_else(new_run, tmp_path):
    run, other = new_run(), new_run()
    for each in (run, other):
        (tmp_path / "exports" / each.id).mkdir(parents=True)
    train(run, 1)
    delete(run)
    assert not run.folder.exists() and other.folder.exists()
    assert [folder.name for folder in (tmp_path / "exports").iterdir()] == [other.id]


def test_disk_use_is_measured_and_bounded(new_run):
    run = new_run(TrainConfig(max_steps=12, tokens_per_step=64, evaluations=5))
    sizes = [
        run.checkpoints.bytes_used
        for event in finetune(run, load, every=0)
        if isinstance(event, Checkpointed)
    ]
    assert (
        len(sizes) == 12
        and max(sizes) <= 2 * min(sizes) + 8192
        and run.disk_bytes > run.checkpoints.bytes_used
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="it forks")
def test_a_run_that_is_killed_again_and_again_loses_nothing():
    root = Path(__file__).parents[3]
    ended = subprocess.run(
        [sys.executable, Path(__file__).with_name("three_kills.py")],
        capture_output=True,
        text=True,
        timeout=400,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert ended.returncode == 0, ended.stderr
    figures = json.loads(ended.stdout)
    assert (figures["kills"], figures["lost_runs"]) == (3, 0)
    assert figures["most_checkpoint_bytes"] <= 3 * figures["checkpoint_bytes_at_the_end"] + 8192


def test_the_events_of_a_whole_run_are_the_usual_ones(new_run):
    events = train(new_run())
    assert kinds(events)[:5] == ["Started", "Evaluated", "Probed", "Stepped", "Checkpointed"]
    assert kinds(events)[-7:] == [
        "Stepped",
        "Checkpointed",
        "Evaluated",
        "Probed",
        "Saved",
        "Examined",
        "Finished",
    ]
    assert events[-3] == Saved(6, "model") and events[-1] == Finished(6, "done", events[-1].seconds)
