"""What the page is made of, checked without a browser."""

import dataclasses
import json
import re
from pathlib import Path

import gradio as gr
import pytest

from mlm_gui.core.config import RECIPES, TrainConfig
from mlm_gui.core.inference.blanks import BLANK
from mlm_gui.core.training.events import Evaluated, Stepped
from mlm_gui.core.training.history import History
from mlm_gui.errors import UserError
from mlm_gui.services.limits import HOSTED
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.studio import Studio
from mlm_gui.ui import figures as charts
from mlm_gui.ui import page as app
from mlm_gui.ui.tabs.compare import tab as playground_tab
from mlm_gui.ui.tabs.train import tab as training_tab

ROOT = Path(__file__).parents[2]


def history_of(steps: int) -> History:
    """A run that has taken so many steps, scored every hundred."""
    history = History()
    for step in range(steps + 1):
        if step:
            history = history.after(
                Stepped(
                    step, step / 100, 5 - step / 1000 + (step % 7) / 10, 1e-3, 100.0, float(step)
                )
            )
        if step % 100 == 0:
            score = Evaluated(step, 5 - step / 1000, 9.0, 0.1, 0.2, 50, float(step))
            history = history.after(score)
    return history


def test_templates_hold_nothing_that_gradio_would_run(studio):
    page = app.build(studio)
    templates = [
        block.html_template for block in page.blocks.values() if type(block).__name__ == "HTML"
    ]
    assert len(templates) >= 9
    assert not [
        template
        for template in templates
        if "{{" in template or re.search(r"\$\{(?!value\})", template)
    ]


def test_every_setting_has_a_widget_and_every_recipe_fits_them():
    import gradio as gr

    with gr.Blocks():
        widgets = training_tab.settings_form()
    assert len(widgets) == len(dataclasses.fields(TrainConfig))
    for label, name in training_tab.RECIPE_NAMES.items():
        values = training_tab.apply_recipe(None, label)
        assert (
            TrainConfig(**dict(zip(training_tab.CONFIG_FIELDS, values, strict=True)))
            == RECIPES[name]
        )


def test_no_event_is_listed_as_a_public_endpoint(studio):
    page = app.build(studio)
    assert {function.api_visibility for function in page.fns.values()} == {"private"}


def test_a_live_chart_gets_each_point_once_and_few_enough_of_them():
    known, drawn = 0, {"0": [], "1": [], "2": []}
    for steps in range(0, 2600, 130):
        add, replace, known = charts.new_points(history_of(steps), known)
        if replace is not None:
            drawn = {
                trace: list(zip(line["x"], line["y"], strict=True))
                for trace, line in replace.items()
            }
        for trace, line in (add or {}).items():
            drawn[trace] += zip(line["x"], line["y"], strict=True)
        whole = charts.loss_points(history_of(steps))
        assert drawn == {
            trace: list(zip(line["x"], line["y"], strict=True)) for trace, line in whole.items()
        }
        assert max(map(len, drawn.values())) <= charts.MAX_POINTS


@pytest.mark.parametrize(
    "known", [None, "x", [1], [-1, 0], [10**9, 0], [True, "a"], {"a": 1}, float("nan")]
)
def test_an_odd_cursor_gets_the_whole_chart(known):
    add, replace, _ = charts.new_points(history_of(20), known)
    assert add is None
    assert len(replace["0"]["x"]) == 20


def test_on_a_hosted_server_another_visitor_cannot_see_or_stop_a_run(tmp_path, corpus):
    studio = Studio.open(tmp_path, HOSTED)
    run = studio.runs.create(RunRequest(corpus=corpus, config=RECIPES["quick"], owner="a" * 32))
    assert studio.visible(run.id, "a" * 32) is run
    assert studio.visible(run.id, "b" * 32) is None
    assert studio.visible_runs("b" * 32) == []
    nobodys = studio.runs.create(RunRequest(corpus=corpus, config=RECIPES["quick"]))
    assert studio.visible(nobodys.id, "") is None
    text_id = studio.texts.add(corpus)
    for nobody in ("", None, "x", "../" * 9):
        with pytest.raises(UserError, match="no id"):
            training_tab.start_run(
                studio,
                nobody,
                text_id,
                "starter",
                10,
                0,
                "",
                *training_tab.apply_recipe(studio, "Recommended"),
            )


@pytest.mark.parametrize(
    ("sentence", "hidden", "asked"),
    [
        ("The sea is calm.", [1], "The [MASK] is calm."),
        ("The sea, the sea", [1, 2, 4], "The [MASK][MASK] the [MASK]"),
        ("a [MASK] and <mask> and ____", [], "a [MASK] and [MASK] and [MASK]"),
        ("don't go well-known ways", [0, 2], "[MASK] go [MASK] ways"),
        ("a snake_case x___y", [1], "a [MASK] x[MASK]y"),
    ],
)
def test_a_question_has_a_blank_for_every_hidden_word(sentence, hidden, asked):
    words = playground_tab.words_of(sentence)
    for place in hidden:
        words["words"][place]["blank"] = True
    blanks = playground_tab.blanks_of(sentence, words)
    assert playground_tab.question_of(sentence, blanks) == asked
    assert sum(blanks) == len(BLANK.findall(asked))


def test_what_the_browser_says_of_the_words_is_believed_only_when_it_fits():
    expected = [False, True]
    for odd in (None, 3, {"words": 7}, {"words": [{"blank": True}]}, {"words": [None] * 9}):
        assert playground_tab.blanks_of("hello ___", odd) == expected


def test_readme_commands_are_those_ci_calls():
    readme, script = (
        (ROOT / "README.md").read_text("utf-8"),
        (ROOT / ".ci" / "run").read_text("utf-8"),
    )
    assert "pip install -e . && mlm-gui" in readme
    assert 'pip install -e ".[test]" && pytest' in readme
    assert 'pip install -q -e ".[test]" && pytest' in script
    for picture in re.findall(r"\]\((assets/[^)]+)\)", readme):
        assert (ROOT / picture).exists(), picture


def test_readme_python_runs():
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    printed = []
    exec(
        code.replace("assets/", f"{ROOT}/assets/").replace("epochs=2", "epochs=1, max_steps=2"),
        {"print": printed.append},
    )
    *events, blanks = printed
    kinds = [type(event).__name__ for event in events]
    assert kinds[:2] == ["Started", "Evaluated"] and kinds.count("Stepped") == 2
    assert len(blanks[0].guesses) == 3


def test_another_sentence_is_laid_out_anew_and_hidden_words_stay_where_the_words_are_the_same(
    studio,
):
    laid_out = playground_tab.words_of("The sea is calm", [False, True, False, False])
    for same, hidden in (
        ("The  sea is calm", [1]),
        ("The sea is calm!", []),
        ("The ___ is calm", [1]),
    ):
        words, *answer = playground_tab.new_sentence(studio, "", "", None, same, laid_out, None, 3)
        if same == "The  sea is calm":
            assert words == gr.skip() and answer[2]["rows"]
        else:
            assert [at for at, word in enumerate(words["words"]) if word["blank"]] == hidden
    for odd in (None, 3, {"words": 7}, {"words": [{"text": "The"}, 4, None, []]}):
        assert playground_tab.new_sentence(studio, "", "", None, "The sea is calm", odd, None, 3)[
            0
        ] == playground_tab.words_of("The sea is calm")


def test_guesses_that_answer_another_question_than_the_page_asks_are_fetched_anew(studio):
    page = ["", "", None, "The ___ is calm", playground_tab.words_of("The ___ is calm"), None, 3]
    answer = playground_tab.ask(studio, *page)
    shown = json.loads(json.dumps(answer.base))
    assert all(part == gr.skip() for part in playground_tab.agree(studio, *page, shown))
    assert playground_tab.agree(studio, *page[:-1], 4.0, shown).base != answer.base
    hidden_too = playground_tab.words_of(page[3], [True, True, False, False])
    again = playground_tab.agree(studio, *page[:4], hidden_too, "blank 2", 3, shown)
    assert (
        again.base["asked"] == ["", None, "[MASK] [MASK] is calm", 2, 1, 3]
        and again.which.visible is True
    )
    for odd in (None, 3, [], {}, {"asked": "x"}, {"asked": [page]}):
        assert playground_tab.agree(studio, *page, odd).base == answer.base


def test_a_damaged_run_does_not_keep_the_page_from_opening(studio, corpus, lm):
    run = studio.runs.create(RunRequest(corpus=corpus, config=RECIPES["quick"]))
    lm.save(run.model_folder)
    (run.folder / "job.json").write_text("{bad")
    again = Studio.open(studio.home, studio.limits)
    app.build(again)
    assert [run.state for run in again.runs.all()] == ["damaged"]
    assert playground_tab.ask(
        again, "", "", None, "the ___", playground_tab.words_of("the ___"), None, 3
    ).base["rows"]


def test_a_hosted_server_bounds_steps_and_its_whole_queue(tmp_path, corpus, monkeypatch):
    studio = Studio.open(tmp_path, dataclasses.replace(HOSTED, max_queue=2))
    monkeypatch.setattr(studio.training_queue, "_work", lambda: None)
    text_id = studio.texts.add(corpus)
    settings = dict(
        zip(
            training_tab.CONFIG_FIELDS,
            training_tab.apply_recipe(studio, "Recommended"),
            strict=True,
        )
    )
    settings["max_steps"] = 1_000_000
    for visitor in ("a" * 32, "b" * 32):
        training_tab.start_run(studio, visitor, text_id, "starter", 10, 0, "", *settings.values())
    with pytest.raises(UserError, match="Too many runs"):
        training_tab.start_run(studio, "c" * 32, text_id, "starter", 10, 0, "", *settings.values())
    assert {run.job.config.max_steps for run in studio.runs.all()} == {HOSTED.max_steps}


def test_a_server_that_was_started_again_takes_the_blank_that_an_open_page_chose(studio):
    (which,) = (
        block
        for block in app.build(studio).blocks.values()
        if getattr(block, "elem_id", None) == "compare-which"
    )
    assert which.preprocess("blank 2") == "blank 2" and which.preprocess(None) is None


def test_a_step_that_is_read_while_points_are_sent_is_sent_once(monkeypatch):
    whole, newest = History.curve.fget, [history_of(3)]

    def growing(history):
        step = newest[-1].num_steps + 1
        newest.append(newest[-1].after(Stepped(step, 1.0, 1.0, 1e-3, 100.0, 1.0)))
        return whole(history)  # another look at the same run has read one more step

    monkeypatch.setattr(History, "curve", property(growing))
    _, replace, known = charts.new_points(newest[-1], 0)
    drawn = replace["0"]["x"]
    assert drawn == [1, 2, 3]
    for _ in range(3):
        add, _, known = charts.new_points(newest[-1], known)
        drawn = drawn + add["0"]["x"]
    assert drawn == list(range(1, len(drawn) + 1)) and known[0] == len(drawn) > 3
