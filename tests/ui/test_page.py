"""What the page is made of, checked without a browser."""

import dataclasses
import json
import re
import threading
from pathlib import Path

import gradio as gr
import pytest

from mlm_gui.core.config import RECIPES, TrainConfig
from mlm_gui.core.inference.blanks import BLANK
from mlm_gui.core.training.events import Evaluated, Stepped
from mlm_gui.core.training.history import History
from mlm_gui.errors import UserError
from mlm_gui.services.jobs import training_queue
from mlm_gui.services.limits import HOSTED
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.studio import Studio
from mlm_gui.ui import figures as charts
from mlm_gui.ui import page as app
from mlm_gui.ui.door import parsed
from mlm_gui.ui.tabs.compare.answer import ShownAnswer, agree, ask, new_sentence
from mlm_gui.ui.tabs.compare.question import (
    CompareQuestion,
    PickerValue,
    blanks_of,
    masked_text,
    words_of,
)
from mlm_gui.ui.tabs.train import tab as training_tab
from mlm_gui.ui.tabs.train.request import RunChoice
from mlm_gui.ui.tabs.train.settings import RECIPE_NAMES, apply_recipe, settings_form

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
            history = history.after(
                Evaluated(step, 5 - step / 1000, 9.0, 0.1, 0.2, 50, float(step))
            )
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
    with gr.Blocks():
        form = settings_form()
    assert len(form.widgets) == len(dataclasses.fields(TrainConfig))
    for label, name in RECIPE_NAMES.items():
        assert form.parse(apply_recipe(None, label)) == RECIPES[name]


def test_the_mask_rate_is_in_per_cent_wherever_the_page_asks_for_it(studio):
    sliders = [
        block
        for block in app.build(studio).blocks.values()
        if getattr(block, "elem_id", None) in ("set-mask_rate", "mask-rate")
    ]
    assert len(sliders) == 2
    assert {(slider.label, slider.value) for slider in sliders} == {("Mask rate, %", 15)}
    assert {(slider.minimum, slider.maximum) for slider in sliders} == {(1, 60)}


def test_no_event_is_listed_as_a_public_endpoint(studio):
    page = app.build(studio)
    assert {function.api_visibility for function in page.fns.values()} == {"private"}


def test_a_live_chart_gets_each_point_once_and_few_enough_of_them():
    known, drawn = None, {"0": [], "1": [], "2": []}
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


@pytest.mark.parametrize("known", [None, (), (1,), (-1, 0, 0), (10**9, 0, 0), (1, 1, 5), (1, 2)])
def test_an_odd_cursor_gets_the_whole_chart(known):
    add, replace, _ = charts.new_points(history_of(20), known)
    assert add is None
    assert len(replace["0"]["x"]) == 20


def test_on_a_hosted_server_another_visitor_cannot_see_or_stop_a_run(tmp_path, corpus):
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
    assert studio.visible(run.id, "a" * 32) is run
    assert studio.visible(run.id, "b" * 32) is None
    assert studio.visible_runs("b" * 32) == []
    nobodys = studio.runs.create(
        RunRequest(
            corpus=corpus, model="starter", config=RECIPES["quick"], held_out=0.1, split_seed=0
        )
    )
    assert studio.visible(nobodys.id, "") is None
    text_id = studio.texts.add(corpus)
    with pytest.raises(UserError, match="no id"):
        training_tab.start_run(studio, choice_of("", text_id), "", RECIPES["recommended"])


def choice_of(visitor, text_id) -> RunChoice:
    """The starter on this text, with the page's own split."""
    return RunChoice(visitor, text_id, "starter", held_out=10, split_seed=0)


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
    words = words_of(sentence)
    for place in hidden:
        words["words"][place]["blank"] = True
    blanks = blanks_of(sentence, parsed(PickerValue, words))
    assert masked_text(sentence, blanks) == asked
    assert sum(blanks) == len(BLANK.findall(asked))


@pytest.mark.parametrize("odd", [{}, {"words": []}, {"words": [{"text": "x", "blank": True}] * 9}])
def test_words_that_do_not_fit_the_sentence_are_not_believed(odd):
    assert blanks_of("hello ___", parsed(PickerValue, odd)) == [False, True]


@pytest.mark.parametrize(
    "odd", [None, 3, {"words": 7}, {"words": [{"blank": True}]}, {"words": [None] * 9}]
)
def test_something_else_than_words_is_refused(odd):
    with pytest.raises(UserError):
        parsed(PickerValue, odd)


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
    assert [event.step for event in events if isinstance(event, Stepped)] == [1, 2]
    assert [len(blank.guesses) for blank in blanks] == [3]


def question_of(sentence, words=None, **other) -> CompareQuestion:
    """A question about the starter alone, three guesses."""
    words = parsed(PickerValue, words_of(sentence) if words is None else words)
    plain = CompareQuestion("", "", None, sentence, words, None, 3)
    return dataclasses.replace(plain, **other)


def test_another_sentence_is_laid_out_anew_and_hidden_words_stay_where_the_words_are_the_same(
    studio,
):
    laid_out = words_of("The sea is calm", [False, True, False, False])
    same = new_sentence(studio, question_of("The  sea is calm", laid_out))
    assert same.words == gr.skip() and same.answer.base["rows"]
    for other, hidden in (("The sea is calm!", []), ("The ___ is calm", [1])):
        words = new_sentence(studio, question_of(other, laid_out)).words["words"]
        assert [at for at, word in enumerate(words) if word["blank"]] == hidden


def test_guesses_that_answer_another_question_than_the_page_asks_are_fetched_anew(studio):
    page = question_of("The ___ is calm")
    answer = ask(studio, page)
    shown = parsed(ShownAnswer, json.loads(json.dumps(answer.base)))
    assert all(part == gr.skip() for part in agree(studio, page, shown))
    assert agree(studio, dataclasses.replace(page, top=4), shown).base != answer.base
    hidden_too = words_of("The ___ is calm", [True, True, False, False])
    other = question_of("The ___ is calm", hidden_too, which="blank 2")
    again = agree(studio, other, shown)
    assert again.base["asked"] != answer.base["asked"] and again.which.visible is True
    for unknown in ({}, {"asked": "x"}):
        assert agree(studio, page, parsed(ShownAnswer, unknown)).base == answer.base


def test_a_damaged_run_does_not_keep_the_page_from_opening(studio, corpus, lm):
    run = studio.runs.create(
        RunRequest(
            corpus=corpus, model="starter", config=RECIPES["quick"], held_out=0.1, split_seed=0
        )
    )
    lm.save(run.model_folder)
    (run.folder / "job.json").write_text("{bad")
    again = Studio.open(studio.home, studio.limits)
    app.build(again)
    assert [run.state for run in again.runs.all()] == ["damaged"]
    assert ask(again, question_of("the ___")).base["rows"]


def test_a_hosted_server_bounds_steps_and_its_whole_queue(tmp_path, corpus, monkeypatch):
    studio = Studio.open(tmp_path, dataclasses.replace(HOSTED, max_queue=2))
    let_go = threading.Event()

    def waiting(*arguments):
        let_go.wait(60)
        yield from ()

    monkeypatch.setattr(training_queue, "finetune", waiting)
    text_id = studio.texts.add(corpus)
    settings = TrainConfig(max_steps=1_000_000)
    for visitor in ("a" * 32, "b" * 32):
        training_tab.start_run(studio, choice_of(visitor, text_id), "", settings)
    with pytest.raises(UserError, match="Too many runs"):
        training_tab.start_run(studio, choice_of("c" * 32, text_id), "", settings)
    assert {run.job.config.max_steps for run in studio.runs.all()} == {HOSTED.max_steps}
    let_go.set()
    studio.training_queue.close()


def test_a_server_that_was_started_again_takes_the_blank_that_an_open_page_chose(studio):
    (which,) = (
        block
        for block in app.build(studio).blocks.values()
        if getattr(block, "elem_id", None) == "compare-which"
    )
    assert which.preprocess("blank 2") == "blank 2" and which.preprocess(None) is None
