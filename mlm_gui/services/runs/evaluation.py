"""The exam of a run.

It is taken when the model is saved and kept as exam.json in the run's folder. The page, the shell
and the model card read it there.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import time
import typing
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mlm_gui.core.corpus.corpus import Split
from mlm_gui.core.corpus.near_duplicates import num_seen
from mlm_gui.core.training.events import Examined
from mlm_gui.errors import UserError
from mlm_gui.services.runs.lineage import called_base, parent_folder, with_base
from mlm_gui.services.runs.model_card import model_card
from mlm_gui.services.runs.run import LIVE_STATES, Run
from mlm_gui.services.storage.files import write_whole

if TYPE_CHECKING:
    from mlm_gui.core.evaluation.report import Material, Report
    from mlm_gui.core.model.masked_lm import MaskedLM

log = logging.getLogger(__name__)
EXAM_FILE = "exam.json"
VERSION = 2
"""Version of exam.json. Version 1 is read too; a file of any other version counts as no exam."""
NAMES_OF_VERSION_1 = {"num_units": "num_clusters"}
"""Fields that the first version named otherwise, old name to new."""
KEPT_RUNS = 8
"""Runs whose training texts stay in memory; the one unused longest goes first."""
Kind = TypeVar("Kind")
LearnedTexts = tuple[Sequence[str], ...]
"""What a model was trained on: the paragraphs of one text for each run."""


def evaluate_when_saved(
    run: Run,
    tuned: MaskedLM,
    load: Callable[[str], MaskedLM],
    split: Split,
    stop: Callable[[], bool],
) -> Iterator[Examined]:
    """Examines a run whose model was just saved, and yields Examined.

    It yields nothing when it is asked to stop or when the exam fails. A run is never lost to its
    exam: the failure is logged, and the exam can be run later.
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
    run: Run,
    load: Callable[[str], MaskedLM],
    tuned: MaskedLM,
    split: Split,
    keep_going: Callable[[float], bool],
) -> Report | None:
    """Base against tuned on the run's own held-out text; the report is kept in its folder.

    None when `keep_going` said no. Raises UserError when the base model cannot be loaded, or the
    text cannot be examined.
    """
    from mlm_gui.core.evaluation.report import evaluate_both

    job, history = run.sound_job(), run.history()
    base = with_base(job.model, load)
    base.move_to(tuned.device)
    seconds_trained = history.latest.seconds if history.latest else 0.0
    steps = evaluate_both(base, tuned, material_of(run, split), seconds_trained)
    report = finished(steps, keep_going)
    if report:
        record = {"version": VERSION, **dataclasses.asdict(report)}
        write_whole(run.folder / EXAM_FILE, json.dumps(record, ensure_ascii=False, indent=1))
        write_whole(run.model_folder / "README.md", model_card(job, history, report))
    return report


def examine_again(
    run: Run,
    load: Callable[[str], MaskedLM],
    keep_going: Callable[[float], bool] = lambda share: True,
) -> Report | None:
    """Like `examine`, for a run that was trained before.

    Raises UserError while it has no model or is still being trained.
    """
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
    """The report of an examination; None as soon as `keep_going` says no.

    keep_going: is called with the share done, 0 to 1.
    """
    while True:
        try:
            share = next(steps)
        except StopIteration as end:
            report: Report = end.value
            return report
        if not keep_going(share):
            steps.close()
            return None


def material_of(run: Run, split: Split) -> Material:
    """The held-out side of a run's own text."""
    from mlm_gui.core.evaluation.report import Material, bounded, general_paragraphs

    job = run.sound_job()
    held_out = bounded(split.held_out)
    parent = parent_folder(run.folder, job.model)
    return Material(
        base_name=called_base(run.folder, job.model),
        tuned_name=job.name,
        text_name=f"{job.corpus_name}, the paragraphs kept unseen",
        held_out=held_out,
        known=split.train,
        general=general_paragraphs(),
        seen_by_base=num_seen(held_out, learned_from(parent) if parent else ()),
    )


def event_of(report: Report, seconds: float) -> Examined:
    """The event of an exam that took so many seconds."""
    low, high = report.unseen.difference_interval
    return Examined(
        verdict=report.verdict,
        sentence=report.sentence,
        base_loss=report.unseen.base.loss,
        tuned_loss=report.unseen.tuned.loss,
        difference=report.unseen.difference,
        difference_low=low,
        difference_high=high,
        p_value=report.unseen.p_value,
        forgetting=report.forgetting.difference,
        seconds=seconds,
    )


def learned_from(folder: Path) -> LearnedTexts:
    """What the model of a run folder was trained on, from its own run back to the first one.

    It ends at a run that is gone or cannot be read, and is empty for a folder of no run.
    """
    return _read_learned(folder)[0]


def learned_by(folder: Path) -> LearnedTexts:
    """As `learned_from`, kept for the next question unless a text could not be read just now."""
    try:
        return _kept_learned(folder)
    except _UnreadableError as unreadable:
        return unreadable.texts


def forget_learned() -> None:
    """Forgets all kept texts: a run's files may be about to go."""
    _kept_learned.cache_clear()


class _UnreadableError(Exception):
    """Not everything could be read: a cache must not keep it."""

    def __init__(self, texts: LearnedTexts) -> None:
        super().__init__()
        self.texts = texts


@lru_cache(maxsize=KEPT_RUNS)
def _kept_learned(folder: Path) -> LearnedTexts:
    texts, is_complete = _read_learned(folder)
    if not is_complete:
        raise _UnreadableError(texts)
    return texts


def _read_learned(folder: Path) -> tuple[LearnedTexts, bool]:
    """The texts, and whether every run that is there could be read."""
    texts: list[Sequence[str]] = []
    visited: set[Path] = set()
    next_folder: Path | None = folder
    while next_folder and next_folder not in visited and next_folder.is_dir():
        visited.add(next_folder)
        run = Run(next_folder)
        try:
            texts.append(run.split().train)
        except (OSError, UserError):
            return tuple(texts), False
        next_folder = parent_folder(next_folder, run.sound_job().model)
    return tuple(texts), True


def read_exam(folder: Path) -> Report | None:
    """The exam of a run folder; None when there is none, or none that can be read."""
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
    """The report of a run's exam, with the present names of the run and of its base."""
    job = run.sound_job()
    base_name = called_base(run.folder, job.model)
    return dataclasses.replace(report, base_name=base_name, tuned_name=job.name)


def as_record(report: Report) -> dict[str, object]:
    """The report as the plain values that `mlm-gui exam --json` prints."""
    record = dataclasses.asdict(report)
    held_out, general = record.pop("unseen"), record.pop("forgetting")
    forgetting = {**general, "verdict": report.forgetting.outcome}
    return {**held_out, **record, "forgetting": forgetting}


def _under_new_names(value: object) -> object:
    """The content of an exam.json of version 1 under the names of this version."""
    if isinstance(value, dict):
        return {
            NAMES_OF_VERSION_1.get(name, name): _under_new_names(each)
            for name, each in value.items()
        }
    return [_under_new_names(each) for each in value] if isinstance(value, list) else value


def _rebuilt(kind: Callable[..., Kind], value: object) -> Kind:
    """`value`, from JSON, as a `kind`. Raises TypeError when it does not fit.

    kind: a dataclass, a tuple type, str, int or float.
    """
    is_record = dataclasses.is_dataclass(kind)
    if is_record:
        if not isinstance(value, Mapping):
            raise TypeError(kind)
        hints = typing.get_type_hints(kind)
        return kind(**{name: _rebuilt(hint, value[name]) for name, hint in hints.items()})
    if typing.get_origin(kind) is tuple:
        return kind(_rebuilt_items(typing.get_args(kind), value))
    _check_fits(kind, value)
    return kind(value)


def _rebuilt_items(kinds: tuple[Any, ...], value: object) -> list[object]:
    """The items of a tuple: `kinds` names each of them, or one for all and an ellipsis."""
    if not isinstance(value, list):
        raise TypeError(kinds)
    each_kind = [kinds[0]] * len(value) if kinds[-1] is Ellipsis else list(kinds)
    if len(each_kind) != len(value):
        raise TypeError(kinds)
    return [_rebuilt(kind, item) for kind, item in zip(each_kind, value, strict=True)]


def _check_fits(kind: object, value: object) -> None:
    """Raises TypeError unless a plain value is of this kind; a float must be a finite number."""
    if isinstance(value, bool):
        raise TypeError(kind)
    if kind is float:
        if not isinstance(value, (int, float)) or not math.isfinite(value):
            raise TypeError(kind)
    elif type(value) is not kind:
        raise TypeError(kind)
