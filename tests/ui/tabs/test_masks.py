"""The masks tab's handlers, posted to by anybody with anything."""

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
from mlm_gui.ui.tabs.masks import tab as masking_tab
from mlm_gui.ui.tabs.masks.form import BATCH, PARTS, TEXT
from mlm_gui.ui.tabs.masks.view import Asked, MaskingView, checksum_of, places_of

ASKED = Asked(
    "",
    "",
    "",
    TEXT,
    "Sort the packets by kind first",
    "Recommended",
    15,
    80,
    10,
    "token",
    0,
    1,
    "once",
    "starter",
    False,
    None,
    "",
    1,
    1,
    True,
    1,
)


def clicked(studio, asked, sent):
    return masking_tab.pick(studio, gr.EventData(None, sent), *asked)


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
        masking_tab.draw(studio, *ASKED._replace(part=part, **wrong))


@pytest.mark.parametrize(
    "marks", [None, 7, "x", "|", "+1+2", [1], {"a": 1}, "00000000|+1", "-" * 10**5]
)
@pytest.mark.parametrize("part", ["nonsense", 3, [], None])
def test_forged_marks_and_parts_count_for_nothing(studio, marks, part):
    expected = masking_tab.draw(studio, *ASKED)
    found = masking_tab.draw(studio, *ASKED._replace(marks=marks, part=part))
    assert (found.tokens, found.numbers) == (expected.tokens, expected.numbers)


@pytest.mark.parametrize(
    "sent",
    [
        None,
        3,
        "x",
        [],
        {},
        {"indexes": "1"},
        {"indexes": [-1, 10**9, True, 1.5, "1", [1], None, 0]},
        {"index": 1},
    ],
)
@pytest.mark.parametrize("unit", ["token", "word"])
def test_a_click_on_a_piece_that_cannot_be_chosen_changes_nothing(studio, sent, unit):
    asked = ASKED._replace(unit=unit)
    assert clicked(studio, asked, sent).tokens == masking_tab.draw(studio, *asked).tokens


def test_with_whole_words_a_click_marks_all_pieces_of_the_word(studio):
    asked = ASKED._replace(text="Cotyledonary beans", unit="word")
    view = clicked(studio, asked, {"indexes": [2]})
    force, _ = places_of(asked._replace(marks=view.marks))
    assert len(force) > 1 and force == set(range(1, 1 + len(force)))
    assert places_of(asked._replace(marks=view.marks, text="another text")) == (set(), set())
    assert view.marks.startswith(checksum_of(asked))


def test_a_batch_is_shown_only_to_those_who_may_see_the_run(tmp_path, corpus):
    studio = Studio.open(tmp_path, HOSTED)
    run = studio.runs.create(
        RunRequest(corpus=corpus, config=TrainConfig(epochs=1), owner="a" * 32)
    )
    asked = ASKED._replace(source=BATCH, run_id=run.id, visitor="a" * 32, part="Code")
    assert "batch 1 of" in masking_tab.draw(studio, *asked).tokens["heading"]
    assert str(tmp_path) not in str(masking_tab.draw(studio, *asked).code)
    for stranger in ("b" * 32, "", None, 7):
        assert (
            "no run to look at"
            in masking_tab.draw(studio, *asked._replace(visitor=stranger)).tokens["hint"]
        )
    for wrong in (
        {"step": 0},
        {"step": math.nan},
        {"step": 10**9},
        {"sequence": 0},
        {"sequence": "1"},
    ):
        with pytest.raises(UserError):
            masking_tab.draw(studio, *asked._replace(**wrong))


def test_a_run_as_taught_is_shown_with_its_padding_a_label_everywhere_and_why(studio, corpus):
    run = studio.runs.create(RunRequest(corpus=corpus, config=RECIPES["tutorial"]))
    view = masking_tab.draw(studio, *ASKED._replace(source=BATCH, run_id=run.id, part="Code"))
    *tokens, padding = json.loads(view.tokens["tokens"])
    assert padding["text"] == f"+ {512 - len(tokens)} padding" and all(
        token["label"] == token["id"] for token in tokens
    )
    assert (
        "the loss counts every label" in view.tokens["hint"]
        and "labels = ids.clone()" in view.code["value"]
    )


def test_a_text_counted_in_part_says_so_and_one_paragraph_has_no_spread(studio):
    text_id = studio.texts.add(
        Corpus.from_text("\n\n".join(f"Beans and peas in row {number}." for number in range(2_001)))
    )
    asked = ASKED._replace(text_id=text_id)
    assert (
        "its first 2,000 paragraphs"
        in masking_tab.draw(studio, *asked._replace(part="Loss budget")).budget["value"]["note"]
    )
    assert (
        "its first 2,000 paragraphs"
        in masking_tab.draw(studio, *asked._replace(part="Counts")).spread["value"]["note"]
    )
    assert (
        "first"
        not in masking_tab.draw(studio, *ASKED._replace(part="Loss budget")).budget["value"]["note"]
    )
    assert masking_tab.draw(studio, *ASKED._replace(part="Counts")).spread["value"]["fig"] is None


def test_quick_clicks_count_each_and_carry_the_number_of_their_turn(studio):
    view = clicked(studio, ASKED, {"indexes": [1, 2, 2], "turn": 7})
    force, forbid = places_of(ASKED._replace(marks=view.marks))
    assert (force, forbid, view.tokens["turn"]) == ({1}, {2}, 7)
    assert "turn" not in masking_tab.draw(studio, *ASKED).tokens


def test_a_batch_that_is_followed_moves_on_with_its_run_and_one_that_is_not_is_told_when_it_is_done(
    studio, corpus
):
    run = studio.runs.create(
        RunRequest(corpus=corpus, config=TrainConfig(epochs=1, tokens_per_step=256))
    )
    asked = ASKED._replace(run_id=run.id, source=BATCH)
    with run.queue_lock:
        clock, upcoming, step, *view = masking_tab.follow(studio, *asked)
        assert clock.active and upcoming == 1 and step == view[-1] == gr.skip(), (
            "nothing happened: nothing is drawn"
        )
        for done in (1, 2, 3):
            run.append(Stepped(done, 0.1, 5.0, 1e-3, 9.0, float(done)))
        clock, upcoming, step, sequence, *view = masking_tab.follow(
            studio, *asked._replace(sequence=2)
        )
        assert (upcoming, step, sequence) == (4, 4, 1) and "batch 4 of" in MaskingView(
            *view
        ).tokens["heading"]
        _, upcoming, step, _, *view = masking_tab.follow(
            studio, *asked._replace(follows=False, step=2)
        )
        assert (upcoming, step) == (4, 2) and ", done" in MaskingView(*view).tokens["heading"]
        assert (
            masking_tab.follow(studio, *asked._replace(follows=False, step=2, upcoming=4))[2]
            == gr.skip()
        )
    run.append(Finished(3, "stopped", 1.0))
    assert not masking_tab.follow(studio, *asked)[0].active, "a run at rest is not asked for again"
    for source, run_id in ((TEXT, run.id), (BATCH, ""), (BATCH, ["x"])):
        assert not masking_tab.follow(studio, *asked._replace(source=source, run_id=run_id))[
            0
        ].active


def test_a_batch_offers_no_choice_and_without_a_run_nothing_is_offered_to_be_looked_at(
    studio, corpus
):
    run = studio.runs.create(RunRequest(corpus=corpus, config=TrainConfig(epochs=1)))
    assert masking_tab.draw(studio, *ASKED._replace(run_id=run.id, source=BATCH)).tokens["fixed"]
    assert not masking_tab.draw(studio, *ASKED).tokens["fixed"]
    for run_id, source, shown in ((run.id, BATCH, True), ("", TEXT, True), ("", BATCH, False)):
        of_text, of_batch, *_, closer, with_ids, part, _, _, _, _, _ = masking_tab.look_at(
            studio, "", run_id, source
        )
        assert closer["visible"] is with_ids["visible"] is shown
        assert part == gr.skip() if shown else part.value is None
