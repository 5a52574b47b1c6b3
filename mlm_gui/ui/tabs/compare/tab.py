"""Tab 4, Compare: one sentence, two models, side by side; closer looks at both; and the tuned model to take away."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import gradio as gr

from mlm_gui.core import validation
from mlm_gui.core.corpus.paragraphs import lengths_of
from mlm_gui.core.inference.blanks import MAX_BLANKS, MAX_CHARACTERS
from mlm_gui.core.inference.memorization import SEARCHED_CHARACTERS, is_in_text
from mlm_gui.errors import UserError
from mlm_gui.services.models.references import name_of_run, names_run
from mlm_gui.services.runs.evaluation import learned_by
from mlm_gui.services.runs.export import export_zip
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.display import cautions
from mlm_gui.ui.components.interactive import blank_picker, guess_bars
from mlm_gui.ui.session import Session
from mlm_gui.ui.tabs.compare import joint_and_map as closer_look
from mlm_gui.ui.tabs.compare import surprisal as surprise_view
from mlm_gui.ui.tabs.compare.models import ITS_OWN_BASE, called, guesses, pair, run_of
from mlm_gui.ui.tabs.compare.question import (
    FIRST_SENTENCE,
    are_words_of,
    blank_names,
    blanks_of,
    forget,
    question_of,
    remember,
    words_of,
)
from mlm_gui.ui.tabs.train.tab import TrainingTab, model_choices
from mlm_gui.ui.wiring import INFERENCE, on

if TYPE_CHECKING:
    from mlm_gui.core.inference.shift import Shift


ROLES = ("Base", "Tuned")


class Answer(NamedTuple):
    """What a question changes. Which words are hidden is not among it: that the browser alone decides, so that no late answer brings a hidden word back."""

    which: gr.Radio
    warned: gr.HTML
    base: gr.HTML
    tuned: gr.HTML
    moved: gr.HTML


class Asked(NamedTuple):
    """A question to both models, by which an answer is told from an earlier one."""

    base: str | None
    tuned: str | None
    question: str
    """With [MASK] for every blank."""
    num_blanks: int
    place: int
    """Of the blank whose guesses are shown, the first one 0."""
    top: int
    """How many guesses are shown."""

    @classmethod
    def of(
        cls, base: object, tuned: object, sentence: str, words: object, which: object, top: object
    ) -> Asked:
        """What the page's values ask. Raises UserError for what cannot be asked."""
        blanks = blanks_of(sentence, words)
        names = blank_names(sum(blanks))
        place = names.index(which) if which in names else 0
        models = (name if isinstance(name, str) else None for name in (base, tuned))
        return cls(
            *models,
            question_of(sentence, blanks),
            len(names),
            place,
            validation.whole("The number of guesses", top, 1, 20),
        )


class PlaygroundView(NamedTuple):
    """What another list of runs changes."""

    base: gr.Dropdown
    tuned: gr.Dropdown
    download: gr.DownloadButton


class PlaygroundTab(NamedTuple):
    """The parts the page needs."""

    view: PlaygroundView
    answer: Answer
    question: list
    past: gr.Dropdown
    chosen: list
    """What `refresh` reads besides the visitor."""
    sentence: gr.Textbox


def build(
    studio: Studio, session: Session, questions: gr.BrowserState, training: TrainingTab, tab: gr.Tab
) -> PlaygroundTab:
    """Lays the tab out and wires it."""
    gr.Markdown(
        "Ask both models the same question. Click a word to hide it, click it again to bring it back.",
        elem_classes="lead",
    )
    with gr.Column(elem_classes="card"):
        view, top = models_row()
        sentence = gr.Textbox(
            FIRST_SENTENCE,
            label="sentence",
            info="Write three underscores for a blank, or click words below.",
            max_lines=4,
            elem_id="compare-sentence",
        )
        words = blank_picker(
            "Click a word to hide it", value=words_of(FIRST_SENTENCE), elem_id="compare-words"
        )
        which = gr.Radio(
            blank_names(MAX_BLANKS), label="blank", visible="hidden", elem_id="compare-which"
        )
    warned = cautions("Keep in mind", elem_id="compare-cautions")
    with gr.Row(elem_classes="two"):
        with gr.Column(elem_classes="card", min_width=300):
            base = guess_bars(
                "Guesses of the base model", value=nothing("Base", "base"), elem_id="compare-base"
            )
        with gr.Column(elem_classes="card", min_width=300):
            tuned = guess_bars(
                "Guesses of the tuned model",
                value=nothing("Tuned", "tuned"),
                elem_id="compare-tuned",
            )
    with gr.Column(elem_classes="card"):
        moved = guess_bars(
            "What moved", value=nothing("What moved", "moved"), elem_id="compare-moved"
        )

    answer = Answer(which, warned, base, tuned, moved)
    models = [session.visitor, view.base, view.tuned]
    question = [*models, sentence, words, which, top]
    closer_look.build(studio, question)
    surprise_view.build(studio, session, models)
    past, forget_all = history_row()

    asking(studio, sentence.change, question, answer, new_sentence, words)
    toggled = asking(studio, words.toggle, question, answer)
    chosen = on(view.tuned.change, choose, studio, [session.visitor, view.tuned], view.download)
    for event in (which.input, top.release, view.base.change, chosen.then):
        asking(studio, event, question, answer)
    chosen = [session.run_id, view.base, view.tuned]
    told = on(
        training.finished.then,
        own_sentence,
        studio,
        [session.visitor, session.run_id, sentence],
        sentence,
    )
    asking(
        studio,
        on(told.then, refresh, studio, [session.visitor, *chosen], view).then,
        question,
        answer,
    )
    on(
        tab.select,
        look_again,
        studio,
        [session.visitor, view.base, view.tuned, base, tuned],
        [*view, base, tuned],
    )
    for asked in (sentence.blur, sentence.submit, toggled.then):
        on(asked, remember, studio, [questions, sentence, words], [questions, past])
    on(past.input, ask_again, studio, past, sentence)
    on(forget_all.click, forget, studio, None, [questions, past])
    return PlaygroundTab(view, answer, question, past, chosen, sentence)


def asking(
    studio: Studio,
    event: Callable,
    question: list,
    answer: Answer,
    handler: Callable | None = None,
    *changed: gr.components.Component,
):
    """Has `event` put the question on the page to both models."""
    answered = on(
        event,
        handler or ask,
        studio,
        question,
        [*changed, *answer],
        concurrency_id=INFERENCE,
        trigger_mode="always_last",
    )
    on(answered.success, agree, studio, [*question, answer.base], answer, concurrency_id=INFERENCE)
    return answered


def models_row() -> tuple[PlaygroundView, gr.Slider]:
    """Which two models are asked, how many guesses are shown, and the download."""
    with gr.Row():
        base = gr.Dropdown(
            [],
            value=ITS_OWN_BASE,
            label="base model",
            info="What the tuned one is compared with. You may type a Hub name or a model folder.",
            allow_custom_value=True,
            elem_id="compare-with",
            scale=2,
            min_width=240,
        )
        tuned = gr.Dropdown(
            [],
            label="tuned model",
            info="A run of yours, or any other model.",
            allow_custom_value=True,
            elem_id="compare-run",
            scale=2,
            min_width=240,
        )
        top = gr.Slider(
            1, 20, 5, step=1, label="guesses shown", elem_id="compare-top", scale=1, min_width=140
        )
        download = gr.DownloadButton(
            "Download the tuned model (zip)",
            interactive=False,
            elem_id="compare-download",
            scale=1,
            min_width=180,
        )
    return PlaygroundView(base, tuned, download), top


def history_row() -> tuple[gr.Dropdown, gr.Button]:
    """The questions asked before; they are kept in this browser alone."""
    with gr.Column(elem_id="compare-history", elem_classes="card"):
        past = gr.Dropdown(
            [],
            label="your last questions",
            info="Kept in this browser only. Choose one to ask it again.",
            allow_custom_value=True,
            elem_id="compare-past",
        )
        with gr.Row(elem_classes="actions"):
            forget_all = gr.Button("Forget them", elem_id="compare-forget")
    return past, forget_all


def refresh(
    studio: Studio, visitor: str, run_id: str, base: str | None, tuned: str | None
) -> PlaygroundView:
    """The lists of models. The run that the page looks at is the tuned one as soon as it has a model; else what was, when that is still there, or the newest."""
    return _lists(studio, visitor, base, (name_of_run(run_id), tuned))


def look_again(
    studio: Studio,
    visitor: str,
    base: str | None,
    tuned: str | None,
    base_bars: object,
    tuned_bars: object,
) -> tuple:
    """The tab is opened: runs may have come, gone, or been given other names meanwhile; what was chosen stays chosen where it is still there."""
    view = _lists(studio, visitor, base, (tuned,))
    try:
        names = pair(studio, visitor, base, tuned)
    except UserError:  # one of them is gone: the list's new value asks again
        return *view, gr.skip(), gr.skip()
    bars = zip(ROLES, names, (base_bars, tuned_bars), strict=True)
    return *view, *(_titled(studio, visitor, role, name, shown) for role, name, shown in bars)


def _lists(
    studio: Studio, visitor: str, base: str | None, wanted: tuple[str | None, ...]
) -> PlaygroundView:
    choices = model_choices(studio, visitor)
    runs = [value for _, value in choices if names_run(value)]

    def is_there(name: object) -> bool:
        return (
            isinstance(name, str) and bool(name.strip()) and (name in runs or not names_run(name))
        )

    chosen = next(filter(is_there, wanted), runs[0] if runs else None)
    return PlaygroundView(
        gr.Dropdown(
            choices=[("what the tuned one started from", ITS_OWN_BASE), *choices],
            **({} if is_there(base) else {"value": ITS_OWN_BASE}),
        ),
        gr.Dropdown(choices=choices, value=chosen),
        choose(studio, visitor, chosen),
    )


def _titled(studio: Studio, visitor: str, role: str, name: str | None, shown: object) -> object:
    """The bars on the page under the name that their model has now; nothing changes where there are none."""
    if name is None or not isinstance(shown, dict) or not shown.get("rows"):
        return gr.skip()
    return {**shown, "title": title_of(studio, visitor, role, name)}


def choose(studio: Studio, visitor: str, tuned: str | None) -> gr.DownloadButton:
    """Makes the zip of the chosen run ready; other models are not ours to give away."""
    run = run_of(studio, visitor, tuned)
    if run is None or not run.has_model:
        return gr.DownloadButton(value=None, interactive=False)
    return gr.DownloadButton(value=str(export_zip(run, studio.exports_folder)), interactive=True)


def new_sentence(
    studio: Studio,
    visitor: str,
    base: str,
    tuned: str,
    sentence: str,
    words: dict,
    which: str | None,
    top: float,
) -> tuple:
    """Another sentence was typed: its words are laid out anew, unless they are the words that are there."""
    if are_words_of(sentence, words):
        return gr.skip(), *ask(studio, visitor, base, tuned, sentence, words, which, top)
    words = words_of(sentence)
    return words, *ask(studio, visitor, base, tuned, sentence, words, None, top)


def ask(
    studio: Studio,
    visitor: str,
    base: str,
    tuned: str,
    sentence: str,
    words: dict,
    which: str | None,
    top: float,
) -> Answer:
    """Both models' guesses for the chosen blank, what moved, and what to keep in mind."""
    asked = Asked.of(base, tuned, sentence, words, which, top)
    answer = _answer(studio, visitor, asked, sentence)
    return answer._replace(base={**answer.base, "asked": list(asked)})


def agree(
    studio: Studio,
    visitor: str,
    base: str,
    tuned: str,
    sentence: str,
    words: dict,
    which: str | None,
    top: float,
    shown: object,
) -> Answer:
    """Questions can overtake each other on their way: where the guesses that are shown answer another one than the page asks, it is put again."""
    asked = Asked.of(base, tuned, sentence, words, which, top)
    if isinstance(shown, dict) and shown.get("asked") == list(asked):
        return Answer(*[gr.skip()] * len(Answer._fields))
    return ask(studio, visitor, base, tuned, sentence, words, which, top)


def _answer(studio: Studio, visitor: str, asked: Asked, sentence: str) -> Answer:
    base, tuned, question, num_blanks, place, top = asked
    numbers = blank_names(num_blanks)
    radio = gr.Radio(
        numbers,
        value=numbers[place] if numbers else None,
        visible=True if num_blanks > 1 else "hidden",
    )
    if not num_blanks:
        empty = "Hide a word: click it, or write ___ in the sentence."
        return Answer(
            radio,
            {"cautions": []},
            nothing("Base", "base", empty),
            nothing("Tuned", "tuned", empty),
            nothing("What moved", "moved", empty),
        )
    base_name, tuned_name = pair(studio, visitor, base, tuned)
    title = title_of(studio, visitor, "Base", base_name)
    if tuned_name is None:
        waiting = "Train a model first; its guesses appear here."
        filled = studio.models.fill(base_name, question, top)
        return Answer(
            radio,
            {"cautions": []},
            guesses(title, "base", filled[place]),
            nothing("Tuned", "tuned", waiting),
            nothing("What moved", "moved", waiting),
        )
    both = studio.models.compare(base_name, tuned_name, question, top)
    return Answer(
        radio,
        {"cautions": cautions_of(studio, visitor, tuned_name, sentence, both.by_words)},
        guesses(title, "base", both.base[place]),
        guesses(title_of(studio, visitor, "Tuned", tuned_name), "tuned", both.tuned[place]),
        shifts(both.shifts[place]),
    )


def title_of(studio: Studio, visitor: str, role: str, name: str) -> str:
    """What stands over a model's guesses."""
    return f"{role} · {called(studio, visitor, name)}"


def own_sentence(studio: Studio, visitor: str, run_id: str, sentence: str) -> object:
    """In place of the sentence that the tab opens with, the first one that the run was watched by: one of the person's own text, and unseen. Any other stays."""
    run = studio.visible(run_id, visitor)
    return (
        run.job.probes[0]
        if sentence == FIRST_SENTENCE and run and run.job and run.job.probes
        else gr.skip()
    )


def ask_again(studio: Studio, sentence: str) -> str:
    """A question from before."""
    return sentence[: MAX_CHARACTERS + 1] if isinstance(sentence, str) else FIRST_SENTENCE


def cautions_of(
    studio: Studio, visitor: str, tuned: str, sentence: str, by_words: bool
) -> list[str]:
    """What could mislead whoever reads the answer."""
    found = []
    run = run_of(studio, visitor, tuned)
    learned = learned_by(run.folder) if run else ()
    if any(is_in_text(sentence, text) for text in learned):
        found.append(
            "This sentence stands in the text that the tuned model learned from: a good guess here may be memory. Try one of your own."
        )
    elif any(lengths_of(text).sum() > SEARCHED_CHARACTERS for text in learned):
        found.append(
            f"Only the first {SEARCHED_CHARACTERS:,} characters of the text that the tuned model learned from were searched for this sentence."
        )
    if by_words:
        found.append(
            "These two models cut words into different pieces. Each shows its own pieces; “what moved” and the shift map compare only whole words that both know."
        )
    return found


def shifts(moves: tuple[Shift, ...]) -> dict:
    """Bars of what rose and fell, by how much of the change it makes up, with the factor beside it."""
    most = max((move.weight for move in moves), default=1)
    rows = []
    for move in moves:
        factor, rose = max(move.ratio, 1 / move.ratio), move.ratio > 1
        rows.append(
            {
                "token": move.token,
                "share": move.weight / most,
                "text": f"{'×' if rose else '÷'}{factor:,.{0 if factor >= 10 else 1}f}",
                "note": f"{move.token} {'rose' if rose else 'fell'} from {move.before:.2%} to {move.after:.2%}",
                "tone": "tuned" if rose else "base",
            }
        )
    return {
        "title": "What moved (× rose, ÷ fell)",
        "tone": "moved",
        "rows": rows,
        "empty": "Nothing moved by a fifth or more.",
    }


def nothing(title: str, tone: str, empty: str = "Hide a word to see guesses.") -> dict:
    """Bars with a sentence in their place."""
    return {"title": title, "tone": tone, "rows": [], "empty": empty}
