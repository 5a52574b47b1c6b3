"""The page: header, numbered tabs, what a returning browser sees, and how the server is started."""

import logging
import os
import signal
import threading
from pathlib import Path

from mlm_gui.services import environment

environment.prepare()

import gradio as gr
from starlette.middleware import Middleware

from mlm_gui.core.bundled import STARTER
from mlm_gui.errors import UserError
from mlm_gui.services.limits import HUB_MODELS, PROFILES, offering
from mlm_gui.services.lineage import RUN
from mlm_gui.services.run import Run
from mlm_gui.services.store import ID, default_home, new_id
from mlm_gui.services.studio import Studio
from mlm_gui.services.sweeping import SWEEP_SECONDS, sweep
from mlm_gui.ui import exam_tab, masking_tab, playground_tab, questions, runs_tab, text_tab, training_tab
from mlm_gui.ui.chart import PLOTLY_JS
from mlm_gui.ui.guard import Guard
from mlm_gui.ui.pairs import run_of
from mlm_gui.ui.pill import pill as run_pill
from mlm_gui.ui.run_view import pill_poller
from mlm_gui.ui.session import build_questions, build_session
from mlm_gui.ui.theme import STYLE, theme
from mlm_gui.ui.wiring import on

log = logging.getLogger(__name__)
TITLE = "MLM Studio"
WARM_UP_SECONDS = 3.0
"""After this, torch is loaded behind the page; a browser that opens the page at once has the processor to itself until then."""
GREETED = "() => { window.mlmGreeted = true; }"
REMEMBER_TAB = """() => {{
    if (!window.mlmGreeted) return;
    const address = new URL(location);
    address.searchParams.set('tab', '{}');
    history.replaceState(history.state, '', address);
}}"""
"""What the browser does when a tab is opened: the page, loaded again, opens it too. Gradio opens the first tab by itself before the address has been read."""
TABS = {"text": "Text", "masks": "Masks", "train": "Train", "compare": "Compare", "exam": "Exam", "runs": "Runs"}


def build(studio: Studio) -> gr.Blocks:
    """The whole page over the given services."""
    gr.set_static_paths([PLOTLY_JS, exports_of(studio)])  # downloads are served where they lie: no copy outlives the run
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(300, 3600)) as page:
        session, asked_before = build_session(), build_questions()
        with gr.Row(elem_classes="masthead"):
            gr.HTML('<h1>MLM Studio</h1><span class="sub">teach a language model the words of your texts</span>', elem_id="brand")
            pill = run_pill(pill_poller(studio), elem_id="pill")
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap") as tabs:
            pages = {}
            with gr.Tab(TABS["text"], id="text", elem_id="tab-text") as pages["text"]:
                text = text_tab.build(studio, session)
            with gr.Tab(TABS["masks"], id="masks", elem_id="tab-masks") as pages["masks"]:
                masks = masking_tab.build(studio, session, pages["masks"])
            with gr.Tab(TABS["train"], id="train", elem_id="tab-train") as pages["train"]:
                training = training_tab.build(studio, session, text, pill)
            with gr.Tab(TABS["compare"], id="compare", elem_id="tab-compare") as pages["compare"]:
                playground = playground_tab.build(studio, session, asked_before, training, pages["compare"])
            with gr.Tab(TABS["exam"], id="exam", elem_id="tab-exam") as pages["exam"]:
                exam = exam_tab.build(studio, session, training, pages["exam"])
            with gr.Tab(TABS["runs"], id="runs", elem_id="tab-runs") as pages["runs"]:
                runs = runs_tab.build(studio, session, training, tabs, pages["runs"])

        known = on(page.load, greet, studio, list(session), [session.visitor, session.run_id, tabs])
        on(known.then, text_tab.show, studio, [session.text_id, text.held_out, text.split_seed], text.view)
        filled = on(known.then, masking_tab.paragraph_text, studio, [session.text_id, masks.paragraph], masks.text)
        drawn = on(filled.then, masking_tab.draw, studio, masks.controls, masks.view, concurrency_id=masking_tab.DRAWING)
        for news in (known, *runs.changed):
            training_tab.follow(studio, session, training.view, news.then)
        own = on(drawn.then, playground_tab.own_sentence, studio, [session.visitor, session.run_id, playground.sentence], playground.sentence)
        listed = on(own.then, playground_tab.refresh, studio, [session.visitor, *playground.chosen], playground.view)
        playground_tab.asking(studio, listed.then, playground.question, playground.answer)
        on(known.then, questions.recall, studio, asked_before, playground.past)
        on(runs.opened.then, playground_tab.refresh, studio, [session.visitor, *playground.chosen], playground.view)
        for news in (known, runs.opened):
            on(news.then, exam_tab.refresh, studio, [session.visitor, *exam.chosen], exam.refreshed)
        for models in (training.model, masks.model):
            on(known.then, list_models, studio, [session.visitor, models], models)
            for news in (training.finished, *runs.changed):
                on(news.then, list_models, studio, [session.visitor, models], models)
        for changed in text.changed:
            on(changed.success, first_paragraph, studio, [session.text_id], [masks.paragraph, masks.text])
        on(pill.open, open_training, studio, None, tabs)
        known.then(None, js=GREETED, api_visibility="private")
        for name, chosen in pages.items():
            chosen.select(None, js=REMEMBER_TAB.format(name), api_visibility="private")
    return page


def greet(studio: Studio, visitor: str, text_id: str, run_id: str, request: gr.Request) -> tuple:
    """Gives a new browser its id; `?run=` and `?tab=` in the address choose what is looked at."""
    visitor = visitor if isinstance(visitor, str) and ID.fullmatch(visitor) else new_id()
    asked = request.query_params
    run = studio.visible(asked.get("run"), visitor) or studio.visible(run_id, visitor) or in_progress(studio, visitor)
    tab, shown = asked.get("tab"), run.id if run else ""
    return visitor, gr.skip() if shown == run_id else shown, gr.Tabs(selected=tab) if tab in TABS else gr.skip()


def in_progress(studio: Studio, visitor: str) -> Run | None:
    """The run that somebody who comes without one is shown, from another device or browser: one that trains, else one that waits, is paused or broke off; the newest."""
    runs = [(run, run.state) for run in studio.visible_runs(visitor)]
    order = (("running",), ("queued",), ("paused", "interrupted"))
    return next((run for states in order for run, state in runs if state in states), None)


def first_paragraph(studio: Studio, text_id: str) -> tuple:
    """A new text: the masks tab shows its first paragraph."""
    return 1, masking_tab.paragraph_text(studio, text_id, 1)


def list_models(studio: Studio, visitor: str, chosen: str | None) -> gr.Dropdown:
    """The choices of a model list, with the newest runs; the starter in place of a run that is gone."""
    is_gone = isinstance(chosen, str) and chosen.startswith(RUN) and run_of(studio, visitor, chosen) is None
    return gr.Dropdown(choices=training_tab.model_choices(studio, visitor), **({"value": STARTER} if is_gone else {}))


def open_training(studio: Studio) -> gr.Tabs:
    """The pill leads to the run."""
    return gr.Tabs(selected="train")


def exports_of(studio: Studio) -> Path:
    """The one folder of the home folder that is served."""
    return studio.home / "exports"


def launch_options(studio: Studio, host: str = "127.0.0.1") -> dict:
    """What `launch` is told besides host and port: looks, limits, the guard, and everything that is switched off."""
    exports = exports_of(studio)
    exports.mkdir(parents=True, exist_ok=True)
    return {
        "theme": theme(),
        "app_kwargs": {"middleware": [Middleware(Guard, limits=studio.limits, host=host)]},
        "css_paths": [STYLE],
        "share": False,
        "show_error": False,
        "max_file_size": studio.limits.max_upload_bytes,
        "allowed_paths": [str(exports)],
        "blocked_paths": [str(studio.home / name) for name in ("texts", "runs")],
        "enable_monitoring": False,
        "run_history": False,
        "ssr_mode": False,
        "pwa": False,
        "strict_cors": True,
        "footer_links": [],
        "quiet": True,
    }


def serve(host: str = "127.0.0.1", port: int = 7860, home: Path | None = None, profile: str | None = None, hub_models: str | None = None) -> None:
    """Opens the page and stays until it is told to stop; a run in progress is then paused after its step, its checkpoint written."""
    on_space = "SPACE_ID" in os.environ
    home = (home or default_home()).absolute()
    home.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("GRADIO_TEMP_DIR", str(home / "uploads"))
    limits = offering(PROFILES[profile or ("hosted" if on_space else "laptop")], hub_models or os.environ.get(HUB_MODELS))
    studio = Studio.open(home, limits)
    sweep(home, limits)
    page = build(studio)
    page.queue(max_size=64, api_open=False)
    try:
        _, url, _ = page.launch(
            server_name="0.0.0.0" if on_space else host, server_port=port, prevent_thread_lock=True, **launch_options(studio, host)
        )
    except OSError as error:
        raise UserError(
            f"The page could not be opened on {host}:{port}.",
            "Another program probably uses that port.",
            "Choose another one with --port, for example 7861.",
        ) from error
    warming = threading.Timer(WARM_UP_SECONDS, studio.warm_up)
    warming.daemon = True
    warming.start()
    print(f"{TITLE} is open at {url} (stop it with Ctrl-C)", flush=True)
    asked_to_stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked_to_stop.set())
    while not asked_to_stop.wait(SWEEP_SECONDS):
        try:
            sweep(home, limits)
        except OSError:  # the server outlives a folder that goes while it is looked at
            log.exception("The sweep broke off.")
    studio.sittings.close()
    studio.readings.close()
    studio.trainer.close()
    page.close(verbose=False)
