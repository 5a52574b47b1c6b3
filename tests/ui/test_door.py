"""The typed door: values from a browser become what the annotations say, or are refused."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import gradio as gr
import pytest

from mlm_gui.core.config import TrainConfig
from mlm_gui.errors import UserError
from mlm_gui.ui.components.base import answering
from mlm_gui.ui.components.events import PiecesClicked
from mlm_gui.ui.door import (
    LONGEST_LIST,
    Between,
    OneOf,
    Otherwise,
    RunId,
    TextId,
    VisitorId,
    parsed,
)
from mlm_gui.ui.form import Form
from mlm_gui.ui.wiring import on

ID = "0123456789abcdef" * 2
ODD = (None, True, 7, 1.5, "x", "../up", [], {}, ["x"], {"x": 1})
SEED = Annotated[int, Between("The seed", 0, 9)]
UNIT = Annotated[str, OneOf("The unit", ("token", "word"))]


@dataclass(frozen=True)
class Question:
    """A value of two fields."""

    run: RunId
    words: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("kind", "sent", "expected"),
    [
        (str, "a\x00b", "a\ufffdb"),
        (bool, True, True),
        (int, 3.0, 3),
        (float, 3, 3.0),
        (RunId, ID, ID),
        (TextId, "", ""),
        (VisitorId, None, ""),
        (str | None, None, None),
        (tuple[int, ...], [1, 2.0], (1, 2)),
        (Path, "/tmp/a.txt", Path("/tmp/a.txt")),
        (SEED, 9, 9),
        (UNIT, "word", "word"),
        (Annotated[RunId, Otherwise("")], "odd", ""),
        (Question, {"run": ID, "unknown": 1}, Question(ID)),
        (Question, {"run": "", "words": ["a"]}, Question("", ("a",))),
        (TrainConfig, {"epochs": 2}, TrainConfig(epochs=2)),
    ],
)
def test_a_value_that_fits_is_parsed(kind, sent, expected):
    result = parsed(kind, sent)
    assert result == expected and type(result) is type(expected)


@pytest.mark.parametrize(
    ("kind", "fitting"),
    [
        (str, ("x", "../up")),
        (bool, (True,)),
        (int, (7,)),
        (float, (7, 1.5)),
        (RunId, (None,)),
        (Path, ("x", "../up")),
        (SEED, (7,)),
        (UNIT, ()),
        (int | None, (None, 7)),
        (tuple[str, ...], ([], ["x"])),
        (Question, ()),
    ],
)
def test_everything_else_is_refused_in_three_sentences(kind, fitting):
    for odd in ODD:
        if any(odd is value or (odd == value and type(odd) is type(value)) for value in fitting):
            continue
        with pytest.raises(UserError) as refused:
            parsed(kind, odd)
        assert all(refused.value.args), odd


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, 10**400, 2.0**60])
@pytest.mark.parametrize("kind", [int, float, SEED])
def test_a_number_that_no_browser_can_mean_is_refused(kind, odd):
    with pytest.raises(UserError):
        parsed(kind, odd)


def test_an_endless_list_is_refused():
    assert len(parsed(tuple[int, ...], [0] * LONGEST_LIST)) == LONGEST_LIST
    with pytest.raises(UserError, match="at most 1,000"):
        parsed(tuple[int, ...], [0] * (LONGEST_LIST + 1))


def test_a_range_is_named_in_the_refusal():
    with pytest.raises(UserError, match="The seed cannot be 10"):
        parsed(SEED, 10)


@pytest.mark.parametrize(
    "unknown",
    [object, list[int], dict, bytes, str | int, tuple[int, str], Annotated[int, "a remark"]],
)
def test_a_type_that_the_door_does_not_know_fails_at_once(unknown):
    with pytest.raises(TypeError):
        parsed(unknown, None)


def test_a_form_without_a_widget_for_a_field_fails_at_page_build():
    with gr.Blocks(), pytest.raises(TypeError, match="no widget for .'words'"):
        Form(Question, run=gr.Textbox())
    with gr.Blocks(), pytest.raises(TypeError, match="no field for .'more'"):
        Form(Question, run=gr.Textbox(), words=gr.Textbox(), more=gr.Textbox())


def test_a_form_gives_its_fields_by_name_whatever_the_order_of_the_widgets():
    with gr.Blocks():
        words, run = gr.Textbox(), gr.Textbox()
        form = Form(Question, words=words, run=run)
    assert form.widgets == [run, words]
    assert form.parse([ID, ["a"]]) == Question(ID, ("a",))


def test_a_field_in_per_cent_is_a_fraction_for_its_handler():
    @dataclass(frozen=True)
    class Share:
        rate: float

    with gr.Blocks():
        form = Form(Share, in_per_cent=("rate",), rate=gr.Slider(0, 100))
    assert form.parse([15]) == Share(0.15)
    with pytest.raises(UserError):
        form.parse([None])


def handle(studio, question: Question, number: int, event: PiecesClicked) -> tuple:
    """A handler of a form, a widget and an event."""
    return question, (number, event.turn)


def unannotated(studio, number) -> None:
    """A handler that says nothing about its value."""


def of_unknown_type(studio, number: bytes) -> None:
    """A handler of a type that the door does not know."""


class Page:
    """An event of a component, and what Gradio was given for it."""

    def __init__(self):
        with gr.Blocks():
            self.number, self.out = gr.Number(), [gr.Textbox(), [gr.Textbox(), gr.Textbox()]]
            self.form = Form(Question, run=gr.Textbox(), words=gr.Textbox())

    def event(self, handler, inputs, outputs, **options):
        self.handler, self.inputs, self.outputs = handler, inputs, outputs


def test_a_handler_gets_its_form_its_widget_and_its_event_and_answers_with_views():
    page = Page()
    on(page.event, handle, None, [page.form, page.number], page.out)
    assert len(page.inputs) == 3 and len(page.outputs) == 3
    clicked = gr.EventData(None, {"indexes": [1], "turn": 7})
    assert page.handler(ID, [], 2, clicked) == [Question(ID), 2, 7]


def test_a_value_that_does_not_fit_is_a_notice_and_never_reaches_the_handler():
    page = Page()
    on(page.event, handle, None, [page.form, page.number], page.out)
    clicked = gr.EventData(None, {"indexes": [1]})
    with pytest.raises(gr.Error, match="cannot be 'x'"):
        page.handler("x", [], 2, clicked)
    with pytest.raises(gr.Error, match="lacks indexes"):
        page.handler(ID, [], 2, gr.EventData(None, {}))


@pytest.mark.parametrize("handler", [unannotated, of_unknown_type])
def test_a_handler_that_the_door_cannot_serve_fails_at_page_build(handler):
    page = Page()
    with pytest.raises(TypeError):
        on(page.event, handler, None, page.number)


@pytest.mark.parametrize("names", [("form", "form"), ("form",), ("form", "number", "number")])
def test_inputs_that_do_not_fit_the_handler_fail_at_page_build(names):
    page = Page()
    with pytest.raises(TypeError):
        on(page.event, handle, None, [getattr(page, name) for name in names])


def test_an_answer_may_leave_a_whole_view_as_it_is():
    page = Page()

    def leave(studio, number: int) -> tuple:
        return number, gr.skip()

    on(page.event, leave, None, page.number, page.out)
    assert page.handler(1) == [1, gr.skip(), gr.skip()]


def test_a_poll_without_a_known_question_fails_at_page_build():
    def poll(asked):
        return asked

    with pytest.raises(TypeError):
        answering(poll)


def test_a_poll_answers_a_question_that_does_not_fit_with_nothing():
    def poll(asked: Question) -> str:
        return asked.run

    served = answering(poll)
    assert served({"run": ID}) == ID
    assert [served(odd) for odd in ODD] == [None] * len(ODD)
