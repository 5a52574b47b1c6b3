"""A run is a folder: whoever opens it sees the same run, whatever happened to it."""

import functools
import json
import subprocess
import sys
from pathlib import Path

import pytest
import transformers as hf

from mlm_gui.core.config import TrainConfig
from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.core.training.events import (
    Checkpointed,
    Evaluated,
    Failed,
    Finished,
    Saved,
    Started,
    Stepped,
)
from mlm_gui.errors import UserError
from mlm_gui.services.runs.finetune import finetune
from mlm_gui.services.runs.registry import Runs, delete
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.runs.run import Run
from mlm_gui.services.runs.summary import RunSummaries

TINY = TrainConfig(epochs=1, max_steps=4, tokens_per_step=128, evaluations=2)
STARTED = Started(10, 1, 1000, 100, 5, 1e-3, "cpu", True)


@pytest.fixture
def small(corpus) -> Corpus:
    return Corpus.from_text("\n".join(corpus.paragraphs[:12]), "almanac <b>&amp;")


@pytest.fixture
def run(studio, small) -> Run:
    return studio.runs.create(RunRequest(corpus=small, config=TINY, held_out=0.2, owner="ann"))


@functools.cache
def loaded(name: str) -> MaskedLM:
    return MaskedLM.load(name)


def load(name: str) -> MaskedLM:
    return loaded(name).copy()


HOLD = """
import sys
from filelock import FileLock
lock = FileLock(sys.argv[1])
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""
"""What another process runs that trains in a run's folder."""


# ---- the folder


def test_a_new_run_holds_what_was_asked(studio, run, small):
    again = Run(run.folder)
    assert (
        again.job == run.job
        and again.corpus == small
        and again.job.config == TINY
        and again.job.fingerprint == small.fingerprint
    )
    assert again.owned_by("ann") and not again.owned_by("bob") and not again.owned_by("")
    assert studio.runs.find(run.id) is run and [each.id for each in studio.runs.all()] == [run.id]


def test_a_run_is_never_written_over(run, small):
    with pytest.raises(UserError, match="holds a run already"):
        Run.create(run.folder, RunRequest(corpus=small, config=TINY, held_out=0.2))


def test_a_text_that_cannot_be_split_makes_no_folder(studio):
    with pytest.raises(UserError, match="too small"):
        studio.runs.create(RunRequest(corpus=Corpus.from_text("Beans"), config=TINY, held_out=0.2))
    assert studio.runs.all() == [] and not studio.runs.folder.exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path, small):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="could not be written"):
        Run.create(tmp_path / "file" / "run", RunRequest(corpus=small, config=TINY, held_out=0.2))


@pytest.mark.parametrize(
    "run_id",
    [
        "",
        "..",
        "../runs",
        "a" * 31,
        "A" * 32,
        "\x00" * 32,
        "a" * 32 + "\n",
        "0" * 32,
        None,
        5,
        ["a"],
    ],
)
def test_a_wrong_id_finds_nothing(studio, run, run_id):
    assert studio.runs.find(run_id) is None


# ---- events


def test_events_are_kept_one_json_line_each(run):
    events = [
        STARTED,
        Evaluated(0, 5.0, 148.4, 0.1, 0.2, 9, 0.5),
        Stepped(1, 0.1, 5.0, 1e-3, 0.0, 1.0),
        Saved(1, "model"),
        Failed("Ö.", "b.", "c."),
    ]
    for event in events:
        run.append(event)
    lines = (run.folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["event"] for line in lines] == [
        "started",
        "evaluated",
        "stepped",
        "saved",
        "failed",
    ]
    history = Run(run.folder).history()
    assert (history.started, history.evaluations, history.latest, history.saved, history.ended) == (
        events[0],
        (events[1],),
        events[2],
        events[3],
        events[4],
    )


def test_events_are_read_as_they_come_and_each_once(run):
    reader = Run(run.folder)
    run.append(STARTED)
    for step in range(1, 4):
        run.append(Stepped(step, 0.1, 5.0, 1e-3, 0.0, 1.0))
        assert reader.history().num_steps == step == reader.history().num_steps


def test_a_half_written_line_waits_for_its_end(run):
    run.append(STARTED)
    whole = b'{"event": "saved", "step": 3, "folder": "model"}\n'
    reader = Run(run.folder)
    with (run.folder / "events.jsonl").open("ab") as file:
        file.write(whole[:20])
        file.flush()
        assert reader.history().saved is None and reader.history().started
        file.write(whole[20:])
    assert reader.history().saved == Saved(3, "model")


def test_a_line_that_a_crash_cut_off_costs_only_itself(run):
    run.append(STARTED)
    with (run.folder / "events.jsonl").open("ab") as file:
        file.write(b'{"event": "stepped", "st')
    run.append(Stepped(2, 0.1, 5.0, 1e-3, 0.0, 1.0))
    history = Run(run.folder).history()
    assert history.started == STARTED and history.losses == [5.0]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"7",
        b'"text"',
        b"[]",
        b"null",
        b"true",
        b"{}",
        b'{"event": "unheard"}',
        b'{"event": "saved"}',
        b'{"event": []}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"event": "stepped", "step": 1, "epoch": 1, "loss": null, "learning_rate": 1, '
        b'"tokens_per_second": 1, "seconds": 1}',
    ],
)
def test_an_unreadable_line_is_passed_over(run, studio, line):
    run.append(STARTED)
    with (run.folder / "events.jsonl").open("ab") as file:
        file.write(line + b"\n")
    run.append(Finished(1, "done", 1.0))
    fresh = Run(run.folder)
    assert (
        fresh.history().started == STARTED
        and fresh.state == "finished"
        and fresh.history().num_steps == 0
    )
    assert [each.state for each in studio.runs.all()] == ["finished"]


# ---- damaged folders


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: None,
        lambda record: "",
        lambda record: "{",
        lambda record: "[]",
        lambda record: "5",
        lambda record: json.dumps({**record, "format": 99}),
        lambda record: json.dumps(
            {name: value for name, value in record.items() if name != "format"}
        ),
        lambda record: json.dumps({**record, "extra": 1}),
        lambda record: json.dumps({**record, "config": {}, "model": None}),
        lambda record: json.dumps({**record, "config": {"epochs": -1}}),
        lambda record: json.dumps({**record, "config": {"nonsense": 1}}),
        lambda record: json.dumps({**record, "created": 5}),
        lambda record: json.dumps({**record, "created": None}),
        lambda record: json.dumps({**record, "name": ["x"]}),
        lambda record: "[" * 100_000,
    ],
    ids=[
        "gone",
        "empty",
        "half",
        "list",
        "number",
        "other version",
        "no version",
        "extra",
        "no model",
        "bad config",
        "odd config",
        "created number",
        "created null",
        "name list",
        "deeply nested",
    ],
)
def test_a_corrupt_job_is_listed_as_damaged_and_breaks_nothing(tmp_path, small, spoil):
    home = Runs(tmp_path)
    good, bad = (home.create(RunRequest(corpus=small, config=TINY, held_out=0.2)) for _ in range(2))
    content = spoil(json.loads((bad.folder / "job.json").read_text(encoding="utf-8")))
    if content is None:
        (bad.folder / "job.json").unlink()
    else:
        (bad.folder / "job.json").write_text(content, encoding="utf-8")
    fresh = Runs(tmp_path)
    assert {each.id: each.state for each in fresh.all()} == {
        good.id: "interrupted",
        bad.id: "damaged",
    }
    with pytest.raises(UserError, match="damaged"):
        list(finetune(fresh.find(bad.id), load))


def test_a_run_folder_that_the_system_does_not_show_is_listed_as_damaged(
    tmp_path, small, monkeypatch
):
    home = Runs(tmp_path)
    request = RunRequest(corpus=small, config=TINY, held_out=0.2)
    good, bad = home.create(request), home.create(request)

    def refusing(method):
        def refuse(path: Path, *args, **options):
            if bad.folder in path.parents:
                raise PermissionError(13, "Permission denied", str(path))
            return method(path, *args, **options)

        return refuse

    for name in ("open", "read_text", "stat"):
        monkeypatch.setattr(Path, name, refusing(getattr(Path, name)))
    found = {run.id: run.snapshot() for run in Runs(tmp_path).all()}
    assert found[good.id].state == "interrupted"
    assert (found[bad.id].state, found[bad.id].has_model) == ("damaged", False)
    assert found[bad.id].findings == ("Its job.json is missing or cannot be read.",)
    line = RunSummaries().line(Runs(tmp_path).find(bad.id))
    assert (line.name, line.why) == ("damaged run", "Its job.json is missing or cannot be read.")


def test_strange_things_in_the_runs_folder_are_passed_over(studio, run):
    (studio.runs.folder / "notes.txt").write_text("hello")
    (studio.runs.folder / ("b" * 32)).write_text("a file, not a folder")
    (studio.runs.folder / "not-an-id").mkdir()
    assert [each.id for each in studio.runs.all()] == [run.id]


# ---- states


def test_a_run_nobody_trains_is_interrupted(run):
    assert run.state == Run(run.folder).state == "interrupted"


def test_a_locked_run_is_queued_then_running_then_what_its_last_event_says(run):
    other = Run(run.folder)
    with run.queue_lock:
        assert run.state == other.state == "queued"
        run.append(STARTED)
        assert run.state == other.state == "running"
    assert run.state == other.state == "interrupted"
    run.append(Finished(1, "stopped", 1.0))
    assert run.state == other.state == "stopped"


@pytest.mark.parametrize(
    ("event", "state"),
    [
        (Finished(1, "done", 1.0), "finished"),
        (Finished(1, "stopped", 1.0), "stopped"),
        (Failed("a.", "b.", "c."), "failed"),
    ],
)
def test_the_last_event_decides_the_state(run, event, state):
    run.append(event)
    assert Run(run.folder).state == state


def test_another_process_that_dies_leaves_the_run_interrupted(run):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, run.folder / "run.lock"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout.readline()
        assert run.state == "queued"
        with pytest.raises(UserError, match="trained already"):
            list(finetune(run, load))
        with pytest.raises(UserError, match="Nothing was deleted"):
            delete(run)
        process.kill()
    assert run.state == "interrupted"
    delete(run)
    assert not run.folder.exists()


# ---- training in the folder


def test_a_run_is_trained_end_to_end(studio, run):
    states = []
    events = []
    for event in finetune(run, load):
        events.append(event)
        states.append(Run(run.folder).state)
    assert [type(event).__name__ for event in events if not isinstance(event, Checkpointed)] == [
        "Started",
        "Evaluated",
        "Probed",
        "Stepped",
        "Stepped",
        "Evaluated",
        "Probed",
        "Stepped",
        "Stepped",
        "Evaluated",
        "Probed",
        "Saved",
        "Examined",
        "Finished",
    ]
    assert (
        events[-1].reason == "done"
        and set(states[:-1]) == {"running"}
        and states[-1] == run.state == "finished"
    )
    assert not run.queue_lock.is_locked and run.has_model
    kept = Run(run.folder).history()
    assert (
        list(kept.evaluations) == [event for event in events if isinstance(event, Evaluated)]
        and kept.num_steps == 4
    )
    hf.AutoModelForMaskedLM.from_pretrained(run.model_folder)
    card = (run.model_folder / "README.md").read_text(encoding="utf-8")
    assert (
        "# almanac &#60;b&#62;" in card
        and f"{kept.evaluations[-1].loss:.3f}" in card
        and run.job.fingerprint in card
    )
    assert studio.models.fill(f"run:{run.id}", "Sow the ___.", 3)


def test_stop_keeps_a_usable_model_and_scores_it(run):
    events = []
    for event in finetune(run, load, lambda: any(isinstance(event, Stepped) for event in events)):
        events.append(event)
    assert [type(event).__name__ for event in events] == [
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
    assert events[-1].reason == "stopped" and run.state == "stopped" and events[6].step == 1
    assert MaskedLM.load(run.model_folder).packs


def test_closing_the_generator_keeps_a_usable_model_and_lets_go_of_the_folder(run):
    events = finetune(run, load)
    for event in events:
        if isinstance(event, Stepped):
            break
    events.close()
    assert run.has_model and MaskedLM.load(run.model_folder).packs
    assert not run.queue_lock.is_locked and run.state == "interrupted"


def test_a_failure_is_written_with_its_three_sentences(run):
    def refuse(name):
        raise UserError("No model.", "None is here.", "Choose one.")

    with pytest.raises(UserError, match="No model"):
        list(finetune(run, refuse))
    assert (
        run.state == "failed"
        and run.history().ended == Failed("No model.", "None is here.", "Choose one.")
        and not run.queue_lock.is_locked
    )


def test_a_full_disk_pauses_the_run_and_is_told_in_three_sentences(run, monkeypatch):
    monkeypatch.setattr(
        MaskedLM, "save", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    paused = list(finetune(run, load))[-1]
    assert "No space left" in paused.why and paused.what and paused.do
    assert run.state == "paused" and run.checkpoint_step == 4 and not run.queue_lock.is_locked


def test_a_run_that_trains_cannot_be_deleted_and_an_ended_one_can(studio, run):
    with run.queue_lock, pytest.raises(UserError, match="Nothing was deleted"):
        delete(run)
    run.append(Finished(0, "done", 0.0))
    delete(run)
    assert studio.runs.find(run.id) is None and studio.runs.all() == []


def test_runs_of_one_text_get_names_of_their_own(studio, corpus):
    names = [
        studio.runs.create(RunRequest(corpus=corpus, owner=owner, name=name)).job.name
        for owner, name in (("a", ""), ("a", ""), ("a", "mine"), ("b", ""))
    ]
    assert names == [corpus.name, f"{corpus.name} 2", "mine", corpus.name]
