"""Tab 2, Masks: the 15 % rule at work on the person's own text, drawn by the trainer's own function."""

import secrets
from typing import NamedTuple

import gradio as gr

from mlm_gui.core import checks
from mlm_gui.core.draw import Draw, draw_masks
from mlm_gui.core.masking import Fate, MaskPolicy
from mlm_gui.services.studio import Studio
from mlm_gui.ui.chips import chips
from mlm_gui.ui.facts import facts
from mlm_gui.ui.session import Session
from mlm_gui.ui.wiring import on

EXAMPLE = "Begin the morning by saying to thyself, I shall meet with the busybody, the ungrateful, arrogant, deceitful, envious, unsocial."


class MaskingView(NamedTuple):
    """What a draw changes."""

    numbers: gr.HTML
    tokens: gr.HTML


class MaskingTab(NamedTuple):
    """The parts other tabs and the page need."""

    view: MaskingView
    text: gr.Textbox
    paragraph: gr.Number
    controls: list[gr.components.Component]


def build(studio: Studio, session: Session) -> MaskingTab:
    """Lays the tab out and wires it."""
    gr.Markdown(
        "Before each step the model loses sight of about 15 % of the word pieces and must guess them back. Marks like [CLS] and [SEP] are never hidden.",
        elem_classes="lead",
    )
    numbers = facts("Counts of this draw", value={"facts": []}, elem_id="mask-facts")
    with gr.Row(elem_classes="split"):
        with gr.Column(elem_classes="card", min_width=290, scale=1):
            gr.Markdown("### The draw")
            rate = gr.Slider(
                1, 60, value=15, step=1, label="hidden share, %", info="Chance of each piece to be chosen. BERT's rule is 15.", elem_id="mask-rate"
            )
            mask_share = gr.Slider(
                0,
                100,
                value=80,
                step=5,
                label="of those, shown as [MASK], %",
                info="The rest is half swapped for a random piece, half left as it is.",
                elem_id="mask-share",
            )
            seed = gr.Number(
                0, precision=0, minimum=0, label="seed", info="The same seed gives the same blanks, on any machine.", elem_id="mask-seed"
            )
            model = gr.Textbox("starter", label="whose tokenizer", info="starter, a model folder, or a Hub name.", elem_id="mask-model")
            again = gr.Button("Draw again", variant="primary", elem_id="mask-again")
        with gr.Column(min_width=320, scale=3):
            with gr.Column(elem_classes="card"):
                tokens = chips("Word pieces and what became of them", value={"tokens": [], "legend": True}, elem_id="mask-tokens")
            with gr.Column(elem_classes="card"):
                text = gr.Textbox(
                    EXAMPLE, label="text", info="A paragraph of yours, or anything you type.", lines=3, max_lines=8, elem_id="mask-text"
                )
                with gr.Row(equal_height=True):
                    paragraph = gr.Number(1, precision=0, minimum=1, label="paragraph of your text", elem_id="mask-paragraph", min_width=160)
                    following = gr.Button("Next paragraph", elem_id="mask-next", min_width=160)

    view, controls = MaskingView(numbers, tokens), [text, rate, mask_share, seed, model]
    for widget in controls[:-1]:
        on(widget.change, draw, studio, controls, view, trigger_mode="always_last")
    for entered in (model.submit, model.blur):  # not at each key: a half-typed name would be looked up on the Hub
        on(entered, draw, studio, controls, view)
    on(again.click, reseed, studio, None, seed)
    on(paragraph.change, paragraph_text, studio, [session.text_id, paragraph], text, trigger_mode="always_last")
    on(following.click, next_paragraph, studio, [session.text_id, paragraph], paragraph)
    return MaskingTab(view, text, paragraph, controls)


def reseed(studio: Studio) -> int:
    """A new seed; the draw follows from it."""
    return secrets.randbelow(10_000)


def paragraph_text(studio: Studio, text_id: str, number: float) -> object:
    """The chosen paragraph of the text in use; nothing changes when there is none."""
    corpus = studio.texts.find(text_id)
    if corpus is None:
        return gr.skip()
    return corpus.paragraphs[checks.whole("The paragraph", number, 1, len(corpus.paragraphs)) - 1][:20_000]


def next_paragraph(studio: Studio, text_id: str, number: float) -> int:
    """The number after this one; after the last comes the first."""
    count = len(studio.texts.get(text_id).paragraphs)
    return checks.whole("The paragraph", number, 0, 10**9) % count + 1


def draw(studio: Studio, text: str, rate: float, mask_share: float, seed: float, model: str) -> MaskingView:
    """One draw over the text, as chips and counts."""
    share = checks.fraction("The [MASK] share", mask_share, 0, 100) / 100
    policy = MaskPolicy(checks.fraction("The hidden share", rate, 1, 60) / 100, share, (1 - share) / 2)
    return shown(draw_masks(studio.models.tokenizer(model), text, policy, checks.whole("The seed", seed, 0, 2**31 - 1)))


def shown(drawn: Draw) -> MaskingView:
    """The draw as component values."""
    low, high = drawn.expected
    specials = list(dict.fromkeys(token.token for token in drawn.tokens if token.fate == Fate.SPECIAL))
    numbers = [
        {"name": "pieces that could be hidden", "value": f"{drawn.num_maskable:,}", "extra": ""},
        {"name": "chosen now", "value": f"{drawn.num_chosen:,}", "extra": f"{drawn.num_chosen / drawn.num_maskable:.1%} · by chance {low}–{high}"},
        {"name": "[MASK] / random / kept", "value": " / ".join(str(drawn.count(fate)) for fate in (Fate.MASK, Fate.RANDOM, Fate.KEPT)), "extra": ""},
        {"name": "protected marks", "value": str(drawn.count(Fate.SPECIAL)), "extra": " ".join(specials)[:60]},
    ]
    tokens = [
        {
            "text": token.seen,
            "old": token.token if token.fate in (Fate.MASK, Fate.RANDOM) else "",
            "fate": token.fate.name.lower(),
            "joined": token.continues,
            "why": token.why,
            "id": token.id,
            "label": token.label,
        }
        for token in drawn.tokens
    ]
    return MaskingView({"facts": numbers}, {"tokens": tokens, "legend": True})
