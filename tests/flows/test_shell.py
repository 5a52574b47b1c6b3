"""The shell, as a person or a script calls it.

Output, exit codes, three sentences, and what survives an interruption.
"""

import io
import json
import os
import signal
import socket
from pathlib import Path
from typing import NamedTuple

import pytest

from mlm_gui.__main__ import main
from mlm_gui.core.assets import ASSETS
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.core.training.events import Stepped
from mlm_gui.core.training.loop import Training
from mlm_gui.services.runs.finetune import finetune
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.runs.run import Run

BOOK = str(ASSETS / "samples" / "seed-almanac.txt")


class Finished(NamedTuple):
    """What a finished call left."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def shell(tmp_path, monkeypatch, capsys):
    """A function that runs `mlm-gui` in this process, with a home of its own."""
    monkeypatch.setenv("MLM_GUI_HOME", str(tmp_path / "home"))

    def run(*arguments: str) -> Finished:
        code = 0
        try:
            main(arguments)
        except SystemExit as exit_:
            code = exit_.code
        return Finished(code, *capsys.readouterr())

    return run


@pytest.fixture
def quick(family_folder) -> list[str]:
    """Options for a few steps with a small random model."""
    model = str(family_folder("bert"))
    return ["--model", model, "--max-steps", "4", "--tokens-per-step", "256"]


def lines(process):
    return [json.loads(line) for line in process.stdout.splitlines()]


def test_mask_prints_lists_of_equal_length_that_agree(shell):
    process = shell(
        "mask", "Begin the morning by saying to thyself", "--rate", "0.3", "--seed", "5", "--json"
    )
    (draw,) = lines(process)
    assert (process.returncode, draw["seed"], draw["rate"]) == (0, 5, 0.3)
    rows = list(
        zip(
            *(draw[name] for name in ("tokens", "ids", "input_ids", "labels", "fates")), strict=True
        )
    )
    assert {fate for *_, fate in rows} <= {"untouched", "mask", "random", "kept", "special"}
    for _, token_id, seen, label, fate in rows:
        assert label == (token_id if fate in ("mask", "random", "kept") else -100)
        assert seen == token_id or fate in ("mask", "random")


def test_text_reports_what_is_in_the_files_and_what_was_refused(shell, tmp_path):
    (tmp_path / "empty.txt").write_bytes(b"")
    process = shell("text", BOOK, str(tmp_path / "empty.txt"), "--json")
    (report,) = lines(process)
    assert process.returncode == 0
    assert set(report) >= {
        "paragraphs",
        "words",
        "tokens",
        "duplicates",
        "near_duplicates",
        "leaks",
        "shattered",
        "refused",
    }
    assert (report["words"] > 5000, report["leaks"]) == (True, 0)
    assert [set(refusal) for refusal in report["refused"]] == [{"file", "what", "why", "do"}]


def test_train_writes_a_run_that_fill_and_runs_can_use(shell):
    process = shell("train", BOOK, "--max-steps", "4", "--tokens-per-step", "256", "--json")
    events = lines(process)
    assert (process.returncode, process.stderr) == (0, "")
    assert [event["event"] for event in events][:2] == ["started", "evaluated"]
    assert [event["event"] for event in events][-3:] == ["saved", "examined", "finished"]
    assert set(events[1]) >= {"step", "loss", "perplexity", "top1", "top5"}
    assert [event["step"] for event in events if event["event"] == "stepped"] == [1, 2, 3, 4]
    first_step = next(event for event in events if event["event"] == "stepped")
    assert set(first_step) >= {"step", "loss", "learning_rate", "tokens_per_second"}
    first_answers = next(event for event in events if event["event"] == "probed")
    assert first_answers["step"] == 0 and first_answers["answers"], (
        "two sentences of the text are watched unasked"
    )

    (run,) = lines(shell("runs", "--json"))
    assert (run["state"], run["steps"]) == ("finished", 4)
    (answer,) = lines(
        shell(
            "fill",
            "pods on the ___ and ___",
            "--model",
            f"run:{run['id']}",
            "--against",
            "starter",
            "--top",
            "2",
            "--joint",
            "--json",
        )
    )
    assert (
        len(answer["joint"]) == len(answer["against_joint"]) == 2
        and len(answer["joint"][0]["tokens"]) == 2
    )
    for blanks in (answer["blanks"], answer["against"]):
        assert [len(blank["guesses"]) for blank in blanks] == [2, 2]
    assert answer["blanks"] != answer["against"]

    (exam,) = lines(shell("exam", f"run:{run['id']}", "--json"))
    assert exam["sentence"] == events[-2]["sentence"]
    for side in ("base", "tuned"):
        assert set(exam[side]) >= {"loss", "perplexity", "top1", "top5", "interval"}
    assert set(exam) >= {"difference", "p_value", "verdict", "forgetting"}
    again = shell("exam", run["folder"], "--again")
    assert (again.returncode, again.stdout.splitlines()[0]) == (0, exam["sentence"])


def test_a_run_folder_is_never_written_over(shell, tmp_path, quick):
    out = str(tmp_path / "run")
    assert shell("train", BOOK, *quick, "--out", out).returncode == 0
    again = shell("train", BOOK, *quick, "--out", out)
    assert again.returncode == 2
    assert "holds a run already" in again.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_its_model_and_says_so(
    shell, tmp_path, monkeypatch, number, quick
):
    out, write = tmp_path / "run", Run.append

    def interrupted(run, event, sync=False):
        write(run, event, sync)
        if isinstance(event, Stepped):
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Run, "append", interrupted)
    process = shell("train", BOOK, *quick, "--max-steps", "100", "--out", str(out), "--json")
    assert process.returncode == 130
    assert lines(process)[-1]["reason"] == "stopped" and Run(out).history().num_steps == 1
    assert "is kept in" in process.stderr and "--resume" in process.stderr
    assert shell("fill", "the ___", "--model", str(out / "model")).returncode == 0


def test_a_run_that_broke_off_goes_on_from_its_checkpoint(shell, tmp_path, quick):
    whole, out = tmp_path / "whole", tmp_path / "run"
    assert shell("train", BOOK, *quick, "--out", str(whole)).returncode == 0
    job = Run(whole).job
    request = RunRequest(corpus=Run(whole).corpus, model=job.model, config=job.config)
    half = Run.create(out, request)
    seen = []
    for event in finetune(half, MaskedLM.load, pause=lambda: len(seen) > 3):
        seen.append(event)
    assert Run(out).state == "paused"
    events = lines(shell("train", "--resume", str(out), "--json"))
    assert (
        events[0]["event"] == "resumed"
        and events[-1]["event"] == "finished"
        and events[-1]["reason"] == "done"
    )
    assert Run(out).history().losses == Run(whole).history().losses
    assert "cannot go on" in shell("train", "--resume", str(out)).stderr


def test_an_unexpected_error_is_three_sentences_and_no_traceback(
    shell, tmp_path, monkeypatch, quick
):
    monkeypatch.setattr(
        Training, "_learning_rate", lambda self: (_ for _ in ()).throw(MemoryError())
    )
    process = shell("train", BOOK, *quick, "--out", str(tmp_path / "run"))
    assert process.returncode == 2
    assert "memory is full" in process.stderr and "Traceback" not in process.stderr
    assert (
        json.loads((tmp_path / "run" / "events.jsonl").read_text().splitlines()[-1])["event"]
        == "failed"
    )


def test_an_interruption_during_the_final_save_leaves_a_finished_run(
    shell, tmp_path, monkeypatch, quick
):
    save = MaskedLM.save
    monkeypatch.setattr(
        MaskedLM, "save", lambda lm, folder: (signal.raise_signal(signal.SIGINT), save(lm, folder))
    )
    process = shell("train", BOOK, *quick, "--out", str(tmp_path / "run"), "--json")
    assert process.returncode == 0 and lines(process)[-1]["reason"] == "done"


def test_a_full_disk_is_said_and_the_run_can_go_on(shell, tmp_path, monkeypatch, quick):
    monkeypatch.setattr(
        MaskedLM, "save", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    process = shell("train", BOOK, *quick, "--out", str(tmp_path / "run"), "--json")
    assert process.returncode == 2
    assert "No space left" in process.stderr and "--resume" in process.stderr
    assert lines(process)[-1]["event"] == "paused"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train"], "names no text"),
        (["train", "--resume", "no-such-folder"], "There is no run"),
        (["train", "--resume", "."], "is damaged"),
        (["train", BOOK, "--resume", "."], "its own text"),
        (["train", "missing.txt"], "could not be read"),
        (["train", BOOK, "--model", "google-bert/no-such-model"], "could not be downloaded"),
        (["train", BOOK, "--model", "../../etc"], "There is no model"),
        (["train", BOOK, "--epochs", "0"], "epochs"),
        (["train", BOOK, "--learning-rate", "nan"], "learning rate"),
        (["fill", "no blank here"], "nothing to fill"),
        (["fill", "a ___", "--model", "run:0"], "has no model"),
        (["mask", "", "--json"], "nothing to hide"),
        (["exam", "nowhere"], "no run in nowhere"),
        (["exam", "run:0", "--json"], "no run in run:0"),
        (["no-such-command"], "not understood"),
        (["train", BOOK, "--epochs", "many"], "not understood"),
    ],
)
def test_what_a_person_can_put_right_is_said_in_three_sentences(shell, arguments, said):
    process = shell(*arguments)
    assert process.returncode == 2
    assert process.stdout == ""
    assert said in process.stderr
    sentences = process.stderr.strip().splitlines()
    assert len(sentences) == 3
    assert all(sentence.endswith((".", "!")) for sentence in sentences)


def test_a_model_without_a_mask_token_is_refused(shell, maskless_folder):
    process = shell("train", BOOK, "--model", str(maskless_folder))
    assert process.returncode == 2
    assert "no mask token" in process.stderr
    assert lines(shell("runs", "--json")) == []


def test_a_port_in_use_is_said_in_three_sentences(shell):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = shell("app", "--port", str(taken.getsockname()[1]))
    assert process.returncode == 2
    assert "--port" in process.stderr


@pytest.mark.parametrize(
    ("name", "content"),
    [("empty.txt", b""), ("picture.txt", bytes(range(256)) * 9), ("word.txt", b"word")],
)
def test_a_bad_text_is_refused_and_no_run_is_left_behind(shell, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    process = shell("train", str(tmp_path / name))
    assert process.returncode == 2
    assert len(process.stderr.strip().splitlines()) == 3
    assert lines(shell("runs", "--json")) == []


# ---- homes, ports and files that the system refuses


def assert_refused(process: Finished, *said: str) -> None:
    """Exit status 2 and three sentences."""
    assert (process.returncode, process.stdout) == (2, "")
    assert len(process.stderr.strip().splitlines()) == 3, process.stderr
    for words in said:
        assert words in process.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["runs"],
        ["exam", "run:0"],
        ["fill", "a ___"],
        ["mask", "a word"],
        ["text", BOOK],
        ["train", BOOK],
        ["app", "--port", "0"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_home_that_is_a_file_is_refused_by_every_command(shell, tmp_path, arguments):
    (tmp_path / "home").write_text("a file")
    assert_refused(shell(*arguments), f"{tmp_path / 'home'} cannot be used", "--home")


@pytest.mark.parametrize("arguments", [["train", BOOK], ["app", "--port", "0"]])
def test_a_home_that_takes_nothing_is_refused_in_three_sentences(
    shell, tmp_path, monkeypatch, arguments
):
    def refuse(path, *_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert_refused(shell(*arguments), "Permission denied")


def test_an_error_of_the_system_that_nobody_foresaw_is_three_sentences_too(shell, monkeypatch):
    def refuse(*_, **__):
        raise OSError(5, "Input/output error", "/some/place")

    monkeypatch.setattr("mlm_gui.services.runs.registry.Runs.all", refuse)
    assert_refused(shell("runs"), "Input/output error", "/some/place")


@pytest.mark.parametrize(
    "arguments", [["runs"], ["fill", "a ___"], ["mask", "a word"], ["text", BOOK]]
)
def test_what_only_reads_makes_no_home(shell, tmp_path, arguments):
    assert shell(*arguments).returncode == 0
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("port", ["80000", "-1", "web"])
def test_a_number_that_is_no_port_is_refused(shell, port):
    assert_refused(shell("app", f"--port={port}"), "--port")


@pytest.mark.parametrize("option", ["--model", "--against"])
def test_a_model_without_a_name_is_refused(shell, option):
    assert_refused(shell("fill", "a ___", option, ""), "No model is chosen")


def test_standard_input_is_read_like_a_file(shell, monkeypatch):
    content = Path(BOOK).read_bytes()
    (from_file,) = lines(shell("text", BOOK, "--json"))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    (from_input,) = lines(shell("text", "-", "--json"))
    assert from_input == from_file


def test_an_empty_standard_input_is_refused(shell, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert_refused(shell("text", "-"), "standard input")


@pytest.fixture
def bad_files(tmp_path) -> list[str]:
    """A picture, an empty file and one that is not there."""
    contents = {"picture.txt": bytes(range(256)) * 9, "empty.txt": b""}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return [str(tmp_path / name) for name in (*contents, "missing.txt")]


def test_good_files_are_trained_on_and_every_bad_one_is_named(shell, bad_files, quick):
    process = shell("train", bad_files[0], BOOK, *bad_files[1:], *quick, "--json")
    assert process.returncode == 0
    assert lines(process)[-1]["event"] == "finished"
    refusals = process.stderr.strip().splitlines()
    assert len(refusals) == len(bad_files)
    assert all(Path(file).name in line for file, line in zip(bad_files, refusals, strict=True))
    assert all(refusal.startswith("Refused: ") for refusal in refusals)


def test_where_all_files_are_bad_every_one_is_named(shell, bad_files):
    for command in ("text", "train"):
        assert_refused(shell(command, *bad_files), "picture.txt", "empty.txt", "missing.txt")


def test_one_unreadable_run_is_shown_and_the_rest_listed(shell, tmp_path, quick):
    assert shell("train", BOOK, *quick, "--json").returncode == 0
    damaged = tmp_path / "home" / "runs" / ("0" * 32)
    damaged.mkdir()
    (damaged / "job.json").write_text("[" * 100_000)
    process = shell("runs")
    assert process.returncode == 0
    assert "finished" in process.stdout and "unreadable" in process.stdout
    assert "job.json is damaged" in process.stdout
