"""The masking lab in a real browser.

Clicking, keying, stepping, re-rolling, the code, the table, and the next batch of a run.
"""

import pytest
from playwright.sync_api import expect

from mlm_gui.core.config import TrainConfig
from mlm_gui.services.runs.request import RunRequest

CHIPS = "#mask-tokens .strip button"
FATES = f"[...document.querySelectorAll('{CHIPS}')].map(chip => chip.dataset.fate).join()"


@pytest.fixture
def lab(page):
    page.click("#tab-masks-button")
    page.wait_for_function(f"{FATES}.includes('mask')")
    return page


def open_part(page, name):
    page.locator("#mask-part label", has_text=name).click()


def test_a_piece_is_forced_forbidden_and_given_back_by_click_and_by_key(lab):
    chips = lab.locator(CHIPS)
    drawn = lab.evaluate(FATES)
    place = next(number for number, fate in enumerate(drawn.split(",")) if fate == "untouched")
    chip = chips.nth(place)
    chip.click()
    expect(chip.locator("u")).to_have_text("+")
    assert chip.get_attribute("data-fate") in ("mask", "random", "kept")
    expect(lab.locator("#mask-facts")).to_contain_text("1 by you")
    lab.keyboard.press("Space")
    expect(chip.locator("u")).to_have_text("×")
    expect(chip).to_have_attribute("data-fate", "untouched")
    expect(lab.locator("#mask-tokens [role=status]")).to_contain_text("left out by you")
    lab.keyboard.press("Enter")
    expect(chip.locator("u")).to_be_hidden()
    assert lab.evaluate(FATES) == drawn
    chips.first.click()
    chip.click()
    expect(chip.locator("u")).to_have_text("+")
    expect(chips.first).to_have_attribute("data-fate", "special")
    lab.click("#mask-clear")
    expect(chip.locator("u")).to_be_hidden()
    assert lab.evaluate(FATES) == drawn


def test_rolling_again_and_moving_to_another_pass_draw_anew_and_the_tutorial_s_blanks_stay(lab):
    first = lab.evaluate(FATES)
    lab.click("#mask-again")
    lab.wait_for_function(f"{FATES} !== {first!r}")
    lab.click("#mask-more button >> nth=0")
    epoch = lab.locator("#mask-epoch input[type=number]")
    expect(
        epoch
    ).to_be_visible()  # before that the accordion is still being built, and what is typed is lost
    expect(epoch).to_have_value("1")
    second = lab.evaluate(FATES)
    epoch.fill("2")
    lab.wait_for_function(f"{FATES} !== {second!r}")
    lab.locator("#mask-rule label", has_text="Tutorial").click()
    expect(lab.locator(CHIPS).last).to_contain_text("padding")
    in_tutorial_mode = lab.evaluate(FATES)
    epoch.fill("7")
    lab.locator("#mask-ids input").check()
    expect(lab.locator(f"{CHIPS} .ids").first).to_be_visible()
    assert lab.evaluate(FATES) == in_tutorial_mode and "random" not in in_tutorial_mode


def test_the_draw_is_walked_through_by_button_and_arrow_key(lab):
    open_part(lab, "Step by step")
    steps = lab.locator("#mask-steps")
    expect(steps.locator(".where")).to_have_text("Step 1 of 6: random numbers")
    steps.locator(".on").click()
    expect(steps.locator("pre").first).to_have_text("rand < 0.15")
    lab.keyboard.press("ArrowRight")
    expect(steps.locator("pre").first).to_contain_text("!= 101")
    for _ in range(9):
        lab.keyboard.press("ArrowRight")
    expect(steps.locator(".where")).to_have_text("Step 6 of 6: labels")
    expect(steps.locator("tbody tr")).to_have_count(6)
    lab.keyboard.press("ArrowLeft")
    expect(steps.locator(".where")).to_have_text("Step 5 of 6: replaced ids")


def test_counts_budget_code_and_table_tell_the_same_draw(lab, corpus):
    open_part(lab, "Counts")
    expect(lab.locator("#mask-spread")).to_contain_text("With a text of many paragraphs")
    lab.click("#tab-text-button")
    lab.click("#sample-seed-almanac")
    expect(lab.locator("#text-title")).to_contain_text("almanac")
    lab.click("#tab-masks-button")
    expect(lab.locator("#mask-text textarea")).to_have_value(corpus.paragraphs[0])
    expect(lab.locator("#mask-tokens .strip")).to_contain_text("kitchen")
    chosen = [fate for fate in lab.evaluate(FATES).split(",") if fate in ("mask", "random", "kept")]
    open_part(lab, "Counts")
    expect(lab.locator("#mask-counts li").first).to_contain_text(f"{len(chosen)} of ")
    expect(lab.locator("#mask-spread .js-plotly-plot")).to_be_visible()
    open_part(lab, "Loss budget")
    expect(lab.locator("#mask-budget")).to_contain_text("padding")
    expect(lab.locator("#mask-counts")).to_have_count(0)
    open_part(lab, "Code")
    expect(lab.locator("#mask-code")).to_contain_text("manual_seed")
    open_part(lab, "Table")
    rows = lab.locator("#mask-table tbody tr")
    expect(rows).to_have_count(lab.locator(CHIPS).count())
    expect(rows.first.locator("th")).to_have_text("0")
    expect(rows.first).to_contain_text("protected: it marks the start")


def test_odd_text_is_shown_as_typed(lab):
    lab.fill(
        "#mask-text textarea",
        "<img src=x onerror=window.hit=1> שלום ä [MASK] ${window.hit=2} beans",
    )
    expect(lab.locator("#mask-tokens")).to_contain_text("beans")
    for name in ("Step by step", "Code", "Table"):
        open_part(lab, name)
    expect(lab.locator("#mask-table")).to_contain_text("the text itself has a blank here")
    assert (
        lab.evaluate("window.hit") is None
        and not lab.locator("#mask-tokens img, #mask-table img, #mask-code img").count()
    )


def test_the_next_batch_of_a_run_is_the_one_the_trainer_draws(open_page, served, corpus):
    _, studio = served
    run = studio.runs.create(
        RunRequest(corpus=corpus, config=TrainConfig(epochs=1, seed=4, unit="word"))
    )
    page = open_page(f"/?run={run.id}&tab=masks")
    page.wait_for_function(f"{FATES}.includes('mask')")
    page.locator("#mask-source label", has_text="next batch").click()
    heading = page.locator("#mask-tokens .heading")
    expect(heading).to_contain_text("batch 1 of")
    expect(heading).to_contain_text("the very next one")
    plan = studio.masking_preview.plan(run)
    for step in (1, 3):
        page.locator("#mask-step input").fill(str(step))
        expect(heading).to_contain_text(f"batch {step} of")
        pack, batch = plan.batch_at(step)
        assert page.evaluate(FATES) == ",".join(fate_names(batch.fates[: int(pack.lengths[0])]))
    page.click("#mask-later")
    expect(heading).to_contain_text("paragraph 2 of")
    first = int(pack.lengths[0])
    assert page.evaluate(FATES) == ",".join(
        fate_names(batch.fates[first : first + int(pack.lengths[1])])
    )


def fate_names(fates):
    return [("untouched", "mask", "random", "kept", "special")[fate] for fate in fates.tolist()]


def test_the_lab_fits_a_phone_with_every_part_open(open_page):
    page = open_page(viewport={"width": 390, "height": 844})
    page.click("#tab-masks-button")
    page.wait_for_function(f"{FATES}.includes('mask')")
    parts = {
        "Step by step": "steps",
        "Counts": "counts",
        "Loss budget": "budget",
        "Code": "code",
        "Table": "table",
    }
    for name, part in parts.items():
        open_part(page, name)
        expect(page.locator(f"#mask-{part}")).to_be_visible()
        page.wait_for_function("document.documentElement.scrollWidth <= 390")


def test_of_clicks_faster_than_the_server_none_is_lost_or_counted_twice(lab):
    assert lab.evaluate(f"document.querySelectorAll('{CHIPS}').length") > 8
    click = f"place => document.querySelectorAll('{CHIPS}')[place].click()"
    lab.evaluate(f"[1, 2, 3, 3, 4, 4, 4].forEach({click})")
    chips = lab.locator(CHIPS)
    for place, mark in ((1, "+"), (2, "+"), (3, "×")):
        expect(chips.nth(place).locator("u")).to_have_text(mark)
    expect(chips.nth(4).locator("u")).to_be_hidden()
    expect(lab.locator("#mask-facts")).to_contain_text("2 by you")
