"""`mlm-gui runs` and `mlm-gui exam`: the runs of a home folder, and what each of them learned."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mlm_gui.cli.output import open_studio, print_record
from mlm_gui.errors import UserError

if TYPE_CHECKING:
    from mlm_gui.core.evaluation.report import Report
    from mlm_gui.services.runs.run import Run
    from mlm_gui.services.runs.snapshot import RunSnapshot
    from mlm_gui.services.studio import Studio


def runs(options: argparse.Namespace) -> None:
    """Lists the runs of a home folder, newest first."""
    runs = open_studio(options).runs.all()
    for run in runs:
        snapshot = run.snapshot()
        if options.json:
            print_record(_record_of(run, snapshot))
            continue
        num_steps, name = snapshot.history.num_steps, snapshot.name or "unreadable"
        print(f"{snapshot.id}  {snapshot.state:<11}  {num_steps:>6} steps  {name}")
        for finding in snapshot.findings:
            print(f"    {finding}")
    if not runs and not options.json:
        print("There are no runs yet.")


def _record_of(run: Run, snapshot: RunSnapshot) -> dict[str, object]:
    """One line of `mlm-gui runs --json`."""
    history, job = snapshot.history, snapshot.job
    return {
        "id": snapshot.id,
        "state": snapshot.state,
        "name": job.name if job else None,
        "model": job.model if job else None,
        "created": job.created if job else None,
        "steps": history.num_steps,
        "loss_before": history.evaluations[0].loss if history.evaluations else None,
        "loss_after": history.kept_score.loss if history.kept_score else None,
        "checkpoint_step": snapshot.checkpoint_step,
        "findings": snapshot.findings,
        "folder": str(run.folder),
    }


def exam(options: argparse.Namespace) -> None:
    """Shows the exam of a run; runs it first where there is none, or with --again."""
    from mlm_gui.services.runs.evaluation import as_record, read_exam

    studio = open_studio(options)
    run = _run_named(studio, options.run)
    report = None if options.again else read_exam(run.folder)
    if report is None:
        report = _examine(studio, run, is_quiet=options.json)
    if options.json:
        print_record(as_record(report))
    else:
        _print_report(report)


def _run_named(studio: Studio, name: str) -> Run:
    """The run of a folder or of "run:ID". Raises UserError when there is none."""
    from mlm_gui.services.models.references import names_run, run_id_of
    from mlm_gui.services.runs.run import Run

    run = studio.runs.find(run_id_of(name)) if names_run(name) else Run(Path(name).absolute())
    if run is None or run.job is None:
        raise UserError(
            f"There is no run in {name}.",
            "It holds no readable job.json.",
            "Give a run folder, or run:ID as `mlm-gui runs` lists it.",
        )
    return run


def _examine(studio: Studio, run: Run, is_quiet: bool) -> Report:
    """Runs the exam, with a bar on standard error."""
    from tqdm import tqdm

    from mlm_gui.services.runs.evaluation import examine_again

    with tqdm(
        total=100,
        unit="%",
        file=sys.stderr,
        disable=is_quiet,
        bar_format="{l_bar}{bar}| {elapsed}",
    ) as bar:

        def advance(share: float) -> bool:
            bar.update(round(100 * share) - bar.n)
            return True

        report = examine_again(run, studio.models.load, advance)
    assert report is not None  # only a caller that stops it gets None
    return report


def _print_report(report: Report) -> None:
    print(report.sentence)
    for text, result in (("unseen text", report.unseen), ("general English", report.forgetting)):
        print(
            f"{text}: {result.num_masks:,} blanks in {result.num_clusters} paragraphs, "
            f"{len(result.seeds)} draws, p = {result.p_value:.4f}"
        )
        for name, figures in (("base", result.base), ("tuned", result.tuned)):
            low, high = figures.interval
            print(
                f"  {name:<5}  loss {figures.loss:.3f} ({low:.3f} to {high:.3f})  "
                f"masked-token perplexity {figures.perplexity:.1f}  "
                f"first guess right {figures.top1:.1%}, among five {figures.top5:.1%}"
            )
    cloze = report.cloze
    print(
        "Key words of unseen sentences, right at the first guess: "
        f"base {cloze.base_right[0]}, tuned {cloze.tuned_right[0]} of {len(cloze.items)}."
    )
