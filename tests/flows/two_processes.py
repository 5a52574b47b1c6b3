"""What each process of `accelerate launch` does in test_distributed: trains a run, then one that is
interrupted after its third step and resumed.

`python two_processes.py FOLDER ARGUMENT…`: the runs lie in FOLDER/whole and FOLDER/broken, what
each call prints in FOLDER/NAME-RANK.txt.
"""

import contextlib
import os
import signal
import sys
from pathlib import Path

from torch import distributed

from mlm_gui.__main__ import main
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
    """Stands in for Run.append, which only the first process calls."""
    append(run, event, sync)
    if isinstance(event, Stepped) and event.step == 3:
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    folder, arguments = Path(sys.argv[1]), sys.argv[2:]
    call(folder, "whole", *arguments, "--out", str(folder / "whole"))
    append, Run.append = Run.append, interrupted_after_three_steps
    call(folder, "broken", *arguments, "--out", str(folder / "broken"))
    Run.append = append
    call(folder, "resumed", "--resume", str(folder / "broken"))
