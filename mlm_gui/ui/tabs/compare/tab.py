"""Tab 4, Compare: one sentence, two models, side by side; closer looks at both; the download."""

from __future__ import annotations

from typing import NamedTuple

import gradio as gr
from gradio.events import Dependency

from mlm_gui.core.inference.blanks import MAX_BLANKS
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.display import cautions
from mlm_gui.ui.components.interactive import blank_picker, guess_bars
from mlm_gui.ui.form import Form
from mlm_gui.ui.session import Session
from mlm_gui.ui.tabs.compare import joint, own_words, shift_map, surprisal
from mlm_gui.ui.tabs.compare.answer import (
    MOVED,
    Answer,
    NewSentence,
    agree,
    ask,
    new_sentence,
    no_bars,
    own_sentence,
)
from mlm_gui.ui.tabs.compare.model_lists import ModelLists, TabOpened, choose, look_again, refresh
from mlm_gui.ui.tabs.compare.models import ITS_OWN_BASE
from mlm_gui.ui.tabs.compare.past_questions import PastQuestions, ask_again, forget, remember
from mlm_gui.ui.tabs.compare.question import (
    FIRST_SENTENCE,
    MAX_GUESSES,
    CompareQuestion,
    blank_names,
    words_of,
)
from mlm_gui.ui.tabs.train.tab import TrainingTab
from mlm_gui.ui.wiring import INFERENCE, Event, Handler, Widgets, on


class CompareTab(NamedTuple):
    """The parts the page needs."""

    lists: ModelLists
    answer: Answer
    question: Form[CompareQuestion]
    past: PastQuestions
    sentence: gr.Textbox


class SentenceWidgets(NamedTuple):
    """The sentence and its words."""

    sentence: gr.Textbox
    words: gr.HTML
    which: gr.Radio


def build(
    studio: Studio, session: Session, kept: gr.BrowserState, training: TrainingTab, tab: gr.Tab
) -> CompareTab:
    """Lays the tab out and wires it. kept: the questions asked before, in the browser."""
    gr.Markdown(
        "Ask both models the same question. "
        "Click a word to hide it, click it again to bring it back.",
        elem_classes="lead",
    )
    with gr.Column(elem_classes="card"):
        lists, top = _models_row()
        asked = _sentence_widgets()
    answer = _answer_widgets(asked.which)
    question = Form(
        CompareQuestion,
        visitor=session.visitor,
        base=lists.base,
        tuned=lists.tuned,
        sentence=asked.sentence,
        words=asked.words,
        which=asked.which,
        top=top,
    )
    for closer_look in (joint, own_words, shift_map):
        closer_look.build(studio, question)
    surprisal.build(studio, session, lists)
    past, forget_all = _history_row(kept)
    compare = CompareTab(lists, answer, question, past, asked.sentence)
    _wire_questions(studio, session, compare, asked, top)
    _wire_lists(studio, session, compare, training, tab)
    on(past.listed.input, ask_again, studio, past.listed, asked.sentence)
    on(forget_all.click, forget, studio, None, past)
    return compare


def _models_row() -> tuple[ModelLists, gr.Slider]:
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
            1,
            MAX_GUESSES,
            5,
            step=1,
            label="guesses shown",
            elem_id="compare-top",
            scale=1,
            min_width=140,
        )
        download = gr.DownloadButton(
            "Download the tuned model (zip)",
            interactive=False,
            elem_id="compare-download",
            scale=1,
            min_width=180,
        )
    return ModelLists(base, tuned, download), top


def _sentence_widgets() -> SentenceWidgets:
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
    return SentenceWidgets(sentence, words, which)


def _answer_widgets(which: gr.Radio) -> Answer:
    warned = cautions("Keep in mind", elem_id="compare-cautions")
    with gr.Row(elem_classes="two"):
        with gr.Column(elem_classes="card", min_width=300):
            base = guess_bars(
                "Guesses of the base model", value=no_bars("Base", "base"), elem_id="compare-base"
            )
        with gr.Column(elem_classes="card", min_width=300):
            tuned = guess_bars(
                "Guesses of the tuned model",
                value=no_bars("Tuned", "tuned"),
                elem_id="compare-tuned",
            )
    with gr.Column(elem_classes="card"):
        moved = guess_bars(MOVED, value=no_bars(MOVED, "moved"), elem_id="compare-moved")
    return Answer(which=which, warned=warned, base=base, tuned=tuned, moved=moved)


def _history_row(kept: gr.BrowserState) -> tuple[PastQuestions, gr.Button]:
    """The questions asked before."""
    with gr.Column(elem_id="compare-history", elem_classes="card"):
        listed = gr.Dropdown(
            [],
            label="your last questions",
            info="Kept in this browser only. Choose one to ask it again.",
            allow_custom_value=True,
            elem_id="compare-past",
        )
        with gr.Row(elem_classes="actions"):
            forget_all = gr.Button("Forget them", elem_id="compare-forget")
    return PastQuestions(kept, listed), forget_all


def _wire_questions(
    studio: Studio, session: Session, compare: CompareTab, asked: SentenceWidgets, top: gr.Slider
) -> None:
    """Everything that asks, and what is remembered of it."""
    question, answer, lists = compare.question, compare.answer, compare.lists
    typed = NewSentence(asked.words, answer)
    asking(studio, asked.sentence.change, question, answer, new_sentence, typed)
    toggled = asking(studio, asked.words.toggle, question, answer)
    chosen = on(lists.tuned.change, choose, studio, [session.visitor, lists.tuned], lists.download)
    for event in (asked.which.input, top.release, lists.base.change, chosen.then):
        asking(studio, event, question, answer)
    past = [compare.past.kept, asked.sentence, asked.words]
    for event in (asked.sentence.blur, asked.sentence.submit, toggled.then):
        on(event, remember, studio, past, compare.past)


def _wire_lists(
    studio: Studio, session: Session, compare: CompareTab, training: TrainingTab, tab: gr.Tab
) -> None:
    """A run that ends, and the opened tab, bring the lists up to date."""
    lists, answer, sentence = compare.lists, compare.answer, compare.sentence
    who = [session.visitor, session.run_id]
    own = on(training.finished.then, own_sentence, studio, [*who, sentence], sentence)
    listed = on(own.then, refresh, studio, [*who, lists.base, lists.tuned], lists)
    asking(studio, listed.then, compare.question, answer)
    on(
        tab.select,
        look_again,
        studio,
        [session.visitor, lists.base, lists.tuned, answer.base, answer.tuned],
        TabOpened(lists, answer.base, answer.tuned),
    )


def asking(
    studio: Studio,
    event: Event,
    question: Form[CompareQuestion],
    answer: Answer,
    handler: Handler = ask,
    outputs: Widgets = None,
) -> Dependency:
    """Has `event` put the question on the page to both models.

    handler and outputs: for an event that changes more than the answer.
    """
    answered = on(
        event,
        handler,
        studio,
        question,
        answer if outputs is None else outputs,
        concurrency_id=INFERENCE,
        trigger_mode="always_last",
    )
    shown = [question, answer.base]
    on(answered.success, agree, studio, shown, answer, concurrency_id=INFERENCE)
    return answered
