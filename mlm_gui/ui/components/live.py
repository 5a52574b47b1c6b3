"""Components that ask the server by themselves: the run pill, the probe timeline, the list of runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from mlm_gui.core.training.events import Probed
from mlm_gui.services.runs.snapshot import RunSnapshot
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.base import Poll, component

PILL_TEMPLATE = '<button type="button" class="pill" hidden><span class="dot" aria-hidden="true"></span><span></span></button>'


def pill(poll: Poll, **kw: Any) -> gr.HTML:
    """A button that tells how a run is doing; hidden while there is none. Fires `open` with `{run}`; `finished` with `{run, state}` when the run has come
    to rest or is gone, and `changed` for every other new state: unlike the chart's, these come whichever tab is looked at.

    value: `{"run": id or None, "visitor": str, "state": str, "name": str}`; a new one is asked about at once. `poll` gets `{"run": id, "visitor": str}`
    every 1.5 s, every 6 s while the run is at rest, and answers None (no such run) or `{"text": str, "mark": sign before it, "state": see Run.state, "final": bool}`.
    """
    return component("pill", "Present run", PILL_TEMPLATE, {"run": None}, poll, **kw)


MAX_COLUMNS = 7
"""Evaluations shown; of more, the first, the last and evenly chosen ones between them."""
PROBE_TIMELINE_TEMPLATE = """
<div class="scroll" role="region" tabindex="0" hidden><table><caption></caption><thead><tr></tr></thead><tbody></tbody></table></div>
<p class="empty" hidden></p>
"""


def probe_timeline(label: str, poll: Poll, **kw: Any) -> gr.HTML:
    """A table, one row a sentence and one column an evaluation, that follows a run by itself.

    value: `{"run": id or None, "visitor": str, "state": str, "steps": [int], "rows": [{"sentence": str, "cells": [{"token", "share", "changed", "others"}],
    "now": str}], "empty": str}`. poll: gets `{"run", "visitor", "seen": number of evaluations}` and answers None or the same, without rows when nothing is new,
    with `seen` and `final`.
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
    """The rows and columns of a run's time-lapse."""
    sentences = run.job.probes if run.job else ()
    shown = _some(run.history.probed)
    rows = []
    for number, sentence in enumerate(sentences):
        answers = [event.answers[number] if number < len(event.answers) else [] for event in shown]
        firsts = [answer[0] if answer else ["–", 0.0] for answer in answers]
        cells = [
            {
                "token": str(first[0])[:40],
                "share": f"{first[1]:.0%}",
                "changed": place > 0 and first[0] != firsts[place - 1][0],
                "others": ", ".join(f"{token} {share:.0%}" for token, share in answer)[:200],
            }
            for place, (first, answer) in enumerate(zip(firsts, answers, strict=True))
        ]
        rows.append(
            {"sentence": sentence, "cells": cells, "now": cells[-1]["others"] if cells else ""}
        )
    empty = (
        "No sentence is pinned to this run."
        if not sentences
        else "The first guesses appear here before the first step."
    )
    return {
        "steps": [event.step for event in shown],
        "rows": rows if shown else [],
        "empty": "" if rows and shown else empty,
    }


def _some(probed: Sequence[Probed]) -> list[Probed]:
    if len(probed) <= MAX_COLUMNS:
        return list(probed)
    places = sorted(
        {round(place * (len(probed) - 1) / (MAX_COLUMNS - 1)) for place in range(MAX_COLUMNS)}
    )
    return [probed[place] for place in places]


def probe_timeline_poller(studio: Studio, final_states: tuple[str, ...]):
    """The server function behind the time-lapse."""

    def poll(asked: dict) -> dict[str, Any] | None:
        """The table, when there is more than the page has seen."""
        run = (
            studio.visible(asked.get("run"), asked.get("visitor"))
            if isinstance(asked, dict)
            else None
        )
        if run is None:
            return None
        snapshot = run.snapshot()
        probed = snapshot.history.probed
        seen = [[event.step for event in probed[-1:]], len(probed)]
        news = probe_timeline_value(snapshot) if asked.get("seen") != seen else {}
        return {**news, "seen": seen, "final": snapshot.state in final_states}

    return poll


RUN_LIST_TEMPLATE = """
<div class="scroll" role="region" tabindex="0" hidden><table><caption></caption><thead><tr></tr></thead><tbody></tbody></table></div>
<p class="empty" hidden></p>
"""


def run_list(label: str, poll: Poll, **kw: Any) -> gr.HTML:
    """Fires `choose` with `{ids, turn}` when a box is ticked, and again after the answer with that `turn` when more were, `open` with `{run}` when a name is
    pressed, and `changed` when a run came, went, or is in another state than the page shows.

    value: `{"rows": [{"id", "name", "state", "mark", "why", "cells": [str]}], "chosen": [id], "head": [str], "empty": str, "turn": int, "visitor": str}`; `cells` stand
    under `head`. poll: gets `{"visitor"}` every 2 s while somebody looks, every 6 s while no run is alive, and answers `{"rows", "is_alive": bool}`.
    """
    return component(
        "run_list",
        label,
        RUN_LIST_TEMPLATE,
        {"rows": [], "chosen": [], "head": [], "empty": ""},
        poll,
        **kw,
    )
