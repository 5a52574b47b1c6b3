"""What the page's components are told when they ask."""

import json

import pytest

from mlm_gui.core.config import RECIPES, TrainConfig
from mlm_gui.errors import UserError
from mlm_gui.services.limits import HOSTED
from mlm_gui.services.runs.finetune import finetune
from mlm_gui.services.runs.registry import delete
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.studio import Studio
from mlm_gui.ui import page as app
from mlm_gui.ui import run_view
from mlm_gui.ui.components.base import answering
from mlm_gui.ui.components.live import MAX_COLUMNS, probe_timeline_poller, probe_timeline_value
from mlm_gui.ui.door import parsed
from mlm_gui.ui.figures import MAX_POINTS, loss_chart
from mlm_gui.ui.tabs.runs import changes as run_changes
from mlm_gui.ui.tabs.runs import view as runs_view
from mlm_gui.ui.tabs.runs.changes import ListValue
from mlm_gui.ui.tabs.train import controls as train_controls


def chart_poll(studio):
    """The chart's server function, as the browser calls it."""
    return answering(run_view.poller(studio))


def timeline_poll(studio):
    return answering(probe_timeline_poller(studio, ()))


def list_poll(studio):
    return answering(runs_view.poller(studio))


def all_polls(studio):
    pill = answering(run_view.pill_poller(studio))
    return chart_poll(studio), pill, timeline_poll(studio)


def written(run, steps, *more):
    """A made-up record of so many steps, scored and probed every hundred."""
    records = [
        {
            "event": "started",
            "total_steps": 12_000,
            "epochs": 4,
            "num_train_tokens": 9,
            "num_held_out_tokens": 9,
            "num_parameters": 9,
        }
        | {"learning_rate": 1e-3, "device": "cpu", "packed": True}
    ]
    for step in range(steps + 1):
        if step:
            records.append(
                {
                    "event": "stepped",
                    "step": step,
                    "epoch": 1.0,
                    "loss": 5.0,
                    "learning_rate": 1e-4,
                    "tokens_per_second": 9e3,
                    "seconds": 1.0,
                }
            )
        if step % 100 == 0:
            score = {
                "event": "evaluated",
                "step": step,
                "loss": 4.0,
                "perplexity": 9.0,
                "top1": 0.1,
                "top5": 0.2,
                "num_masks": 9,
                "seconds": 1.0,
            }
            records += [
                score,
                {"event": "probed", "step": step, "answers": [[["sea", 0.5], ["sky", 0.1]]] * 5},
            ]
    with (run.folder / "events.jsonl").open("a") as file:
        file.writelines(json.dumps(record) + "\n" for record in [*records, *more])


@pytest.fixture
def run(studio, corpus):
    return studio.runs.create(
        RunRequest(
            corpus=corpus,
            model="starter",
            config=RECIPES["quick"],
            held_out=0.1,
            split_seed=0,
            probes=tuple(f"{n} ___ is calm." for n in range(5)),
        )
    )


def test_ten_thousand_steps_stay_light(studio, run):
    written(run, 10_000)
    poll, asked = chart_poll(studio), {"run": run.id, "visitor": ""}
    first = poll(asked)
    assert max(len(line["x"]) for line in first["replace"].values()) <= MAX_POINTS
    again = poll({**asked, "cursor": first["cursor"]})
    assert len(json.dumps(again)) < 2_000
    assert again["replace"] is None
    assert len(poll({**asked, "want": "table"})["rows"]) <= 51
    assert poll({**asked, "want": "csv"})["csv"].count("\n") == 10_002
    assert len(probe_timeline_value(run.snapshot())["steps"]) == MAX_COLUMNS
    news = timeline_poll(studio)(asked)
    assert len(json.dumps(timeline_poll(studio)({**asked, "seen": news["seen"]}))) < 200


def test_a_run_that_went_back_to_a_checkpoint_replaces_its_points_and_is_marked(studio, run):
    written(run, 60)
    poll, asked = chart_poll(studio), {"run": run.id, "visitor": ""}
    cursor = poll(asked)["cursor"]
    with (run.folder / "events.jsonl").open("a") as file:
        file.write(
            json.dumps({"event": "resumed", "step": 40, "total_steps": 12_000, "seconds": 1.0})
            + "\n"
        )
    answer = poll({**asked, "cursor": cursor})
    assert answer["replace"]["0"]["x"][-1] == 40
    assert answer["marks"] == [{"step": 40, "text": "went on"}]


@pytest.mark.parametrize(
    "asked", [None, 3, [], {}, {"run": 7}, {"run": "../x"}, {"run": "a" * 32, "visitor": ["x"]}]
)
def test_an_odd_question_is_answered_with_nothing(studio, asked):
    for poll in all_polls(studio):
        assert poll(asked) is None


def test_on_a_hosted_server_components_answer_the_owner_only(tmp_path, corpus):
    studio = Studio.open(tmp_path, HOSTED)
    run = studio.runs.create(
        RunRequest(
            corpus=corpus,
            model="starter",
            config=RECIPES["quick"],
            held_out=0.1,
            split_seed=0,
            owner="a" * 32,
        )
    )
    for poll in all_polls(studio):
        assert poll({"run": run.id, "visitor": "a" * 32}) is not None
        for other in ("b" * 32, "", None):
            assert poll({"run": run.id, "visitor": other}) is None
    for other in ("b" * 32, "", None):
        assert list_poll(studio)({"visitor": other}) == {"rows": [], "is_alive": False}
    for other in ("b" * 32, ""):
        assert app.in_progress(studio, other) is None
        assert train_controls.show(studio, other, run.id).live["empty"] == train_controls.GONE
        assert app.list_models(studio, other, f"run:{run.id}").value == "starter"
    for odd in (["a" * 32], {}, 7):
        assert list_poll(studio)({"visitor": odd}) is None
    assert list_poll(studio)({"visitor": "a" * 32})["rows"][0]["id"] == run.id
    assert app.in_progress(studio, "a" * 32) is run
    chosen = ListValue(chosen=(run.id,))
    assert run_changes.refresh(studio, "b" * 32, chosen).runs["rows"] == []
    assert len(run_changes.refresh(studio, "a" * 32, chosen).runs["rows"]) == 1


def test_who_comes_without_a_run_is_shown_the_one_that_trains_before_those_that_wait_or_broke_off(
    studio, corpus
):
    old, paused, queued, running = (
        studio.runs.create(
            RunRequest(
                corpus=corpus, model="starter", config=RECIPES["quick"], held_out=0.1, split_seed=0
            )
        )
        for _ in range(4)
    )
    written(old, 3, {"event": "finished", "step": 3, "reason": "done", "seconds": 1.0})
    assert app.in_progress(studio, "") in (
        paused,
        queued,
        running,
    )  # none of them has begun: interrupted
    written(paused, 3, {"event": "paused", "step": 3, "seconds": 1.0})
    with queued.queue_lock, running.queue_lock:
        written(running, 3)
        assert app.in_progress(studio, "") is running
        written(running, 0, {"event": "finished", "step": 3, "reason": "done", "seconds": 1.0})
        assert app.in_progress(studio, "") is queued
    delete(queued)
    assert app.in_progress(studio, "") is paused


def test_a_run_names_the_one_it_came_from(studio, corpus, lm):
    parent = studio.runs.create(
        RunRequest(
            corpus=corpus,
            model="starter",
            config=TrainConfig(epochs=1, max_steps=1, tokens_per_step=128, evaluations=1),
            held_out=0.1,
            split_seed=0,
            name="the first",
        )
    )
    list(finetune(parent, lambda name: lm.copy()))
    studio.runs.create(
        RunRequest(
            corpus=corpus,
            model=f"run:{parent.id}",
            config=RECIPES["quick"],
            held_out=0.1,
            split_seed=0,
        )
    )

    def models() -> set[str]:
        return {row["cells"][1] for row in list_poll(studio)({"visitor": ""})["rows"]}

    assert models() == {"starter", "run “the first”"}
    parent.rename("another name")
    assert models() == {"starter", "run “another name”"}


@pytest.mark.parametrize(
    ("state", "enabled"),
    [
        ("queued", "stop"),
        ("running", "pause stop"),
        ("paused", "resume one_step stop"),
        ("interrupted", "resume one_step"),
        ("finished", ""),
        ("stopped", "resume"),
        ("failed", "resume"),
        ("damaged", ""),
    ],
)
def test_each_button_is_enabled_exactly_when_it_makes_sense(run, state, enabled):
    buttons = run_view.controls(state, run.checkpoint_step)._asdict().items()
    assert " ".join(name for name, button in buttons if button.interactive) == enabled


def test_a_damaged_run_is_listed_with_why_and_can_be_deleted(studio, run):
    (run.folder / "job.json").write_text("{bad")
    again = Studio.open(studio.home, studio.limits)
    chosen = ListValue(chosen=(run.id,))
    view = run_changes.refresh(again, "", chosen)
    assert view.runs["rows"][0]["state"] == "damaged"
    assert "damaged" in view.runs["rows"][0]["why"]
    assert run_changes.delete_chosen(again, "", chosen).runs["rows"] == []
    assert not run.folder.exists()


@pytest.mark.parametrize("sent", [None, 3, [], {"chosen": 5}, {"chosen": [None, 7, "../x"]}])
def test_a_choice_of_something_else_than_runs_is_refused(sent):
    with pytest.raises(UserError):
        parsed(ListValue, sent)


def test_of_the_chosen_runs_those_that_are_not_there_are_left_out(studio, run):
    chosen = parsed(ListValue, {"rows": [], "chosen": [run.id, "a" * 32, run.id]})
    assert run_changes.refresh(studio, "", chosen).runs["chosen"] == [run.id]


def test_after_an_early_stop_the_list_the_facts_and_the_note_show_the_model_that_was_kept(
    studio, run
):
    worse = {
        "event": "evaluated",
        "step": 300,
        "loss": 4.5,
        "perplexity": 9.0,
        "top1": 0.05,
        "top5": 0.2,
        "num_masks": 9,
        "seconds": 1.0,
    }
    better = {**worse, "step": 100, "loss": 3.0, "top1": 0.4}
    written(run, 300, better, worse, {"event": "saved", "step": 100, "folder": "model"})
    poll, asked = chart_poll(studio), {"run": run.id, "visitor": ""}
    with run.queue_lock:  # the exam is under way
        note = poll(asked)["note"]
    assert "the model of step 100, the best" in note and "sits its exam" in note
    written_end = {"event": "finished", "step": 300, "reason": "early", "seconds": 9.0}
    with (run.folder / "events.jsonl").open("a") as file:
        file.write(json.dumps(written_end) + "\n")
    answer, line = poll(asked), studio.run_summaries.line(run)
    loss, right = answer["facts"][0], answer["facts"][1]
    assert [loss["value"], right["value"]] == ["3.00", "40%"]
    assert "step 100, the best" in loss["extra"]
    assert "the model of step 100, the best" in answer["note"]
    assert (line.before, line.after) == (4.0, 3.0)
    assert "4.00 → 3.00 (step 100 kept)" in runs_view.rows_of([line])[0]["cells"]


def test_a_drawing_without_a_point_has_no_numbers_at_its_axes(studio, run):
    axes = [
        axis["showticklabels"]
        for axis in (loss_chart(run.history()).layout[name] for name in ("xaxis", "yaxis"))
    ]
    written(run, 100)
    assert axes == [False, False] and loss_chart(run.history()).layout.yaxis.showticklabels
