"""Tab 3, Train: choose a model and a recipe, start, watch the loss fall, stop and keep."""

import dataclasses
from typing import NamedTuple

import gradio as gr

from mlm_gui.core import checks
from mlm_gui.core.config import RECIPES, TrainConfig
from mlm_gui.core.events import Failed, Finished
from mlm_gui.core.history import History
from mlm_gui.errors import UserError
from mlm_gui.services.runs import LIVE_STATES, Run
from mlm_gui.services.studio import Studio
from mlm_gui.ui.chart import chart, figure_json
from mlm_gui.ui.charts import loss_chart, new_points
from mlm_gui.ui.session import Session
from mlm_gui.ui.text_tab import TextTab
from mlm_gui.ui.wiring import on

RECIPE_NAMES = {
    "Recommended": "recommended",
    "Quick demo (about 10 seconds)": "quick",
    "Thorough (8 passes)": "thorough",
    "Tutorial (as taught)": "tutorial",
}
UNIT_NAMES = [("a piece (token)", "token"), ("a whole word", "word"), ("a span of words", "span")]
CONFIG_FIELDS = tuple(field.name for field in dataclasses.fields(TrainConfig))
BLANK_FACTS = [{"name": name, "value": "–", "extra": ""} for name in ("loss on unseen text", "right first guess", "speed", "time left")]
EMPTY = {"fig": None, "run": None, "facts": BLANK_FACTS, "empty": "No run yet. Bring a text, then press Start training: the line appears here."}
HOW_TO_READ = (
    "Loss says how surprised the model is by the hidden words: lower is better. The solid line is the text it learns from; "
    "the dashed one is text it never trains on. If the dashed line turns up while the solid one falls, the model is memorising."
)


class TrainingView(NamedTuple):
    """What looking at a run, or at none, sets."""

    run_id: gr.BrowserState
    live: gr.HTML
    pill: gr.HTML
    start: gr.Button
    stop: gr.Button


class TrainingTab(NamedTuple):
    """The parts other tabs and the page need."""

    view: TrainingView
    model: gr.Dropdown
    finished: object
    """Event: a run this page was watching has ended."""


def build(studio: Studio, session: Session, text: TextTab, pill: gr.HTML) -> TrainingTab:
    """Lays the tab out and wires it."""
    gr.Markdown(
        "The model reads your text again and again, each time with other words hidden. The line should fall; the dashed one shows text it never trains on.",
        elem_classes="lead",
    )
    with gr.Row(elem_classes="split"):
        with gr.Column(elem_classes="card", min_width=290, scale=1):
            gr.Markdown("### This run")
            model = gr.Dropdown(
                model_choices(studio, ""),
                value="starter",
                label="model",
                allow_custom_value=True,
                elem_id="train-model",
                info="The bundled starter works offline. You may type a Hub name or the path of a model folder.",
            )
            recipe = gr.Radio(list(RECIPE_NAMES), value="Recommended", label="recipe", elem_id="train-recipe")
            with gr.Accordion("More settings", open=False, elem_id="train-more"):
                settings = settings_form()
            with gr.Row(elem_classes="actions"):
                start = gr.Button("Start training", variant="primary", elem_id="train-start", min_width=120)
                stop = gr.Button("Stop and keep", interactive=False, elem_id="train-stop", min_width=120)
        with gr.Column(min_width=320, scale=3):
            live = chart("Loss of the run, step by step", poller(studio), value=EMPTY, help_text=HOW_TO_READ, elem_id="train-chart")

    view = TrainingView(session.run_id, live, pill, start, stop)
    on(recipe.input, apply_recipe, studio, recipe, settings)
    on(
        start.click,
        start_run,
        studio,
        [session.visitor, session.text_id, session.run_id, model, text.held_out, text.split_seed, *settings],
        view,
        concurrency_limit=None,
    )
    on(stop.click, stop_run, studio, [session.visitor, session.run_id], stop)
    finished = on(live.finished, show, studio, [session.visitor, session.run_id], view)
    return TrainingTab(view, model, finished)


def settings_form() -> list[gr.components.Component]:
    """One widget for each field of TrainConfig, in its order; a field without a widget fails here, at page build."""
    default = TrainConfig()
    widgets = {
        "epochs": gr.Slider(
            1, 100, default.epochs, step=1, label="passes over the text (epochs)", info="More passes learn more, until the dashed line stops falling."
        ),
        "max_steps": gr.Number(default.max_steps, precision=0, minimum=0, label="steps at most", info="0 means no limit: all passes are made."),
        "tokens_per_step": gr.Slider(
            64,
            8192,
            default.tokens_per_step,
            step=64,
            label="word pieces per step",
            info="How much text is read before the weights change once (batch size, in tokens).",
        ),
        "learning_rate": gr.Number(
            default.learning_rate,
            minimum=0,
            maximum=0.1,
            label="learning rate",
            info="How big each change is. 0 chooses one that suits the model's size.",
        ),
        "warmup_share": gr.Slider(
            0,
            0.5,
            default.warmup_share,
            step=0.01,
            label="warm-up, share of the steps",
            info="The rate climbs during these steps, then falls to zero.",
        ),
        "weight_decay": gr.Number(
            default.weight_decay, minimum=0, maximum=1, label="weight decay", info="A gentle pull of the weights towards zero."
        ),
        "clip": gr.Number(default.clip, minimum=0.01, label="gradient clip", info="No single step may be larger than this."),
        "dropout": gr.Slider(
            0, 0.5, default.dropout, step=0.05, label="dropout", info="Share of the model switched off at random while it trains; helps in long runs."
        ),
        "mask_rate": gr.Slider(
            0.05, 0.6, default.mask_rate, step=0.01, label="hidden share", info="Chance of each piece to be hidden; BERT's rule is 0.15."
        ),
        "mask_share": gr.Slider(0, 1, default.mask_share, step=0.05, label="of those, shown as [MASK]", info="BERT's rule is 0.8."),
        "random_share": gr.Slider(
            0,
            1,
            default.random_share,
            step=0.05,
            label="of those, swapped for a random piece",
            info="BERT's rule is 0.1; what is left stays as it is.",
        ),
        "unit": gr.Radio(
            UNIT_NAMES, value=default.unit, label="chosen at a time", info="Whole words and spans are harder to guess than single pieces."
        ),
        "evaluations": gr.Slider(1, 50, default.evaluations, step=1, label="tests on the way", info="How often the unseen text is scored."),
        "schedule": gr.Dropdown(
            ["linear", "constant"],
            value=default.schedule,
            label="after the warm-up",
            info="The rate falls to zero in a straight line, or stays level.",
        ),
        "patience": gr.Slider(
            0,
            20,
            default.patience,
            step=1,
            label="patience (early stopping)",
            info="Ends after this many tests in a row without a new best; 0 never does.",
        ),
        "precision": gr.Dropdown(
            ["auto", "float32", "bfloat16"], value=default.precision, label="precision", info="auto uses bfloat16 on a GPU that computes in it."
        ),
        "accumulation": gr.Slider(
            1,
            64,
            default.accumulation,
            step=1,
            label="parts of a step (gradient accumulation)",
            info="More parts need less memory; the result is the same.",
        ),
        "freeze_embeddings": gr.Checkbox(
            default.freeze_embeddings,
            label="leave the embeddings as they are",
            info="Quicker and gentler; where the output shares them, that stays too.",
        ),
        "freeze_layers": gr.Slider(
            0, 12, default.freeze_layers, step=1, label="lowest layers left as they are", info="Frozen layers do not learn and cannot forget."
        ),
        "as_taught": gr.Checkbox(
            default.as_taught,
            label="go the way of the tutorial",
            info="Padding to full length, long paragraphs cut off, masks drawn once, loss over every position. To see, not to recommend.",
        ),
        "seed": gr.Number(default.seed, precision=0, minimum=0, label="seed", info="The same seed gives the same order and the same masks."),
    }
    for name, widget in widgets.items():
        widget.elem_id = f"set-{name}"
    return [widgets[name] for name in CONFIG_FIELDS]


def apply_recipe(studio: Studio, recipe: str) -> list:
    """The settings of a recipe."""
    config = RECIPES[RECIPE_NAMES.get(recipe, "recommended")]
    return [getattr(config, name) for name in CONFIG_FIELDS]


def model_choices(studio: Studio, visitor: str) -> list[tuple[str, str]]:
    """The starter, and every run of this visitor that has a model."""
    runs = [run for run in studio.visible_runs(visitor) if run.has_model]
    return [("Starter (bundled, offline)", "starter"), *((run_label(run), f"run:{run.id}") for run in runs)]


def run_label(run: Run) -> str:
    """How a run is called in lists: its name, its time and how far it came."""
    return f"{run.job.name} · {run.job.created[:16].replace('T', ' ')} · {run.history().num_steps} steps"


def start_run(
    studio: Studio, visitor: str, text_id: str, run_id: str, model: str, held_out: float, split_seed: float, *settings: float
) -> TrainingView:
    """Starts a run with the page's settings. A second click while one is alive changes nothing: the page keeps looking at the live one."""
    if not studio.may_start(visitor):
        raise UserError("This run was not started.", "The page is not ready: this browser has no id yet.", "Reload the page and try again.")
    current = studio.visible(run_id, visitor)
    if current and current.state in LIVE_STATES:
        return view_of(studio, current)
    corpus = studio.texts.get(text_id)
    config = TrainConfig(**dict(zip(CONFIG_FIELDS, settings, strict=True)))
    if config.epochs > studio.limits.max_epochs:
        raise UserError("This run was not started.", f"This server allows {studio.limits.max_epochs} passes over the text.", "Choose fewer passes.")
    if studio.limits.hosted:
        most = studio.limits.max_steps
        config = dataclasses.replace(config, max_steps=min(config.max_steps or most, most))
    visitor = visitor if isinstance(visitor, str) else ""
    share = checks.fraction("The held-out share", held_out, 2, 50) / 100
    studio.models.tokenizer(model)  # an unknown model is refused before a run folder is made
    seed = checks.whole("The seed", split_seed, 0, 2**31 - 1)
    wanted = (corpus.fingerprint, model, config, share, seed)
    run = studio.trainer.start(
        lambda: studio.runs.create(corpus, model, config, share, seed, visitor),
        visitor,
        same=lambda other: (other.job.fingerprint, other.job.model, other.job.config, other.job.held_out, other.job.split_seed) == wanted,
    )
    return view_of(studio, run)


def stop_run(studio: Studio, visitor: str, run_id: str) -> object:
    """Asks the run to end after its current step."""
    run = studio.visible(run_id, visitor)
    if run and studio.trainer.stop(run):
        return gr.Button("Stopping …", interactive=False)
    if run and run.state in LIVE_STATES:
        raise UserError("This run was not stopped.", "Another program trains it.", "Stop it there, with Ctrl-C.")
    return gr.Button("Stop and keep", interactive=False)


def show(studio: Studio, visitor: str, run_id: str) -> TrainingView:
    """The view of a run; nothing changes when the id is unknown, as on a first visit."""
    run = studio.visible(run_id, visitor)
    return view_of(studio, run) if run else TrainingView(*[gr.skip()] * len(TrainingView._fields))


def view_of(studio: Studio, run: Run) -> TrainingView:
    """Everything the page shows of a run."""
    alive = run.state in LIVE_STATES
    return TrainingView(
        run.id,
        {"fig": figure_json(loss_chart(History())), "run": run.id, "empty": "", "facts": run_facts(run.history())},
        {"run": run.id},
        gr.Button("Training …" if alive else "Start training", interactive=not alive),
        gr.Button("Stop and keep", interactive=alive),
    )


def poller(studio: Studio):
    """The server function behind the live chart."""

    def poll(asked: dict) -> dict | None:
        """What is new of a run since the cursor; None when there is no such run."""
        run = studio.runs.find(asked.get("run")) if isinstance(asked, dict) else None
        if run is None:
            return None
        state, history = run.state, run.history()
        add, replace, cursor = new_points(history, asked.get("cursor"))
        return {
            "cursor": cursor,
            "add": add,
            "replace": replace,
            "x_max": history.started.total_steps if history.started else None,
            "facts": run_facts(history),
            "note": run_note(studio, run),
            "progress": history.num_steps / history.started.total_steps if history.started else None,
            "state": state,
            "final": state not in LIVE_STATES,
        }

    return poll


def pill_poller(studio: Studio):
    """The server function behind the pill in the header."""

    def poll(asked: dict) -> dict | None:
        """One line about the run."""
        run = studio.runs.find(asked.get("run")) if isinstance(asked, dict) else None
        if run is None or run.job is None:
            return None
        state, history = run.state, run.history()
        place = f"step {history.num_steps} of {history.started.total_steps}" if history.started else state
        left = f" · {spoken(history.seconds_left)} left" if history.seconds_left is not None and state == "running" else ""
        text = (
            f"{run.job.name[:40]} · {place}{left}" if state in LIVE_STATES else f"{run.job.name[:40]} · {state}{' · kept' if run.has_model else ''}"
        )
        return {"text": text, "state": state, "final": state not in LIVE_STATES}

    return poll


def run_facts(history: History) -> list[dict]:
    """The four numbers above the chart."""
    if not history.evaluations:
        return BLANK_FACTS
    before, now = history.evaluations[0], history.evaluations[-1]
    speed = history.latest.tokens_per_second if history.latest else 0
    seconds = history.latest.seconds if history.latest else now.seconds
    ended = isinstance(history.ended, (Finished, Failed))
    return [
        {"name": "loss on unseen text", "value": f"{now.loss:.2f}", "extra": f"from {before.loss:.2f}"},
        {"name": "right first guess", "value": f"{now.top1:.0%}", "extra": f"from {before.top1:.0%}"},
        {"name": "speed", "value": f"{speed:,.0f}" if speed else "–", "extra": "pieces / s"},
        {
            "name": "time taken" if ended else "time left",
            "value": spoken(seconds if ended else history.seconds_left),
            "extra": "" if ended else f"{spoken(seconds)} so far",
        },
    ]


def run_note(studio: Studio, run: Run) -> str:
    """One sentence on where the run stands."""
    state, history = run.state, run.history()
    steps = f"{history.num_steps:,} of {history.started.total_steps:,} steps" if history.started else "no steps yet"
    if isinstance(history.ended, Failed):
        return f"{history.ended.what} {history.ended.why} {history.ended.do}"
    if state == "queued":
        waiting = studio.trainer.position(run)
        return (
            f"Waiting: {waiting} {'run comes' if waiting == 1 else 'runs come'} first."
            if waiting
            else "Loading the model and cutting the text into pieces …"
        )
    if state == "running" and history.saved:
        return f"Trained and kept: {steps}. Now it sits its exam on the unseen text …"
    kept = " The model is kept: compare it in the next tab." if run.has_model else ""
    kept += f" Exam: {history.examined.verdict}." if history.examined else ""
    return {
        "running": f"Training: {steps}, pass {history.latest.epoch if history.latest else 0:.1f} of {history.started.epochs if history.started else 0}; unseen text is tested on {history.evaluations[0].num_masks if history.evaluations else 0:,} blanks, always the same and all of them hidden.",
        "finished": f"Finished: {steps}.{kept}",
        "stopped": f"Stopped: {steps}.{kept}",
        "interrupted": f"Interrupted: the server went away after {steps}.{kept or ' Start it again to train it whole.'}",
    }.get(state, "The folder of this run is damaged and cannot be read.")


def spoken(seconds: float | None) -> str:
    """A duration as minutes and seconds: 70 -> "1:10"."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"
