"""The server: how the page is launched, and how it ends."""

from __future__ import annotations

import logging
import os
import signal
import threading
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from mlm_gui.errors import UserError
from mlm_gui.services.limits import HUB_MODELS, PROFILES, Limits, offering
from mlm_gui.services.storage.files import default_home, make_home
from mlm_gui.services.storage.retention import SWEEP_SECONDS, sweep
from mlm_gui.services.studio import Studio
from mlm_gui.ui.middleware import Guard
from mlm_gui.ui.page import TITLE, build
from mlm_gui.ui.theme import STYLES, theme

log = logging.getLogger(__name__)

WARM_UP_SECONDS = 3.0
"""Until torch is loaded behind the page. A browser that opens the page at once has the processor to
itself until then."""
MAX_WAITING_EVENTS = 64


def launch_options(studio: Studio, host: str = "127.0.0.1") -> dict[str, Any]:
    """What `launch` gets besides host and port: looks, limits, the guard, and all that is off."""
    return {
        "theme": theme(),
        "app_kwargs": {"middleware": [Middleware(Guard, limits=studio.limits, host=host)]},
        "css_paths": STYLES,
        "share": False,
        "show_error": False,
        "max_file_size": studio.limits.max_upload_bytes,
        "allowed_paths": [str(studio.exports_folder)],
        "blocked_paths": [str(studio.home / name) for name in ("texts", "runs")],
        "enable_monitoring": False,
        "run_history": False,
        "ssr_mode": False,
        "pwa": False,
        "strict_cors": True,
        "footer_links": [],
        "quiet": True,
    }


def serve(
    host: str = "127.0.0.1",
    port: int = 7860,
    home: Path | None = None,
    profile: str | None = None,
    hub_models: str | None = None,
) -> None:
    """Opens the page and returns when it was told to stop.

    A run in progress is then paused after its step, with a checkpoint.
    """
    on_space = "SPACE_ID" in os.environ
    home = (home or default_home()).absolute()
    make_home(home)
    limits = offering(
        PROFILES[profile or ("hosted" if on_space else "laptop")],
        hub_models or os.environ.get(HUB_MODELS),
    )
    studio = Studio.open(home, limits)
    sweep(home, limits)
    page = build(studio)
    page.queue(max_size=MAX_WAITING_EVENTS, api_open=False)
    url = _launched(page, studio, "0.0.0.0" if on_space else host, port, host)
    warming = threading.Timer(WARM_UP_SECONDS, studio.warm_up)
    warming.daemon = True
    warming.start()
    print(f"{TITLE} is open at {url} (stop it with Ctrl-C)", flush=True)
    _wait_for_the_end(home, limits)
    studio.evaluation_jobs.close()
    studio.surprisal_jobs.close()
    studio.training_queue.close()
    page.close(verbose=False)


def _launched(page: gr.Blocks, studio: Studio, name: str, port: int, host: str) -> str:
    """The address of the page. Raises UserError when the port is taken.

    name: the address that is listened on. host: the name that the guard lets through.
    """
    try:
        _, url, _ = page.launch(
            server_name=name,
            server_port=port,
            prevent_thread_lock=True,
            **launch_options(studio, host),
        )
    except OSError as error:
        raise UserError(
            f"The page could not be opened on {host}:{port}.",
            "Another program probably uses that port.",
            "Choose another one with --port, for example 7861.",
        ) from error
    return str(url)


def _wait_for_the_end(home: Path, limits: Limits) -> None:
    """Returns on Ctrl-C or SIGTERM; until then old texts are swept away now and then."""
    asked_to_stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked_to_stop.set())
    while not asked_to_stop.wait(SWEEP_SECONDS):
        try:
            sweep(home, limits)
        except OSError:  # the server outlives a folder that goes while it is looked at
            log.exception("The sweep broke off.")
