"""The page: header, numbered tabs, what a returning browser sees, and how the server is started."""

import logging

import gradio as gr

from mlm_gui.core.assets import STARTER
from mlm_gui.services.models.references import names_run
from mlm_gui.services.runs.run import Run
from mlm_gui.services.storage.files import ID, new_id
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.chart import PLOTLY_JS
from mlm_gui.ui.components.live import pill as run_pill
from mlm_gui.ui.run_view import pill_poller
from mlm_gui.ui.session import build_questions, build_session
from mlm_gui.ui.tabs import runs as runs_tab
from mlm_gui.ui.tabs import text as text_tab
from mlm_gui.ui.tabs.compare import question as questions
from mlm_gui.ui.tabs.compare import tab as playground_tab
from mlm_gui.ui.tabs.exam import tab as exam_tab
from mlm_gui.ui.tabs.masks import tab as masking_tab
from mlm_gui.ui.tabs.train import tab as training_tab
from mlm_gui.ui.wiring import on

log = logging.getLogger(__name__)
TITLE = "MLM Studio"
GREETED = "() => { window.mlmGreeted = true; }"
REMEMBER_TAB = """() => {{
    if (!window.mlmGreeted) return;
    const address = new URL(location);
    address.searchParams.set('tab', '{}');
    history.replaceState(history.state, '', address);
}}"""
"""What the browser does when a tab is opened: the page, loaded again, opens it too. Gradio opens the first tab by itself before the address has been read."""
TABS = {
    "text": "Text",
    "masks": "Masks",
    "train": "Train",
    "compare": "Compare",
    "exam": "Exam",
    "runs": "Runs",
}


def build(studio: Studio) -> gr.Blocks:
    """The whole page over the given services."""
    gr.set_static_paths(
        [PLOTLY_JS, studio.exports_folder]
    )  # downloads are served where they lie: no copy outlives the run
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(300, 3600)) as page:
        session, asked_before = build_session(), build_questions()
        with gr.Row(elem_classes="masthead"):
            gr.HTML(
                '<h1>MLM Studio</h1><span class="sub">teach a language model the words of your texts</span>',
                elem_id="brand",
            )
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
                playground = playground_tab.build(
                    studio, session, asked_before, training, pages["compare"]
                )
            with gr.Tab(TABS["exam"], id="exam", elem_id="tab-exam") as pages["exam"]:
                exam = exam_tab.build(studio, session, training, pages["exam"])
            with gr.Tab(TABS["runs"], id="runs", elem_id="tab-runs") as pages["runs"]:
                runs = runs_tab.build(studio, session, training, tabs, pages["runs"])

        known = on(page.load, greet, studio, list(session), [session.visitor, session.run_id, tabs])
        on(
            known.then,
            text_tab.show,
            studio,
            [session.text_id, text.held_out, text.split_seed],
            text.view,
        )
        filled = on(
            known.then,
            masking_tab.paragraph_text,
            studio,
            [session.text_id, masks.paragraph],
            masks.text,
        )
        drawn = on(
            filled.then,
            masking_tab.draw,
            studio,
            masks.controls,
            masks.view,
            concurrency_id=masking_tab.DRAWING,
        )
        for news in (known, *runs.changed):
            training_tab.follow(studio, session, training.view, news.then)
        own = on(
            drawn.then,
            playground_tab.own_sentence,
            studio,
            [session.visitor, session.run_id, playground.sentence],
            playground.sentence,
        )
        listed = on(
            own.then,
            playground_tab.refresh,
            studio,
            [session.visitor, *playground.chosen],
            playground.view,
        )
        playground_tab.asking(studio, listed.then, playground.question, playground.answer)
        on(known.then, questions.recall, studio, asked_before, playground.past)
        on(
            runs.opened.then,
            playground_tab.refresh,
            studio,
            [session.visitor, *playground.chosen],
            playground.view,
        )
        for news in (known, runs.opened):
            on(news.then, exam_tab.refresh, studio, [session.visitor, *exam.chosen], exam.refreshed)
        for models in (training.model, masks.model):
            on(known.then, list_models, studio, [session.visitor, models], models)
            for news in (training.finished, *runs.changed):
                on(news.then, list_models, studio, [session.visitor, models], models)
        for changed in text.changed:
            on(
                changed.success,
                first_paragraph,
                studio,
                [session.text_id],
                [masks.paragraph, masks.text],
            )
        on(pill.open, open_training, studio, None, tabs)
        known.then(None, js=GREETED, api_visibility="private")
        for name, chosen in pages.items():
            chosen.select(None, js=REMEMBER_TAB.format(name), api_visibility="private")
    return page


def greet(studio: Studio, visitor: str, text_id: str, run_id: str, request: gr.Request) -> tuple:
    """Gives a new browser its id; `?run=` and `?tab=` in the address choose what is looked at."""
    visitor = visitor if isinstance(visitor, str) and ID.fullmatch(visitor) else new_id()
    asked = request.query_params
    run = (
        studio.visible(asked.get("run"), visitor)
        or studio.visible(run_id, visitor)
        or in_progress(studio, visitor)
    )
    tab, shown = asked.get("tab"), run.id if run else ""
    return (
        visitor,
        gr.skip() if shown == run_id else shown,
        gr.Tabs(selected=tab) if tab in TABS else gr.skip(),
    )


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
    is_gone = names_run(chosen) and studio.run_named(chosen, visitor) is None
    return gr.Dropdown(
        choices=training_tab.model_choices(studio, visitor),
        **({"value": STARTER} if is_gone else {}),
    )


def open_training(studio: Studio) -> gr.Tabs:
    """The pill leads to the run."""
    return gr.Tabs(selected="train")
