"""The exam of a run: sat when its model is saved, kept as exam.json in its folder, read again by the page, the shell and the card."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import time
import typing
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from mlm_gui.core.corpus.corpus import Split
from mlm_gui.core.corpus.near_duplicates import num_seen
from mlm_gui.core.training.events import Examined
from mlm_gui.errors import UserError
from mlm_gui.services.runs.lineage import called_base, with_base
from mlm_gui.services.runs.model_card import model_card
from mlm_gui.services.runs.run import LIVE_STATES, Run
from mlm_gui.services.storage.files import ID, write_whole

if TYPE_CHECKING:
    from mlm_gui.core.evaluation.report import Material, Report
    from mlm_gui.core.model.masked_lm import MaskedLM

log = logging.getLogger(__name__)
EXAM_FILE = "exam.json"
VERSION = 2
"""Version of exam.json. Version 1 is read too; a file of any other version counts as no exam."""
NAMES_OF_VERSION_1 = {"num_units": "num_clusters"}
"""Fields that the first version named otherwise, old name to new."""


def evaluate_when_saved(
    run, tuned: MaskedLM, load: Callable[[str], MaskedLM], split: Split, stop: Callable[[], bool]
) -> Iterator[Examined]:
    """Examines a run whose model was just saved, and yields Examined; nothing when it is asked to stop, or when the exam goes wrong.

    A run is never lost to its exam: what goes wrong is logged, and the exam can be sat later.
    """
    began = time.monotonic()
    try:
        report = None if stop() else examine(run, load, tuned, split, lambda share: not stop())
    except Exception:  # whatever it was, the model is saved and the run goes on to its end
        log.exception("the exam of run %s failed", run.id)
        report = None
    if report:
        yield event_of(report, time.monotonic() - began)


def examine(
    run,
    load: Callable[[str], MaskedLM],
    tuned: MaskedLM,
    split: Split,
    keep_going: Callable[[float], bool],
) -> Report | None:
    """Base against tuned on the run's own unseen text, kept in its folder; None when `keep_going` said no. `run` is a services.runs.Run.

    Raises UserError when the base model cannot be loaded, or the text cannot be examined.
    """
    from mlm_gui.core.evaluation.report import evaluate_both

    base, history = with_base(run.job.model, load), run.history()
    base.model.to(tuned.device)
    report = finished(
        evaluate_both(
            base, tuned, material_of(run, split), history.latest.seconds if history.latest else 0.0
        ),
        keep_going,
    )
    if report:
        write_whole(
            run.folder / EXAM_FILE,
            json.dumps(
                {"version": VERSION, **dataclasses.asdict(report)}, ensure_ascii=False, indent=1
            ),
        )
        write_whole(run.model_folder / "README.md", model_card(run.job, history, report))
    return report


def examine_again(
    run, load: Callable[[str], MaskedLM], keep_going: Callable[[float], bool] = lambda share: True
) -> Report | None:
    """Like `examine`, for a run that was trained before. Raises UserError while it has no model or is still being trained."""
    from mlm_gui.core.model.masked_lm import MaskedLM

    if not run.has_model or run.state in LIVE_STATES:
        raise UserError(
            "This run cannot be examined.",
            "It has no saved model yet, or is still being trained.",
            "Wait until it ends, or train one.",
        )
    tuned = MaskedLM.load(run.model_folder)
    return examine(run, load, tuned, run.split(), keep_going)


def finished(
    steps: Generator[float, None, Report], keep_going: Callable[[float], bool]
) -> Report | None:
    """The report of an examination; None as soon as `keep_going`, which hears the share done, says no."""
    while True:
        try:
            share = next(steps)
        except StopIteration as end:
            return end.value
        if not keep_going(share):
            steps.close()
            return None


def material_of(run, split: Split) -> Material:
    """The unseen side of a run's own text. `run` is a services.runs.Run."""
    from mlm_gui.core.evaluation.report import Material, bounded, general_paragraphs

    unseen = bounded(split.held_out)
    return Material(
        base_name=called_base(run.folder, run.job.model),
        tuned_name=run.job.name,
        text_name=f"{run.job.corpus_name}, the paragraphs kept unseen",
        held_out=unseen,
        known=split.train,
        general=general_paragraphs(),
        seen_by_base=num_seen(unseen, _parents_texts(run.folder, run.job.model)),
    )


def event_of(report: Report, seconds: float) -> Examined:
    paired_result = report.unseen
    return Examined(
        report.verdict,
        report.sentence,
        paired_result.base.loss,
        paired_result.tuned.loss,
        paired_result.difference,
        *paired_result.difference_interval,
        paired_result.p_value,
        report.forgetting.difference,
        seconds,
    )


def learned_from(folder: Path) -> tuple[Sequence[str], ...]:
    """What the model of a run folder was trained on, the runs it came from included, one text for each; empty when it is no run, or an unreadable one."""
    texts: list[Sequence[str]] = []
    been: set[Path] = set()
    while folder and folder not in been:
        been.add(folder)
        run = Run(folder)
        try:
            texts.append(run.split().train)
        except (OSError, UserError):
            break
        folder = _parent(folder, run.sound_job().model)
    return tuple(texts)


@lru_cache(maxsize=8)
def learned_by(folder: Path) -> tuple[Sequence[str], ...]:
    """As `learned_from`, kept for the next question: what a run learned from never changes."""
    return learned_from(folder)


def _parent(folder: Path, model: str) -> Path | None:
    """Folder of the run that the model came from; None for any other model."""
    if model.startswith("run:"):
        run_id = model.removeprefix("run:")
        return folder.parent / run_id if ID.fullmatch(run_id) else None
    return Path(model).parent if Path(model).name == "model" else None


def _parents_texts(folder: Path, model: str) -> tuple[Sequence[str], ...]:
    parent = _parent(folder, model)
    return learned_from(parent) if parent else ()


def read_exam(folder: Path) -> Report | None:
    """The exam of a run folder; None when there is none, or its file is damaged or of another version."""
    from mlm_gui.core.evaluation.report import Report

    try:
        record = json.loads((folder / EXAM_FILE).read_text(encoding="utf-8"))
        version = record.pop("version")
        if version not in (1, VERSION):
            return None
        return _rebuilt(Report, _under_new_names(record) if version == 1 else record)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def under_present_names(report: Report, run: Run) -> Report:
    """The report of a run's exam, with the names that the run and the one it started from have now."""
    return dataclasses.replace(
        report, base_name=called_base(run.folder, run.job.model), tuned_name=run.job.name
    )


def as_record(report: Report) -> dict:
    """The report as the plain values that `mlm-gui exam --json` prints."""
    unseen, general = (
        dataclasses.asdict(paired_result) for paired_result in (report.unseen, report.forgetting)
    )
    rest = {
        name: value
        for name, value in dataclasses.asdict(report).items()
        if name not in ("unseen", "forgetting")
    }
    return {**unseen, **rest, "forgetting": {**general, "verdict": report.forgetting.outcome}}


def _under_new_names(value: object) -> object:
    """The content of an exam.json of version 1 under the names of this version."""
    if isinstance(value, dict):
        return {
            NAMES_OF_VERSION_1.get(name, name): _under_new_names(each)
            for name, each in value.items()
        }
    return [_under_new_names(each) for each in value] if isinstance(value, list) else value


def _rebuilt(kind, value):
    """`value`, from JSON, as a `kind`; raises TypeError when it does not fit, so that nothing odd ever reaches the page."""
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{name: _rebuilt(hint, value[name]) for name, hint in hints.items()})
    if typing.get_origin(kind) is tuple:
        kinds = typing.get_args(kind)
        if not isinstance(value, list) or (kinds[-1] is not Ellipsis and len(kinds) != len(value)):
            raise TypeError(kind)
        return tuple(
            _rebuilt(each, item)
            for each, item in zip(
                [kinds[0]] * len(value) if kinds[-1] is Ellipsis else kinds, value, strict=True
            )
        )
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float) if kind is float else kind)
        or (kind is float and not math.isfinite(value))
    ):
        raise TypeError(kind)
    return kind(value)
