"""A long text is in files. It is kept, split, trained on and examined like one in memory."""

import dataclasses
import json
import os

import pytest

from mlm_gui.core.config import RECIPES, TrainConfig
from mlm_gui.core.corpus import paragraphs
from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.corpus.near_duplicates import num_seen
from mlm_gui.core.corpus.paragraphs import ParagraphFile
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.core.training.events import Checkpointed, Stepped
from mlm_gui.errors import UserError
from mlm_gui.services.runs import finetune as runs
from mlm_gui.services.runs.evaluation import learned_from
from mlm_gui.services.runs.finetune import finetune
from mlm_gui.services.runs.registry import Runs
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.runs.run import Run
from mlm_gui.services.storage import texts as store
from mlm_gui.services.storage.texts import Texts, corpus_from_json, read_corpus
from mlm_gui.ui.tabs.text import tab as text_tab

SHORT = TrainConfig(epochs=1, max_steps=4, tokens_per_step=64, evaluations=2, dropout=0.1)


@pytest.fixture
def files(tmp_path, corpus):
    """The almanac as two files, with a paragraph of the first nearly repeated in the second."""
    halves = (
        corpus.paragraphs[:30],
        (*corpus.paragraphs[30:60], corpus.paragraphs[3] + " So they say."),
    )
    found = [tmp_path / f"{number}.txt" for number in range(2)]
    for file, half in zip(found, halves, strict=True):
        file.write_text("\n".join(half), encoding="utf-8")
    return found


@pytest.fixture
def in_memory(files) -> Corpus:
    return Corpus.from_files(files)


@pytest.fixture
def long(files, in_memory, tmp_path, monkeypatch) -> Corpus:
    monkeypatch.setattr(paragraphs, "MOST_HELD_CHARACTERS", 1_000)
    return Texts(tmp_path).gather(files)


def losses(run: Run) -> list[float]:
    history = run.history()
    return [score.loss for score in history.evaluations]


def test_a_long_text_comes_back_as_it_went(tmp_path, long, in_memory):
    texts = Texts(tmp_path)
    kept = texts.get(texts.add(long))
    assert (
        isinstance(kept.paragraphs, ParagraphFile)
        and tuple(kept.paragraphs) == in_memory.paragraphs
        and kept.name == in_memory.name
    )
    assert [(document.name, tuple(document.paragraphs)) for document in kept.documents] == [
        (document.name, document.paragraphs) for document in in_memory.documents
    ]
    assert (
        kept.findings.fingerprint == in_memory.fingerprint
        and kept.statistics() == in_memory.statistics()
    )
    assert kept.is_held_out(0.3, 5).tolist() == in_memory.is_held_out(0.3, 5).tolist()


@pytest.mark.parametrize("links", [True, False])
def test_a_run_shares_the_text_s_files_where_the_disk_can_and_outlives_them(
    tmp_path, long, monkeypatch, links
):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", os.link if links else refuse)
    texts = Texts(tmp_path)
    text_id = texts.add(long)
    run = Run.create(tmp_path / "run", RunRequest(corpus=texts.get(text_id), config=SHORT))
    assert (run.folder / "corpus.text").samefile(texts.folder / f"{text_id}.text") == links
    expected = tuple(long.paragraphs)
    for file in texts.folder.glob(f"{text_id}*"):
        file.unlink()
    assert tuple(run.corpus.paragraphs) == expected and run.job.fingerprint == long.fingerprint


DAMAGES = {
    "short": lambda content: content[:-16],
    "empty": lambda content: b"",
    "moved": lambda content: content[16:] + content[:16],
    "gone": None,
}


@pytest.mark.parametrize(
    ("spoiled", "damage"),
    [
        (name, damage)
        for name in ("corpus.text", "corpus.index", "corpus.groups", "corpus.json")
        for damage in ("short", "empty", "gone")
    ]
    + [("corpus.index", "moved")],
)
def test_a_damaged_long_text_is_reported_as_damaged(tmp_path, long, spoiled, damage):
    run = Run.create(tmp_path / "run", RunRequest(corpus=long, config=SHORT))
    path, spoil = run.folder / spoiled, DAMAGES[damage]
    path.write_bytes(spoil(path.read_bytes())) if spoil else path.unlink()
    with pytest.raises(UserError, match="missing or damaged"):
        run.split()


def test_a_text_that_was_changed_on_the_disk_is_not_trained_on(tmp_path, long, lm):
    run = Run.create(tmp_path / "run", RunRequest(corpus=long, config=SHORT))
    path = run.folder / "corpus.text"
    content = path.read_bytes()
    path.write_bytes(content[:50] + b"x" + content[51:])
    with pytest.raises(UserError, match="not the one it began with"):
        list(finetune(run, lambda name: lm))


def test_a_run_on_a_long_text_learns_what_one_in_memory_learns_broken_off_or_not(
    tmp_path, long, in_memory, family_folder, monkeypatch
):
    monkeypatch.setattr(runs, "evaluate_when_saved", lambda *_: iter(()))
    model = str(family_folder("bert"))
    whole, filed = (
        Runs(tmp_path / name).create(
            RunRequest(corpus=text, model=model, config=SHORT, held_out=0.2)
        )
        for name, text in (("a", in_memory), ("b", long))
    )
    expected = [
        dataclasses.replace(e, seconds=0, tokens_per_second=0)
        for e in finetune(whole, MaskedLM.load)
        if isinstance(e, Stepped)
    ]
    steps = finetune(filed, MaskedLM.load, every=0)
    next(event for event in steps if isinstance(event, Checkpointed))
    steps.close()
    again = Run(filed.folder)
    list(finetune(again, MaskedLM.load))
    events = [json.loads(line) for line in (filed.folder / "events.jsonl").read_text().splitlines()]
    losses_of_steps = {
        event["step"]: event["loss"] for event in events if event["event"] == "stepped"
    }
    assert (
        losses_of_steps == {event.step: event.loss for event in expected}
        and losses(again)[-1] == losses(whole)[-1]
    )
    assert (
        again.job.probes == whole.job.probes
        and tuple(again.split().held_out) == whole.split().held_out
    )


def test_what_a_model_learned_from_a_long_text_is_found_there(tmp_path, long):
    run = Run.create(tmp_path / "run", RunRequest(corpus=long, config=SHORT))
    (learned,) = learned_from(run.folder)
    assert (
        num_seen(
            (
                learned[2].upper(),
                "Nobody ever wrote this sentence about the beans of yesterday.",
                learned[7],
            ),
            (learned,),
        )
        == 2
    )


def test_the_text_tab_shows_the_same_of_a_long_text(studio, files, in_memory, monkeypatch):
    plain = text_tab.bring(studio, in_memory, 10, 0)
    monkeypatch.setattr(paragraphs, "MOST_HELD_CHARACTERS", 1_000)
    view = text_tab.upload(studio, tuple(files), 10, 0)
    assert (view.numbers, view.title, view.fragmented, view.split) == (
        plain.numbers,
        plain.title,
        plain.fragmented,
        plain.split,
    )
    assert not list(studio.texts.folder.glob("*.partial"))


def test_the_text_tab_announces_what_it_reads_only_when_that_takes_long(
    studio, files, in_memory, monkeypatch
):
    assert "Reading" not in str(text_tab.announce(studio, (files[0],))) and "Reading" not in str(
        text_tab.announce(studio, ())
    )
    monkeypatch.setattr(text_tab, "LONG_FILE_BYTES", 1_000)
    assert "Reading 0.txt" in text_tab.announce(studio, (files[0],))
    assert "Reading 2 files" in text_tab.announce(studio, tuple(files))
    assert text_tab.title_of(studio, "") == text_tab.NO_TITLE
    assert "2 files, ready" in text_tab.title_of(studio, studio.texts.add(in_memory))


def test_what_a_killed_reader_left_is_swept_after_a_day(tmp_path, monkeypatch):
    left = Texts(tmp_path).folder / "text-x.partial"
    left.mkdir(parents=True)
    Texts(tmp_path)
    assert left.exists()
    monkeypatch.setattr(store, "ABANDONED_SECONDS", -1)
    Texts(tmp_path)
    assert not left.exists()


# ---- folders from before long texts, and the split


OLD = json.dumps(
    {
        "name": "old",
        "documents": [
            {"name": "a.txt", "paragraphs": ["Sow beans.", "Lift peas."]},
            {"name": "b.txt", "paragraphs": ["Save seed."]},
        ],
    }
)


def test_a_text_of_an_older_run_folder_is_read(tmp_path):
    (tmp_path / "corpus.json").write_text(OLD)
    assert read_corpus(tmp_path / "corpus.json") == corpus_from_json(OLD)
    assert read_corpus(tmp_path / "corpus.json").paragraphs == (
        "Sow beans.",
        "Lift peas.",
        "Save seed.",
    )


def test_the_split_is_drawn_once_and_read_after_that(tmp_path, corpus, monkeypatch):
    run = Run.create(
        tmp_path / "run", RunRequest(corpus=corpus, config=SHORT, held_out=0.2, split_seed=3)
    )
    expected = corpus.split(0.2, 3)
    monkeypatch.setattr(Corpus, "is_held_out", None)
    assert Run(run.folder).split() == expected


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: None,
        lambda record: "",
        lambda record: "[]",
        lambda record: json.dumps({**record, "seed": 4}),
        lambda record: json.dumps({**record, "fingerprint": "0" * 64}),
        lambda record: json.dumps({**record, "num_paragraphs": record["num_paragraphs"] + 1}),
        lambda record: json.dumps({**record, "unseen": "////" + record["unseen"][4:]}),
        lambda record: json.dumps({**record, "unseen": 7}),
    ],
)
def test_a_missing_damaged_or_foreign_split_is_drawn_again_and_kept(
    tmp_path, corpus, monkeypatch, spoil
):
    run = Run.create(
        tmp_path / "run", RunRequest(corpus=corpus, config=SHORT, held_out=0.2, split_seed=3)
    )
    path = run.folder / "split.json"
    sound = path.read_text()
    content = spoil(json.loads(sound))
    path.unlink() if content is None else path.write_text(content)
    assert run.split() == corpus.split(0.2, 3) and path.read_text() == sound


def test_a_text_too_long_for_the_tutorial_s_way_is_refused_before_a_run_is_made(
    studio, corpus, monkeypatch
):
    monkeypatch.setattr("mlm_gui.core.config.MAX_TUTORIAL_CHARACTERS", 100)
    with pytest.raises(UserError, match="too long for the tutorial"):
        studio.runs.create(RunRequest(corpus=corpus, config=RECIPES["tutorial"]))
    assert not studio.runs.all()
    studio.runs.create(RunRequest(corpus=corpus, config=RECIPES["quick"]))


@pytest.mark.parametrize("damage", ["cut", "missing"])
def test_a_damaged_text_is_reported_on_the_page_and_breaks_nothing(
    studio, files, monkeypatch, damage
):
    monkeypatch.setattr(paragraphs, "MOST_HELD_CHARACTERS", 1_000)
    text_id = studio.texts.add(studio.texts.gather(files))
    index = studio.texts.folder / f"{text_id}.index"
    index.write_bytes(index.read_bytes()[:-16]) if damage == "cut" else index.unlink()
    assert "not here any more" in text_tab.show(studio, text_id, 10, 0).title
    with pytest.raises(UserError, match="damaged"):
        studio.texts.get(text_id)


def full(*_, **__):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("where", ["link_or_copy", "write_whole"])
def test_a_full_disk_leaves_nothing_of_a_text_or_a_run_behind(
    studio, files, long, monkeypatch, where
):
    monkeypatch.setattr(store, where, full)
    with pytest.raises(UserError, match="No space left"):
        studio.texts.add(long)
    with pytest.raises(UserError, match="No space left"):
        studio.runs.create(RunRequest(corpus=long, config=SHORT))
    assert not list(studio.texts.folder.iterdir()) and not list(studio.runs.folder.iterdir())


def test_a_disk_that_fills_while_a_text_is_read_is_reported(files, monkeypatch, tmp_path):
    monkeypatch.setattr(paragraphs, "MOST_HELD_CHARACTERS", 1_000)
    monkeypatch.setattr(paragraphs.ParagraphWriter, "_write", full)
    with pytest.raises(UserError, match="No space left"):
        Texts(tmp_path).gather(files)


def test_a_begun_run_without_a_record_of_its_split_is_not_split_anew_where_that_may_differ(
    tmp_path, long, lm, monkeypatch
):
    run = Run.create(tmp_path / "run", RunRequest(corpus=long, config=SHORT, held_out=0.2))
    (run.folder / "split.json").unlink()
    assert run.split().held_out, "it has not begun"
    list(finetune(run, lambda name: lm.copy()))
    (run.folder / "split.json").unlink()
    assert run.split().held_out, "a short text is split as ever"
    (run.folder / "split.json").unlink()
    monkeypatch.setattr("mlm_gui.core.corpus.near_duplicates.SAMPLED_WORDS", 10)
    with pytest.raises(UserError, match="no record of what it kept unseen"):
        run.split()
