"""The Compare tab's handlers: what any client may post, and what the person gets."""

import dataclasses
import math

import gradio as gr
import pytest

from mlm_gui.core.config import TrainConfig
from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.inference.surprisal import surprises
from mlm_gui.errors import UserError
from mlm_gui.services.limits import HOSTED
from mlm_gui.services.runs.finetune import finetune
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.studio import Studio
from mlm_gui.ui.tabs.compare import joint_and_map as closer_look
from mlm_gui.ui.tabs.compare import models as pairs
from mlm_gui.ui.tabs.compare import question as questions
from mlm_gui.ui.tabs.compare import surprisal as surprise_view
from mlm_gui.ui.tabs.compare import tab as playground_tab

ANN, BOB = "a" * 32, "b" * 32
QUESTION = "Sow the ___ in ___."
PATIENCE = 60.0


@pytest.fixture(scope="module")
def hosted(tmp_path_factory, corpus):
    """(studio, Ann's finished run) on a hosted server."""
    studio = Studio.open(tmp_path_factory.mktemp("home"), HOSTED)
    run = studio.runs.create(
        RunRequest(
            corpus=corpus,
            config=TrainConfig(epochs=1, max_steps=3, tokens_per_step=512, evaluations=1),
            owner=ANN,
        )
    )
    list(finetune(run, studio.models.load))
    yield studio, run
    studio.surprisal_jobs.close()


def ask(studio, visitor, base, tuned, sentence=QUESTION, which=None):
    return playground_tab.ask(
        studio, visitor, base, tuned, sentence, questions.words_of(sentence), which, 3
    )


def test_the_base_is_what_the_run_started_from_unless_another_is_chosen(hosted):
    studio, run = hosted
    tuned = f"run:{run.id}"
    assert pairs.pair(studio, ANN, "", tuned) == ("starter", tuned)
    assert pairs.pair(studio, ANN, tuned, "starter") == (tuned, "starter") and pairs.pair(
        studio, ANN, None, None
    ) == ("starter", None)
    own, swapped = ask(studio, ANN, "", tuned), ask(studio, ANN, tuned, "starter")
    assert (own.base["rows"], own.tuned["rows"]) == (
        swapped.tuned["rows"],
        swapped.base["rows"],
    ) and own.base["rows"] != own.tuned["rows"]


@pytest.mark.parametrize("role", ["base", "tuned"])
def test_nobody_asks_another_visitor_s_run(hosted, role):
    studio, run = hosted
    models = {"base": "", "tuned": "starter", role: f" run:{run.id} "}
    for visitor in (BOB, "", None):
        with pytest.raises(UserError, match="has no model"):
            ask(studio, visitor, **models)
        with pytest.raises(UserError, match="has no model"):
            closer_look.chosen(
                studio,
                visitor,
                models["base"],
                models["tuned"],
                QUESTION,
                questions.words_of(QUESTION),
                None,
            )
    with pytest.raises(UserError):
        surprise_view.start(
            studio, BOB, models["base"], models["tuned"], "", "Sow the beans.", "base"
        )


def test_choices_show_nobody_else_s_runs(hosted):
    studio, run = hosted
    assert run.id in str(playground_tab.refresh(studio, ANN, "", "", None).tuned.choices)
    assert run.id not in str(playground_tab.refresh(studio, BOB, run.id, "", f"run:{run.id}"))


@pytest.mark.parametrize(
    "name", ["run:" + "0" * 32, "run:../../etc", "../up", "no-such/model", "\x00", "x" * 5000]
)
def test_models_that_are_not_there_are_refused(hosted, name):
    studio, _ = hosted
    with pytest.raises(UserError):
        pairs.pair(studio, ANN, name, "starter")


def test_a_sentence_of_the_training_text_is_pointed_out(hosted, corpus):
    studio, run = hosted
    learned = run.corpus.split(run.job.held_out, run.job.split_seed).train[3]
    words = learned.split()[:12]
    told = ask(studio, ANN, "", f"run:{run.id}", " ".join([*words[:4], "___", *words[5:]])).warned[
        "cautions"
    ]
    assert len(told) == 1 and "may be memory" in told[0]
    assert (
        ask(
            studio, ANN, "", f"run:{run.id}", "Whatever is new here was never ___ in any book."
        ).warned["cautions"]
        == []
    )


def test_different_tokenizers_are_pointed_out(hosted, family_folder, tmp_path, monkeypatch):
    studio, _ = hosted
    laptop = Studio.open(tmp_path, dataclasses.replace(HOSTED, hosted=False))
    answer = ask(laptop, ANN, "starter", str(family_folder("roberta")))
    assert "different pieces" in answer.warned["cautions"][0]
    drawn, note = closer_look.draw_shift(
        laptop, "starter", str(family_folder("roberta")), "Sow the [MASK] now.", 0
    )
    assert "whole words that both models know" in note and drawn["fig"]["data"]


def test_blanks_filled_together_show_what_each_alone_would_give(hosted):
    studio, run = hosted
    base, tuned = closer_look.fill_together(
        studio, "starter", f"run:{run.id}", "He is a [MASK] of [MASK].", 0
    )
    assert (
        len(base["rows"]) == len(tuned["rows"]) == 5
        and "alone" in base["foot"]
        and "…" in base["rows"][0]["token"]
    )
    assert closer_look.fill_together(studio, "starter", None, "He is [MASK].", 0)[1]["rows"] == []


def test_words_of_one_s_own_are_scored_in_pieces(hosted):
    studio, run = hosted
    scored = closer_look.score_words(
        studio,
        "starter",
        f"run:{run.id}",
        "Sow the [MASK] in April.",
        0,
        "beans, husbandmen , unsociable",
    )
    assert [row[0] for row in scored["rows"]] == [
        "beans",
        "husbandmen",
        "unsociable",
    ] and " · " in scored["rows"][2][1]
    assert all(row[4][0] in "×÷" for row in scored["rows"])
    assert (
        closer_look.score_words(studio, "starter", None, "Sow the [MASK].", 0, "beans")["rows"][0][
            3
        ]
        == "–"
    )


@pytest.mark.parametrize("typed", ["", " , ,", ",".join("abcdefghijk"), "x" * 2000, None, 3])
def test_odd_lists_of_words_are_refused(hosted, typed):
    with pytest.raises(UserError):
        closer_look.score_words(hosted[0], "starter", None, "Sow the [MASK].", 0, typed)


@pytest.mark.parametrize(
    "which", [None, 3, "blank 99", "blank x", "blank ²", math.nan, ["blank 1"]]
)
def test_an_odd_choice_of_a_blank_is_one_of_the_blanks(hosted, which):
    assert closer_look.chosen(
        hosted[0], ANN, "", None, QUESTION, questions.words_of(QUESTION), which
    )[3] in (0, 1)


def test_the_second_blank_is_the_second_blank(hosted):
    studio, run = hosted
    *names, question, place = closer_look.chosen(
        studio, ANN, "", f"run:{run.id}", QUESTION, questions.words_of(QUESTION), "blank 2"
    )
    assert place == 1
    first, second = (
        studio.models.shift_map(*names, question, number).shifts[0] for number in (0, 1)
    )
    assert first != second


def test_questions_are_remembered_once_and_the_last_first():
    known: list = []
    for sentence in (
        "The ___ is red.",
        "No blank here.",
        "A [MASK] b.",
        "The ___ is red.",
        *[f"Number {number} ___" for number in range(30)],
    ):
        known, listed = questions.remember(None, known, sentence, None)
    assert (
        len(known) == questions.MAX_REMEMBERED
        and known[0] == "Number 29 ___"
        and [value for _, value in listed.choices] == known
    )
    known, _ = questions.remember(None, ["x ___", 3, None, "x" * 9999], "x ___", None)
    assert known[0] == "x ___" and len(known) == 2 and max(map(len, known)) <= 5000
    assert questions.forget(None)[0] == [] and questions.recall(None, {"a": 1}).choices == []


def test_a_text_is_read_word_by_word_in_the_background(hosted, lm):
    studio, run = hosted
    text = "Sow the beans in April.\n\nUnsociable husbandmen shell them in autumn."
    value, *_ = surprise_view.start(studio, ANN, "", f"run:{run.id}", "", text, "tuned")
    surprisal_job = studio.surprisal_jobs.find(value["reading"], ANN)
    assert (
        value["show"] == "tuned"
        and surprisal_job.over.wait(PATIENCE)
        and surprisal_job.state == "done"
    )
    expected = [
        surprise for paragraph in text.split("\n\n") for surprise in surprises(lm, paragraph)
    ]
    assert [word.base.nats for word in surprisal_job.words] == pytest.approx(
        [surprise.nats for surprise in expected], abs=1e-4
    )
    assert any(abs(word.change) > 1e-3 for word in surprisal_job.words)
    poll = surprise_view.poller(studio)
    answer = poll({"reading": surprisal_job.id, "visitor": ANN, "cursor": 0})
    assert (
        answer["final"]
        and [word[0] for word in answer["words"]] == [surprise.word for surprise in expected]
        and answer["words"][6][3]
    )
    changes = [abs(tuned - base) for _, _, base, tuned in answer["moved"]]
    assert changes == sorted(changes, reverse=True)
    assert (
        poll({"reading": surprisal_job.id, "visitor": ANN, "cursor": answer["cursor"]})["words"]
        == []
    )
    for stranger in (
        {"reading": surprisal_job.id, "visitor": BOB},
        {"reading": surprisal_job.id},
        {"reading": ["x"], "visitor": ANN},
        None,
        "x",
        {"reading": {}},
    ):
        assert poll(stranger) is None
    rows = surprise_view.rows_of(surprisal_job)
    assert rows[1][:3] == [1, 1, "Sow"] and len(rows) == len(expected) + 1
    read, cancel, download = surprise_view.over(
        studio, ANN, gr.EventData(None, {"reading": surprisal_job.id})
    )
    assert (
        download.value
        and "surprise.csv" in str(download.value)
        and not surprise_view.over(studio, BOB, gr.EventData(None, {"reading": surprisal_job.id}))[
            2
        ].value
    )
    picked = surprise_view.pick(
        studio, ANN, gr.EventData(None, {"reading": surprisal_job.id, "index": 2})
    )
    assert "beans" in picked[0]["title"] and len(picked[1]["rows"]) == 5
    for odd in (
        {"reading": surprisal_job.id, "index": 10**9},
        {"reading": surprisal_job.id, "index": "2"},
        {"reading": surprisal_job.id, "index": True},
        None,
        [],
    ):
        assert surprise_view.pick(studio, ANN, gr.EventData(None, odd))[0]["rows"] == []


def test_a_reading_can_be_cancelled_and_keeps_what_it_read(hosted, corpus):
    studio, run = hosted
    surprisal_job = studio.surprisal_jobs.read(
        Corpus.from_text("\n\n".join(corpus.paragraphs[:25])), "starter", f"run:{run.id}", BOB
    )
    while not surprisal_job.words and surprisal_job.live:
        surprisal_job.over.wait(0.01)
    with pytest.raises(UserError, match="under way"):
        studio.surprisal_jobs.read(Corpus.from_text("Sow the beans."), "starter", "starter", BOB)
    surprise_view.stop(studio, ANN, {"reading": surprisal_job.id})
    assert not surprisal_job.cancelled.is_set()
    surprise_view.stop(studio, BOB, {"reading": surprisal_job.id})
    assert (
        surprisal_job.over.wait(PATIENCE)
        and surprisal_job.state == "cancelled"
        and 0 < len(surprisal_job.words) < surprisal_job.num_words
    )
    assert "cancelled" in surprise_view.note_of(surprisal_job, len(surprisal_job.words))


def test_a_text_too_long_to_read_is_refused(hosted):
    studio, _ = hosted
    with pytest.raises(UserError, match="too long to be read"):
        studio.surprisal_jobs.read(Corpus.from_text("beans " * 3_000), "starter", "starter", ANN)


def test_a_word_s_surroundings_keep_their_own_blanks_apart():
    from mlm_gui.core.inference.surprisal import Surprise
    from mlm_gui.services.jobs.surprisal import ReadWord, SurprisalJob

    paragraph = f"{'long ago ' * 100}they wrote [MASK] and ___ beside the beans{' and more' * 100}"
    word = Surprise("beans", paragraph.index("beans"), ("beans",), 1.0)
    asked = surprise_view.question_at(
        SurprisalJob("a", "b", paragraphs=(paragraph,)), ReadWord(0, word, word)
    )
    assert (
        asked.count("[MASK]") == 1
        and "beside the [MASK] and more" in asked
        and "…" in asked
        and len(asked) < 900
    )


def test_labels_of_the_vocabulary_map_cover_neither_each_other_nor_its_edges():
    crowd = [
        (0.5, 0.5),
        (0.52, 0.5),
        (0.5, 0.53),
        (0.99, 0.9),
        (0.01, 0.5),
        (0.51, 0.51),
        (0.5, 0.49),
    ]
    sides = closer_look.label_sides(crowd, ["word"] * len(crowd))
    assert sides[0] == "top center" and sides[3] == "middle left" and sides[4] == "middle right"
    assert (
        sides[1] not in ("", "top center") and "" in sides
    )  # the first ones find another side; where none is free the point stays unnamed
