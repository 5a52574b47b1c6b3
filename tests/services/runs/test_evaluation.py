"""A run is examined, keeps its exam, and is never lost to it."""

import json
import shutil

import pytest

from mlm_gui.core.config import TrainConfig
from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.corpus.near_duplicates import num_seen
from mlm_gui.core.evaluation import report as verdict
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.core.training.events import Examined, Finished, Saved, Stepped
from mlm_gui.errors import UserError
from mlm_gui.services.models.references import name_of_run
from mlm_gui.services.runs.evaluation import (
    as_record,
    examine_again,
    learned_by,
    learned_from,
    material_of,
    read_exam,
)
from mlm_gui.services.runs.export import export_zip
from mlm_gui.services.runs.finetune import finetune
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.runs.run import Run

TINY = TrainConfig(epochs=1, max_steps=2, tokens_per_step=128, evaluations=1)


@pytest.fixture(autouse=True)
def short_exams():
    """Here exams are whole: five draws of blanks."""


@pytest.fixture
def run(studio, corpus) -> Run:
    return studio.runs.create(
        RunRequest(corpus=corpus, config=TINY, owner="ann", name="<b>Almanac</b>")
    )


@pytest.fixture(scope="module")
def tiny(family) -> MaskedLM:
    """A small random model: an exam does not care how good its models are."""
    return family("bert")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, corpus, tiny) -> Run:
    """A run that was examined; tests leave it as it is."""
    run = Run.create(
        tmp_path_factory.mktemp("examined") / "run", RunRequest(corpus=corpus, config=TINY)
    )
    for _ in finetune(run, lambda name: tiny.copy()):
        pass
    return run


def test_a_finished_run_has_an_exam_that_everybody_reads_alike(trained):
    report, event = read_exam(trained.folder), trained.history().examined
    assert (event.verdict, event.sentence) == (report.verdict, report.sentence)
    assert (event.base_loss, event.tuned_loss, event.difference) == (
        report.unseen.base.loss,
        report.unseen.tuned.loss,
        report.unseen.difference,
    )
    assert (
        report.unseen.num_clusters == len(trained.corpus.split(0.1, 0).held_out)
        and report.seconds_trained == trained.history().latest.seconds
    )
    card = (trained.model_folder / "README.md").read_text(encoding="utf-8")
    assert (
        report.sentence in card
        and "each of them shown as the mask token" in card
        and f"{report.forgetting.tuned.loss:.3f}" in card
    )


def test_the_exam_run_again_is_the_same_to_the_last_digit(trained, tiny, tmp_path):
    copied = Run(shutil.copytree(trained.folder, tmp_path / "again"))
    (copied.folder / "exam.json").unlink()
    assert (
        examine_again(copied, lambda name: tiny.copy())
        == read_exam(trained.folder)
        == read_exam(copied.folder)
    )


def test_the_record_has_the_shape_of_the_shell(trained):
    record = json.loads(json.dumps(as_record(read_exam(trained.folder))))
    for side in ("base", "tuned"):
        assert (
            set(record[side]) >= {"loss", "perplexity", "top1", "top5", "interval"}
            and record[side]["interval"][0] < record[side]["loss"]
        )
    assert {"difference", "p_value", "verdict", "forgetting"} <= set(record) and record[
        "forgetting"
    ]["difference"] == pytest.approx(
        record["forgetting"]["tuned"]["loss"] - record["forgetting"]["base"]["loss"], abs=1e-9
    )


def test_an_error_in_the_exam_costs_the_exam_only(run, tiny, monkeypatch):
    def broken(*arguments, **options):
        raise ZeroDivisionError

    monkeypatch.setattr(verdict, "evaluate_both", broken)
    events = list(finetune(run, lambda name: tiny.copy()))
    assert [type(event) for event in events[-2:]] == [Saved, Finished]
    assert run.state == "finished" and run.has_model and read_exam(run.folder) is None


def test_a_stop_during_the_exam_ends_it_and_keeps_the_run(run, tiny, monkeypatch):
    asked, whole = [], verdict.evaluate_both

    def watched(*arguments, **options):
        for share in whole(*arguments, **options):
            asked.append(share)
            yield share

    monkeypatch.setattr(verdict, "evaluate_both", watched)
    events = list(finetune(run, lambda name: tiny.copy(), lambda: bool(asked)))
    assert len(asked) == 1 and not any(isinstance(event, Examined) for event in events)
    assert (events[-1].reason, run.state, run.has_model) == (
        "done",
        "finished",
        True,
    ) and read_exam(run.folder) is None


def test_a_stopped_run_ends_at_once_and_can_be_examined_later(run, tiny):
    events = []
    for event in finetune(
        run, lambda name: tiny.copy(), lambda: any(isinstance(event, Stepped) for event in events)
    ):
        events.append(event)
    assert run.state == "stopped" and read_exam(run.folder) is None
    zipped = export_zip(run, run.folder).stat().st_mtime_ns
    assert examine_again(run, lambda name: tiny.copy()) == read_exam(run.folder)
    assert export_zip(run, run.folder).stat().st_mtime_ns > zipped  # the new card travels along


def test_a_run_without_a_model_or_still_training_is_not_examined(run, trained, tmp_path):
    live = Run(shutil.copytree(trained.folder, tmp_path / "live"))
    (live.folder / "events.jsonl").unlink()
    with live.queue_lock:
        for unfit in (run, live):
            with pytest.raises(UserError, match="still being trained"):
                examine_again(unfit, None)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: "",
        lambda record: "{",
        lambda record: "[]",
        lambda record: "null",
        lambda record: json.dumps({**record, "version": 99}),
        lambda record: json.dumps(
            {name: value for name, value in record.items() if name != "version"}
        ),
        lambda record: json.dumps({**record, "unseen": None}),
        lambda record: json.dumps({**record, "sentence": 5}),
        lambda record: json.dumps({**record, "warnings": "x"}),
        lambda record: json.dumps({**record, "seconds_trained": True}),
        lambda record: json.dumps(
            {**record, "unseen": {**record["unseen"], "p_value": float("nan")}}
        ),
        lambda record: json.dumps(
            {**record, "unseen": {**record["unseen"], "difference_interval": [0.0]}}
        ),
        lambda record: json.dumps({**record, "unseen": {**record["unseen"], "num_clusters": 1.5}}),
        lambda record: json.dumps(
            {**record, "cloze": {**record["cloze"], "base_right": ["a", "b", "c"]}}
        ),
        lambda record: json.dumps({**record, "cloze": {**record["cloze"], "items": [{}]}}),
        lambda record: "[" * 100_000,
    ],
)
def test_a_damaged_exam_counts_as_none(run, trained, spoil):
    content = (trained.folder / "exam.json").read_text(encoding="utf-8")
    (run.folder / "exam.json").write_text(content, encoding="utf-8")
    assert read_exam(run.folder) == read_exam(trained.folder)
    (run.folder / "exam.json").write_text(spoil(json.loads(content)))
    assert read_exam(run.folder) is None


def test_text_that_was_trained_on_is_found_word_for_word_and_nearly(trained):
    learned = learned_from(trained.folder)
    split = trained.corpus.split(0.1, 0)
    assert learned == (split.train,) and num_seen(split.held_out, learned) == 0
    nearly = split.train[3].upper() + " So it was."
    assert num_seen((split.train[0], nearly, split.held_out[0], split.train[0]), learned) == 3
    assert num_seen(split.held_out, ()) == 0


def test_a_text_that_could_not_be_read_once_is_read_at_the_next_question(trained, tmp_path):
    """Otherwise the warning that a word may be memory stayed off until the server restarts."""
    run = Run(shutil.copytree(trained.folder, tmp_path / "run"))
    away = (run.folder / "corpus.json").rename(tmp_path / "away.json")
    assert learned_by(run.folder) == ()
    away.rename(run.folder / "corpus.json")
    assert learned_by(run.folder) == (run.split().train,)


def test_what_a_run_learned_is_read_once_even_where_its_parent_is_gone(
    studio, corpus, run, monkeypatch
):
    child = studio.runs.create(RunRequest(corpus=corpus, model=name_of_run(run.id), config=TINY))
    shutil.rmtree(run.folder)
    first = learned_by(child.folder)
    monkeypatch.setattr(Run, "split", lambda run: pytest.fail("it was read again"))
    assert learned_by(child.folder) == first and len(first) == 1


def test_a_base_that_learned_the_unseen_text_in_an_earlier_run_is_found_out(studio, corpus, run):
    same, other = (
        studio.runs.create(
            RunRequest(corpus=corpus, model=f"run:{run.id}", config=TINY, split_seed=seed)
        )
        for seed in (0, 1)
    )
    assert material_of(same, corpus.split(0.1, 0)).seen_by_base == 0
    assert material_of(other, corpus.split(0.1, 1)).seen_by_base > 5
    grandchild = studio.runs.create(
        RunRequest(
            corpus=Corpus.from_text("\n".join(corpus.paragraphs[::-1])),
            model=f"run:{same.id}",
            config=TINY,
        )
    )
    assert material_of(grandchild, grandchild.corpus.split(0.1, 0)).seen_by_base > 5


@pytest.mark.parametrize("model", ["run:../../etc", "run:", "/nowhere/model", "model", "starter"])
def test_odd_parents_are_passed_over(studio, corpus, model):
    run = studio.runs.create(RunRequest(corpus=corpus, model=model, config=TINY))
    assert material_of(run, corpus.split(0.1, 0)).seen_by_base == 0
