"""The closer looks of the Compare tab, in a real browser.

Any two models, blanks together, own words, the maps, and questions kept.
"""

import pytest
from playwright.sync_api import expect

from mlm_gui.core.inference.fill import fill
from mlm_gui.core.inference.surprisal import surprises
from mlm_gui.services.jobs.background import BackgroundTask

SENTENCE = "Leave the ___ on the ___ until they rattle."


@pytest.fixture
def tuned(finished_run):
    """A finished run that everybody on this laptop may see."""
    return finished_run("seed-almanac")


@pytest.fixture
def page(open_page, tuned):
    page = open_page(f"/?tab=compare&run={tuned.id}")
    expect(page.locator("#compare-tuned li")).to_have_count(5)
    page.fill("#compare-sentence textarea", SENTENCE)
    expect(page.locator("#compare-which input")).to_have_count(2)
    return page


def test_blanks_are_filled_together_and_a_word_of_one_s_own_is_scored(page):
    page.click("#compare-together > button")
    page.click("#together-fill")
    for side in ("base", "tuned"):
        expect(page.locator(f"#together-{side} li")).to_have_count(5)
        expect(page.locator(f"#together-{side} .foot")).to_contain_text("alone")
    page.click("#compare-word > button")
    page.fill("#word-candidates textarea", "pods, unsociable")
    page.press("#word-candidates textarea", "Enter")
    expect(page.locator("#word-table tbody tr")).to_have_count(2)
    expect(page.locator("#word-table tbody tr").nth(1)).to_contain_text("un · ##so")


def test_the_whole_vocabulary_is_drawn_and_its_movers_are_named(page):
    page.click("#compare-shift > button")
    page.click("#shift-draw")
    page.wait_for_function("document.querySelectorAll('#shift-map .point').length >= 1000")
    expect(page.locator("#shift-note")).to_contain_text("less probable ones are left out")
    names = page.evaluate(
        "document.querySelector('#shift-map .js-plotly-plot').data[1].text.filter(Boolean)"
    )
    assert 1 <= len(names) <= 8


def test_a_text_is_read_word_by_word_and_a_click_shows_the_guesses(page, lm):
    text = "Sow <b>the</b> beans ___ in April; 🌱 unsociable husbandmen rest"
    page.click("#compare-surprise > button")
    page.fill("#surprise-text textarea", text)
    page.click("#surprise-read")
    expect(page.locator("#surprise-csv")).to_be_enabled()
    expected = [surprise for surprise in surprises(lm, text)]
    words = page.locator("#surprise-words .strip .word")
    assert words.locator("b").all_inner_texts() == [surprise.word for surprise in expected]
    assert page.locator("#surprise-words .strip b b").count() == 0
    page.get_by_label("base", exact=True).check()
    page.wait_for_function(
        "figure => document.querySelector('#surprise-words .strip .word i').textContent === figure",
        arg=f"{expected[0].nats:.1f}",
    )
    words.nth([surprise.word for surprise in expected].index("beans")).click()
    expect(page.locator("#surprise-base .title")).to_contain_text("beans")
    expect(page.locator("#surprise-tuned li")).to_have_count(5)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#surprise-base .title")).not_to_contain_text("beans")
    page.locator("#surprise-words .movers button").first.click()
    with page.expect_download() as download:
        page.click("#surprise-csv")
    assert download.value.suggested_filename == "surprise.csv"


def test_a_reading_can_be_cancelled(page, corpus, monkeypatch):
    def wait_until_cancelled(task, share):
        return not task.cancelled.wait(60 if task.words else 0)

    # it does not end before that, however quick the machine is
    monkeypatch.setattr(BackgroundTask, "keep_going", wait_until_cancelled)
    page.click("#compare-surprise > button")
    page.fill("#surprise-text textarea", "\n\n".join(corpus.paragraphs))
    page.click("#surprise-read")
    expect(page.locator("#surprise-words .strip .word").first).to_be_visible()
    page.click("#surprise-cancel")
    expect(page.locator("#surprise-words .note")).to_contain_text("cancelled")
    expect(page.locator("#surprise-read")).to_be_enabled()


def test_two_models_change_places_and_a_wrong_name_is_refused(page, tuned, lm):
    page.fill("#compare-with input", f"run:{tuned.id}")
    page.press("#compare-with input", "Enter")
    expect(page.locator("#compare-base .title")).to_contain_text("seed-almanac")
    page.fill("#compare-run input", "starter")
    page.press("#compare-run input", "Enter")
    expect(page.locator("#compare-tuned .title")).to_contain_text("starter")
    expect(page.locator("#compare-tuned li").first).to_contain_text(
        fill(lm, SENTENCE, 1)[0].guesses[0].token
    )
    page.fill("#compare-run input", "../../etc")
    page.press("#compare-run input", "Enter")
    expect(page.locator(".toast-body").first).to_contain_text("no model")


def test_questions_are_kept_in_this_browser_only(page, open_page, tuned, lm):
    page.press("#compare-sentence textarea", "Tab")
    page.click("#compare-past input")
    expect(page.locator("#compare-past [role=option]").first).to_contain_text(SENTENCE)
    page.keyboard.press("Escape")
    page.fill("#compare-sentence textarea", "Another ___ came.")
    expect(page.locator("#compare-base li").first).to_contain_text(
        fill(lm, "Another ___ came.", 1)[0].guesses[0].token
    )
    page.reload()
    page.wait_for_selector("#tab-compare-button")
    page.click("#tab-compare-button")
    expect(page.locator("#compare-tuned li")).to_have_count(5)
    page.click("#compare-past input")
    page.locator("#compare-past [role=option]", has_text=SENTENCE).click()
    expect(page.locator("#compare-sentence textarea")).to_have_value(SENTENCE)
    stranger = open_page(f"/?tab=compare&run={tuned.id}")
    expect(stranger.locator("#compare-tuned li")).to_have_count(5)
    stranger.click("#compare-past input")
    expect(stranger.locator("#compare-past [role=option]")).to_have_count(0)
    page.click("#compare-forget")
    expect(page.locator("#compare-past input")).to_have_value("")


def test_words_clicked_faster_than_the_models_answer_are_all_hidden(page):
    words = page.locator("#compare-words .strip button")
    hidden = page.locator("#compare-words .strip button[aria-pressed=true]")
    expect(hidden).to_have_count(2)
    click = """places => places.forEach(place =>
        document.querySelectorAll('#compare-words .strip button')[place].click())"""
    page.evaluate(click, [0, 1, 3])
    expect(hidden).to_have_count(5)
    page.evaluate(click, [0, 0, 1])
    expect(words.nth(1)).to_have_attribute("aria-pressed", "false")
    expect(words.nth(0)).to_have_attribute("aria-pressed", "true")
    expect(hidden).to_have_count(4)
