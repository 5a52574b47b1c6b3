"""The masks tab's handlers, posted to by anybody with anything."""

import dataclasses
import json
import math

import gradio as gr
import pytest

from mlm_gui.core.config import RECIPES, TrainConfig
from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.training.events import Finished, Stepped
from mlm_gui.errors import UserError
from mlm_gui.services.limits import HOSTED
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.events import PiecesClicked
from mlm_gui.ui.door import parsed
from mlm_gui.ui.tabs.masks import batches, draws
from mlm_gui.ui.tabs.masks.form import PARTS
from mlm_gui.ui.tabs.masks.question import BATCH, TEXT, MaskingQuestion

SENT = {
    "visitor": "",
    "text_id": "",
    "run_id": "",
    "source": TEXT,
    "text": "Sort the packets by kind first",
    "rule": "Recommended",
    "rate": 15,
    "mask_share": 80,
    "random_share": 10,
    "unit": "token",
    "seed": 0,
    "epoch": 1,
    "drawn": "once",
    "model": "starter",
    "with_ids": False,
    "part": None,
    "marks": "",
    "step": 1,
    "sequence": 1,
    "follows": True,
    "upcoming": 1,
}
"""What a page sends."""


def question_of(**other) -> MaskingQuestion:
    return parsed(MaskingQuestion, {**SENT, **other})


def clicked(studio, question, *indexes, turn=None):
    return draws.pick(studio, question, PiecesClicked(indexes, turn))


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": 7},
        {"text": "a" * 30_000},
        {"text": "[CLS]"},
        {"rate": math.nan},
        {"rate": "15"},
        {"rate": 10**400},
        {"mask_share": 95, "random_share": 10},
        {"random_share": None},
        {"unit": "letter"},
        {"unit": ["token"]},
        {"seed": math.nan},
        {"seed": -1},
        {"seed": 2**31 - 1},
        {"epoch": 11},
        {"epoch": {}},
        {"model": "../../etc"},
        {"model": None},
    ],
)
@pytest.mark.parametrize("part", [None, *PARTS])
def test_odd_values_are_refused_in_three_sentences(studio, wrong, part):
    with pytest.raises(UserError):
        draws.draw(studio, question_of(part=part, **wrong))


@pytest.mark.parametrize("marks", ["x", "|", "+1+2", "00000000|+1", "-" * 10**5])
@pytest.mark.parametrize("part", ["nonsense", None])
def test_forged_marks_and_parts_count_for_nothing(studio, marks, part):
    expected = draws.draw(studio, question_of())
    found = draws.draw(studio, question_of(marks=marks, part=part))
    assert (found.tokens, found.numbers) == (expected.tokens, expected.numbers)


@pytest.mark.parametrize("index", [-1, 0, 10**9])
@pytest.mark.parametrize("unit", ["token", "word"])
def test_a_click_on_a_piece_that_cannot_be_chosen_changes_nothing(studio, index, unit):
    question = question_of(unit=unit)
    assert clicked(studio, question, index).tokens == draws.draw(studio, question).tokens


@pytest.mark.parametrize(
    "sent",
    [None, 3, "x", [], {}, {"indexes": "1"}, {"indexes": [True]}, {"indexes": [1.5]}, {"index": 1}],
)
def test_a_click_on_something_else_than_pieces_is_refused(sent):
    with pytest.raises(UserError):
        parsed(PiecesClicked, sent)


def test_with_whole_words_a_click_marks_all_pieces_of_the_word(studio):
    question = question_of(text="Cotyledonary beans", unit="word")
    marks = clicked(studio, question, 2).marks
    force, _ = dataclasses.replace(question, marks=marks).marked()
    assert len(force) > 1 and force == set(range(1, 1 + len(force)))
    other = dataclasses.replace(question, marks=marks, text="another text")
    assert other.marked() == (set(), set())
    assert marks.startswith(question.checksum)


def test_an_emptied_number_box_is_refused_only_where_its_number_is_needed(studio, corpus):
    run = studio.runs.create(
        RunRequest(
            corpus=corpus, model="starter", config=TrainConfig(epochs=1), held_out=0.1, split_seed=0
        )
    )
    with pytest.raises(UserError, match="The seed is missing"):
        draws.draw(studio, question_of(seed=None))
    batch = question_of(source=BATCH, run_id=run.id, seed=None)
    assert "batch 1 of" in draws.draw(studio, batch).tokens["heading"]


def test_a_batch_is_shown_only_to_those_who_may_see_the_run(tmp_path, corpus):
    studio = Studio.open(tmp_path, HOSTED)
    run = studio.runs.create(
        RunRequest(
            corpus=corpus,
            model="starter",
            config=TrainConfig(epochs=1),
            held_out=0.1,
            split_seed=0,
            owner="a" * 32,
        )
    )
    asked = {"source": BATCH, "run_id": run.id, "visitor": "a" * 32, "part": "Code"}
    view = draws.draw(studio, question_of(**asked))
    assert "batch 1 of" in view.tokens["heading"]
    assert str(tmp_path) not in str(view.parts.code)
    for stranger in ("b" * 32, ""):
        theirs = draws.draw(studio, question_of(**{**asked, "visitor": stranger}))
        assert "no run to look at" in theirs.tokens["hint"]
    for wrong in (
        {"step": 0},
        {"step": math.nan},
        {"step": 10**9},
        {"step": None},
        {"sequence": 0},
        {"sequence": "1"},
    ):
        with pytest.raises(UserError):
            draws.draw(studio, question_of(**{**asked, **wrong}))


def test_a_run_as_taught_is_shown_with_its_padding_a_label_everywhere_and_why(studio, corpus):
    run = studio.runs.create(
        RunRequest(
            corpus=corpus, model="starter", config=RECIPES["tutorial"], held_out=0.1, split_seed=0
        )
    )
    view = draws.draw(studio, question_of(source=BATCH, run_id=run.id, part="Code"))
    *tokens, padding = json.loads(view.tokens["tokens"])
    assert padding["text"] == f"+ {512 - len(tokens)} padding"
    assert all(token["label"] == token["id"] for token in tokens)
    assert "the loss counts every label" in view.tokens["hint"]
    assert "labels = ids.clone()" in view.parts.code["value"]


def test_a_text_counted_in_part_says_so_and_one_paragraph_has_no_spread(studio):
    rows = (f"Beans and peas in row {number}." for number in range(2_001))
    text_id = studio.texts.add(Corpus.from_text("\n\n".join(rows)))

    def part_of(name, **other):
        return draws.draw(studio, question_of(part=name, **other)).parts

    in_part = "its first 2,000 paragraphs"
    assert in_part in part_of("Loss budget", text_id=text_id).budget["value"]["note"]
    assert in_part in part_of("Counts", text_id=text_id).spread["value"]["note"]
    assert "first" not in part_of("Loss budget").budget["value"]["note"]
    assert part_of("Counts").spread["value"]["fig"] is None


def test_quick_clicks_count_each_and_carry_the_number_of_their_turn(studio):
    view = clicked(studio, question_of(), 1, 2, 2, turn=7)
    assert question_of(marks=view.marks).marked() == ({1}, {2})
    assert view.tokens["turn"] == 7
    assert "turn" not in draws.draw(studio, question_of()).tokens


@pytest.fixture
def followed(studio, corpus):
    """A run, and a function that follows it."""
    run = studio.runs.create(
        RunRequest(
            corpus=corpus,
            model="starter",
            config=TrainConfig(epochs=1, tokens_per_step=256),
            held_out=0.1,
            split_seed=0,
        )
    )

    def follow(**other):
        asked = {"run_id": run.id, "source": BATCH, **other}
        return batches.follow(studio, question_of(**asked))

    return run, follow


def take_steps(run, *steps):
    for step in steps:
        run.append(Stepped(step, 0.1, 5.0, 1e-3, 9.0, float(step)))


def test_a_batch_that_is_followed_moves_on_with_its_run(followed):
    run, follow = followed
    with run.queue_lock:
        before = follow()
        assert before.clock.active and before.upcoming == 1
        assert before.step == before.view == gr.skip(), "nothing happened: nothing is drawn"
        take_steps(run, 1, 2, 3)
        after = follow(sequence=2)
    assert (after.upcoming, after.step, after.sequence) == (4, 4, 1)
    assert "batch 4 of" in after.view.tokens["heading"]
    run.append(Finished(3, "stopped", 1.0))
    assert not follow().clock.active, "a run at rest is not asked for again"
    for other in ({"source": TEXT}, {"run_id": ""}):
        assert not follow(**other).clock.active


def test_a_batch_that_is_not_followed_is_drawn_anew_only_when_it_is_done(followed):
    run, follow = followed
    with run.queue_lock:
        take_steps(run, 1, 2, 3)
        news = follow(follows=False, step=2)
        assert (news.upcoming, news.step) == (4, 2)
        assert ", done" in news.view.tokens["heading"]
        assert follow(follows=False, step=2, upcoming=4).step == gr.skip()


def test_a_batch_offers_no_choice_and_without_a_run_nothing_is_offered_to_be_looked_at(
    studio, corpus
):
    run = studio.runs.create(
        RunRequest(
            corpus=corpus, model="starter", config=TrainConfig(epochs=1), held_out=0.1, split_seed=0
        )
    )
    assert draws.draw(studio, question_of(run_id=run.id, source=BATCH)).tokens["fixed"]
    assert not draws.draw(studio, question_of()).tokens["fixed"]
    for run_id, source, shown in ((run.id, BATCH, True), ("", TEXT, True), ("", BATCH, False)):
        view = batches.look_at(studio, "", run_id, source)
        assert view.closer["visible"] is view.with_ids["visible"] is shown
        assert view.part == gr.skip() if shown else view.part.value is None
