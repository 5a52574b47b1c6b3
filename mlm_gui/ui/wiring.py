"""How events reach handlers: errors become notices of three sentences, and nothing is listed as a public endpoint."""

import html
import inspect
import logging
from collections.abc import Callable
from typing import Any

import gradio as gr

from mlm_gui.core import validation
from mlm_gui.errors import UserError

log = logging.getLogger(__name__)
INFERENCE = "inference"
"""The concurrency id shared by everything that asks a model."""


def on(
    event: Callable,
    handler: Callable,
    studio: Any,
    inputs: Any = None,
    outputs: Any = None,
    **options: Any,
):
    """Connects `event` to `handler(studio, *inputs)`; a UserError is shown to the person, anything else is logged and shown as unexpected."""
    parameters = list(inspect.signature(handler).parameters.values())[1:]

    def guarded(*values):
        try:
            return handler(
                studio,
                *(
                    validation.readable(value) if isinstance(value, str) else value
                    for value in values
                ),
            )
        except UserError as error:
            raise notice(error) from error
        except Exception as error:
            log.exception("%s failed", handler.__name__)
            raise notice(
                UserError(
                    "Something went wrong here.",
                    f"The program met an error it does not know ({type(error).__name__}).",
                    "Nothing was lost; try again, or reload the page.",
                )
            ) from error

    guarded.__name__ = handler.__name__
    guarded.__signature__ = inspect.Signature(parameters)
    guarded.__annotations__ = {
        parameter.name: parameter.annotation
        for parameter in parameters
        if parameter.annotation is not parameter.empty
    }
    return event(
        guarded,
        inputs,
        outputs,
        **{
            "show_progress": "hidden",
            "show_progress_on": [],
            "api_visibility": "private",
            **options,
        },
    )


def notice(error: UserError) -> gr.Error:
    """The three sentences as a notice on the page; the texts are escaped, since they may quote what a visitor typed."""
    return gr.Error(html.escape(str(error), quote=False), duration=15, print_exception=False)
