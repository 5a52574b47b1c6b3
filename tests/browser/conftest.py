"""One server and one Chromium for the session, a fresh browser context for each test. Every test also proves: no JavaScript error, no outside request."""

import os
import shutil
from pathlib import Path

import pytest

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in Path(item.fspath).parents:
            item.add_marker("browser")


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is missing, and in CI the browser tests must run.")
        pytest.skip("Chromium is not installed; the browser tests need it (Debian: apt-get install chromium).")
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
    from mlm_gui.ui.app import build, launch_options

    studio = Studio.open(home, LAPTOP)
    page = build(studio)
    page.queue(max_size=64, api_open=False)
    _, url, _ = page.launch(server_port=None, prevent_thread_lock=True, **launch_options(studio))
    yield url.rstrip("/"), studio
    studio.trainer.close()
    page.close(verbose=False)


@pytest.fixture
def open_page(browser, served):
    """A function that opens the page in a new context; keyword arguments go to the context."""
    url, _ = served
    contexts, errors, outside = [], [], []

    def watch(tab):
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.on("request", lambda request: None if request.url.startswith((url, "data:", "blob:")) else outside.append(request.url))

    def opened(path="/", **options):
        context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, "accept_downloads": True, **options})
        contexts.append(context)
        context.on("page", watch)
        tab = context.new_page()
        tab.set_default_timeout(30_000)
        tab.goto(url + path)
        tab.wait_for_selector("#tab-text-button")
        return tab

    yield opened
    for context in contexts:
        context.close()
    assert not errors
    assert not outside


@pytest.fixture
def page(open_page):
    return open_page()
