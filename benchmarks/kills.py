"""Runs that nothing can kill: `python -m benchmarks.kills [--kills 50] [--json]`.

Small runs are killed (SIGKILL) at random moments, while they write a checkpoint after every step,
and started again until each is done. A run is
lost when it does not end with exactly the losses of a run that was never killed. Needs a system
with fork.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = (
    "1"  # a process that forks may hold no threads, and sums stay the same to the last bit
)

import torch
from transformers import BertConfig, BertForMaskedLM

from mlm_gui.core.assets import ASSETS
from mlm_gui.core.config import TrainConfig
from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.model.loading import load_tokenizer
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.core.training.events import Stepped
from mlm_gui.services.runs.checkpoints import PARTIAL
from mlm_gui.services.runs.finetune import finetune
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.runs.run import Run

CONFIG = TrainConfig(epochs=2, max_steps=24, tokens_per_step=128, evaluations=4, dropout=0.1)
KILLS_A_RUN = 12
"""After so many kills a run is let go on to its end, and the next one begins."""
LONGEST_WAIT = 0.25
"""Seconds; a process is killed at a moment between 0 and this after its first step, or, one time in
five, while it is still loading.
"""


def main() -> None:
    """Kills, resumes, compares, and prints the figures; exits with 1 when a run was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0, help="decides the moments")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), options.kills, random.Random(options.seed))
    print(
        json.dumps(figures)
        if options.json
        else "\n".join(
            f"{name.replace('_', ' '):>24}  {figure}" for name, figure in figures.items()
        )
    )
    sys.exit(bool(figures["lost_runs"]))


def measure(folder: Path, num_kills: int, chance: random.Random) -> dict:
    """Figures of `num_kills` kills; everything is written under `folder`, all torch operations
    happen in forked processes.
    """
    began, killed, in_writes, lost, runs = time.monotonic(), 0, 0, 0, 0
    wait_for(fork(partial(build_model, folder / "model")))
    corpus = Corpus.from_files([ASSETS / "samples" / "seed-almanac.txt"])

    def new_run(name: str) -> Run:
        return Run.create(
            folder / name,
            RunRequest(corpus=corpus, model=str(folder / "model"), config=CONFIG, held_out=0.02),
        )

    undisturbed = new_run("undisturbed")
    wait_for(fork(partial(train, undisturbed.folder)))
    expected = Run(undisturbed.folder).history().losses
    resumed, most_bytes = 0, 0
    while killed < num_kills:
        runs += 1
        run = new_run(f"killed-{runs}")
        for _ in range(min(KILLS_A_RUN, num_kills - killed)):
            if not kill(run, chance):
                break
            killed += 1
            in_writes += any((run.folder / "checkpoints").glob(f"*{PARTIAL}"))
            most_bytes = max(most_bytes, run.checkpoints.bytes_used)
        while Run(run.folder).state != "finished":
            if wait_for(fork(partial(train, run.folder))):
                break
        after = Run(run.folder)
        lost += after.state != "finished" or after.history().losses != expected
        resumed += (
            (run.folder / "events.jsonl").read_text(encoding="utf-8").count('"event": "resumed"')
        )
    whole = Run(undisturbed.folder).checkpoints.bytes_used
    return {
        "kills": killed,
        "kills_inside_a_write": in_writes,
        "runs": runs,
        "resumed_from_a_checkpoint": resumed,
        "lost_runs": lost,
        "most_checkpoint_bytes": most_bytes,
        "checkpoint_bytes_at_the_end": whole,
        "seconds": round(time.monotonic() - began, 1),
    }


def kill(run: Run, chance: random.Random) -> bool:
    """Starts a process that trains the run and kills it; False when the run had ended before."""
    heard, said = os.pipe()
    process = fork(partial(train, run.folder, said))
    os.close(said)
    if chance.random() > 0.2:
        os.read(heard, 1)  # its first step, or its end
    time.sleep(chance.random() * LONGEST_WAIT)
    os.kill(process, signal.SIGKILL)
    os.close(heard)
    return os.WIFSIGNALED(os.waitpid(process, 0)[1])


def train(folder: Path, said: int | None = None) -> None:
    """Trains the run in `folder` with a checkpoint after every step, and sends one byte to `said`
    after the first step.
    """
    for event in finetune(Run(folder), MaskedLM.load, every=0):
        if said is not None and isinstance(event, Stepped):
            os.write(said, b".")
            os.close(said)
            said = None


def build_model(folder: Path) -> None:
    """A BERT of two layers with the starter's words and random weights."""
    torch.manual_seed(0)
    tokenizer = load_tokenizer("starter")
    size = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
    }
    BertForMaskedLM(BertConfig(vocab_size=len(tokenizer), **size)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def fork(work: Callable[[], None]) -> int:
    """Process id of a child that does `work` and ends."""
    process = os.fork()
    if process:
        return process
    try:
        torch.set_num_threads(1)
        work()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def wait_for(process: int) -> int:
    """The child's exit status."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


if __name__ == "__main__":
    main()
