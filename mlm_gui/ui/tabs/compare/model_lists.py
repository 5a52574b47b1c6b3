"""The lists of models on the Compare tab, and the download of the tuned one."""

from __future__ import annotations

from typing import Any, NamedTuple

import gradio as gr

from mlm_gui.errors import UserError
from mlm_gui.services.models.references import name_of_run
from mlm_gui.services.runs.export import export_zip
from mlm_gui.services.studio import Studio
from mlm_gui.ui.door import JsonObject, RunId, VisitorId
from mlm_gui.ui.model_choice import is_run, model_choices, run_of
from mlm_gui.ui.tabs.compare.answer import title_of
from mlm_gui.ui.tabs.compare.models import ITS_OWN_BASE, pair
from mlm_gui.ui.wiring import Slot


class ModelLists(NamedTuple):
    """What another list of runs changes."""

    base: Slot
    tuned: Slot
    download: Slot


class TabOpened(NamedTuple):
    """What opening the tab changes."""

    lists: ModelLists
    base_bars: Slot
    tuned_bars: Slot


def refresh(
    studio: Studio, visitor: VisitorId, run_id: RunId, base: str | None, tuned: str | None
) -> ModelLists:
    """The lists of models, with the run that the page looks at as the tuned one.

    As long as it has no model: the one that was chosen, or the newest.
    """
    return _lists(studio, visitor, base, (name_of_run(run_id), tuned))


def look_again(
    studio: Studio,
    visitor: VisitorId,
    base: str | None,
    tuned: str | None,
    base_bars: JsonObject,
    tuned_bars: JsonObject,
) -> TabOpened:
    """The tab is opened: runs may have come, gone, or got other names.

    What was chosen stays chosen where it is still there.
    """
    lists = _lists(studio, visitor, base, (tuned,))
    try:
        names = pair(studio, visitor, base, tuned)
    except UserError:  # one of them is gone: the list's new value asks again
        return TabOpened(lists, gr.skip(), gr.skip())
    return TabOpened(
        lists,
        _titled(studio, visitor, "Base", names.base, base_bars),
        _titled(studio, visitor, "Tuned", names.tuned, tuned_bars),
    )


def _lists(
    studio: Studio, visitor: VisitorId, base: str | None, wanted: tuple[str | None, ...]
) -> ModelLists:
    choices = model_choices(studio, visitor)
    runs = [name for _, name in choices if is_run(name)]

    def is_there(name: str | None) -> bool:
        if name is None or not name.strip():
            return False
        return name in runs or not is_run(name)

    chosen = next(filter(is_there, wanted), runs[0] if runs else None)
    bases = [("what the tuned one started from", ITS_OWN_BASE), *choices]
    return ModelLists(
        base=gr.update(choices=bases)
        if is_there(base)
        else gr.update(choices=bases, value=ITS_OWN_BASE),
        tuned=gr.Dropdown(choices=choices, value=chosen),
        download=choose(studio, visitor, chosen),
    )


def _titled(studio: Studio, visitor: str, role: str, name: str | None, bars: JsonObject) -> Any:
    """The bars on the page under their model's present name; nothing changes without any."""
    if name is None or not bars.get("rows"):
        return gr.skip()
    return {**bars, "title": title_of(studio, visitor, role, name)}


def choose(studio: Studio, visitor: VisitorId, tuned: str | None) -> gr.DownloadButton:
    """Makes the zip of the chosen run ready; other models are not ours to give away."""
    run = run_of(studio, visitor, tuned)
    if run is None or not run.has_model:
        return gr.DownloadButton(value=None, interactive=False)
    archive = export_zip(run, studio.home / "exports")
    return gr.DownloadButton(value=str(archive), interactive=True)
