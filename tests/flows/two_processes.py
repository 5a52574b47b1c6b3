"""What each process of `accelerate launch` does in test_distributed.

It trains a run, then one that is interrupted after its third step and resumed.
`python two_processes.py FOLDER ARGUMENT…`: the runs are FOLDER/whole and FOLDER/broken, and what
each call prints is in FOLDER/NAME-RANK.txt. Where the system can fork, the process of rank 0 makes
the one of rank 1, so that the libraries are loaded once.
"""

import contextlib
import functools
import os
import signal
import sys
from pathlib import Path

from torch import distributed

from mlm_gui.__main__ import main
from mlm_gui.core.evaluation import report
from mlm_gui.core.evaluation.report import evaluate_both, general_paragraphs
from mlm_gui.core.training import loop  # noqa: F401  # loaded once, before the fork
from mlm_gui.core.training.events import Event, Stepped
from mlm_gui.services.runs.run import Run


def call(folder: Path, name: str, *arguments: str) -> None:
    """`mlm-gui train …`, once all processes are here."""
    if distributed.is_initialized():
        distributed.barrier()
    with (
        (folder / f"{name}-{os.environ['RANK']}.txt").open("w") as file,
        contextlib.redirect_stdout(file),
        contextlib.suppress(SystemExit),
    ):
        main(["train", *arguments, "--json"])


def interrupted_after_three_steps(
    run: Run, event: Event, sync: bool = False, append=Run.append
) -> None:
    """Takes the place of Run.append, which only the first process calls."""
    append(run, event, sync)
    if isinstance(event, Stepped) and event.step == 3:
        os.kill(os.getpid(), signal.SIGTERM)


def train_three_times(folder: Path, arguments: list[str]) -> None:
    """A whole run, an interrupted one, and the rest of that one."""
    # One draw of blanks over a few paragraphs: this is about training together.
    report.evaluate_both = functools.partial(evaluate_both, seeds=(0,))
    report.general_paragraphs = lambda: general_paragraphs()[:6]
    call(folder, "whole", *arguments, "--out", str(folder / "whole"))
    append, Run.append = Run.append, interrupted_after_three_steps
    call(folder, "broken", *arguments, "--out", str(folder / "broken"))
    Run.append = append
    call(folder, "resumed", "--resume", str(folder / "broken"))


if __name__ == "__main__":
    other = os.fork() if hasattr(os, "fork") else None
    if other == 0:
        os.environ["RANK"] = os.environ["LOCAL_RANK"] = "1"
    train_three_times(Path(sys.argv[1]), sys.argv[2:])
    if other:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]))
