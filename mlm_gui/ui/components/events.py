"""What each component's script sends along with its events, as the door parses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from mlm_gui.ui.door import EventDetail, JobId, RunId


@dataclass(frozen=True)
class RunEnded(EventDetail):
    """The chart's `finished`: a run, or a background job, has come to rest."""

    run: str
    """Id of the run or of the job."""


@dataclass(frozen=True)
class PiecesClicked(EventDetail):
    """The chips' `pick`: the places that were clicked since the last answer, in order."""

    indexes: tuple[int, ...]
    turn: int | None = None
    """The script's number of this event; the answer carries it."""


@dataclass(frozen=True)
class RunsTicked(EventDetail):
    """The run list's `choose`: the runs whose boxes are ticked."""

    ids: tuple[RunId, ...]
    turn: int | None = None
    """The script's number of this event; the answer carries it."""


@dataclass(frozen=True)
class RunOpened(EventDetail):
    """The run list's `open`: a name was pressed."""

    run: RunId


@dataclass(frozen=True)
class WordPicked(EventDetail):
    """The surprisal map's `pick`: the word of this number was clicked."""

    reading: JobId
    index: int


@dataclass(frozen=True)
class ReadingEnded(EventDetail):
    """The surprisal map's `over`: the job has ended."""

    reading: JobId


def data_of(event: Any) -> object:
    """The raw detail of an event, straight from the browser."""
    return vars(event).get("_data") if isinstance(event, gr.EventData) else None


def answer_to(turn: int | None, value: dict[str, Any]) -> dict[str, Any]:
    """`value` as the answer that the script waits for: with the number of its turn."""
    return value if turn is None else {**value, "turn": turn}
