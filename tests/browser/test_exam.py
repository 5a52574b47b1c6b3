"""The exam in a real browser: a run ends with a verdict, which can be had again and on a phone."""

import re
import threading

import pytest
from page_steps import choose_settings
from playwright.sync_api import expect

from mlm_gui.services.jobs.evaluations import EvaluationJob

VERDICT = re.compile("^(Better|No measurable change|Worse): the loss on unseen text")


@pytest.fixture
def exam_seeds():
    """Two draws: enough blanks for a verdict."""
    return (0, 1)


def test_a_run_ends_with_a_verdict_on_the_exam_tab(page, served, held):
    page.click("#sample-seed-almanac")
    expect(page.locator("#text-title")).to_contain_text("almanac")
    page.click("#tab-train-button")
    choose_settings(page, max_steps=6, evaluations=1)
    page.click("#train-start")
    expect(page.locator("#train-stop")).to_be_enabled()
    page.click("#tab-exam-button")
    expect(page.locator("#exam-verdict .sentence")).to_contain_text("still being trained")
    held.set()
    sentence = page.locator("#exam-verdict .sentence")
    expect(sentence).to_have_text(VERDICT, timeout=60_000)
    expect(page.locator("#exam-facts .fact")).to_have_count(4)
    expect(page.locator("#exam-table tbody tr")).to_have_count(8)
    expect(page.get_by_role("columnheader", name="tuned − base")).to_be_visible()
    expect(page.locator("#exam-cloze tbody tr").first).to_contain_text("____")
    page.wait_for_function(
        "document.querySelector('#exam-chart .js-plotly-plot')?.data?.length === 2"
    )
    page.click("#exam-table summary")
    expect(page.locator("#exam-table .how dd").first).to_contain_text("blanks in")

    first = sentence.inner_text()
    other, let_go = EvaluationJob("somebody else", "a text"), threading.Event()
    served[1].evaluation_jobs.start(other, lambda keep_going: let_go.wait(60))
    page.click("#exam-start")
    expect(page.locator("#exam-cancel")).to_be_enabled()
    expect(page.locator("#exam-chart .note")).to_contain_text("Waiting for another exam to end")
    let_go.set()
    expect(page.locator("#exam-start")).to_have_text("Run the exam again")
    expect(sentence).to_have_text(first)
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("document.documentElement.scrollWidth <= 390")

    page.click("#exam-other button >> nth=0")
    expect(page.locator("#exam-text textarea")).to_be_visible()
    page.fill(
        "#exam-text textarea",
        "Leave the pods on the vine until they rattle, <b>then</b> shell them in the dry.",
    )
    page.click("#exam-start-other")
    expect(sentence).to_contain_text("No verdict: only 1 different paragraph is unseen")
