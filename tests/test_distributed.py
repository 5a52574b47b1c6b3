"""Two processes share one run: each computes its part of every step, and the result is that of one process."""

import json
import os
import subprocess
import sys

import pytest
from transformers import AutoModelForMaskedLM

SETTINGS = ["--epochs", "1", "--tokens-per-step", "512", "--seed", "4", "--max-steps", "6", "--json"]


def trained(path, folder, *launcher) -> list[dict]:
    """The events of `mlm-gui train`, run under `launcher`."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "MLM_GUI_HOME": str(folder / "home"),
        "CUDA_VISIBLE_DEVICES": "",
        "ACCELERATE_USE_CPU": "true",
    }
    command = [sys.executable, "-m", *launcher, "mlm_gui", "train", str(path), "--out", str(folder / "run"), *SETTINGS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def test_two_processes_train_as_one(sample_path, tmp_path):
    launch = ["torch.distributed.run", "--nproc_per_node", "2", "-m"]  # what `accelerate launch` starts, which on CPUs would want MPI
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = trained(sample_path, tmp_path / "one"), trained(sample_path, tmp_path / "two", *launch)
    assert [event["event"] for event in two] == [event["event"] for event in one], "one process speaks"
    assert (one[0]["device"], two[0]["device"]) == ("cpu", "cpu × 2")
    for name in ("loss", "epoch", "learning_rate"):
        values = [[event[name] for event in events if event["event"] == "stepped"] for events in (one, two)]
        assert values[1] == pytest.approx(values[0], rel=1e-4), name
    models = [AutoModelForMaskedLM.from_pretrained(tmp_path / name / "run" / "model") for name in ("one", "two")]
    for ours, theirs in zip(*(model.parameters() for model in models), strict=True):
        assert (ours - theirs).abs().max() < 2e-3
