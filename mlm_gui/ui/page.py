"""The page: header, numbered tabs, and what a returning browser sees."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import gradio as gr
from gradio.events import Dependency

from mlm_gui.core.assets import STARTER
from mlm_gui.services.runs.run import Run
from mlm_gui.services.storage.files import new_id
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.chart import PLOTLY_JS
from mlm_gui.ui.components.live import pill as run_pill
from mlm_gui.ui.door import Otherwise, RunId, VisitorId
from mlm_gui.ui.model_choice import is_run, model_choices, run_of
from mlm_gui.ui.run_view import pill_poller
from mlm_gui.ui.session import Session, build_questions, build_session
from mlm_gui.ui.tabs.compare import answer as compare_answer
from mlm_gui.ui.tabs.compare import model_lists, past_questions
from mlm_gui.ui.tabs.compare import tab as compare_tab
from mlm_gui.ui.tabs.exam import exams
from mlm_gui.ui.tabs.exam import tab as exam_tab
from mlm_gui.ui.tabs.masks import batches, draws
from mlm_gui.ui.tabs.masks import tab as masks_tab
from mlm_gui.ui.tabs.runs import tab as runs_tab
from mlm_gui.ui.tabs.text import tab as text_tab
from mlm_gui.ui.tabs.train import tab as train_tab
from mlm_gui.ui.wiring import Slot, on

TITLE = "MLM Studio"
GREETED = "() => { window.mlmGreeted = true; }"
REMEMBER_TAB = """() => {{
    if (!window.mlmGreeted) return;
    const address = new URL(location);
    address.searchParams.set('tab', '{}');
    history.replaceState(history.state, '', address);
}}"""
"""What the browser does when a tab is opened: the page, loaded again, opens it too. Gradio opens
the first tab by itself before the address has been read."""
TABS = {
    "text": "Text",
    "masks": "Masks",
    "train": "Train",
    "compare": "Compare",
    "exam": "Exam",
    "runs": "Runs",
}
HEADING = (
    '<h1>MLM Studio</h1><span class="sub">teach a language model the words of your texts</span>'
)


class Tabs(NamedTuple):
    """The parts of the page."""

    text: text_tab.TextTab
    masks: masks_tab.MaskingTab
    train: train_tab.TrainingTab
    compare: compare_tab.CompareTab
    exam: exam_tab.ExamTab
    runs: runs_tab.RunsTab


class Greeting(NamedTuple):
    """What the first event of a page sets."""

    visitor: Slot
    run_id: Slot
    tabs: Slot


def build(studio: Studio) -> gr.Blocks:
    """The whole page over the given services."""
    # downloads are served from the exports folder itself: no copy outlives its run
    gr.set_static_paths([PLOTLY_JS, studio.exports_folder])
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(300, 3600)) as page:
        session, kept_questions = build_session(), build_questions()
        with gr.Row(elem_classes="masthead"):
            gr.HTML(HEADING, elem_id="brand")
            pill = run_pill(pill_poller(studio), elem_id="pill")
        pages: dict[str, gr.Tab] = {}
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap") as strip:
            with _tab("text") as pages["text"]:
                text = text_tab.build(studio, session)
            with _tab("masks") as pages["masks"]:
                masks = masks_tab.build(studio, session, pages["masks"])
            with _tab("train") as pages["train"]:
                train = train_tab.build(studio, session, text, pill)
            with _tab("compare") as pages["compare"]:
                compare = compare_tab.build(
                    studio, session, kept_questions, train, pages["compare"]
                )
            with _tab("exam") as pages["exam"]:
                exam = exam_tab.build(studio, session, train, pages["exam"])
            with _tab("runs") as pages["runs"]:
                runs = runs_tab.build(studio, session, train, strip, pages["runs"])
        tabs = Tabs(text, masks, train, compare, exam, runs)
        greeting = Greeting(session.visitor, session.run_id, strip)
        greeted = on(page.load, greet, studio, [session.visitor, session.run_id], greeting)
        _wire_first_looks(studio, session, tabs, greeted)
        _wire_runs(studio, session, tabs, greeted)
        _wire_new_texts(studio, session, tabs)
        on(pill.open, open_training, studio, None, strip)
        greeted.then(None, js=GREETED, api_visibility="private")
        for name, chosen in pages.items():
            chosen.select(None, js=REMEMBER_TAB.format(name), api_visibility="private")
    return page


def _tab(name: str) -> gr.Tab:
    return gr.Tab(TABS[name], id=name, elem_id=f"tab-{name}")


def _wire_first_looks(studio: Studio, session: Session, tabs: Tabs, greeted: Dependency) -> None:
    """What a browser that comes back sees of its text, its run, its exam and its questions."""
    text, masks, compare, exam = tabs.text, tabs.masks, tabs.compare, tabs.exam
    on(greeted.then, text_tab.show, studio, [session.text_id, text.split], text.view)
    paragraph = [session.text_id, masks.paragraph]
    filled = on(greeted.then, batches.paragraph_text, studio, paragraph, masks.text)
    drawn = on(
        filled.then,
        draws.draw,
        studio,
        masks.question,
        masks.view,
        concurrency_id=masks_tab.DRAWING,
    )
    who = [session.visitor, session.run_id]
    lists = compare.lists
    own_sentence = compare_answer.own_sentence
    own = on(drawn.then, own_sentence, studio, [*who, compare.sentence], compare.sentence)
    models = [*who, lists.base, lists.tuned]
    listed = on(own.then, model_lists.refresh, studio, models, lists)
    compare_tab.asking(studio, listed.then, compare.question, compare.answer)
    past = compare.past
    on(greeted.then, past_questions.recall, studio, past.kept, past.listed)
    on(greeted.then, exams.refresh, studio, [*who, exam.run], exam.view)


def _wire_runs(studio: Studio, session: Session, tabs: Tabs, greeted: Dependency) -> None:
    """What follows a run that was opened, ended, renamed or deleted."""
    train, runs, compare, exam = tabs.train, tabs.runs, tabs.compare, tabs.exam
    for news in (greeted, *runs.changed):
        train_tab.follow(studio, session, train.view, news.then)
    who = [session.visitor, session.run_id]
    models = [*who, compare.lists.base, compare.lists.tuned]
    on(runs.opened.then, model_lists.refresh, studio, models, compare.lists)
    on(runs.opened.then, exams.refresh, studio, [*who, exam.run], exam.view)
    for listed in (train.model, tabs.masks.model):
        for news in (greeted, train.finished, *runs.changed):
            on(news.then, list_models, studio, [session.visitor, listed], listed)


def _wire_new_texts(studio: Studio, session: Session, tabs: Tabs) -> None:
    """The masks tab shows the first paragraph of a new text."""
    shown = batches.ParagraphView(tabs.masks.paragraph, tabs.masks.text)
    for changed in tabs.text.changed:
        on(changed.success, batches.first_paragraph, studio, session.text_id, shown)


def greet(
    studio: Studio,
    visitor: Annotated[VisitorId, Otherwise("")],
    run_id: Annotated[RunId, Otherwise("")],
    request: gr.Request,
) -> Greeting:
    """Gives a new browser its id; `?run=` and `?tab=` in the address choose what is looked at."""
    visitor = visitor or VisitorId(new_id())
    asked = request.query_params
    run = (
        studio.visible(asked.get("run"), visitor)
        or studio.visible(run_id, visitor)
        or in_progress(studio, visitor)
    )
    shown, tab = run.id if run else "", asked.get("tab")
    return Greeting(
        visitor=visitor,
        run_id=gr.skip() if shown == run_id else shown,
        tabs=gr.Tabs(selected=tab) if tab in TABS else gr.skip(),
    )


def in_progress(studio: Studio, visitor: str) -> Run | None:
    """The run that somebody who comes without one is shown, from another device or browser.

    One that trains, else one that waits, is paused or was interrupted; the newest of these.
    """
    runs = [(run, run.state) for run in studio.visible_runs(visitor)]
    order = (("running",), ("queued",), ("paused", "interrupted"))
    return next((run for states in order for run, state in runs if state in states), None)


def list_models(studio: Studio, visitor: VisitorId, chosen: str | None) -> object:
    """The choices of a model list, with the newest runs.

    The starter is chosen in place of a run that is gone.
    """
    choices = model_choices(studio, visitor)
    is_gone = chosen is not None and is_run(chosen) and run_of(studio, visitor, chosen) is None
    return gr.Dropdown(choices, value=STARTER) if is_gone else gr.update(choices=choices)


def open_training(studio: Studio) -> gr.Tabs:
    """The pill leads to the run."""
    return gr.Tabs(selected="train")
