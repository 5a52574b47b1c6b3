"""Tables for a spreadsheet, in which no cell can act as a formula."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlm_gui.services.storage.files import exports_folder, write_whole

if TYPE_CHECKING:
    from mlm_gui.core.evaluation.cloze import Cloze
    from mlm_gui.core.evaluation.paired import PairedResult
    from mlm_gui.core.evaluation.report import Report

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
"""Some spreadsheets run a text cell that starts with one of these (OWASP, CSV injection)."""
Row = Sequence[str | float | int]
FIGURES_HEAD: Row = (
    "text",
    "figure",
    "base",
    "base low",
    "base high",
    "tuned",
    "tuned low",
    "tuned high",
    "difference",
    "low",
    "high",
    "p",
    "paragraphs",
    "blanks",
)
CLOZE_HEAD: Row = (
    "sentence",
    "hidden word",
    "base rank",
    "base guesses",
    "tuned rank",
    "tuned guesses",
)


def as_csv(rows: Iterable[Row]) -> str:
    """The rows as CSV. Text that looks like a formula gets an apostrophe; numbers stay numbers."""
    file = io.StringIO()
    writer = csv.writer(file)
    for row in rows:
        writer.writerow([_harmless(cell) for cell in row])
    return file.getvalue()


def _harmless(cell: str | float | int) -> str | float | int:
    if isinstance(cell, str) and cell.lstrip(" ").startswith(FORMULA_SIGNS):
        return f"'{cell}"
    return cell


def written(home: Path, content: str, name: str, run_id: str = "") -> str:
    """Path of a new file with this content among the home folder's exports.

    Its folder is named by the content's sha256. A file of a run goes when the run is deleted.
    """
    digest = hashlib.sha256(content.encode()).hexdigest()
    path = exports_folder(home) / run_id / digest / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content)  # again where it is there already, so that it does not count as old
    return str(path)


def exam_rows(report: Report) -> list[Row]:
    """The figures of an exam, then its cloze items."""
    return [
        ("base", report.base_name),
        ("tuned", report.tuned_name),
        ("text", report.text_name),
        ("verdict", report.verdict),
        ("sentence", report.sentence),
        *(("warning", warning) for warning in report.warnings),
        (),
        FIGURES_HEAD,
        *_figure_rows("unseen text", report.unseen),
        *_figure_rows("general English", report.forgetting),
        (),
        CLOZE_HEAD,
        *_cloze_rows(report.cloze),
    ]


def _figure_rows(text: str, result: PairedResult) -> list[Row]:
    """Loss and shares of right guesses of both models on one text."""
    base, tuned = result.base, result.tuned
    counts = (result.num_clusters, result.num_masks)
    loss = (base.loss, *base.interval, tuned.loss, *tuned.interval)
    top1 = (base.top1, *base.top1_interval, tuned.top1, *tuned.top1_interval)
    top5 = (base.top5, *base.top5_interval, tuned.top5, *tuned.top5_interval)
    change = (result.difference, *result.difference_interval)
    top1_change = (result.top1_difference, *result.top1_difference_interval)
    top5_change = (result.top5_difference, *result.top5_difference_interval)
    return [
        (text, "loss", *loss, *change, result.p_value, *counts),
        (text, "top1", *top1, *top1_change, "", *counts),
        (text, "top5", *top5, *top5_change, "", *counts),
    ]


def _cloze_rows(cloze: Cloze) -> list[Row]:
    return [
        (
            f"{item.before}____{item.after}",
            item.answer,
            item.base_rank,
            " ".join(item.base_guesses),
            item.tuned_rank,
            " ".join(item.tuned_guesses),
        )
        for item in cloze.items
    ]
