"""The widgets of the masks tab: what to look at, how to draw, and which part to look at more closely."""

import gradio as gr

from mlm_gui.core.assets import STARTER
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.chart import chart
from mlm_gui.ui.components.display import budget, draw_table, intervals
from mlm_gui.ui.components.interactive import stepper
from mlm_gui.ui.tabs.train.settings import UNIT_NAMES
from mlm_gui.ui.tabs.train.tab import model_choices

EXAMPLE = "Begin the morning by saying to thyself, I shall meet with the busybody, the ungrateful, arrogant, deceitful, envious, unsocial."
TEXT, BATCH = "a text", "the next batch of the run"
"""What can be looked at."""
TUTORIAL = "Tutorial"
"""The rule as the tutorial has it: its labels and its padding are shown too."""
RULES = {
    "Recommended": (15, 80, 10, "token", "anew each pass"),
    TUTORIAL: (15, 100, 0, "token", "once"),
}
"""Values of rate, mask_share, random_share, unit and drawn."""
MAX_PASSES = 10
"""Passes over the text that the slider reaches."""
PARTS = ("Step by step", "Counts", "Loss budget", "Code", "Table")
"""What can be opened for a closer look, one at a time."""
HOW_TO_READ = (
    "Each bar counts paragraphs. In a short one a few pieces more or less change the share a lot, so the bars spread around the rule; "
    "the dashed line is how far chance alone spreads them."
)


def draw_form(studio: Studio) -> list[gr.components.Component]:
    """The widgets of Asked from `rule` to `model`."""
    rule = gr.Radio(
        list(RULES),
        value="Recommended",
        label="rule",
        info="The tutorial hides all it chose, once for all passes.",
        elem_id="mask-rule",
    )
    rate = gr.Slider(
        1,
        60,
        value=15,
        step=1,
        label="hidden share, %",
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
                ("anew each pass (dynamic)", "anew each pass"),
                ("once, as the tutorial does (static)", "once"),
            ],
            value="anew each pass",
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
    return [rule, rate, mask_share, random_share, unit, seed, epoch, drawn, model]


def batch_form() -> tuple[gr.Number, gr.Number, gr.Checkbox, gr.Button, gr.Button]:
    """Step and sequence, whether the run is followed, and the buttons between sequences."""
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
    return step, sequence, follows, earlier, later


def text_form() -> tuple[gr.Textbox, gr.Number, gr.Button]:
    """The text and the paragraph it comes from."""
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
    return text, paragraph, following


def closer_look() -> tuple[gr.Radio, list[gr.components.Component]]:
    """The choice of parts, and the parts of MaskingView from `steps` on; none is open at first."""
    part = gr.Radio(list(PARTS), value=None, label="look closer", elem_id="mask-part")
    parts = [
        stepper("The draw, step by step", visible=False, elem_id="mask-steps"),
        intervals("Counts of this draw against chance", visible=False, elem_id="mask-counts"),
        chart(
            "Chosen share of each paragraph",
            height=280,
            help_text=HOW_TO_READ,
            framed=False,
            visible=False,
            elem_id="mask-spread",
        ),
        budget("What the loss is made of", visible=False, elem_id="mask-budget"),
        gr.Code(
            language="python",
            label="Python that draws exactly this",
            interactive=False,
            wrap_lines=True,
            visible=False,
            elem_id="mask-code",
        ),
        draw_table("Every piece of this draw", visible=False, elem_id="mask-table"),
    ]
    return part, parts
