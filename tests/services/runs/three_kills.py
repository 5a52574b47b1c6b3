"""What test_resuming runs in a process without threads: three kills of the benchmark, made short.

`python three_kills.py` prints the figures of `benchmarks.kills` as JSON.
"""

import dataclasses
import functools
import json
import random
import tempfile
from pathlib import Path

from benchmarks import kills
from mlm_gui.core.evaluation import report
from mlm_gui.core.evaluation.report import evaluate_both, general_paragraphs

NUM_KILLS = 3

if __name__ == "__main__":
    kills.CONFIG = dataclasses.replace(kills.CONFIG, max_steps=9, evaluations=2)
    report.evaluate_both = functools.partial(evaluate_both, seeds=(0,))
    report.general_paragraphs = lambda: general_paragraphs()[:6]
    with tempfile.TemporaryDirectory() as folder:
        figures = kills.measure(Path(folder), NUM_KILLS, random.Random(0))
    print(json.dumps(figures))
