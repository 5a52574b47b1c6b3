"""Tab 5, Exam: how well the model knows the language of the text now, and what that cost."""

from __future__ import annotations

from typing import NamedTuple

import gradio as gr

from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.chart import chart
from mlm_gui.ui.components.display import facts, table, verdict_card
from mlm_gui.ui.form import Form
from mlm_gui.ui.model_choice import model_choices
from mlm_gui.ui.session import Session
from mlm_gui.ui.tabs.exam import exams
from mlm_gui.ui.tabs.exam.values import BLANK_FACTS, cloze_table, score_table
from mlm_gui.ui.tabs.exam.view import CANCEL, RUN_EXAM, ExamLists, ExamTabView, ExamView, still
from mlm_gui.ui.tabs.train.tab import TrainingTab
from mlm_gui.ui.wiring import on

SHOWING = "showing"
"""The concurrency id of what says which exam is in view: answers come in the order of questions."""
HOW_TO_READ = (
    "The mark is the mean surprise at a hidden word (loss): further left is better. "
    "The line through it holds 95 % of what other paragraphs would give."
)
LEAD = (
    "Both models guess the same hidden words in text that neither learned from. "
    "What is said here is only what the numbers bear."
)


class ExamTab(NamedTuple):
    """The parts the page needs."""

    view: ExamTabView
    run: gr.Dropdown


class PairWidgets(NamedTuple):
    """An exam of any two models on any text."""

    base: gr.Dropdown
    tuned: gr.Dropdown
    text: gr.Textbox
    start: gr.Button


def build(studio: Studio, session: Session, training: TrainingTab, tab: gr.Tab) -> ExamTab:
    """Lays the tab out and wires it."""
    gr.Markdown(LEAD, elem_classes="lead")
    verdict = verdict_card(
        "Verdict",
        value={"outcome": "", "sentence": exams.NO_RUN, "warnings": []},
        elem_id="exam-verdict",
    )
    numbers = facts("The exam in numbers", value=BLANK_FACTS, elem_id="exam-facts")
    with gr.Row(elem_classes="split"):
        with gr.Column(elem_classes="card", min_width=290, scale=1):
            gr.Markdown("### This exam")
            run = gr.Dropdown(
                [],
                label="run",
                info="The tuned model; the base is the one it started from.",
                allow_custom_value=True,
                elem_id="exam-run",
            )
            with gr.Row(elem_classes="actions"):
                start = gr.Button(RUN_EXAM, interactive=False, elem_id="exam-start", min_width=120)
                cancel = gr.Button(CANCEL, interactive=False, elem_id="exam-cancel", min_width=90)
            download = gr.DownloadButton(
                "Download as CSV", interactive=False, size="sm", elem_id="exam-csv"
            )
            with gr.Accordion("Any two models, any text", open=False, elem_id="exam-other"):
                pair = _pair_widgets(studio)
        with gr.Column(min_width=320, scale=3):
            picture = chart(
                "Loss of both models with 95 % intervals",
                exams.poller(studio),
                210,
                help_text=HOW_TO_READ,
                elem_id="exam-chart",
                value=still(),
            )
            with gr.Column(elem_classes="card"):
                scores = table(
                    "Scores of base and tuned", value=score_table(None), elem_id="exam-table"
                )
            with gr.Column(elem_classes="card"):
                gr.Markdown("### Key words of the text, hidden in unseen sentences")
                cloze = table("Key words, hidden", value=cloze_table(None), elem_id="exam-cloze")
    view = ExamTabView(
        lists=ExamLists(run=run, base=pair.base, tuned=pair.tuned),
        exam=ExamView(
            verdict=verdict,
            numbers=numbers,
            picture=picture,
            scores=scores,
            cloze=cloze,
            start=start,
            cancel=cancel,
            download=download,
        ),
    )
    _wire_exams(studio, session, view, pair)
    _wire_news(studio, session, view, training, tab)
    return ExamTab(view, run)


def _pair_widgets(studio: Studio) -> PairWidgets:
    def model(role: str) -> gr.Dropdown:
        return gr.Dropdown(
            model_choices(studio, ""),
            value="starter",
            label=role,
            allow_custom_value=True,
            elem_id=f"exam-{role}",
        )

    base, tuned = model("base"), model("tuned")
    text = gr.Textbox(
        label="text to be examined on",
        info="A text that neither has learned from. Empty: the text of the first tab.",
        lines=4,
        max_lines=8,
        elem_id="exam-text",
    )
    start = gr.Button("Run this exam", elem_id="exam-start-other", size="sm")
    return PairWidgets(base, tuned, text, start)


def _wire_exams(studio: Studio, session: Session, view: ExamTabView, pair: PairWidgets) -> None:
    """Choosing, running and cancelling an exam."""
    exam, run = view.exam, view.lists.run
    chosen = [session.visitor, run]
    choice = Form(
        exams.PairChoice,
        visitor=session.visitor,
        text_id=session.text_id,
        base=pair.base,
        tuned=pair.tuned,
        text=pair.text,
    )
    on(run.input, exams.choose, studio, chosen, exam)
    on(exam.start.click, exams.evaluate_run, studio, chosen, exam, concurrency_id=SHOWING)
    on(pair.start.click, exams.evaluate_pair, studio, choice, exam, concurrency_id=SHOWING)
    waiting = [session.visitor, exam.picture]
    on(exam.cancel.click, exams.cancel_evaluation, studio, waiting, exam.cancel)
    on(exam.picture.finished, exams.ended, studio, chosen, view, concurrency_id=SHOWING)


def _wire_news(
    studio: Studio, session: Session, view: ExamTabView, training: TrainingTab, tab: gr.Tab
) -> None:
    """A run in another state, and the opened tab, bring what is shown up to date."""
    run, picture = view.lists.run, view.exam.picture
    for news, wanted in (
        (training.changed.then, session.run_id),
        (training.finished.then, session.run_id),
        (tab.select, run),
    ):
        asked = [session.visitor, wanted, run, picture]
        on(news, exams.look_again, studio, asked, view, concurrency_id=SHOWING)
