"""How long a large text takes to its first training step, and how much memory: the way a person's
upload goes.

`python -m benchmarks.data --mb 100` writes made-up text files on the spot and, in a fresh process,
does what the page does: reads them and
looks for near-duplicates (the Text tab), then makes a run folder and trains a few steps in it with
the starter (Start).
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.memory import current_bytes, peak_bytes
from benchmarks.models import scratch
from benchmarks.texts import made_up_paragraphs
from mlm_gui.services.runs.request import RunRequest

DEMANDED_SECONDS = 3
"""From Start to the first step of 100 MB, once the model is warm."""
DEMANDED_MEGABYTES = 150
"""Above the model, for a text of 1 GB."""
FILE_MEGABYTES = 50
"""A larger text is several files; one may have 100 MB at most."""
STEPS = 20
WARM_BYTES = 20_000
"""The model is warm after three steps on a text of this size."""
TIMED_MEGABYTES = 4
"""How much text the tokeniser's speed is measured on."""


def write_files(megabytes: float, home: Path) -> list[Path]:
    """Made-up text of that size as .txt files."""
    files, left = [], megabytes
    while left > 0:
        file = home / f"text-{len(files):03}.txt"
        with file.open("w", encoding="utf-8") as out:
            for paragraph in made_up_paragraphs(
                int(min(left, FILE_MEGABYTES) * 1e6), seed=len(files)
            ):
                out.write(paragraph + "\n\n")
        files.append(file)
        left -= FILE_MEGABYTES
    return files


def phases(files: list[Path], home: Path) -> Iterator[dict]:
    """The figures one after the other, each when it is known; for a process of its own, since it
    ends by looking at the memory.
    """
    from mlm_gui.core.corpus.corpus import Corpus
    from mlm_gui.services.storage.texts import Texts

    start_bytes = current_bytes()
    texts, began = Texts(home), time.perf_counter()
    corpus = texts.gather(files)
    yield {
        "read_seconds": time.perf_counter() - began,
        "read_peak_megabytes": (peak_bytes() - start_bytes) / 1e6,
    }

    began = time.perf_counter()
    text_id = texts.add(corpus)
    yield {
        "near_duplicates_seconds": time.perf_counter() - began,
        "near_duplicates_peak_megabytes": (peak_bytes() - start_bytes) / 1e6,
    }
    del corpus

    from mlm_gui.core.config import TrainConfig
    from mlm_gui.core.corpus.paragraphs import beginning_of, lengths_of
    from mlm_gui.core.model.masked_lm import MaskedLM
    from mlm_gui.core.tokens import tokenize
    from mlm_gui.core.training.events import Evaluated, Stepped
    from mlm_gui.core.training.loop import train
    from mlm_gui.services.runs.finetune import finetune
    from mlm_gui.services.runs.run import Run

    lm, config = MaskedLM.load("starter"), TrainConfig(epochs=1, max_steps=STEPS, evaluations=1)

    warm = Corpus.from_text("\n\n".join(made_up_paragraphs(WARM_BYTES, seed=99)))
    for _ in train(lm, warm.split(), TrainConfig(epochs=1, max_steps=3, evaluations=1)):
        pass

    began, cpu_began, steps = time.perf_counter(), time.process_time(), 0
    run = Run.create(home / "run", RunRequest(corpus=texts.get(text_id), config=config))
    yield {"run_folder_seconds": time.perf_counter() - began}
    for event in finetune(run, lambda name: lm):
        if isinstance(event, Evaluated) and not steps:
            yield {"first_score_seconds": time.perf_counter() - began}
        if isinstance(event, Stepped) and not steps:
            yield {
                "first_step_seconds": time.perf_counter() - began,
                "first_step_cpu_seconds": time.process_time() - cpu_began,
            }
        steps += isinstance(event, Stepped)
    yield {
        "run_seconds": time.perf_counter() - began,
        "steps": steps,
        "peak_megabytes": (peak_bytes() - start_bytes) / 1e6,
    }

    sample = beginning_of(texts.get(text_id).paragraphs, TIMED_MEGABYTES * 1_000_000)
    size = int(lengths_of(sample).sum())

    began = time.perf_counter()
    num_tokens = tokenize(sample, lm.tokenizer, lm.max_length).num_tokens
    seconds = time.perf_counter() - began
    yield {
        "tokenised_tokens_per_second": num_tokens / seconds,
        "tokenised_megabytes_per_second": size / 1e6 / seconds,
    }


def measured(megabytes: float, limit: float) -> dict:
    """All figures that were reached within `limit` seconds."""
    with scratch() as home:
        began = time.perf_counter()
        files = write_files(megabytes, Path(home))
        figures = {
            "megabytes": megabytes,
            "making_seconds": time.perf_counter() - began,
            "finished": True,
        }
        command = [
            sys.executable,
            "-m",
            "benchmarks.data",
            "--inside",
            home,
            "--files",
            *map(str, files),
        ]
        out = Path(home) / "phases.jsonl"
        with out.open("w", encoding="utf-8") as file:
            try:
                subprocess.run(command, check=True, stdout=file, timeout=limit)
            except subprocess.TimeoutExpired:
                figures["finished"] = False
        for line in out.read_text(encoding="utf-8").splitlines():
            figures |= json.loads(line)
    return figures


def told(figures: dict) -> str:
    """The figures, one a line."""
    lines = [
        f"{name.replace('_', ' ')}: {value:,.1f}"
        for name, value in figures.items()
        if name != "finished"
    ]
    if not figures["finished"]:
        lines.append("The time was up before the rest.")
    lines.append(
        f"Demanded: first step within {DEMANDED_SECONDS} s for 100 MB (the model is warm), "
        f"under {DEMANDED_MEGABYTES} MB above the model for 1,000 MB. "
        "Peaks are above the bare program. What the model, training and scoring need with any "
        "text is the last peak of --mb 1."
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.data", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--mb", type=float, default=100)
    parser.add_argument("--limit", type=float, default=600, help="seconds after which it gives up")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--files", type=Path, nargs="*", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.inside:
        for figures in phases(asked.files, asked.inside):
            print(json.dumps(figures), flush=True)
    else:
        figures = measured(asked.mb, asked.limit)
        print(json.dumps(figures) if asked.json else told(figures))


if __name__ == "__main__":
    main()
