"""How fast a step of training is: ours against the tutorial's loop, run_mlm's two, and
transformers' Trainer.

`python -m benchmarks.training --size base` takes turns, in one process; the first step of each loop
is never timed. A
step's time is divided by the positions it computed, and that by the share of real tokens over whole
shuffled passes of
the text: so a few steps are enough, whichever paragraphs they happen to hold. With `--threads 1`
the clock is the process's own, which other work
on the machine does not stretch; otherwise it is the one on the wall.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from transformers import BertConfig

from benchmarks import loops
from benchmarks.loops import Step
from benchmarks.memory import peak_bytes
from benchmarks.models import folder_of, plain_model, scratch
from benchmarks.texts import SAMPLES
from mlm_gui.core.config import RECIPES, TrainConfig
from mlm_gui.core.corpus.corpus import Corpus, Split
from mlm_gui.core.model.masked_lm import MaskedLM

NAMES = {
    "ours": "ours",
    "tutorial": "A tutorial",
    "line_by_line": "B1 line by line",
    "group_128": "B3 group_texts 128",
}
DEMANDS = {"base": (8, 3.5, 1.2), "small": (13, 5, 1.8), "starter": (15, 10, None)}
"""Ours against A, B1 and B3, at least."""
MEMORY_DEMAND_GB = 4.5
MEMORY_TOKENS = 2048
STEPS_A_TURN = {"base": 1, "small": 2, "starter": 3}
TUTORIAL_BATCH = {"base": 4, "small": 16, "starter": 16}
"""The tutorial's 16 rows of 512 take more than a minute at base size; 4 cost a quarter, the
optimiser's share of it is small.
"""


@dataclass
class Contender:
    """One loop under measurement."""

    steps: Iterator[Step]
    share_real: float
    """Real tokens to each computed position, over the whole text."""
    rates: list[float]
    """Real tokens a second, turn by turn."""

    def turn(self, num_steps: int) -> None:
        """Times so many steps."""
        began, slots = seconds_now(), 0
        for _ in range(num_steps):
            slots += next(self.steps).slots
        self.rates.append(slots / (seconds_now() - began) * self.share_real)


def seconds_now() -> float:
    """A clock to take differences of: the time this process computed when it has one thread, else
    the time on the wall.
    """
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def contenders(
    folder: Path, split: Split, batch_of_a: int, against: list[str]
) -> dict[str, Contender]:
    """Ours and the loops named, over the same text, each with a model of its own and its first step
    done.
    """
    lm = MaskedLM.load(folder)
    tokenizer, endless = lm.tokenizer, 100
    rows, grouped = loops.lines(tokenizer, split.train), loops.groups(tokenizer, split.train)
    lengths = [len(row["input_ids"]) for row in rows]
    share_a = loops.share_real(lengths, loops.TUTORIAL_BATCH, padded_to=loops.TUTORIAL_LENGTH)
    share_b1 = loops.share_real(lengths, loops.RUN_MLM_BATCH)
    config = TrainConfig(
        epochs=endless, tokens_per_step=RECIPES["recommended"].tokens_per_step, evaluations=1
    )
    steps_and_shares = {
        "ours": (loops.ours(lm, split, config), 1.0),
        "tutorial": (
            loops.tutorial(
                plain_model(folder), tokenizer, split.train, batch=batch_of_a, epochs=endless
            ),
            share_a,
        ),
        "line_by_line": (
            loops.run_mlm(plain_model(folder), tokenizer, rows, epochs=endless),
            share_b1,
        ),
        "group_128": (loops.run_mlm(plain_model(folder), tokenizer, grouped, epochs=endless), 1.0),
    }
    found = {
        name: Contender(*steps_and_shares[name], []) for name in NAMES if name in ("ours", *against)
    }
    for contender in found.values():
        next(contender.steps)
    return found


def speeds(
    folder: Path, split: Split, rounds: int, steps_a_turn: int, batch_of_a: int, against: list[str]
) -> dict[str, list[float]]:
    """Real tokens a second of each loop in each round; in a round every loop has its turn."""
    found = contenders(folder, split, batch_of_a, against)
    for _ in range(rounds):
        for contender in found.values():
            contender.turn(steps_a_turn)
    return {name: contender.rates for name, contender in found.items()}


def trainer_speed(folder: Path, split: Split, steps: int) -> float:
    """Real tokens a second of the real transformers.Trainer on B1's rows, its first step left out:
    does the hand loop stand for it?
    """
    from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

    class Clock(TrainerCallback):
        def __init__(self) -> None:
            self.ends: list[float] = []

        def on_step_end(self, *_, **__) -> None:
            self.ends.append(seconds_now())

    class Slots(list):
        """Notes the size of each batch that the collator makes."""

        def __call__(self, rows: list[dict]) -> dict:
            batch = collate(rows)
            self.append(batch["input_ids"].numel())
            return batch

    tokenizer = MaskedLM.load("starter").tokenizer
    rows, collate, clock, slots = (
        loops.lines(tokenizer, split.train),
        loops.collator(tokenizer),
        Clock(),
        Slots(),
    )
    with scratch() as home:
        settings = TrainingArguments(
            home,
            per_device_train_batch_size=loops.RUN_MLM_BATCH,
            max_steps=steps + 1,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
            use_cpu=True,
            remove_unused_columns=False,
            logging_strategy="no",
        )
        training_queue = Trainer(
            plain_model(folder),
            settings,
            train_dataset=rows,
            data_collator=slots,
            callbacks=[clock],
        )
        training_queue.remove_callback(PrinterCallback)
        training_queue.train()
    share = loops.share_real([len(row["input_ids"]) for row in rows], loops.RUN_MLM_BATCH)
    return sum(slots[1 : steps + 1]) / (clock.ends[-1] - clock.ends[0]) * share


def flops_per_token(config: BertConfig, lengths: list[int], mask_rate: float) -> float:
    """Multiplications and additions that a step of ours needs for each real token, backward pass
    (twice the forward) included.

    6 for each weight of the encoder's matrices, 12 · length · width for each layer's attention, 6
    for each weight of the head at the chosen tokens;
    the last layer's output and feed-forward, too, are needed at the chosen tokens alone.
    """
    width, layers = config.hidden_size, config.num_hidden_layers
    feed_forward = 2 * width * config.intermediate_size
    encoder = 6 * (
        layers * (4 * width**2 + feed_forward) - (1 - mask_rate) * (width**2 + feed_forward)
    )
    attention = 12 * layers * width * sum(n * n for n in lengths) / sum(lengths)
    head = 6 * mask_rate * (width**2 + width * config.vocab_size)
    return encoder + attention + head


def matmul_flops_per_second(size: int = 2048, seconds: float = 2.0) -> float:
    """The best of many products of square float32 matrices, with the threads of the steps."""
    left, right, best, end = (
        torch.randn(size, size),
        torch.randn(size, size),
        float("inf"),
        time.perf_counter() + seconds,
    )
    while time.perf_counter() < end:
        began = seconds_now()
        left @ right
        best = min(best, seconds_now() - began)
    return 2 * size**3 / best


def peak_memory_gb(folder: Path, split: Split) -> dict[str, float]:
    """Highest resident memory of a fresh process that trains two steps of 2,048 tokens, in GB: all
    of it, and above what it had before the model.
    """
    config = TrainConfig(epochs=100, max_steps=2, tokens_per_step=MEMORY_TOKENS, evaluations=1)
    before = peak_bytes()
    for _ in loops.ours(MaskedLM.load(folder), split, config):
        pass
    return {
        "peak_memory_gb": peak_bytes() / 1e9,
        "peak_memory_above_libraries_gb": (peak_bytes() - before) / 1e9,
    }


def profile(folder: Path, split: Split, steps: int) -> str:
    """torch's own table of where the time of our step goes, the 15 costliest operations first."""
    running = loops.ours(MaskedLM.load(folder), split, TrainConfig(epochs=100, evaluations=1))
    next(running)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
        for _ in range(steps):
            next(running)
    return seen.key_averages().table(
        sort_by="self_cpu_time_total", row_limit=15, max_name_column_width=45
    )


def text_of(files: list[Path]) -> Split:
    """All paragraphs to train on, and one to hold out, since a run needs it: its score is not part
    of any step.
    """
    paragraphs = Corpus.from_files(files or SAMPLES).paragraphs
    return Split(paragraphs[1:], paragraphs[:1])


def measured(asked: argparse.Namespace) -> dict:
    """Every figure, under the names of the JSON keys."""
    split, steps = text_of(asked.text), 1 if asked.quick else STEPS_A_TURN[asked.size]
    with scratch() as home:
        folder = folder_of(asked.size, Path(home))
        found = speeds(
            folder,
            split,
            1 if asked.quick else asked.rounds,
            steps,
            1 if asked.quick else TUTORIAL_BATCH[asked.size],
            asked.against,
        )
        lm = MaskedLM.load(folder)
        lengths = [
            min(n, lm.max_length) for n in map(len, lm.tokenizer(list(split.train))["input_ids"])
        ]
        needed = flops_per_token(lm.model.config, lengths, RECIPES["recommended"].mask_rate)
        del lm
        fraction = median(found["ours"]) * needed / matmul_flops_per_second()
        ratio = {
            name: median(
                ours / other for ours, other in zip(found["ours"], found[name], strict=True)
            )
            for name in list(found)[1:]
        }
        figures = {
            "size": asked.size,
            "threads": torch.get_num_threads(),
            **{f"ratio_vs_{name}": value for name, value in ratio.items()},
            "gemm_fraction": fraction,
            "tokens_per_second": {name: median(rates) for name, rates in found.items()},
            "turns": found,
        }
        if not asked.quick and "line_by_line" in found:
            figures["trainer_tokens_per_second"] = trainer_speed(folder, split, 3 * steps)
        command = [
            sys.executable,
            "-m",
            "benchmarks.training",
            "--memory-of",
            str(folder),
            "--text",
            *map(str, asked.text),
        ]
        figures |= json.loads(
            subprocess.run(command, check=True, capture_output=True, text=True).stdout
        )
    return figures


def told(figures: dict) -> str:
    """The figures as a table, each beside what is demanded."""
    demands = dict(zip(list(NAMES)[1:], DEMANDS[figures["size"]], strict=True))
    lines = [
        f"{figures['size']}, {figures['threads']} threads",
        "",
        "| loop | real tokens/s | ours is faster | demanded |",
        "|---|---|---|---|",
    ]
    for name, shown in ((name, NAMES[name]) for name in figures["turns"]):
        ratio = "1" if name == "ours" else f"{figures[f'ratio_vs_{name}']:.2f}x"
        lines.append(
            f"| {shown} | {figures['tokens_per_second'][name]:,.0f} "
            f"| {ratio} | {demands.get(name) or '–'} |"
        )
    if "trainer_tokens_per_second" in figures:
        lines.append(
            "| transformers.Trainer on B1's rows "
            f"| {figures['trainer_tokens_per_second']:,.0f} | – | – |"
        )
    lines += [
        "",
        f"fraction of the matrix-product peak: {figures['gemm_fraction']:.0%}",
        f"peak memory of a step of {MEMORY_TOKENS:,} tokens: "
        f"{figures['peak_memory_gb']:.2f} GB, the whole process; "
        f"{figures['peak_memory_above_libraries_gb']:.2f} GB above the libraries "
        f"(demanded at base size: {MEMORY_DEMAND_GB} GB)",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--size", choices=DEMANDS, default="small")
    parser.add_argument(
        "--text",
        type=Path,
        nargs="*",
        default=[],
        help="text files; the bundled samples when there is none",
    )
    parser.add_argument("--rounds", type=int, default=3, help="turns of each loop")
    parser.add_argument(
        "--against",
        nargs="+",
        choices=list(NAMES)[1:],
        default=list(NAMES)[1:],
        help="which loops; all when left out",
    )
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0 leaves its choice")
    parser.add_argument(
        "--quick", action="store_true", help="one turn of one step, no Trainer: to see that it runs"
    )
    parser.add_argument(
        "--profile", action="store_true", help="only print where the time of our step goes"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    if asked.memory_of:
        print(json.dumps(peak_memory_gb(asked.memory_of, text_of(asked.text))))
    elif asked.profile:
        with scratch() as home:
            print(
                profile(
                    folder_of(asked.size, Path(home)), text_of(asked.text), STEPS_A_TURN[asked.size]
                )
            )
    else:
        figures = measured(asked)
        print(json.dumps(figures) if asked.json else told(figures))


if __name__ == "__main__":
    main()
