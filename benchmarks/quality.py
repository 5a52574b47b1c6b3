"""What each way of training makes of the same text: loss on held-out text, every chosen token
hidden, the same exam for all.

`python -m benchmarks.quality` starts each way from the starter, three seeds on each text, and
compares the losses
- at equal real tokens: the tutorial's two passes over the text for everyone;
- at equal time: as many processor seconds (of one thread) as Recommended takes, each with its
rate's fall fitted to that time;
- each by its own defaults, to their end, however long that takes.

One JSON line for each text and seed goes to the results file, and what stands there is not measured
again.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean

import torch

from benchmarks import loops
from benchmarks.exams import hidden_exams, hidden_loss
from benchmarks.ledger import append, read
from benchmarks.loops import Step
from benchmarks.texts import SAMPLES, corpus_of
from mlm_gui.core.config import RECIPES, TrainConfig
from mlm_gui.core.corpus.corpus import Corpus, Split
from mlm_gui.core.model.masked_lm import MaskedLM

HELD_OUT = 0.2
"""Share of the paragraphs; more than usual, since it is the measure here."""
EQUAL_PASSES = 2
"""The tutorial's epochs."""
NAMES = {
    "ours": "ours, Recommended",
    "tutorial": "A tutorial",
    "line_by_line": "B1 line by line",
    "group_128": "B3 group_texts 128",
    "line_by_line_our_rate": "B1 at our rate",
    "group_128_our_rate": "B3 at our rate",
}
COLUMNS = {
    "equal_tokens": f"{EQUAL_PASSES} passes",
    "equal_time": "as long as Recommended",
    "own": "own defaults",
}


@dataclass
class Clock:
    """Processor seconds spent in the steps of one run, so that other work on the machine does not
    count; the first step, which also prepares, counts as an average one.
    """

    seconds: float = 0.0
    steps: int = 0

    def over(self, running: Iterator[Step]) -> Iterator[Step]:
        """The same steps; what the caller does between two of them is not counted."""
        while True:
            began = time.process_time()
            step = next(running, None)
            if step is None:
                return
            self.steps += 1
            self.seconds += time.process_time() - began if self.steps > 1 else 0
            yield step

    @property
    def per_step(self) -> float:
        return self.seconds / max(1, self.steps - 1)

    @property
    def total(self) -> float:
        return self.per_step * self.steps


Way = Callable[..., Iterator[Step]]
"""(model to train, **what is different this time) -> its steps."""


def trained(starter: MaskedLM, way: Way, exams, **different) -> tuple[dict, Clock]:
    """A copy of the starter, trained to the end that way: its loss, time and tokens."""
    lm, clock = starter.copy(), Clock()
    steps = list(clock.over(way(lm, **different)))
    tokens, peak = sum(step.tokens for step in steps), max(step.rate for step in steps)
    return {
        "loss": hidden_loss(lm, exams),
        "seconds": clock.total,
        "tokens": tokens,
        "peak_rate": peak,
    }, clock


def tutorial_results(starter: MaskedLM, split: Split, exams, seed: int, seconds: float) -> dict:
    """The tutorial's rate never falls, so that one run serves all three columns: its weights after
    `seconds`, and at its end.
    """
    lm, clock, tokens, early = starter.copy(), Clock(), 0, None
    for step in clock.over(
        loops.tutorial(lm.model, lm.tokenizer, split.train, epochs=EQUAL_PASSES, seed=seed)
    ):
        tokens += step.tokens
        if early is None and clock.total >= seconds:
            early = {"loss": hidden_loss(lm, exams), "seconds": clock.total, "tokens": tokens}
            lm.model.train()
    end = {"loss": hidden_loss(lm, exams), "seconds": clock.total, "tokens": tokens}
    return {"equal_tokens": end, "equal_time": early or end, "own": end}


def compared(starter: MaskedLM, corpus: Corpus, seed: int) -> dict:
    """All ways on one text with one seed: results by way and column."""
    split = corpus.split(HELD_OUT, seed)
    exams, tokenizer = hidden_exams(split.held_out, starter), starter.tokenizer
    recommended = replace(RECIPES["recommended"], evaluations=1, seed=seed)

    def ours(lm: MaskedLM, config: TrainConfig = recommended) -> Iterator[Step]:
        return loops.ours(lm, split, config)

    def run_mlm(rows: list[dict], lm: MaskedLM, **different) -> Iterator[Step]:
        return loops.run_mlm(lm.model, tokenizer, rows, seed=seed, **different)

    own, _ = trained(starter, ours, exams)
    two_passes, _ = trained(starter, ours, exams, config=replace(recommended, epochs=EQUAL_PASSES))
    found = {"ours": {"equal_tokens": two_passes, "equal_time": own, "own": own}}
    found["tutorial"] = tutorial_results(starter, split, exams, seed, own["seconds"])
    for name, rows in (
        ("line_by_line", loops.lines(tokenizer, split.train)),
        ("group_128", loops.groups(tokenizer, split.train)),
    ):
        way = partial(run_mlm, rows)
        by_default, clock = trained(starter, way, exams)
        fitting = max(1, round(own["seconds"] / clock.per_step))
        found[name] = {
            "equal_tokens": trained(starter, way, exams, epochs=EQUAL_PASSES)[0],
            "equal_time": trained(starter, way, exams, steps=fitting)[0],
            "own": by_default,
        }
        found[f"{name}_our_rate"] = {
            "equal_tokens": trained(
                starter, way, exams, epochs=EQUAL_PASSES, rate=two_passes["peak_rate"]
            )[0],
            "equal_time": trained(starter, way, exams, steps=fitting, rate=own["peak_rate"])[0],
        }
    return {"name": corpus.name, "seed": seed, "before": hidden_loss(starter, exams), "ways": found}


def summary(records: list[dict]) -> dict:
    """Means over the seeds by text, way and column; and in how many of all comparisons Recommended
    had the lower loss.
    """
    by_text = defaultdict(list)
    for record in records:
        by_text[record["name"]].append(record)
    texts = {}
    for name, found in by_text.items():
        ways = {}
        for way in NAMES:
            columns = [column for column in COLUMNS if column in found[0]["ways"][way]]
            ways[way] = {
                column: {
                    kind: mean(record["ways"][way][column][kind] for record in found)
                    for kind in ("loss", "seconds", "tokens")
                }
                for column in columns
            }
        texts[name] = {
            "seeds": len(found),
            "before": mean(record["before"] for record in found),
            "ways": ways,
        }
    wins = {
        f"{way}, {column}": [
            sum(
                record["ways"]["ours"][column]["loss"] < record["ways"][way][column]["loss"]
                for record in records
            ),
            len(records),
        ]
        for way in list(NAMES)[1:]
        for column in COLUMNS
        if records and column in records[0]["ways"][way]
    }
    return {"texts": texts, "recommended_is_better": wins}


def told(figures: dict) -> str:
    """A table for each text, then the tally."""
    lines = []
    for name, text in figures["texts"].items():
        lines += [
            f"### {name}: {text['seeds']} seeds, loss before training {text['before']:.3f}",
            "",
        ]
        lines += [f"| way | {' | '.join(COLUMNS.values())} |", "|---" * (len(COLUMNS) + 1) + "|"]
        for way, columns in text["ways"].items():
            cells = [
                f"{columns[c]['loss']:.3f} ({columns[c]['seconds']:.0f} s)" if c in columns else "–"
                for c in COLUMNS
            ]
            lines.append(f"| {NAMES[way]} | {' | '.join(cells)} |")
        lines.append("")
    for comparison, (better, every) in figures["recommended_is_better"].items():
        lines.append(
            f"- Recommended has the lower loss than {comparison.replace('_', ' ')} "
            f"in {better} of {every}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--text", type=Path, nargs="*", default=[], help="texts besides the first sample"
    )
    parser.add_argument(
        "--share",
        type=float,
        default=1.0,
        help="of each --text; the tutorial's loop takes minutes on a book",
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1e9, help="start nothing after so long")
    parser.add_argument("--results", type=Path, default=Path("quality.jsonl"))
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    corpora = [corpus_of(SAMPLES[0]), *(corpus_of(file, share=asked.share) for file in asked.text)]
    if not asked.text:
        corpora.append(corpus_of(SAMPLES[1]))
    torch.set_num_threads(1)
    began, starter = time.monotonic(), MaskedLM.load("starter")
    for seed in range(asked.seeds):
        for corpus in corpora:
            known = {(record["name"], record["seed"]) for record in read(asked.results)}
            if (corpus.name, seed) not in known and time.monotonic() - began < asked.seconds:
                append(asked.results, compared(starter, corpus, seed))
    figures = summary(read(asked.results))
    print(json.dumps(figures) if asked.json else told(figures))


if __name__ == "__main__":
    main()
