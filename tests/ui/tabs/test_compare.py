"""The Compare tab's handlers: what any client may post, and what the person gets."""

import dataclasses

import pytest
from short_exams import short_exams

from mlm_gui.core.config import TrainConfig
from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.inference.surprisal import surprises
from mlm_gui.errors import UserError
from mlm_gui.services.limits import HOSTED
from mlm_gui.services.runs.finetune import finetune
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.base import answering
from mlm_gui.ui.components.events import ReadingEnded, WordPicked
from mlm_gui.ui.door import parsed
from mlm_gui.ui.formatting import format_factor, format_probability
from mlm_gui.ui.tabs.compare import (
    answer,
    joint,
    model_lists,
    own_words,
    past_questions,
    shift_map,
    surprisal,
    surprisal_values,
)
from mlm_gui.ui.tabs.compare import models as pairs
from mlm_gui.ui.tabs.compare.question import CompareQuestion, PickerValue, words_of
from mlm_gui.ui.tabs.compare.surprisal import MapValue, ReadingChoice

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
    with short_exams():
        list(finetune(run, studio.models.load))
    yield studio, run
    studio.surprisal_jobs.close()


def asked(visitor, base, tuned, sentence=QUESTION, which=None) -> CompareQuestion:
    """A question as the page sends it, with three guesses."""
    words = parsed(PickerValue, words_of(sentence))
    return CompareQuestion(visitor, base, tuned, sentence, words, which, 3)


def ask(studio, *question):
    return answer.ask(studio, asked(*question))


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
    for visitor in (BOB, ""):
        question = asked(visitor, models["base"], models["tuned"])
        with pytest.raises(UserError, match="has no model"):
            answer.ask(studio, question)
        with pytest.raises(UserError, match="has no model"):
            pairs.chosen_blank(studio, question)
    choice = ReadingChoice(BOB, models["base"], models["tuned"], "", "Sow the beans.", "base")
    with pytest.raises(UserError):
        surprisal.start(studio, choice)


def test_choices_show_nobody_else_s_runs(hosted):
    studio, run = hosted
    assert run.id in str(model_lists.refresh(studio, ANN, "", "", None).tuned.choices)
    assert run.id not in str(model_lists.refresh(studio, BOB, run.id, "", f"run:{run.id}"))


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
    from_the_text = " ".join([*words[:4], "___", *words[5:]])
    warnings = ask(studio, ANN, "", f"run:{run.id}", from_the_text).warned["cautions"]
    assert len(warnings) == 1 and "may be memory" in warnings[0]
    new = "Whatever is new here was never ___ in any book."
    assert ask(studio, ANN, "", f"run:{run.id}", new).warned["cautions"] == []


def test_different_tokenizers_are_pointed_out(hosted, family_folder, tmp_path, monkeypatch):
    studio, _ = hosted
    laptop = Studio.open(tmp_path, dataclasses.replace(HOSTED, hosted=False))
    other = str(family_folder("roberta"))
    assert "different pieces" in ask(laptop, ANN, "starter", other).warned["cautions"][0]
    view = shift_map.draw_shift(laptop, asked(ANN, "starter", other, "Sow the ___ now."))
    assert "whole words that both models know" in view.note and view.picture["fig"]["data"]


def test_blanks_filled_together_show_what_each_alone_would_give(hosted):
    studio, run = hosted
    sentence = "He is a ___ of ___."
    base, tuned = joint.fill_together(studio, asked(ANN, "starter", f"run:{run.id}", sentence))
    assert len(base["rows"]) == len(tuned["rows"]) == 5
    assert "alone" in base["foot"] and "…" in base["rows"][0]["token"]
    assert joint.fill_together(studio, asked(ANN, "starter", None, sentence)).tuned["rows"] == []


def test_words_of_one_s_own_are_scored_in_pieces(hosted):
    studio, run = hosted
    question = asked(ANN, "starter", f"run:{run.id}", "Sow the ___ in April.")
    rows = own_words.score_words(studio, question, "beans, husbandmen , unsociable")["rows"]
    assert [row[0] for row in rows] == ["beans", "husbandmen", "unsociable"]
    assert " · " in rows[2][1]
    assert all(row[4][0] in "×÷" for row in rows)
    alone = asked(ANN, "starter", None, "Sow the ___.")
    assert own_words.score_words(studio, alone, "beans")["rows"][0][3] == "–"


@pytest.mark.parametrize("typed", ["", " , ,", ",".join("abcdefghijk"), "x" * 2000, None])
def test_odd_lists_of_words_are_refused(typed):
    with pytest.raises(UserError):
        own_words.typed_words(typed)


@pytest.mark.parametrize("which", [None, "blank 99", "blank x", "blank ²", "3"])
def test_an_odd_choice_of_a_blank_is_the_first_one(which):
    assert asked(ANN, "", None, QUESTION, which).place == 0


def test_the_second_blank_is_the_second_blank(hosted):
    studio, run = hosted
    models, text, place = pairs.chosen_blank(
        studio, asked(ANN, "", f"run:{run.id}", QUESTION, "blank 2")
    )
    assert place == 1
    first, second = (studio.models.shift_map(*models, text, number).shifts[0] for number in (0, 1))
    assert first != second


def test_a_sentence_without_a_blank_cannot_be_looked_at_closely(hosted):
    with pytest.raises(UserError, match="nothing to fill"):
        pairs.chosen_blank(hosted[0], asked(ANN, "", None, "No blank here."))


def test_questions_are_remembered_once_and_the_last_first():
    known: tuple = ()
    for sentence in (
        "The ___ is red.",
        "No blank here.",
        "A [MASK] b.",
        "The ___ is red.",
        *[f"Number {number} ___" for number in range(30)],
    ):
        past = past_questions.remember(None, known, sentence, PickerValue())
        known = tuple(past.kept)
    assert len(known) == past_questions.MAX_REMEMBERED and known[0] == "Number 29 ___"
    assert [value for _, value in past.listed.choices] == list(known)
    again = past_questions.remember(None, ("x ___", "x" * 9999), "x ___", PickerValue())
    assert again.kept[0] == "x ___" and len(again.kept) == 2
    assert max(map(len, again.kept)) <= 5000
    assert past_questions.forget(None).kept == []


@pytest.mark.parametrize("odd", [None, {"a": 1}, "x ___", ["x ___", 3], [None]])
def test_damaged_questions_in_a_browser_are_none(odd):
    assert parsed(past_questions.Kept, odd) == ()


def test_a_text_is_read_word_by_word_in_the_background(hosted, lm):
    studio, run = hosted
    text = "Sow the beans in April.\n\nUnsociable husbandmen shell them in autumn."
    choice = ReadingChoice(ANN, "", f"run:{run.id}", "", text, "tuned")
    value = surprisal.start(studio, choice).words
    surprisal_job = studio.surprisal_jobs.find(value["reading"], ANN)
    assert value["show"] == "tuned"
    assert surprisal_job.over.wait(PATIENCE) and surprisal_job.state == "done"
    expected = [
        surprise for paragraph in text.split("\n\n") for surprise in surprises(lm, paragraph)
    ]
    assert [word.base.nats for word in surprisal_job.words] == pytest.approx(
        [surprise.nats for surprise in expected], abs=1e-4
    )
    assert any(abs(word.change) > 1e-3 for word in surprisal_job.words)
    check_poll(studio, surprisal_job, [surprise.word for surprise in expected])
    rows = surprisal_values.rows_of(surprisal_job)
    assert rows[1][:3] == [1, 1, "Sow"] and len(rows) == len(expected) + 1
    ended = ReadingEnded(reading=surprisal_job.id)
    assert "surprise.csv" in str(surprisal.over(studio, ANN, ended).download.value)
    assert not surprisal.over(studio, BOB, ended).download.value
    picked = surprisal.pick(studio, ANN, WordPicked(surprisal_job.id, 2))
    assert "beans" in picked.base["title"] and len(picked.tuned["rows"]) == 5
    for visitor, index in ((ANN, 10**9), (ANN, -1), (BOB, 2)):
        event = WordPicked(surprisal_job.id, index)
        assert surprisal.pick(studio, visitor, event).base["rows"] == []


def check_poll(studio, surprisal_job, words):
    """The map gets each word once, its owner alone, and the most changed first."""
    poll = answering(surprisal_values.poller(studio))
    asked_first = {"reading": surprisal_job.id, "visitor": ANN, "cursor": 0}
    first = poll(asked_first)
    assert first["final"] and [word[0] for word in first["words"]] == words
    assert first["words"][6][3], "the second paragraph starts there"
    changes = [abs(tuned - base) for _, _, base, tuned in first["moved"]]
    assert changes == sorted(changes, reverse=True)
    assert poll({**asked_first, "cursor": first["cursor"]})["words"] == []
    for stranger in (
        {**asked_first, "visitor": BOB},
        {"reading": surprisal_job.id},
        {"reading": ["x"], "visitor": ANN},
        None,
        "x",
        {"reading": {}},
    ):
        assert poll(stranger) is None


@pytest.mark.parametrize(
    "odd",
    [None, [], {}, {"index": 1}, {"reading": "x", "index": 1}, {"reading": "", "index": True}],
)
def test_a_click_on_something_else_than_a_word_is_refused(odd):
    with pytest.raises(UserError):
        parsed(WordPicked, odd)


def test_a_reading_can_be_cancelled_and_keeps_what_it_read(hosted, corpus):
    studio, run = hosted
    surprisal_job = studio.surprisal_jobs.read(
        Corpus.from_text("\n\n".join(corpus.paragraphs[:25])), "starter", f"run:{run.id}", BOB
    )
    while not surprisal_job.words and surprisal_job.live:
        surprisal_job.over.wait(0.01)
    with pytest.raises(UserError, match="under way"):
        studio.surprisal_jobs.read(Corpus.from_text("Sow the beans."), "starter", "starter", BOB)
    shown = MapValue(reading=surprisal_job.id)
    surprisal.stop(studio, ANN, shown)
    assert not surprisal_job.cancelled.is_set()
    surprisal.stop(studio, BOB, shown)
    assert surprisal_job.over.wait(PATIENCE) and surprisal_job.state == "cancelled"
    assert 0 < len(surprisal_job.words) < surprisal_job.num_words
    note = surprisal_values.note_of(surprisal_job, len(surprisal_job.words))
    assert "cancelled" in note


def test_a_text_too_long_to_read_is_refused(hosted):
    studio, _ = hosted
    with pytest.raises(UserError, match="too long to be read"):
        studio.surprisal_jobs.read(Corpus.from_text("beans " * 3_000), "starter", "starter", ANN)


def test_a_word_s_surroundings_keep_their_own_blanks_apart():
    from mlm_gui.core.inference.surprisal import Surprise
    from mlm_gui.services.jobs.surprisal import ReadWord, SurprisalJob

    paragraph = f"{'long ago ' * 100}they wrote [MASK] and ___ beside the beans{' and more' * 100}"
    word = Surprise("beans", paragraph.index("beans"), ("beans",), 1.0)
    question = surprisal_values.question_at(
        SurprisalJob("a", "b", paragraphs=(paragraph,)), ReadWord(0, word, word)
    )
    assert question.count("[MASK]") == 1 and "beside the [MASK] and more" in question
    assert "…" in question and len(question) < 900


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
    sides = shift_map.label_sides(crowd, ["word"] * len(crowd))
    assert sides[0] == "top center" and sides[3] == "middle left" and sides[4] == "middle right"
    assert (
        sides[1] not in ("", "top center") and "" in sides
    )  # the first ones find another side; where none is free the point stays unnamed


@pytest.mark.parametrize(
    ("probability", "said"), [(0.123, "12.3%"), (0.0045, "0.45%"), (3.1e-6, "3.1e-06")]
)
def test_a_probability_has_the_digits_it_can_carry(probability, said):
    assert format_probability(probability) == said


@pytest.mark.parametrize(("ratio", "said"), [(3.2, "×3.2"), (1 / 1.4, "÷1.4"), (0.05, "÷20")])
def test_a_change_is_a_factor(ratio, said):
    assert format_factor(ratio) == said
