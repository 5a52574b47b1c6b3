"""Runs that nothing can kill, seen from the page."""

import contextlib
import multiprocessing
import re
import socket
import threading
import urllib.request

import pytest
from page_steps import POINTS, bring, choose_settings, wait_for_fifth_step
from playwright.sync_api import expect

from mlm_gui.__main__ import main
from mlm_gui.core.config import TrainConfig
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.studio import Studio
from mlm_gui.ui.tabs.train import controls as train_controls

PLOT = "document.querySelector('#train-chart .js-plotly-plot')"
STEPS = f"{PLOT}?.data?.[0]?.x ?? []"


def begin(page, **settings):
    """Starts a run whose steps are quick, and fewer than points in a line."""
    bring(page)
    page.click("#tab-train-button")
    choose_settings(page, tokens_per_step=256, evaluations=1, **settings)
    page.click("#train-start")


def wait_until(page, is_so):
    """The server has come as far; the browser goes on meanwhile."""
    for _ in range(1500):
        if is_so():
            return
        page.wait_for_timeout(20)
    raise AssertionError("waited 30 seconds")


def test_pause_takes_one_step_and_goes_on_and_zoom_stays(page, held):
    begin(page, epochs=100)
    wait_for_fifth_step(page)
    page.evaluate(f"Plotly.relayout({PLOT}, {{'xaxis.range': [1, 7]}})")
    page.click("#train-pause")
    expect(page.locator("#train-pause")).to_have_text("Pausing …")
    held.set()
    expect(page.locator("#train-resume")).to_be_enabled()
    expect(page.locator("#train-pause")).to_be_disabled()
    expect(page.locator("#train-chart .note")).to_contain_text("Paused at step 5")
    page.click("#train-one-step")
    expect(page.locator("#train-chart .note")).to_contain_text("Paused at step 6")
    page.click("#train-resume")
    page.wait_for_function(f"({STEPS}).at(-1) > 7")
    assert page.evaluate(f"{PLOT}.layout.xaxis.range") == [1, 7]
    page.click("#train-stop")
    expect(page.locator("#train-chart .note")).to_contain_text("Stopped")
    steps = page.evaluate(STEPS)
    assert steps == list(range(1, steps[-1] + 1))


def test_a_run_stands_in_the_queue_and_can_leave_it(page, served, held, corpus):
    _, studio = served
    studio.training_queue.submit(
        studio.runs.create(
            RunRequest(
                corpus=corpus, config=TrainConfig(max_steps=6, tokens_per_step=256, evaluations=1)
            )
        )
    )
    begin(page)
    expect(page.locator("#train-chart .note")).to_contain_text("1 run comes first")
    expect(page.locator("#pill")).to_contain_text("number 2 in the queue")
    expect(page.locator("#train-stop")).to_have_text("Leave the queue")
    page.click("#train-stop")
    expect(page.locator("#train-chart .note")).to_contain_text("Stopped")


def test_news_of_one_run_that_come_late_do_not_cover_the_run_started_meanwhile(
    page, served, held, monkeypatch
):
    _, studio = served
    begin(page, max_steps=8)
    wait_for_fifth_step(page)
    first, looks = studio.runs.all()[0], []
    let_go, view_of = threading.Event(), train_controls.view_of

    def late(studio, run, visitor=""):
        looks.append(run)
        if run is first and run.state == "paused":
            let_go.wait(60)
        return view_of(studio, run, visitor)

    page.click("#train-pause")
    monkeypatch.setattr(train_controls, "view_of", late)
    held.set()
    expect(page.locator("#pill")).to_contain_text("paused")
    wait_until(page, lambda: first in looks)
    held.clear()
    choose_settings(page, max_steps=9)
    page.click("#train-start")
    expect(page.locator("#pill")).to_contain_text("step 5 of 9")
    second, seen = studio.runs.all()[0], len(looks)
    let_go.set()
    wait_until(page, lambda: second in looks[seen:])  # the late news were shown, and then put right
    expect(page.locator("#pill")).to_contain_text("step 5 of 9")
    expect(page.locator("#train-chart .note")).to_contain_text("Training: 5 of 9 steps")
    expect(page.locator("#train-pause")).to_be_enabled()


def test_a_run_that_ends_while_another_tab_is_looked_at_is_there_everywhere(
    open_page, served, held
):
    _, studio = served
    page = open_page()
    begin(page, max_steps=8)
    wait_for_fifth_step(page)
    page.click("#tab-compare-button")
    expect(page.locator("#compare-download")).to_be_visible()
    # another browser, that was never here: it is shown the run that trains
    other = open_page("/?tab=runs")
    expect(other.locator("#pill")).to_contain_text("step 5 of 8")
    row = other.locator("#runs-list tbody tr").first
    expect(row).to_contain_text("running")
    expect(row).to_contain_text("5 of 8")
    page.reload()
    expect(page.locator("#compare-download")).to_be_visible()  # the tab that was looked at
    expect(page.locator("#pill")).to_contain_text("step 5 of 8")
    held.set()
    expect(page.locator("#pill")).to_contain_text("finished")
    expect(page.locator("#compare-run input")).to_have_value(re.compile("8 steps"))
    expect(page.locator("#compare-tuned h3")).to_contain_text("8 steps")
    expect(page.locator("#compare-sentence textarea")).to_have_value(
        studio.runs.all()[0].job.probes[0]
    )  # a sentence of the person's own text
    expect(page.locator("#compare-download")).to_be_enabled()
    expect(row).to_contain_text("finished")
    expect(row).to_contain_text("→")


def test_runs_are_compared_renamed_and_deleted(open_page, finished_run):
    first, second = finished_run("run number 1"), finished_run("run number 2")
    page = open_page(f"/?tab=compare&run={second.id}")
    expect(page.locator("#compare-tuned h3")).to_contain_text("run number 2")
    page.click("#tab-runs-button")
    names = page.locator("#runs-list tbody tr")
    boxes = [names.filter(has_text=run.job.name).locator("input") for run in (first, second)]
    boxes[1].click()
    expect(boxes[1]).to_be_checked()
    expect(page.locator("#runs-name input")).to_have_value("run number 2")
    page.fill("#runs-name input", "A name of my own")
    page.click("#runs-rename")
    expect(names.filter(has_text="A name of my own")).to_have_count(1)
    expect(page.locator("#pill")).to_contain_text("A name of my own")
    page.click("#tab-compare-button")
    expect(page.locator("#compare-tuned h3")).to_contain_text("A name of my own")
    page.click("#tab-exam-button")
    expect(page.locator("#exam-table")).to_contain_text("Tuned: A name of my own")
    page.click("#tab-runs-button")
    boxes[0].click()
    expect(boxes[0]).to_be_checked()
    page.wait_for_function(
        "document.querySelector('#runs-chart .js-plotly-plot')?.data?.length === 4"
    )
    boxes[0].uncheck()
    expect(page.locator("#runs-name input")).to_have_value("A name of my own")
    page.click("#runs-delete")
    expect(page.locator("#runs-asked")).to_contain_text("cannot be brought back")
    page.click("#runs-sure")
    expect(names.filter(has_text="A name of my own")).to_have_count(0)
    expect(page.locator("#pill button")).to_be_hidden()
    page.click("#tab-train-button")
    expect(page.locator("#train-chart .empty")).to_contain_text("not here any more")
    page.click("#tab-compare-button")
    expect(page.locator("#compare-run input")).not_to_have_value(re.compile("A name of my own"))
    assert first.folder.exists() and not second.folder.exists()


def test_the_empty_chart_speaks_before_the_drawing_library_is_there(open_page):
    page = open_page("/?tab=text")
    page.route(
        "**/plotly.min.js", lambda route: None
    )  # neither answered nor refused: on its way for ever
    page.goto(page.url.replace("tab=text", "tab=train"))
    expect(page.locator("#train-chart .empty")).to_contain_text("press Start training")
    assert page.evaluate("typeof Plotly") == "undefined"


def test_of_runs_ticked_while_the_drawing_library_is_on_its_way_all_are_drawn(
    open_page, finished_run
):
    runs = [finished_run("one"), finished_run("two")]
    page, asked = open_page("/?tab=text"), []
    page.route("**/plotly.min.js", lambda route: asked.append(route))
    page.goto(page.url.replace("tab=text", "tab=runs"))
    for number, run in enumerate(runs, 1):
        page.locator(f"#runs-list tr[data-run='{run.id}'] input").click()
        expect(page.locator("#runs-chart .numbers")).to_be_visible()
        expect(page.locator("#runs-name input")).to_have_value("one" if number == 1 else "")
    asked[0].continue_()
    expect(page.locator("#runs-chart .legend li")).to_have_count(2)
    assert page.evaluate("document.querySelector('#runs-chart .js-plotly-plot').data.length") == 4


def test_the_list_of_runs_answers_to_the_keyboard_and_fits_a_phone(open_page, served, corpus):
    _, studio = served
    run = studio.runs.create(
        RunRequest(
            corpus=corpus, owner="", name="a run of a name that is long enough to need two lines"
        )
    )
    page = open_page("/?tab=runs", viewport={"width": 390, "height": 844})
    row = page.locator(f"#runs-list tr[data-run='{run.id}']")
    box = row.locator("input")
    box.focus()
    page.keyboard.press("Space")
    expect(page.locator("#runs-name input")).to_have_value(run.job.name)
    expect(box).to_be_focused()
    page.wait_for_function("document.documentElement.scrollWidth <= 390")
    page.keyboard.press("Tab")
    expect(row.locator("button")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#train-chart .note")).to_contain_text("nothing was safe yet")


class Server:
    """The app as a process of its own, which can be killed."""

    def __init__(self, home):
        self.home = home
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(
            [
                "mlm_gui.ui.page",
                "mlm_gui.core.model.masked_lm",
                "transformers.models.bert.modeling_bert",
            ]
        )  # loaded once

    def start(self):
        self.program = self._processes.Process(
            target=main, args=(["app", "--port", str(self.port), "--home", str(self.home)],)
        )
        self.program.start()
        for _ in range(1_200):
            with contextlib.suppress(OSError):
                return urllib.request.urlopen(self.url, timeout=60).close()
            self.program.join(0.1)  # waits, and ends at once when the app has ended
            assert self.program.is_alive()
        pytest.fail("The app did not open its page in two minutes.")

    def kill(self):
        self.program.kill()
        self.program.join()


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path / "home")
    server.start()
    yield server
    server.kill()


def test_a_killed_server_s_run_goes_on_with_one_click_in_the_page_that_stayed_open(browser, server):
    from mlm_gui.services.limits import LAPTOP

    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    page.goto(server.url)
    begin(page, epochs=100)
    page.wait_for_function(f"{POINTS} >= 2")
    (run,) = Studio.open(server.home, LAPTOP).runs.all()
    page.click("#train-pause")  # a checkpoint, at a known step
    expect(page.locator("#train-resume")).to_be_enabled()
    page.click("#train-resume")
    page.wait_for_function(f"({STEPS}).at(-1) > {run.checkpoint_step + 1}")
    server.kill()
    expect(page.locator("#train-chart .note")).to_contain_text("Connection lost")
    server.start()
    # Gradio may load the page anew once it finds the server again: Train is opened again then.
    # The page asks every 5 seconds, and the server has just begun.
    expect(page.locator("#train-resume")).to_contain_text("from step", timeout=90_000)
    expect(page.locator("#train-chart .note")).to_contain_text(
        f"safe up to step {run.checkpoint_step:,}"
    )
    expect(page.locator("#train-resume")).to_have_text(f"Resume from step {run.checkpoint_step:,}")
    broken_off = run.history().num_steps
    page.click("#train-resume")
    page.wait_for_function(f"({STEPS}).at(-1) > {broken_off + 1}")
    page.click("#train-stop")
    expect(page.locator("#train-chart .note")).to_contain_text("Stopped")
    steps = page.evaluate(STEPS)
    assert steps == list(range(1, steps[-1] + 1))
    assert len(run.history().losses) == run.history().num_steps
    context.close()
