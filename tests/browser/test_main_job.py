"""The whole job in a real browser.

Bring a text, see the masks, train and watch, reload in the middle, compare, take the model away.
"""

import re
import zipfile

from page_steps import POINTS, bring, choose_settings, refusal
from playwright.sync_api import expect

from mlm_gui.core.inference.fill import fill
from mlm_gui.core.model.masked_lm import MaskedLM


def test_a_person_teaches_the_starter_a_text_and_takes_the_model_away(page, served, held, tmp_path):
    bring(page)
    expect(page.locator("#text-facts")).to_contain_text("words")
    expect(page.locator("#text-split")).to_contain_text("kept unseen")

    page.click("#tab-masks-button")
    expect(page.locator("#mask-tokens button[data-fate=special]").first).to_contain_text("[CLS]")
    expect(page.locator("#mask-tokens button[data-fate=mask]").first).to_contain_text("[MASK]")

    page.click("#tab-train-button")
    choose_settings(page, max_steps=24, tokens_per_step=256, evaluations=1)
    page.click("#train-start")
    page.wait_for_function(f"{POINTS} === 5")
    expect(page.locator("#train-stop")).to_be_enabled()

    page.reload()
    page.wait_for_selector("#tab-train-button")
    expect(page.locator("#pill")).to_contain_text("step 5 of 24")
    page.click("#tab-train-button")
    page.wait_for_function(f"{POINTS} === 5")
    held.set()
    page.wait_for_function(f"{POINTS} === 24")
    expect(page.locator("#train-chart .note")).to_contain_text("Finished", timeout=60_000)
    expect(page.locator("#train-timeline tbody tr")).to_have_count(2)
    assert served[1].runs.all()[0].state == "finished"

    page.click("#tab-compare-button")
    page.fill("#compare-sentence textarea", "Leave the pods on the ___ until they rattle.")
    expect(page.locator("#compare-tuned h3")).to_contain_text(
        "24 steps"
    )  # until the run's end is told, the tuned model is the one of an earlier run
    expect(page.locator("#compare-words")).to_contain_text(
        "rattle"
    )  # words and guesses arrive together
    for side in ("base", "tuned"):
        expect(page.locator(f"#compare-{side} li")).to_have_count(5)
    guesses = [page.locator(f"#compare-{side} li").all_inner_texts() for side in ("base", "tuned")]
    assert guesses[0] != guesses[1]

    expect(page.locator("#compare-download")).to_be_enabled()
    with page.expect_download() as download:
        page.click("#compare-download")
    download.value.save_as(tmp_path / "model.zip")
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        archive.extractall(tmp_path / "taken")
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    (folder,) = (tmp_path / "taken").iterdir()
    assert AutoModelForMaskedLM.from_pretrained(folder).config.vocab_size == len(
        AutoTokenizer.from_pretrained(folder)
    )
    best = fill(MaskedLM.load(folder), "Leave the pods on the ___ until they rattle.", 1)[
        0
    ].guesses[0]
    expect(page.locator("#compare-tuned li").first).to_contain_text(best.token)


def test_a_double_click_starts_one_run_which_two_tabs_see_and_stop_keeps_its_model(
    page, served, held
):
    _, studio = served
    bring(page)
    before = len(studio.runs.all())
    page.click("#tab-train-button")
    page.click("#train-start", click_count=2)
    page.wait_for_function(f"{POINTS} === 5")
    other = page.context.new_page()
    other.goto(page.url.split("?")[0])
    other.click("#tab-train-button")
    other.wait_for_function(f"{POINTS} === 5")
    other.click("#train-stop")
    expect(other.locator("#train-stop")).to_have_text("Stopping …")
    held.set()
    for tab in (page, other):
        expect(tab.locator("#train-chart .note")).to_contain_text("Stopped")
        expect(tab.locator("#train-start")).to_have_text("Start training")
    assert len(studio.runs.all()) == before + 1
    run = studio.runs.all()[0]
    assert run.state == "stopped"
    assert fill(MaskedLM.load(run.model_folder), "the ___ is here", 1)


def test_the_same_seed_draws_the_same_masks_and_another_seed_others(page):
    page.click("#tab-masks-button")
    chips = "[...document.querySelectorAll('#mask-tokens button[data-fate]')]"
    fates = f"{chips}.map(chip => chip.dataset.fate).join()"
    page.wait_for_function(f"{fates}.includes('mask')")
    first = page.evaluate(fates)
    seed = page.locator("#mask-seed input")
    seed.fill("7")
    seed.blur()
    page.wait_for_function(f"{fates} !== {first!r}")
    seed.fill("0")
    seed.blur()
    page.wait_for_function(f"{fates} === {first!r}")


def test_chips_answer_to_the_keyboard_and_say_why(page):
    page.click("#tab-masks-button")
    first = page.locator("#mask-tokens button[data-fate]").first
    first.focus()
    expect(page.locator("#mask-tokens [role=status]")).to_contain_text(
        "protected: it marks the start"
    )
    page.keyboard.press("ArrowRight")
    expect(page.locator("#mask-tokens [role=status]")).to_contain_text("chosen")


def test_clicking_words_hides_them_and_brings_them_back(page):
    page.click("#tab-compare-button")
    page.fill("#compare-sentence textarea", "The sea is calm")
    words = page.locator("#compare-words button")
    expect(words).to_have_count(4)
    words.nth(1).click()
    expect(words.nth(1)).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#compare-base li")).to_have_count(5)
    words.nth(3).click()
    expect(page.locator("#compare-which input")).to_have_count(2)
    words.nth(1).click()
    expect(words.nth(1)).to_have_attribute("aria-pressed", "false")
    words.nth(3).click()
    expect(page.locator("#compare-base")).to_contain_text("Hide a word")


def test_no_late_answer_brings_a_hidden_word_back(page, served):
    _, studio = served
    page.click("#tab-compare-button")
    page.fill("#compare-sentence textarea", "The sea is calm")
    words = page.locator("#compare-words button")
    expect(words).to_have_count(4)
    with studio.models.turn():  # nobody else is answered meanwhile
        for number in (1, 3):  # hidden at once, while the answers are still awaited
            words.nth(number).click()
            expect(words.nth(number)).to_have_attribute("aria-pressed", "true", timeout=5000)
    expect(page.locator("#compare-which input")).to_have_count(2)
    expect(page.locator("#compare-base li")).to_have_count(5)
    for number in (1, 3):
        expect(words.nth(number)).to_have_attribute("aria-pressed", "true")


HOSTILE = "<img src=x onerror=window.hit=1> ${window.hit=2} {{value}} <b>bold</b> ___"


def test_hostile_text_is_shown_as_typed(page):
    page.click("#tab-masks-button")
    page.fill("#mask-text textarea", HOSTILE)
    expect(page.locator("#mask-tokens")).to_contain_text("bold")
    page.click("#tab-compare-button")
    page.fill("#compare-sentence textarea", HOSTILE)
    expect(page.locator("#compare-words")).to_contain_text("bold")
    expect(page.locator("#compare-base li")).to_have_count(5)
    page.click("#tab-text-button")
    page.fill(
        "#text-paste textarea",
        "\n\n".join(f"{HOSTILE} paragraph number {n} of many" for n in range(5)),
    )
    page.click("#text-use")
    expect(page.locator("#text-preview textarea")).to_have_value(re.compile("<b>bold</b>"))
    assert page.evaluate("window.hit") is None


def test_bad_files_are_refused_in_three_sentences_and_the_text_in_use_stays(page, tmp_path):
    bring(page)
    bad = {
        "empty.txt": (b"", "holds no words"),
        "picture.txt": (
            b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 20,
            "does not look like text",
        ),
    }
    for name, (content, said) in bad.items():
        (tmp_path / name).write_bytes(content)
        page.click("#text-files button[aria-label*='lear']")
        page.set_input_files("#text-files input[type=file]", str(tmp_path / name))
        expect(refusal(page, said)).to_be_visible()
        expect(page.locator("#text-title")).to_contain_text("seed")


def test_unknown_and_unfit_models_are_refused_before_a_run_is_made_and_the_text_stays(
    page, served, maskless_folder
):
    bring(page)
    before = len(served[1].runs.all())
    page.click("#tab-train-button")
    box = page.locator("#train-model input")
    unfit = {
        "google-bert/no-such-model": "could not be downloaded",
        "../../etc": "There is no model",
        str(maskless_folder): "no mask token",
    }
    for model, said in unfit.items():
        box.fill(model)
        box.press("Enter")
        page.click("#train-start")
        expect(refusal(page, said)).to_be_visible()
    assert len(served[1].runs.all()) == before
    page.click("#tab-text-button")
    expect(page.locator("#text-title")).to_contain_text("seed")


def test_a_text_of_one_word_cannot_be_trained_and_says_why(page, served):
    before = len(served[1].runs.all())
    page.fill("#text-paste textarea", "word")
    page.click("#text-use")
    expect(page.locator("#text-split")).to_contain_text("too small to train on")
    page.click("#tab-train-button")
    page.click("#train-start")
    expect(refusal(page, "too small to train on")).to_be_visible()
    assert len(served[1].runs.all()) == before


def test_the_page_fits_a_phone(open_page):
    page = open_page(viewport={"width": 390, "height": 844})
    bring(page)
    for tab in ("text", "masks", "train", "compare"):
        page.click(f"#tab-{tab}-button")
        page.wait_for_function("document.documentElement.scrollWidth <= 390")
