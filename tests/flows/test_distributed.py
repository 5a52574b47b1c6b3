"""Two processes share one run: each computes its part of every step.

The result is that of one process, interrupted or not.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForMaskedLM

from mlm_gui.__main__ import main

STEPS = 6
PROGRAM = Path(__file__).with_name("two_processes.py")


def events_in(printed: str) -> list[dict]:
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


def stepped(events: list[dict], name: str) -> list[float]:
    return [event[name] for event in events if event["event"] == "stepped"]


def run_twice(folder: Path, arguments: list[str]) -> None:
    """Runs PROGRAM in two processes that find each other as under `accelerate launch`.

    On CPUs that command itself would want MPI.
    """
    store = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "ACCELERATE_USE_CPU": "true",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_RESTART_COUNT": "0",
        "PYTHONPATH": str(PROGRAM.parents[2]),
    }
    call = [sys.executable, str(PROGRAM), str(folder), *arguments]
    processes = [
        subprocess.Popen(
            call,
            stderr=subprocess.PIPE,
            text=True,
            env={**environment, "RANK": rank, "LOCAL_RANK": rank},
        )
        for rank in (("0",) if hasattr(os, "fork") else ("0", "1"))
    ]
    try:
        for process in processes:
            _, said = process.communicate(timeout=240)
            assert process.returncode == 0, said[-2000:]
    finally:
        for process in processes:
            process.kill()


def test_two_processes_train_as_one_and_go_on_after_an_interruption(
    sample_path, family_folder, tmp_path, monkeypatch, capsys
):
    arguments = [
        str(sample_path),
        "--model",
        str(family_folder("bert")),
        "--epochs",
        "1",
        "--tokens-per-step",
        "512",
        "--max-steps",
        str(STEPS),
    ]
    monkeypatch.setenv("MLM_GUI_HOME", str(tmp_path / "home"))
    main(["train", *arguments, "--out", str(tmp_path / "one"), "--json"])
    one = events_in(capsys.readouterr().out)
    run_twice(tmp_path, arguments)
    two, broken, resumed = (
        events_in((tmp_path / f"{name}-0.txt").read_text())
        for name in ("whole", "broken", "resumed")
    )

    assert not any(
        (tmp_path / f"{name}-1.txt").read_text() for name in ("whole", "broken", "resumed")
    ), "one process speaks"
    assert (one[0]["device"], two[0]["device"]) == ("cpu", "cpu × 2")
    for name in ("loss", "epoch", "learning_rate"):
        assert stepped(two, name) == pytest.approx(stepped(one, name), rel=1e-4), name
        assert stepped(broken, name) + stepped(resumed, name) == pytest.approx(
            stepped(two, name), rel=1e-4
        ), name
    assert (len(stepped(broken, "loss")), broken[-1]["reason"]) == (3, "stopped")
    assert (resumed[0]["event"], resumed[0]["step"], resumed[-1]["reason"]) == (
        "resumed",
        3,
        "done",
    )
    models = [
        AutoModelForMaskedLM.from_pretrained(tmp_path / name / "model")
        for name in ("one", "whole", "broken")
    ]
    for (name, ours), theirs, again in zip(
        models[0].named_parameters(), *(model.parameters() for model in models[1:]), strict=True
    ):
        if not name.endswith(
            "key.bias"
        ):  # its true gradient is 0, and AdamW makes steps of what rounding leaves of it
            assert (ours - theirs).abs().max() < 2e-3 and (again - theirs).abs().max() < 2e-3, name
