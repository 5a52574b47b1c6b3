"""Tables for a spreadsheet, in which no cell can act as a formula."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlm_gui.services.storage.files import write_whole

if TYPE_CHECKING:
    from mlm_gui.core.evaluation.report import Report

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
"""A text cell that starts with one of these is run by some spreadsheets (OWASP, CSV injection)."""


def as_csv(rows: Iterable[Sequence[str | float | int]]) -> str:
    """The rows as CSV; text that could be taken for a formula gets an apostrophe in front, numbers stay numbers."""
    written = io.StringIO()
    csv.writer(written).writerows(
        [
            f"'{cell}"
            if isinstance(cell, str) and cell.lstrip(" ").startswith(FORMULA_SIGNS)
            else cell
            for cell in row
        ]
        for row in rows
    )
    return written.getvalue()


def written(home: Path, content: str, name: str, run_id: str = "") -> str:
    """Path of a file with this content under the home folder's exports, under its own sha256; among those of a run, it goes when the run is deleted."""
    path = home / "exports" / run_id / hashlib.sha256(content.encode()).hexdigest() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content)  # again, where it is there already: what is asked for is not old
    return str(path)


def exam_rows(report: Report) -> list[Sequence[str | float | int]]:
    """The figures of an exam, then its cloze items."""
    rows: list[Sequence[str | float | int]] = [
        ("base", report.base_name),
        ("tuned", report.tuned_name),
        ("text", report.text_name),
        ("verdict", report.verdict),
        ("sentence", report.sentence),
        *(("warning", warning) for warning in report.warnings),
        (),
        (
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
        ),
    ]
    for text, paired_result in (
        ("unseen text", report.unseen),
        ("general English", report.forgetting),
    ):
        base, tuned, counts = (
            paired_result.base,
            paired_result.tuned,
            (paired_result.num_clusters, paired_result.num_masks),
        )
        change = (
            paired_result.difference,
            *paired_result.difference_interval,
            paired_result.p_value,
        )
        rows.append(
            (text, "loss", base.loss, *base.interval, tuned.loss, *tuned.interval, *change, *counts)
        )
        for figure in ("top1", "top5"):
            sides = [
                value
                for side in (base, tuned)
                for value in (getattr(side, figure), *getattr(side, f"{figure}_interval"))
            ]
            change = (
                getattr(paired_result, f"{figure}_difference"),
                *getattr(paired_result, f"{figure}_difference_interval"),
            )
            rows.append((text, figure, *sides, *change, "", *counts))
    rows += [
        (),
        ("sentence", "hidden word", "base rank", "base guesses", "tuned rank", "tuned guesses"),
    ]
    rows += [
        (
            f"{item.before}____{item.after}",
            item.answer,
            item.base_rank,
            " ".join(item.base_guesses),
            item.tuned_rank,
            " ".join(item.tuned_guesses),
        )
        for item in report.cloze.items
    ]
    return rows
