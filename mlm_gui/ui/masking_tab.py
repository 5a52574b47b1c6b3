"""Tab 2, Masks: the 15 % rule at work on any text, or on the next batch of a run, drawn by the trainer's own function."""

import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import gradio as gr

from mlm_gui.core import checks
from mlm_gui.core.counts import chosen_shares
from mlm_gui.core.documents import Corpus, Document
from mlm_gui.core.draw import Draw, draw_masks, draw_of
from mlm_gui.core.masking import MaskPolicy
from mlm_gui.core.model import ASSETS, LONGEST_SEQUENCE, STARTER
from mlm_gui.core.twin import run_twin, twin_of
from mlm_gui.services.runs import Run
from mlm_gui.services.studio import Studio
from mlm_gui.ui import draw_views
from mlm_gui.ui.account import account
from mlm_gui.ui.budget import budget
from mlm_gui.ui.chart import chart, figure_json
from mlm_gui.ui.chips import chips
from mlm_gui.ui.facts import facts
from mlm_gui.ui.intervals import intervals
from mlm_gui.ui.session import Session
from mlm_gui.ui.stepper import stepper
from mlm_gui.ui.training_tab import UNIT_NAMES, model_choices
from mlm_gui.ui.wiring import on

EXAMPLE = "Begin the morning by saying to thyself, I shall meet with the busybody, the ungrateful, arrogant, deceitful, envious, unsocial."
TEXT, BATCH = "a text", "the next batch of the run"
TUTORIAL = "Tutorial"
RULES = {"Recommended": (15, 80, 10, "token", "anew each pass"), TUTORIAL: (15, 100, 0, "token", "once")}
"""Values of rate, mask_share, random_share, unit and drawn."""
MAX_PASSES = 10
PARTS = ("Step by step", "Counts", "Loss budget", "Code", "Table")
HINT = "Click a piece to hide it for sure, click again to leave it in sight, again to give it back to the draw. Arrow keys move."
HINT_BATCH = "This is the trainer's own draw, so nothing in it can be changed. Arrow keys move from piece to piece."
HOW_TO_READ = (
    "Each bar counts paragraphs. In a short one a few pieces more or less change the share a lot, so the bars spread around the rule; "
    "the dashed line is how far chance alone spreads them."
)
NO_RUN = "There is no run to look at yet. Start one on the Train tab: the batch of its next step appears here."


class Asked(NamedTuple):
    """Everything that decides what is shown, as the page sends it: unchecked."""

    visitor: Any
    text_id: Any
    run_id: Any
    source: Any
    """TEXT or BATCH."""
    text: Any
    rule: Any
    rate: Any
    """Per cent, as the next two."""
    mask_share: Any
    random_share: Any
    unit: Any
    seed: Any
    epoch: Any
    """Pass over the text, from 1."""
    drawn: Any
    """ "anew each pass" or "once"."""
    model: Any
    with_ids: Any
    part: Any
    """The one of PARTS that is open, or None."""
    marks: Any
    """ "crc|+3-7": the pieces a person forced and forbade, for the text and model of that checksum."""
    step: Any
    sequence: Any


class MaskingView(NamedTuple):
    """What a draw changes."""

    numbers: gr.HTML
    tokens: gr.HTML
    marks: gr.Textbox
    clear: gr.Button
    steps: gr.HTML
    counts: gr.HTML
    spread: gr.HTML
    budget: gr.HTML
    code: gr.Code
    table: gr.HTML


class MaskingTab(NamedTuple):
    """The parts other tabs and the page need."""

    view: MaskingView
    text: gr.Textbox
    paragraph: gr.Number
    controls: list[gr.components.Component]
    model: gr.Dropdown


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
            source = gr.Radio([TEXT, BATCH], value=TEXT, label="look at", elem_id="mask-source")
            with gr.Column() as of_text:
                draw_controls, again, clear = draw_form(studio)
            with gr.Column(visible=False) as of_batch:
                step, sequence, earlier, later = batch_form()
        with gr.Column(min_width=320, scale=3):
            with gr.Column(elem_classes="card"):
                tokens = chips("Word pieces and what became of them", value={"tokens": [], "legend": True}, elem_id="mask-tokens")
                with_ids = gr.Checkbox(False, label="ids and labels under each piece", elem_id="mask-ids")
            with gr.Column(elem_classes="card") as typed:
                text, paragraph, following = text_form()
    with gr.Column(elem_classes="card"):
        part, parts = closer_look()
    marks = gr.Textbox("", visible=False)

    view = MaskingView(numbers, tokens, marks, clear, *parts)
    asked = Asked(*session, source, text, *draw_controls, with_ids, part, marks, step, sequence)
    inputs = list(asked)
    last = {"trigger_mode": "always_last"}
    for widget in (
        asked.rate,
        asked.mask_share,
        asked.random_share,
        asked.unit,
        asked.seed,
        asked.epoch,
        asked.drawn,
        with_ids,
        part,
        step,
        sequence,
    ):
        on(widget.input, draw, studio, inputs, view, **last)
    for widget in (text, asked.model):
        on(widget.change, draw, studio, inputs, view, **last)
    for event, handler, given, changed in (
        (again.click, reseed, None, asked.seed),
        (clear.click, no_marks, None, marks),
        (asked.rule.input, apply_rule, asked.rule, [asked.rate, asked.mask_share, asked.random_share, asked.unit, asked.drawn]),
        (source.input, look_at, [session.visitor, session.run_id, source], [of_text, of_batch, typed, step, sequence]),
        (earlier.click, earlier_sequence, sequence, sequence),
        (later.click, later_sequence, [session.visitor, session.run_id, step, sequence], [step, sequence]),
    ):
        on(on(event, handler, studio, given, changed).success, draw, studio, inputs, view)
    on(tokens.pick, pick, studio, inputs, view)
    on(paragraph.input, paragraph_text, studio, [session.text_id, paragraph], text, **last)
    on(following.click, next_paragraph, studio, [session.text_id, paragraph], [paragraph, text])
    return MaskingTab(view, text, paragraph, inputs, asked.model)


def draw_form(studio: Studio) -> tuple[list[gr.components.Component], gr.Button, gr.Button]:
    """The widgets of Asked from `rule` to `model`, and the buttons."""
    rule = gr.Radio(list(RULES), value="Recommended", label="rule", info="The tutorial hides all it chose, once for all passes.", elem_id="mask-rule")
    rate = gr.Slider(
        1, 60, value=15, step=1, label="hidden share, %", info="Chance of each piece to be chosen. BERT's rule is 15.", elem_id="mask-rate"
    )
    unit = gr.Radio(UNIT_NAMES, value="token", label="chosen at a time", elem_id="mask-unit")
    seed = gr.Number(0, precision=0, minimum=0, label="seed", info="The same seed gives the same blanks, on any machine.", elem_id="mask-seed")
    with gr.Row(elem_classes="actions"):
        again = gr.Button("Draw again", variant="primary", elem_id="mask-again")
        clear = gr.Button("Clear my choices", interactive=False, elem_id="mask-clear")
    with gr.Accordion("More about the draw", open=False, elem_id="mask-more"):
        mask_share = gr.Slider(0, 100, value=80, step=5, label="of the chosen, shown as [MASK], %", info="BERT's rule is 80.", elem_id="mask-share")
        random_share = gr.Slider(
            0, 100, value=10, step=5, label="swapped for a random piece, %", info="BERT's rule is 10; the rest stays as it is.", elem_id="mask-random"
        )
        epoch = gr.Slider(
            1, MAX_PASSES, value=1, step=1, label="pass over the text (epoch)", info="Move it: do the blanks move too?", elem_id="mask-epoch"
        )
        drawn = gr.Radio(
            [("anew each pass (dynamic)", "anew each pass"), ("once, as the tutorial does (static)", "once")],
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
    return [rule, rate, mask_share, random_share, unit, seed, epoch, drawn, model], again, clear


def batch_form() -> tuple[gr.Number, gr.Number, gr.Button, gr.Button]:
    """Step and sequence, and the buttons between sequences."""
    step = gr.Number(
        1, precision=0, minimum=1, label="step", info="The run's next step is filled in; any step can be looked at.", elem_id="mask-step"
    )
    sequence = gr.Number(
        1, precision=0, minimum=1, label="paragraph of the batch", info="A batch holds whole paragraphs, without padding.", elem_id="mask-sequence"
    )
    with gr.Row(elem_classes="actions"):
        earlier = gr.Button("Previous", elem_id="mask-earlier")
        later = gr.Button("Next", variant="primary", elem_id="mask-later")
    return step, sequence, earlier, later


def text_form() -> tuple[gr.Textbox, gr.Number, gr.Button]:
    """The text and the paragraph it comes from."""
    text = gr.Textbox(EXAMPLE, label="text", info="A paragraph of yours, or anything you type.", lines=3, max_lines=8, elem_id="mask-text")
    with gr.Row(equal_height=True):
        paragraph = gr.Number(1, precision=0, minimum=1, label="paragraph of your text", elem_id="mask-paragraph", min_width=160)
        following = gr.Button("Next paragraph", elem_id="mask-next", min_width=160)
    return text, paragraph, following


def closer_look() -> tuple[gr.Radio, list[gr.components.Component]]:
    """The choice of parts, and the parts of MaskingView from `steps` on; none is open at first."""
    part = gr.Radio(list(PARTS), value=None, label="look closer", elem_id="mask-part")
    parts = [
        stepper("The draw, step by step", visible=False, elem_id="mask-steps"),
        intervals("Counts of this draw against chance", visible=False, elem_id="mask-counts"),
        chart("Chosen share of each paragraph", height=280, help_text=HOW_TO_READ, framed=False, visible=False, elem_id="mask-spread"),
        budget("What the loss is made of", visible=False, elem_id="mask-budget"),
        gr.Code(language="python", label="Python that draws exactly this", interactive=False, wrap_lines=True, visible=False, elem_id="mask-code"),
        account("Every piece of this draw", visible=False, elem_id="mask-table"),
    ]
    return part, parts


def reseed(studio: Studio) -> int:
    """A new seed."""
    return secrets.randbelow(10_000)


def no_marks(studio: Studio) -> str:
    """Every piece back to the draw."""
    return ""


def apply_rule(studio: Studio, rule: str) -> tuple:
    """The settings of a rule."""
    return RULES.get(rule, RULES["Recommended"])


def look_at(studio: Studio, visitor: str, run_id: str, source: str) -> tuple:
    """Shows the controls of a text, or those of a batch with the very next step of the run filled in."""
    batch, run = source == BATCH, studio.visible(run_id, visitor)
    step = next_step(studio, run) if batch and run else 1
    return gr.update(visible=not batch), gr.update(visible=batch), gr.update(visible=not batch), step, 1


def next_step(studio: Studio, run: Run) -> int:
    """The step that the trainer takes next; the last one when the run has taken all."""
    return min(run.history().num_steps + 1, studio.laboratory.plan(run).total_steps)


def earlier_sequence(studio: Studio, sequence: float) -> int:
    """The paragraph before; the first one stays."""
    return max(1, checks.whole("The paragraph", sequence, 1, 10**9) - 1)


def later_sequence(studio: Studio, visitor: str, run_id: str, step: float, sequence: float) -> tuple:
    """The next paragraph of the batch; after the last comes the next batch's first, and after the last batch nothing."""
    run = studio.visible(run_id, visitor)
    if run is None:
        return gr.skip(), gr.skip()
    plan = studio.laboratory.plan(run)
    pack, _ = plan.batch_at(checks.whole("The step", step, 1, plan.total_steps))
    if checks.whole("The paragraph", sequence, 1, 10**9) < len(pack.lengths):
        return gr.skip(), int(sequence) + 1
    return (int(step) + 1, 1) if step < plan.total_steps else (gr.skip(), gr.skip())


def paragraph_text(studio: Studio, text_id: str, number: float) -> object:
    """The chosen paragraph of the text in use; nothing changes when there is none."""
    corpus = studio.texts.find(text_id)
    if corpus is None:
        return gr.skip()
    return corpus.paragraphs[checks.whole("The paragraph", number, 1, len(corpus.paragraphs)) - 1][:20_000]


def next_paragraph(studio: Studio, text_id: str, number: float) -> tuple[int, object]:
    """The number after this one, and its text; after the last comes the first."""
    count = len(studio.texts.get(text_id).paragraphs)
    following = checks.whole("The paragraph", number, 0, 10**9) % count + 1
    return following, paragraph_text(studio, text_id, following)


def draw(studio: Studio, *values) -> MaskingView:
    """One draw over the text, or the batch of the run, as chips and counts and whatever part is open."""
    asked = Asked(*values)
    if asked.source == BATCH:
        return batch_view(studio, asked)
    return text_view(studio, asked, drawn_by(studio, asked, *places_of(asked)))


def pick(studio: Studio, event: gr.EventData, *values) -> MaskingView:
    """A piece was clicked: left to the draw -> forced -> forbidden -> left to the draw; with whole words all its pieces go together."""
    asked = Asked(*values)
    data = vars(event).get("_data")  # whatever the browser sent
    index = data.get("index") if isinstance(data, dict) else None
    if asked.source == BATCH or isinstance(index, bool) or not isinstance(index, int):
        return draw(studio, *values)
    force, forbid = places_of(asked)
    here = {index}
    if asked.unit != "token":
        here = word_around(drawn_by(studio, asked, force, forbid), index)
    forced, forbidden = index in force, index in forbid
    force, forbid = force - here, forbid - here
    if forced:
        forbid |= here
    elif not forbidden:
        force |= here
    return text_view(studio, asked, drawn_by(studio, asked, force, forbid))


def word_around(told: Draw, index: int) -> set[int]:
    """The places of all pieces of the word that has the piece `index`."""
    firsts = [place for place, token in enumerate(told.tokens) if not token.continues] + [len(told.tokens)]
    return next((set(range(start, end)) for start, end in zip(firsts, firsts[1:], strict=False) if start <= index < end), set())


def drawn_by(studio: Studio, asked: Asked, force: set[int], forbid: set[int]) -> Draw:
    """The draw over the text that is asked for. Raises UserError for anything out of range."""
    policy = MaskPolicy(
        checks.fraction("The hidden share", asked.rate, 1, 60) / 100,
        checks.fraction("The [MASK] share", asked.mask_share, 0, 100) / 100,
        checks.fraction("The random share", asked.random_share, 0, 100) / 100,
        asked.unit,
    )
    seed, epoch = checks.whole("The seed", asked.seed, 0, 2**31 - 1 - MAX_PASSES), checks.whole("The pass", asked.epoch, 1, MAX_PASSES)
    if asked.drawn != "once":
        seed += epoch - 1
    return draw_masks(studio.models.tokenizer(asked.model), asked.text, policy, seed, LONGEST_SEQUENCE, force, forbid, asked.rule == TUTORIAL)


def places_of(asked: Asked) -> tuple[set[int], set[int]]:
    """The pieces forced and forbidden, by what the browser says; marks of another text or model, and anything odd, count for nothing."""
    checksum, _, listed = asked.marks.partition("|") if isinstance(asked.marks, str) else ("", "", "")
    found = re.findall(r"([+-])(\d{1,3})(?!\d)", listed[:5_000]) if checksum == checksum_of(asked) else []
    return {int(place) for sign, place in found if sign == "+"}, {int(place) for sign, place in found if sign == "-"}


def checksum_of(asked: Asked) -> str:
    """Eight hexadecimal digits that stand for a text and a model."""
    return f"{crc32(f'{asked.model} {asked.text}'.encode(errors='replace')):08x}"


def text_view(studio: Studio, asked: Asked, told: Draw) -> MaskingView:
    """A draw over a text as component values."""
    marked = "".join(f"{'+' if token.mark == 'force' else '-'}{place}" for place, token in enumerate(told.tokens) if token.mark)
    tokenizer = studio.models.tokenizer(asked.model)

    def corpus() -> Corpus:
        return studio.texts.find(asked.text_id) or Corpus("this text", (Document("this text", (asked.text,)),))

    def code() -> str:
        return twin_of(told, asked.text, folder_of(studio, asked.model), min(LONGEST_SEQUENCE, tokenizer.model_max_length))

    return MaskingView(
        draw_views.fact_values(told),
        draw_views.chip_values(told, bool(asked.with_ids), hint=HINT),
        f"{checksum_of(asked)}|{marked}" if marked else "",
        gr.Button(interactive=bool(marked)),
        *closer(studio, asked, told, corpus, asked.model, code),
    )


def batch_view(studio: Studio, asked: Asked) -> MaskingView:
    """One paragraph of one batch of the run, exactly as the trainer draws it."""
    run = studio.visible(asked.run_id, asked.visitor)
    if run is None:
        nothing = {"tokens": [], "legend": False, "hint": NO_RUN}
        return MaskingView({"facts": []}, nothing, gr.skip(), gr.skip(), *[gr.update(visible=False)] * (len(MaskingView._fields) - 4))
    plan, job = studio.laboratory.plan(run), run.job
    step = checks.whole("The step", asked.step, 1, plan.total_steps)
    pack, batch = plan.batch_at(step)
    number = min(checks.whole("The paragraph", asked.sequence, 1, 10**9), len(pack.lengths))
    told = draw_of(studio.models.tokenizer(job.model), pack, batch, job.config.policy, job.config.seed, sequence=number - 1)
    place = "the very next one" if step == run.history().num_steps + 1 else "done" if step <= run.history().num_steps else "still to come"
    heading = (
        f"{job.name[:40]}: batch {step:,} of {plan.total_steps:,}, {place} · paragraph {number} of {len(pack.lengths)} · "
        f"{int(batch.chosen.sum()):,} of the batch's {len(pack.input_ids):,} pieces are chosen"
    )
    base = studio.models.resolve(job.model)
    folder, model = ("my-run", "starter") if studio.limits.hosted else (str(run.folder), base)
    return MaskingView(
        draw_views.fact_values(told),
        draw_views.chip_values(told, bool(asked.with_ids), heading, HINT_BATCH),
        gr.skip(),
        gr.skip(),
        *closer(studio, asked, told, lambda: run.corpus, job.model, lambda: run_twin(folder, model, step, number)),
    )


def closer(studio: Studio, asked: Asked, told: Draw, corpus: Callable[[], Corpus], model: str, code: Callable[[], str]) -> list:
    """The part that is open, filled; the others are hidden and cost nothing."""

    def spread() -> dict:
        store, vocabulary = studio.laboratory.sequences(corpus(), model)
        shares, sizes = chosen_shares(store, told.policy, vocabulary, told.seed)
        return {"fig": figure_json(draw_views.histogram(shares, sizes, told.policy)), "run": None, "empty": ""}

    parts = (
        ("Step by step", lambda: draw_views.step_values(told)),
        ("Counts", lambda: draw_views.count_values(told)),
        ("Counts", spread),
        ("Loss budget", lambda: draw_views.budget_values(studio.laboratory.budget(corpus(), model, told.policy.rate))),
        ("Code", code),
        ("Table", lambda: draw_views.table_values(told)),
    )
    return [gr.update(value=value(), visible=True) if name == asked.part else gr.update(visible=False) for name, value in parts]


def folder_of(studio: Studio, model: str) -> str:
    """Where a person finds this model's tokenizer; on a server that strangers visit no path of the machine is told."""
    model = studio.models.resolve(model)
    if model == STARTER:
        return "assets/starter" if studio.limits.hosted else str(ASSETS / "starter")
    return "model" if studio.limits.hosted and Path(model).is_absolute() else model
