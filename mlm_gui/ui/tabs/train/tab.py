"""Tab 3, Train: choose a model and a recipe, check, start, watch the loss fall; pause, go on, take one step, stop and keep."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import gradio as gr

from mlm_gui.core import validation
from mlm_gui.core.config import TrainConfig
from mlm_gui.core.inference.probes import pinned
from mlm_gui.errors import UserError
from mlm_gui.services.models.references import name_of_run
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.runs.run import LIVE_STATES, Run
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.chart import chart
from mlm_gui.ui.components.live import probe_timeline, probe_timeline_poller
from mlm_gui.ui.run_text import run_label
from mlm_gui.ui.run_view import (
    BUTTONS,
    NO_LINE,
    NO_PROBES,
    RESTING_STATES,
    TrainingView,
    poller,
    view_of,
    view_of_none,
)
from mlm_gui.ui.session import Session
from mlm_gui.ui.tabs.text import TextTab
from mlm_gui.ui.tabs.train.forecast import forecast_text, refusal
from mlm_gui.ui.tabs.train.settings import CONFIG_FIELDS, RECIPE_NAMES, apply_recipe, settings_form
from mlm_gui.ui.wiring import on

EMPTY = "No run yet. Bring a text, then press Start training: the line appears here."
GONE = "That run is not here any more. Choose another one under Runs, or start a new one."
HOW_TO_READ = (
    "Loss says how surprised the model is by the hidden words: lower is better. The solid line is the text it learns from; "
    "the dashed one is text it never trains on. If the dashed line turns up while the solid one falls, the model is memorising."
)
MEASURING = "Measuring three steps with this model and text …"


class TrainingTab(NamedTuple):
    """The parts other tabs and the page need."""

    view: TrainingView
    model: gr.Dropdown
    changed: object
    """Event: the run that this page watches is in another state, whichever tab is looked at."""
    finished: object
    """Event: it has ended, or is gone."""


def build(studio: Studio, session: Session, text: TextTab, pill: gr.HTML) -> TrainingTab:
    """Lays the tab out and wires it."""
    gr.Markdown(
        "The model reads your text again and again, each time with other words hidden. The line should fall; the dashed one shows text it never trains on.",
        elem_classes="lead",
    )
    with gr.Row(elem_classes="split"):
        with gr.Column(elem_classes="card", min_width=290, scale=1):
            gr.Markdown("### A new run")
            model = gr.Dropdown(
                model_choices(studio, ""),
                value="starter",
                label="model",
                allow_custom_value=True,
                elem_id="train-model",
                info="The bundled starter works offline. You may type a Hub name or the path of a model folder.",
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
                    info="The learning model fills them at every test. Left empty: two sentences of your own unseen text.",
                    elem_id="train-probes",
                )
            with gr.Row(elem_classes="actions"):
                start = gr.Button(
                    "Start training", variant="primary", elem_id="train-start", min_width=120
                )
                check = gr.Button("Check first", elem_id="train-check", min_width=110)
            forecast = gr.Markdown(elem_id="train-forecast", elem_classes="quiet")
        with gr.Column(min_width=320, scale=3):
            live = chart(
                "Loss of the run, step by step",
                poller(studio),
                value={**NO_LINE, "empty": EMPTY},
                help_text=HOW_TO_READ,
                elem_id="train-chart",
            )
            with gr.Row(elem_classes="actions"):
                buttons = [
                    gr.Button(label, interactive=False, elem_id=f"train-{name}", min_width=90)
                    for name, label in BUTTONS.items()
                ]
            with gr.Column(elem_classes="card"):
                gr.Markdown("### What it puts into the blanks")
                watched = probe_timeline(
                    "What the learning model puts into the blanks of the pinned sentences",
                    probe_timeline_poller(studio, RESTING_STATES),
                    elem_id="train-lapse",
                    value={"run": None, "steps": [], "rows": [], "empty": NO_PROBES},
                )

    view = TrainingView(session.run_id, live, pill, watched, start, *buttons)
    wanted = [session.visitor, session.text_id, model, text.held_out, text.split_seed]
    on(recipe.input, apply_recipe, studio, recipe, settings)
    on(start.click, start_run, studio, [*wanted, probes, *settings], view, concurrency_limit=None)
    measured = on(check.click, begin_check, studio, None, forecast)
    on(measured.then, check_first, studio, [*wanted, *settings], forecast, concurrency_limit=None)
    for button, handler in zip(buttons, (pause_run, resume, one_step, stop_run), strict=True):
        on(button.click, handler, studio, [session.visitor, session.run_id], view)
    news = [
        follow(studio, session, view, event, trigger_mode="multiple")
        for event in (*watchers(live), *watchers(pill))
    ]
    return TrainingTab(view, model, news[-2], news[-1])


def follow(studio: Studio, session: Session, view: TrainingView, event: Callable, **options: str):
    """Shows the page's run anew at `event`. Another one may be started or opened meanwhile and be shown before this answer comes: then that one is shown again."""
    _, *parts = view  # which run is looked at is not its to say
    shown = on(event, show, studio, [session.visitor, session.run_id], parts, **options)
    on(shown.then, correct, studio, [session.visitor, session.run_id, view.pill], parts)
    return shown


def watchers(part: gr.HTML) -> tuple:
    """The events by which the chart, as long as it is seen, and the pill, always, tell that the run is in another state; the last one is its end."""
    return part.changed, part.finished


def model_choices(studio: Studio, visitor: str) -> list[tuple[str, str]]:
    """The starter, and every run of this visitor that has a model."""
    runs = [run for run in studio.visible_runs(visitor) if run.has_model]
    return [
        ("Starter (bundled, offline)", "starter"),
        *((run_label(run), name_of_run(run.id)) for run in runs),
    ]


def run_request(
    studio: Studio,
    visitor: str,
    text_id: str,
    model: str,
    held_out: float,
    split_seed: float,
    settings: tuple,
    probes: str = "",
) -> RunRequest:
    """The page's values, checked. Raises UserError for what cannot be."""
    owner = check_owner(studio, visitor)
    corpus = studio.texts.get(text_id)
    config = TrainConfig(**dict(zip(CONFIG_FIELDS, settings, strict=True)))
    if config.epochs > studio.limits.max_epochs:
        raise UserError(
            "This run was not started.",
            f"This server allows {studio.limits.max_epochs} passes over the text.",
            "Choose fewer passes.",
        )
    if studio.limits.hosted:
        most = studio.limits.max_steps
        config = dataclasses.replace(config, max_steps=min(config.max_steps or most, most))
    share = validation.fraction("The held-out share", held_out, 2, 50) / 100
    return RunRequest(
        corpus=corpus,
        model=studio.usable(model, visitor),  # refused before a run folder is made
        config=config,
        held_out=share,
        split_seed=validation.whole("The seed", split_seed, 0, 2**31 - 1),
        owner=owner,
        probes=pinned(probes),
    )


def check_owner(studio: Studio, visitor: object) -> str:
    """The visitor's id. Raises UserError where one is needed and missing."""
    if not studio.may_start(visitor):
        raise UserError(
            "This run was not started.",
            "The page is not ready: this browser has no id yet.",
            "Reload the page and try again.",
        )
    return visitor if isinstance(visitor, str) else ""


def start_run(
    studio: Studio,
    visitor: str,
    text_id: str,
    model: str,
    held_out: float,
    split_seed: float,
    probes: str,
    *settings: float,
) -> TrainingView:
    """Starts a run with the page's settings, or puts it in the queue. A second click while one that is the same is alive changes nothing."""
    request = run_request(studio, visitor, text_id, model, held_out, split_seed, settings, probes)
    studio.preflight.check_room(request.model)
    with studio.preflight.measuring_paused():
        run = studio.training_queue.start(request)
    return view_of(studio, run, request.owner)


def begin_check(studio: Studio) -> str:
    """Says that the measurement is under way."""
    return MEASURING


def check_first(
    studio: Studio,
    visitor: str,
    text_id: str,
    model: str,
    held_out: float,
    split_seed: float,
    *settings: float,
) -> str:
    """Three real steps on a model of their own, thrown away afterwards: time, memory, disk, and what will happen to the text."""
    try:
        request = run_request(studio, visitor, text_id, model, held_out, split_seed, settings)
        return forecast_text(studio.preflight.forecast(request))
    except UserError as error:
        return refusal(error)


def seen(studio: Studio, visitor: str, run_id: str) -> Run:
    """The run that the page looks at. Raises UserError when there is none, or it is somebody else's."""
    run = studio.visible(run_id, visitor)
    if run is None:
        raise UserError(
            "There is no such run.",
            "It is not on this server any more.",
            "Choose another one under Runs, or start one.",
        )
    return run


def pause_run(studio: Studio, visitor: str, run_id: str) -> TrainingView:
    """Asks the run to leave the device after its current step."""
    run = seen(studio, visitor, run_id)
    if not studio.training_queue.pause(run) and run.state in LIVE_STATES:
        raise elsewhere()
    return view_of(studio, run, visitor)._replace(pause=gr.Button("Pausing …", interactive=False))


def resume(studio: Studio, visitor: str, run_id: str) -> TrainingView:
    """Puts the run in the queue again; it takes up from what is safe."""
    run = seen(studio, visitor, run_id)
    with studio.preflight.measuring_paused():
        studio.training_queue.resume(run, check_owner(studio, visitor))
    return view_of(studio, run, visitor)


def one_step(studio: Studio, visitor: str, run_id: str) -> TrainingView:
    """Has a paused run take exactly one step."""
    run = seen(studio, visitor, run_id)
    with studio.preflight.measuring_paused():
        studio.training_queue.one_step(run)
    return view_of(studio, run, visitor)


def stop_run(studio: Studio, visitor: str, run_id: str) -> TrainingView:
    """Asks the run to end after its current step, and to keep its model."""
    run = seen(studio, visitor, run_id)
    if not studio.training_queue.stop(run) and run.state in LIVE_STATES:
        raise elsewhere()
    view = view_of(studio, run, visitor)
    return (
        view._replace(stop=gr.Button("Stopping …", interactive=False))
        if run.state in LIVE_STATES
        else view
    )


def elsewhere() -> UserError:
    """For a live run that this program does not train."""
    return UserError(
        "This run was not changed.", "Another program trains it.", "Stop it there, with Ctrl-C."
    )


def show(studio: Studio, visitor: str, run_id: str) -> tuple:
    """The parts of the view of a run, or that it is gone; nothing changes where there never was one, as on a first visit."""
    run = studio.visible(run_id, visitor)
    if run:
        return view_of(studio, run, visitor)[1:]
    return view_of_none(GONE)[1:] if run_id else (gr.skip(),) * len(TrainingView._fields[1:])


def correct(studio: Studio, visitor: str, run_id: str, pill: object) -> tuple:
    """The view of the run that is looked at, where another one is shown; else nothing changes."""
    is_other = (
        isinstance(pill, dict)
        and pill.get("run") != run_id
        and studio.visible(run_id, visitor) is not None
    )
    return show(studio, visitor, run_id if is_other else "")
