"""Tab 3, Train: choose a model and a recipe, check, start, watch the loss fall, pause and stop."""

from __future__ import annotations

from typing import NamedTuple

import gradio as gr
from gradio.events import Dependency

from mlm_gui.core.config import TrainConfig
from mlm_gui.core.inference.probes import pinned
from mlm_gui.errors import UserError
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.chart import chart
from mlm_gui.ui.components.live import probe_timeline, probe_timeline_poller
from mlm_gui.ui.form import Form
from mlm_gui.ui.model_choice import model_choices
from mlm_gui.ui.run_view import (
    NO_LINE,
    NO_PROBES,
    ONE_STEP,
    PAUSE,
    RESTING_STATES,
    RESUME,
    STOP,
    Controls,
    TrainingView,
    poller,
    view_of,
)
from mlm_gui.ui.session import Session
from mlm_gui.ui.tabs.text.tab import TextTab
from mlm_gui.ui.tabs.train import controls
from mlm_gui.ui.tabs.train.forecast import forecast_text, refusal
from mlm_gui.ui.tabs.train.request import RunChoice, check_may_start, run_request
from mlm_gui.ui.tabs.train.settings import RECIPE_NAMES, apply_recipe, settings_form
from mlm_gui.ui.wiring import Event, on

EMPTY = "No run yet. Bring a text, then press Start training: the line appears here."
HOW_TO_READ = (
    "Loss says how surprised the model is by the hidden words: lower is better. "
    "The solid line is the text it learns from; the dashed one is text it never trains on. "
    "If the dashed line turns up while the solid one falls, the model is memorising."
)
MEASURING = "Measuring three steps with this model and text …"
LEAD = (
    "The model reads your text again and again, each time with other words hidden. "
    "The line should fall; the dashed one shows text it never trains on."
)


class TrainingTab(NamedTuple):
    """The parts other tabs and the page need."""

    view: TrainingView
    model: gr.Dropdown
    changed: Dependency
    """Event: the run that this page watches is in another state, whichever tab is looked at."""
    finished: Dependency
    """Event: it has ended, or is gone."""


class RunWidgets(NamedTuple):
    """What a new run is chosen by."""

    model: gr.Dropdown
    recipe: gr.Radio
    settings: Form[TrainConfig]
    probes: gr.Textbox
    start: gr.Button
    check: gr.Button
    forecast: gr.Markdown


def build(studio: Studio, session: Session, text: TextTab, pill: gr.HTML) -> TrainingTab:
    """Lays the tab out and wires it."""
    gr.Markdown(LEAD, elem_classes="lead")
    with gr.Row(elem_classes="split"):
        with gr.Column(elem_classes="card", min_width=290, scale=1):
            new_run = _run_widgets(studio)
        with gr.Column(min_width=320, scale=3):
            live = chart(
                "Loss of the run, step by step",
                poller(studio),
                value={**NO_LINE, "empty": EMPTY},
                help_text=HOW_TO_READ,
                elem_id="train-chart",
            )
            with gr.Row(elem_classes="actions"):
                buttons = _control_buttons()
            with gr.Column(elem_classes="card"):
                gr.Markdown("### What it puts into the blanks")
                watched = probe_timeline(
                    "What the learning model puts into the blanks of the pinned sentences",
                    probe_timeline_poller(studio, RESTING_STATES),
                    elem_id="train-timeline",
                    value={"run": None, "steps": [], "rows": [], "empty": NO_PROBES},
                )
    view = TrainingView(
        run_id=session.run_id,
        live=live,
        pill=pill,
        probe_timeline=watched,
        start=new_run.start,
        **buttons._asdict(),
    )
    _wire_new_run(studio, session, text, new_run, view)
    _wire_controls(studio, session, buttons, view)
    for event in (live.changed, live.finished):  # as long as the chart is looked at
        follow(studio, session, view, event, trigger_mode="multiple")
    return TrainingTab(
        view=view,
        model=new_run.model,
        changed=follow(studio, session, view, pill.changed, trigger_mode="multiple"),
        finished=follow(studio, session, view, pill.finished, trigger_mode="multiple"),
    )


def _run_widgets(studio: Studio) -> RunWidgets:
    gr.Markdown("### A new run")
    model = gr.Dropdown(
        model_choices(studio, ""),
        value="starter",
        label="model",
        allow_custom_value=True,
        elem_id="train-model",
        info="The bundled starter works offline. "
        "You may type a Hub name or the path of a model folder.",
    )
    recipe = gr.Radio(
        list(RECIPE_NAMES), value="Recommended", label="recipe", elem_id="train-recipe"
    )
    with gr.Accordion("More settings", open=False, elem_id="train-more"):
        settings = settings_form()
    with gr.Accordion("Sentences to watch", open=False, elem_id="train-pinned"):
        probes = gr.Textbox(
            lines=3,
            max_lines=5,
            label="one a line, with ___ for a word (cloze probes)",
            info="The learning model fills them at every test. "
            "Left empty: two sentences of your own unseen text.",
            elem_id="train-probes",
        )
    with gr.Row(elem_classes="actions"):
        start = gr.Button("Start training", variant="primary", elem_id="train-start", min_width=120)
        check = gr.Button("Check first", elem_id="train-check", min_width=110)
    forecast = gr.Markdown(elem_id="train-forecast", elem_classes="quiet")
    return RunWidgets(model, recipe, settings, probes, start, check, forecast)


def _control_buttons() -> Controls:
    def button(label: str, name: str) -> gr.Button:
        return gr.Button(label, interactive=False, elem_id=f"train-{name}", min_width=90)

    return Controls(
        pause=button(PAUSE, "pause"),
        resume=button(RESUME, "resume"),
        one_step=button(ONE_STEP, "one-step"),
        stop=button(STOP, "stop"),
    )


def _wire_new_run(
    studio: Studio, session: Session, text: TextTab, new_run: RunWidgets, view: TrainingView
) -> None:
    choice = Form(
        RunChoice,
        visitor=session.visitor,
        text_id=session.text_id,
        model=new_run.model,
        **text.split._asdict(),
    )
    settings, forecast = new_run.settings, new_run.forecast
    on(new_run.recipe.input, apply_recipe, studio, new_run.recipe, settings.widgets)
    on(
        new_run.start.click,
        start_run,
        studio,
        [choice, new_run.probes, settings],
        view,
        concurrency_limit=None,
    )
    begun = on(new_run.check.click, begin_check, studio, None, forecast)
    checked = on(
        begun.then, check_first, studio, [choice, settings], forecast, concurrency_limit=None
    )
    on(checked.failure, no_forecast, studio, None, forecast)


def _wire_controls(studio: Studio, session: Session, buttons: Controls, view: TrainingView) -> None:
    for button, handler in (
        (buttons.pause, controls.pause_run),
        (buttons.resume, controls.resume_run),
        (buttons.one_step, controls.one_step),
        (buttons.stop, controls.stop_run),
    ):
        on(button.click, handler, studio, [session.visitor, session.run_id], view)


def follow(
    studio: Studio, session: Session, view: TrainingView, event: Event, **options: str
) -> Dependency:
    """Shows the page's run anew at `event`.

    Another one may be started or opened meanwhile, and be shown before this answer comes. Then that
    one is shown again.
    """
    shown = on(event, controls.show, studio, [session.visitor, session.run_id], view, **options)
    on(shown.then, controls.correct, studio, [session.visitor, session.run_id, view.pill], view)
    return shown


def start_run(
    studio: Studio, choice: RunChoice, probes: str | None, config: TrainConfig
) -> TrainingView:
    """Starts a run with the page's settings, or puts it in the queue.

    A second click while one that is the same is alive changes nothing.
    """
    check_may_start(studio, choice.visitor)
    request = run_request(studio, choice, config, pinned(probes))
    studio.preflight.check_room(request.model)
    with studio.preflight.measuring_paused():
        run = studio.training_queue.start(request)
    return view_of(studio, run, choice.visitor)


def begin_check(studio: Studio) -> str:
    """Says that the measurement is under way."""
    return MEASURING


def no_forecast(studio: Studio) -> str:
    """Nothing was measured: a notice says why."""
    return ""


def check_first(studio: Studio, choice: RunChoice, config: TrainConfig) -> str:
    """A forecast from three real steps on a model of their own, which is thrown away afterwards."""
    try:
        check_may_start(studio, choice.visitor)
        forecast = studio.preflight.forecast(run_request(studio, choice, config))
    except UserError as error:
        return refusal(error)
    return forecast_text(forecast)
