"""Which tokens per step, learning rate and number of epochs suit a text of a given size: a sweep
with the starter.

`python -m benchmarks.rates --text book.txt` adds one JSON line for each finished run to the results
file and goes on
where it was interrupted; `--seconds 60` ends after about that time; `--report` prints the tables of
what there is.
"""

import argparse
import itertools
import math
import random
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from statistics import mean

from benchmarks.exams import hidden_exams, hidden_loss
from benchmarks.ledger import append, read
from benchmarks.texts import corpora

HELD_OUT = 0.2
"""Share of the paragraphs that is held out; more than usual, since it is the measure here."""
SETTINGS = (
    (4, 1024, 1e-3),
    (4, 1024, 5e-4),
    (8, 1024, 5e-4),
    (8, 1024, 2.5e-4),
    (8, 512, 2.5e-4),
    (16, 1024, 2.5e-4),
    (16, 512, 1.25e-4),
    (8, 1024, 0.0),
)
"""Epochs, tokens a step and peak learning rate of the runs; 0 for the rate of `rate_by_rule`."""
MOST_TOKENS = 370_000
"""No run reads more than this many tokens, all its epochs together, in this sweep."""


@dataclass(frozen=True)
class Cell:
    """One run of the sweep."""

    corpus: int
    """Its place in the list of corpora."""
    epochs: int
    tokens_per_step: int
    learning_rate: float
    seed: int
    """Of the split, the order and the masks."""


def cells(num_corpora: int, seeds: int) -> list[Cell]:
    """Every setting on every corpus, seed after seed; inside a seed in a fixed random order, so
    that a part of them is a fair sample.
    """
    found = []
    for seed in range(seeds):
        of_seed = [
            Cell(corpus, *setting, seed)
            for corpus, setting in itertools.product(range(num_corpora), SETTINGS)
        ]
        random.Random(seed).shuffle(of_seed)
        found += of_seed
    return found


@lru_cache(maxsize=1)
def _starter():
    import torch

    from mlm_gui.core.model.masked_lm import MaskedLM

    torch.set_num_threads(1)
    return MaskedLM.load("starter")


def rate_by_rule(num_steps: float) -> float:
    """Peak rate for a run of the starter of so many steps: what the first sweep suggested, see
    RATES.md.
    """
    return 5e-3 / math.sqrt(num_steps)


def run_cell(cell: Cell, files: tuple[Path, ...], shares: tuple[float, ...]) -> dict | None:
    """Trains a copy of the starter and returns what came of it; None when the run would read too
    many tokens.
    """
    from mlm_gui.core.config import TrainConfig
    from mlm_gui.core.tokens import tokenize
    from mlm_gui.core.training.events import Started, Stepped
    from mlm_gui.core.training.loop import train

    corpus = corpora(files, shares)[cell.corpus]
    split, lm = corpus.split(HELD_OUT, cell.seed), _starter().copy()
    num_tokens = tokenize(split.train, lm.tokenizer, lm.max_length).num_tokens * cell.epochs
    if num_tokens > MOST_TOKENS:
        return None
    rate = cell.learning_rate or rate_by_rule(num_tokens / cell.tokens_per_step)
    exams = hidden_exams(split.held_out, lm)
    config = TrainConfig(
        epochs=cell.epochs,
        tokens_per_step=cell.tokens_per_step,
        learning_rate=rate,
        seed=cell.seed,
        evaluations=1,
    )
    before, seen = hidden_loss(lm, exams), list(train(lm, split, config))
    started, last = seen[0], next(event for event in reversed(seen) if isinstance(event, Stepped))
    assert isinstance(started, Started)
    return {
        **asdict(cell),
        "name": corpus.name,
        "train_tokens": started.num_train_tokens,
        "steps": started.total_steps,
        "before": before,
        "loss": hidden_loss(lm, exams),
        "tokens_per_second": last.tokens_per_second,
    }


def sweep(
    results: Path,
    files: tuple[Path, ...],
    shares: tuple[float, ...],
    seeds: int,
    seconds: float,
    workers: int,
) -> int:
    """Runs the cells that `results` does not have yet, for about `seconds`; returns how many are
    left.
    """
    done = {
        Cell(**{name: record[name] for name in Cell.__dataclass_fields__})
        for record in read(results)
    }
    waiting = [cell for cell in cells(len(corpora(files, shares)), seeds) if cell not in done]
    began, running = time.monotonic(), set()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        while running or (waiting and time.monotonic() - began < seconds):
            while waiting and len(running) < workers and time.monotonic() - began < seconds:
                cell = waiting.pop(0)
                running.add((pool.submit(run_cell, cell, files, shares), cell))
            finished, _ = wait([future for future, _ in running], return_when="FIRST_COMPLETED")
            for future, cell in [pair for pair in running if pair[0] in finished]:
                running.remove((future, cell))
                append(results, future.result() or {**asdict(cell), "name": ""})
    return len(waiting)


def report(records: list[dict]) -> str:
    """A Markdown table for each corpus, best cell first. A loss is the mean over its seeds."""
    tables = []
    by_corpus = defaultdict(lambda: defaultdict(list))
    for record in records:
        if record["name"]:
            by_corpus[record["name"]][
                record["epochs"], record["tokens_per_step"], record["learning_rate"]
            ].append(record)
    for name, by_setting in by_corpus.items():
        every = [record for found in by_setting.values() for record in found]
        lines = [
            f"### {name}: about {mean(record['train_tokens'] for record in every):,.0f} "
            f"training tokens, "
            f"loss before {mean(record['before'] for record in every):.3f}\n",
            "| epochs | tokens a step | rate | steps | held-out loss | seeds | tokens/s |",
            "|---|---|---|---|---|---|---|",
        ]
        for (epochs, tokens_per_step, rate), found in sorted(
            by_setting.items(), key=lambda pair: mean(record["loss"] for record in pair[1])
        ):
            lines.append(
                f"| {epochs} | {tokens_per_step} | {rate or 'by the rule'} "
                f"| {mean(record['steps'] for record in found):.0f} "
                f"| {mean(record['loss'] for record in found):.3f} | {len(found)} "
                f"| {mean(record['tokens_per_second'] for record in found):,.0f} |"
            )
        tables.append("\n".join(lines))
    return "\n\n".join(tables)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rates", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--text", type=Path, nargs="*", default=[], help="texts besides the two samples"
    )
    parser.add_argument(
        "--shares",
        type=float,
        nargs="*",
        default=[0.25, 0.5],
        help="shares of each --text that are swept besides the whole",
    )
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1e9, help="start no run after so long")
    parser.add_argument("--workers", type=int, default=2, help="runs side by side, one thread each")
    parser.add_argument("--results", type=Path, default=Path("rates.jsonl"))
    parser.add_argument("--report", action="store_true", help="only print the tables")
    asked = parser.parse_args()
    if not asked.report:
        left = sweep(
            asked.results,
            tuple(asked.text),
            tuple(asked.shares),
            asked.seeds,
            asked.seconds,
            asked.workers,
        )
        print(f"{left} runs are left.")
    print(report(read(asked.results)))


if __name__ == "__main__":
    main()
