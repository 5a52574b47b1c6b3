"""One server and one Chromium for the session, a visitor without a past for each test.

Every test also proves: no JavaScript error, no outside request.
"""

import os
import shutil
import threading
import time
from pathlib import Path

import pytest
from short_exams import short_exams

from mlm_gui.core.config import TrainConfig
from mlm_gui.core.training.events import Stepped
from mlm_gui.services.jobs import training_queue as jobs
from mlm_gui.services.runs.finetune import finetune
from mlm_gui.services.runs.registry import delete
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.runs.run import LIVE_STATES, RESUMABLE_STATES, Run
from mlm_gui.services.storage.files import new_id

UNFINISHED = {*LIVE_STATES, *RESUMABLE_STATES} - {"stopped"}
CHROMIUM = (
    os.environ.get("CHROMIUM")
    or shutil.which("chromium")
    or shutil.which("chromium-browser")
    or shutil.which("google-chrome")
)


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in Path(item.fspath).parents:
            item.add_marker("browser")


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is missing, and in CI the browser tests must run.")
        pytest.skip(
            "Chromium is not installed; the browser tests need it "
            "(Debian: apt-get install chromium)."
        )
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=30_000)  # a busy machine is slow, not wrong
    with sync_playwright() as playwright:
        arguments = [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
        ]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """(address, studio) of a running page."""
    home = tmp_path_factory.mktemp("home")
    os.environ["GRADIO_TEMP_DIR"] = str(home / "uploads")
    from mlm_gui.services.limits import LAPTOP
    from mlm_gui.services.studio import Studio
    from mlm_gui.ui.page import build
    from mlm_gui.ui.server import launch_options

    studio = Studio.open(home, LAPTOP)
    page = build(studio)
    page.queue(max_size=64, api_open=False)
    _, url, _ = page.launch(server_port=None, prevent_thread_lock=True, **launch_options(studio))
    yield url.rstrip("/"), studio
    studio.training_queue.close()
    page.close(verbose=False)


DESK = {"width": 1200, "height": 900}
FRAMES = """() => new Promise(done => {
    const frame = left => left ? requestAnimationFrame(() => frame(left - 1)) : done();
    frame(2);
    setTimeout(done, 500);
})"""


def patient(tab):
    """The tab, whose clicks let two frames pass.

    Gradio gives what a tab or an accordion holds its first values one frame after showing it, over
    what was typed by then.
    """
    click = tab.click

    def clicked(*arguments, **options):
        click(*arguments, **options)
        tab.evaluate(FRAMES)

    tab.click = clicked
    return tab


@pytest.fixture(scope="session")
def warm(browser):
    """A browser tab that is kept.

    Only the first test waits until all of Gradio's scripts are fetched and compiled.
    """
    return patient(browser.new_context(viewport=DESK).new_page())


@pytest.fixture
def open_page(browser, warm, served):
    """A function that opens the page as a visitor who was never here.

    Called again, it opens it as another such visitor.
    """
    url, studio = served
    tabs, errors, outside = [], [], []

    def on_error(error):
        errors.append(str(error))

    def on_request(request):
        if not request.url.startswith((url, "data:", "blob:")):
            outside.append(request.url)

    def watch(tab):
        tab.on("pageerror", on_error)
        tab.on("request", on_request)

    def opened(path="/", viewport=DESK):
        tab = patient(browser.new_context().new_page()) if tabs else warm
        tabs.append(tab)
        tab.goto("about:blank")  # leaves the page of the test before, which could still write
        tab.context.new_cdp_session(tab).send(
            "Storage.clearDataForOrigin", {"origin": url, "storageTypes": "all"}
        )
        tab.context.on("page", watch)
        watch(tab)
        tab.set_default_timeout(30_000)
        tab.set_viewport_size(viewport)
        tab.goto(url + path)
        tab.wait_for_selector("#tab-text-button")
        return tab

    yield opened
    for tab in tabs[1:]:
        tab.context.close()
    if tabs:
        warm.context.remove_listener("page", watch)
        warm.remove_listener("pageerror", on_error)
        warm.remove_listener("request", on_request)
        warm.unroute_all()
    for tab in warm.context.pages[1:]:
        tab.close()
    # nothing trains beside the next test, and its visitors are shown no run of this one
    for run in studio.runs.all():
        if run.state in UNFINISHED:
            studio.training_queue.pause(run)
            while run.state in LIVE_STATES:
                time.sleep(0.02)
            delete(run)
    assert not errors
    assert not outside


@pytest.fixture
def page(open_page):
    return open_page()


@pytest.fixture(scope="session")
def trained(tmp_path_factory, corpus, lm) -> Run:
    """A finished run in a folder of its own; see `finished_run`."""
    config = TrainConfig(epochs=1, max_steps=4, tokens_per_step=512, evaluations=1)
    run = Run.create(
        tmp_path_factory.mktemp("trained") / "run", RunRequest(corpus=corpus, config=config)
    )
    with short_exams():
        list(finetune(run, lambda name: lm.copy()))
    return run


@pytest.fixture
def finished_run(served, trained):
    """A function that puts a copy of the finished run on the page, under a name."""
    _, studio = served
    copies = []

    def put(name: str) -> Run:
        run_id = new_id()
        shutil.copytree(trained.folder, studio.runs.folder / run_id)
        run = studio.runs.find(run_id)
        run.rename(name)
        copies.append(run)
        return run

    yield put
    for run in copies:
        if run.folder.exists():
            delete(run)


@pytest.fixture
def held(served, monkeypatch):
    """Until this event is set, runs wait after their fifth step, however short they are."""
    let_go, finetune = threading.Event(), jobs.finetune

    def waiting(*arguments):
        for event in finetune(*arguments):
            yield event
            if isinstance(event, Stepped) and event.step == 5:
                let_go.wait(120)

    monkeypatch.setattr(jobs, "finetune", waiting)
    yield let_go
    let_go.set()
