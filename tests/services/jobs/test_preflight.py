"""The forecast before a start, and the list's memory."""

import json

import pytest

from mlm_gui.core.config import TrainConfig
from mlm_gui.errors import UserError
from mlm_gui.services.runs.finetune import finetune
from mlm_gui.services.runs.run import Run

SHORT = TrainConfig(epochs=1, max_steps=4, tokens_per_step=128, evaluations=1)


def test_a_forecast_counts_what_the_run_then_does_and_leaves_nothing_behind(studio, corpus):
    forecast = studio.preflight.forecast(corpus, "starter", SHORT, 0.1, 0)
    assert forecast.seconds > 0
    assert forecast.reasons == ()
    assert studio.runs.all() == []
    run = studio.runs.create(corpus, "starter", SHORT, 0.1, 0)
    list(finetune(run, studio.models.load))
    assert forecast.total_steps == run.history().started.total_steps == 4
    assert forecast.num_tokens == run.history().started.num_train_tokens
    assert 0 < run.disk_bytes < forecast.disk + 2**20
    assert [answers.step for answers in run.history().probed] == [0, 4]
    assert len(run.job.probes) == len(run.history().probed[0].answers)


def test_nothing_is_measured_while_a_run_is_being_started(studio, corpus):
    with studio.preflight.measuring_paused():
        pass
    run = studio.runs.create(corpus, "starter", SHORT, 0.1, 0)
    with run.queue_lock:
        forecast = studio.preflight.forecast(corpus, "starter", SHORT, 0.1, 0)
    assert forecast.seconds is None
    assert "Another run" in forecast.note


def test_a_full_disk_refuses_the_start(studio, monkeypatch):
    monkeypatch.setattr("mlm_gui.services.jobs.preflight.MIN_FREE_BYTES", 2**62)
    with pytest.raises(UserError, match="MB of the disk are free"):
        studio.preflight.check_room("starter")


def test_a_run_at_rest_is_read_once_for_the_list_and_again_when_it_changed(
    studio, corpus, monkeypatch
):
    run = studio.runs.create(corpus, "starter", SHORT, 0.1, 0)
    records = [
        {
            "event": "evaluated",
            "step": 0,
            "loss": 5.0,
            "perplexity": 9.0,
            "top1": 0.1,
            "top5": 0.2,
            "num_masks": 9,
            "seconds": 1.0,
        }
    ]
    records += [{"event": "finished", "step": 0, "reason": "stopped", "seconds": 1.0}]
    (run.folder / "events.jsonl").write_text(
        "".join(json.dumps(record) + "\n" for record in records)
    )
    read = []
    monkeypatch.setattr(
        Run, "history", lambda run, honest=Run.history: (read.append(run.id), honest(run))[1]
    )
    assert studio.run_summaries.line(run).state == "stopped"
    assert read
    read.clear()
    assert studio.run_summaries.line(run).before == 5.0
    assert not read
    run.rename("Another name")
    assert studio.run_summaries.line(run).name == "Another name"
