"""Components that ask the server by themselves: the run pill, the probe timeline, the run list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import gradio as gr

from mlm_gui.core.training.events import Probed
from mlm_gui.services.runs.snapshot import RunSnapshot
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.base import Poll, component
from mlm_gui.ui.door import Otherwise, RunId, VisitorId

PILL_TEMPLATE = """
<button type="button" class="pill" hidden>
<span class="dot" aria-hidden="true"></span><span></span></button>
"""


def pill(poll: Poll, **kw: Any) -> gr.HTML:
    """A button with the state of a run; hidden while there is none.

    It fires `open` with `{run}`, `finished` with `{run, state}` when the run has come to rest or is
    gone, and `changed` for every other new state. Unlike the chart's, these come on any tab.

    value: `{"run": id or None, "visitor": str, "state": str, "name": str}`; a new one is asked
    about at once.

    poll: gets `{"run": id, "visitor": str}` every 1.5 s, or every 6 s while the run is at rest. It
    answers None (no such run) or `{"text": str, "mark": sign before it, "state": see Run.state,
    "final": bool}`.
    """
    return component("pill", "Present run", PILL_TEMPLATE, {"run": None}, poll, **kw)


MAX_COLUMNS = 7
"""Evaluations shown; of more, the first, the last and evenly chosen ones between them."""
LONGEST_TOKEN = 40
LONGEST_CELL = 200
"""Characters of the guesses in one cell."""
PROBE_TIMELINE_TEMPLATE = """
<div class="scroll" role="region" tabindex="0" hidden>
<table><caption></caption><thead><tr></tr></thead><tbody></tbody></table></div>
<p class="empty" hidden></p>
"""


def probe_timeline(label: str, poll: Poll, **kw: Any) -> gr.HTML:
    """A table, one row for each sentence and one column for each evaluation, that follows a run.

    value: `{"run": id or None, "visitor": str, "state": str, "steps": [int], "empty": str,
    "rows": [{"sentence": str, "cells": [{"token", "share", "changed", "others"}], "now": str}]}`.

    poll: gets `{"run", "visitor", "seen": what it answered last}`. It answers None or the same,
    without rows when nothing is new, with `seen` and `final`.
    """
    return component(
        "probe_timeline",
        label,
        PROBE_TIMELINE_TEMPLATE,
        {"run": None, "steps": [], "rows": [], "empty": ""},
        poll,
        **kw,
    )


def probe_timeline_value(run: RunSnapshot) -> dict[str, Any]:
    """The rows and columns of a run's probe timeline."""
    sentences = run.job.probes if run.job else ()
    probed = _some(run.history.probed)
    rows = [_probe_row(sentence, number, probed) for number, sentence in enumerate(sentences)]
    if not sentences:
        empty = "No sentence is pinned to this run."
    elif not probed:
        empty = "The first guesses appear here before the first step."
    else:
        empty = ""
    return {
        "steps": [event.step for event in probed],
        "rows": rows if probed else [],
        "empty": empty,
    }


def _probe_row(sentence: str, number: int, probed: Sequence[Probed]) -> dict[str, Any]:
    """The guesses for one sentence. number: its place among the pinned ones."""
    answers = [event.answers[number] if number < len(event.answers) else [] for event in probed]
    cells: list[dict[str, Any]] = []
    for answer in answers:
        token, share = answer[0] if answer else ("–", 0.0)
        shown = str(token)[:LONGEST_TOKEN]
        cells.append(
            {
                "token": shown,
                "share": f"{share:.0%}",
                "changed": bool(cells) and cells[-1]["token"] != shown,
                "others": ", ".join(f"{t} {s:.0%}" for t, s in answer)[:LONGEST_CELL],
            }
        )
    return {"sentence": sentence, "cells": cells, "now": cells[-1]["others"] if cells else ""}


def _some(probed: Sequence[Probed]) -> list[Probed]:
    """At most MAX_COLUMNS of them, the first and the last included."""
    if len(probed) <= MAX_COLUMNS:
        return list(probed)
    last = len(probed) - 1
    places = {round(place * last / (MAX_COLUMNS - 1)) for place in range(MAX_COLUMNS)}
    return [probed[place] for place in sorted(places)]


@dataclass(frozen=True)
class TimelineQuestion:
    """What the probe timeline asks."""

    run: RunId
    visitor: VisitorId = VisitorId("")
    seen: Annotated[tuple[int, ...] | None, Otherwise(None)] = None
    """The last answer's own `seen`: the number of evaluations, and the step of the last one."""


def probe_timeline_poller(
    studio: Studio, final_states: tuple[str, ...]
) -> Callable[[TimelineQuestion], dict[str, Any] | None]:
    """The server function behind the probe timeline."""

    def poll(asked: TimelineQuestion) -> dict[str, Any] | None:
        """The table, when there is more than the page has seen; None when there is no such run."""
        run = studio.visible(asked.run, asked.visitor)
        if run is None:
            return None
        snapshot = run.snapshot()
        probed = snapshot.history.probed
        seen = (len(probed), probed[-1].step if probed else 0)
        news = probe_timeline_value(snapshot) if asked.seen != seen else {}
        return {**news, "seen": list(seen), "final": snapshot.state in final_states}

    return poll


RUN_LIST_TEMPLATE = """
<div class="scroll" role="region" tabindex="0" hidden>
<table><caption></caption><thead><tr></tr></thead><tbody></tbody></table></div>
<p class="empty" hidden></p>
"""


def run_list(label: str, poll: Poll, **kw: Any) -> gr.HTML:
    """A table of runs with boxes.

    It fires `choose` with `{ids, turn}` when a box is ticked, and again after the answer with that
    `turn` when more were; `open` with `{run}` when a name is pressed; `changed` when a run came,
    went, or is in another state than the page shows.

    value: `{"rows": [{"id", "name", "state", "mark", "why", "cells": [str]}], "chosen": [id],
    "head": [str], "empty": str, "turn": int, "visitor": str}`; `cells` are the columns of `head`.

    poll: gets `{"visitor"}` every 2 s while somebody looks, or every 6 s while no run is alive. It
    answers None or `{"rows", "is_alive": bool}`.
    """
    return component(
        "run_list",
        label,
        RUN_LIST_TEMPLATE,
        {"rows": [], "chosen": [], "head": [], "empty": ""},
        poll,
        **kw,
    )
