"""The settings form: one widget for each choice of a training run, and the recipes that fill it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import gradio as gr

from mlm_gui.core.config import RECIPES, TrainConfig
from mlm_gui.services.studio import Studio
from mlm_gui.ui.form import Form

RECIPE_NAMES = {
    "Recommended": "recommended",
    "Quick demo (about 10 seconds)": "quick",
    "Thorough (8 passes)": "thorough",
    "Tutorial (as taught, to compare)": "tutorial",
}
UNIT_NAMES = [("a piece (token)", "token"), ("a whole word", "word"), ("a span of words", "span")]
RARE_FIELDS = (
    "schedule",
    "patience",
    "precision",
    "accumulation",
    "freeze_embeddings",
    "freeze_layers",
    "tutorial_mode",
)
"""Folded away once more."""
IN_PER_CENT = ("mask_rate", "mask_share", "random_share")
"""Fractions of TrainConfig that the page shows in per cent."""
MASK_RATE_LABEL = "Mask rate, %"


def settings_form() -> Form[TrainConfig]:
    """One widget for each field of TrainConfig; a field without a widget fails at page build."""
    widgets = _widgets()
    for name, widget in widgets.items():
        widget.elem_id = f"set-{name}"
    with gr.Accordion("Rarely needed", open=False, elem_id="train-rare"):
        for name in RARE_FIELDS:
            widgets[name].unrender().render()
    return Form(TrainConfig, in_per_cent=IN_PER_CENT, **widgets)


def _widgets() -> dict[str, gr.components.Component]:
    """The widgets by the name of their field, in the order in which they are shown."""
    default = TrainConfig()
    return {
        "epochs": gr.Slider(
            1,
            100,
            default.epochs,
            step=1,
            label="passes over the text (epochs)",
            info="More passes learn more, until the dashed line stops falling.",
        ),
        "max_steps": gr.Number(
            default.max_steps,
            precision=0,
            minimum=0,
            label="steps at most",
            info="0 means no limit: all passes are made.",
        ),
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
            default.weight_decay,
            minimum=0,
            maximum=1,
            label="weight decay",
            info="A gentle pull of the weights towards zero.",
        ),
        "clip": gr.Number(
            default.clip,
            minimum=0.01,
            label="gradient clip",
            info="No single step may be larger than this.",
        ),
        "dropout": gr.Slider(
            0,
            0.5,
            default.dropout,
            step=0.05,
            label="dropout",
            info="Share of the model switched off at random while it trains; helps in long runs.",
        ),
        "mask_rate": gr.Slider(
            1,
            60,
            100 * default.mask_rate,
            step=1,
            label=MASK_RATE_LABEL,
            info="Chance of each piece to be hidden; BERT's rule is 15.",
        ),
        "mask_share": gr.Slider(
            0,
            100,
            100 * default.mask_share,
            step=5,
            label="of those, shown as [MASK], %",
            info="BERT's rule is 80.",
        ),
        "random_share": gr.Slider(
            0,
            100,
            100 * default.random_share,
            step=5,
            label="of those, swapped for a random piece, %",
            info="BERT's rule is 10; what is left stays as it is.",
        ),
        "unit": gr.Radio(
            UNIT_NAMES,
            value=default.unit,
            label="chosen at a time",
            info="Whole words and spans are harder to guess than single pieces.",
        ),
        "evaluations": gr.Slider(
            1,
            50,
            default.evaluations,
            step=1,
            label="tests on the way",
            info="How often the unseen text is scored.",
        ),
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
            ["auto", "float32", "bfloat16"],
            value=default.precision,
            label="precision",
            info="auto uses bfloat16 on a GPU that computes in it.",
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
            0,
            12,
            default.freeze_layers,
            step=1,
            label="lowest layers left as they are",
            info="Frozen layers do not learn and cannot forget.",
        ),
        "tutorial_mode": gr.Checkbox(
            default.tutorial_mode,
            label="go the way of the tutorial",
            info="Padding to full length, long paragraphs cut off, masks drawn once, "
            "loss over every position. To see, not to recommend.",
        ),
        "seed": gr.Number(
            default.seed,
            precision=0,
            minimum=0,
            label="seed",
            info="The same seed gives the same order and the same masks.",
        ),
    }


def apply_recipe(studio: Studio, recipe: str) -> list[Any]:
    """The settings of a recipe, in the order of the form and in the units of the page."""
    config = RECIPES[RECIPE_NAMES.get(recipe, "recommended")]
    return [_in_page_units(field.name, getattr(config, field.name)) for field in fields(config)]


def _in_page_units(name: str, value: Any) -> Any:
    return round(100 * value, 6) if name in IN_PER_CENT else value
