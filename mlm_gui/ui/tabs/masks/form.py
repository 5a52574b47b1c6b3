"""The widgets of the masks tab: what to look at, how to draw, and which part to look at closely."""

from __future__ import annotations

from typing import NamedTuple

import gradio as gr

from mlm_gui.core.assets import STARTER
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.chart import chart
from mlm_gui.ui.components.display import budget, draw_table, intervals
from mlm_gui.ui.components.interactive import stepper
from mlm_gui.ui.model_choice import model_choices
from mlm_gui.ui.tabs.masks.question import EACH_PASS, MAX_PASSES, ONCE, RECOMMENDED, TUTORIAL
from mlm_gui.ui.tabs.train.settings import MASK_RATE_LABEL, UNIT_NAMES
from mlm_gui.ui.wiring import Slot

EXAMPLE = (
    "Begin the morning by saying to thyself, I shall meet with the busybody, the ungrateful, "
    "arrogant, deceitful, envious, unsocial."
)
PARTS = {
    "Step by step": ("steps",),
    "Counts": ("counts", "spread"),
    "Loss budget": ("budget",),
    "Code": ("code",),
    "Table": ("table",),
}
"""What can be opened for a closer look, one at a time -> its fields of PartsView."""
HOW_TO_READ = (
    "Each bar counts paragraphs. In a short one a few pieces more or less change the share a lot, "
    "so the bars spread around the rule; the dashed line is how far chance alone spreads them."
)


class DrawWidgets(NamedTuple):
    """How masks are drawn over a text; fields of MaskingQuestion."""

    rule: gr.Radio
    rate: gr.Slider
    unit: gr.Radio
    seed: gr.Number
    mask_share: gr.Slider
    random_share: gr.Slider
    epoch: gr.Slider
    drawn: gr.Radio
    model: gr.Dropdown


class BatchWidgets(NamedTuple):
    """Which batch of the run is looked at, and the buttons between its paragraphs."""

    follows: gr.Checkbox
    step: gr.Number
    sequence: gr.Number
    earlier: gr.Button
    later: gr.Button


class TextWidgets(NamedTuple):
    """The text and the paragraph it comes from."""

    text: gr.Textbox
    paragraph: gr.Number
    following: gr.Button


class PartsView(NamedTuple):
    """What can be opened for a closer look."""

    steps: Slot
    counts: Slot
    spread: Slot
    budget: Slot
    code: Slot
    table: Slot


def draw_form(studio: Studio) -> DrawWidgets:
    """The controls of a draw over a text."""
    rule = gr.Radio(
        [RECOMMENDED, TUTORIAL],
        value=RECOMMENDED,
        label="rule",
        info="The tutorial hides all it chose, once for all passes.",
        elem_id="mask-rule",
    )
    rate = gr.Slider(
        1,
        60,
        value=15,
        step=1,
        label=MASK_RATE_LABEL,
        info="Chance of each piece to be chosen. BERT's rule is 15.",
        elem_id="mask-rate",
    )
    unit = gr.Radio(UNIT_NAMES, value="token", label="chosen at a time", elem_id="mask-unit")
    seed = gr.Number(
        0,
        precision=0,
        minimum=0,
        label="seed",
        info="The same seed gives the same blanks, on any machine.",
        elem_id="mask-seed",
    )
    with gr.Accordion("More about the draw", open=False, elem_id="mask-more"):
        mask_share = gr.Slider(
            0,
            100,
            value=80,
            step=5,
            label="of the chosen, shown as [MASK], %",
            info="BERT's rule is 80.",
            elem_id="mask-share",
        )
        random_share = gr.Slider(
            0,
            100,
            value=10,
            step=5,
            label="swapped for a random piece, %",
            info="BERT's rule is 10; the rest stays as it is.",
            elem_id="mask-random",
        )
        epoch = gr.Slider(
            1,
            MAX_PASSES,
            value=1,
            step=1,
            label="pass over the text (epoch)",
            info="Move it: do the blanks move too?",
            elem_id="mask-epoch",
        )
        drawn = gr.Radio(
            [
                ("anew each pass (dynamic)", EACH_PASS),
                ("once, as the tutorial does (static)", ONCE),
            ],
            value=EACH_PASS,
            label="masks are drawn",
            elem_id="mask-drawn",
        )
        model = gr.Dropdown(
            model_choices(studio, ""),
            value=STARTER,
            label="whose vocabulary (tokenizer)",
            info="Each model cuts words in its own way. You may type a Hub name or a model folder.",
            allow_custom_value=True,
            elem_id="mask-model",
        )
    return DrawWidgets(
        rule=rule,
        rate=rate,
        unit=unit,
        seed=seed,
        mask_share=mask_share,
        random_share=random_share,
        epoch=epoch,
        drawn=drawn,
        model=model,
    )


def batch_form() -> BatchWidgets:
    """The controls of a batch."""
    follows = gr.Checkbox(True, label="follow the run to its next step", elem_id="mask-follow")
    step = gr.Number(
        1,
        precision=0,
        minimum=1,
        label="step",
        info="The one that the run takes next, or any other.",
        elem_id="mask-step",
    )
    sequence = gr.Number(
        1,
        precision=0,
        minimum=1,
        label="paragraph of the batch",
        info="A batch holds several, each shown by itself.",
        elem_id="mask-sequence",
    )
    with gr.Row(elem_classes="actions"):
        earlier = gr.Button("Previous", elem_id="mask-earlier")
        later = gr.Button("Next", variant="primary", elem_id="mask-later")
    return BatchWidgets(follows, step, sequence, earlier, later)


def text_form() -> TextWidgets:
    """The text to draw over."""
    text = gr.Textbox(
        EXAMPLE,
        label="text",
        info="A paragraph of yours, or anything you type.",
        lines=3,
        max_lines=8,
        elem_id="mask-text",
    )
    with gr.Row(elem_classes="paragraph"):
        paragraph = gr.Number(
            1,
            precision=0,
            minimum=1,
            label="paragraph of your text",
            elem_id="mask-paragraph",
            min_width=160,
        )
        following = gr.Button("Next paragraph", elem_id="mask-next", min_width=160)
    return TextWidgets(text, paragraph, following)


def closer_look() -> tuple[gr.Radio, PartsView]:
    """The choice of a part, and the parts; none is open at first."""
    part = gr.Radio(list(PARTS), value=None, label="look closer", elem_id="mask-part")
    parts = PartsView(
        steps=stepper("The draw, step by step", visible=False, elem_id="mask-steps"),
        counts=intervals(
            "Counts of this draw against chance", visible=False, elem_id="mask-counts"
        ),
        spread=chart(
            "Chosen share of each paragraph",
            height=280,
            help_text=HOW_TO_READ,
            framed=False,
            visible=False,
            elem_id="mask-spread",
        ),
        budget=budget("What the loss is made of", visible=False, elem_id="mask-budget"),
        code=gr.Code(
            language="python",
            label="Python that draws exactly this",
            interactive=False,
            wrap_lines=True,
            visible=False,
            elem_id="mask-code",
        ),
        table=draw_table("Every piece of this draw", visible=False, elem_id="mask-table"),
    )
    return part, parts
