"""The model card that goes with every saved model: where it comes from, and what was measured."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from mlm_gui.core.config import TrainConfig
from mlm_gui.core.training.history import History

if TYPE_CHECKING:
    from mlm_gui.core.evaluation.report import Report


def model_card(job, history: History, report: Report | None = None) -> str:
    """Markdown with front matter. `job` is the run's Job; figures come from its own events, and from its exam once it has sat one."""
    config: TrainConfig = job.config
    before, after = history.evaluations[0], history.kept_score
    settings = "\n".join(
        f"| {name.replace('_', ' ')} | {value} |"
        for name, value in dataclasses.asdict(config).items()
    )
    rows = "\n".join(
        f"| {when} | {score.loss:.3f} | {score.perplexity:.1f} | {score.top1:.1%} | {score.top5:.1%} |"
        for when, score in (*((("before", before),) if before.step == 0 else ()), ("after", after))
    )
    name, model, corpus = (_one_line(value) for value in (job.name, job.model, job.corpus_name))
    kept = (
        f", of which the model after step {history.best_step_kept:,} was the best and is this one"
        if history.best_step_kept is not None
        else ""
    )
    start = "the model of an earlier run" if job.model.startswith("run:") else model
    return f"""---
library_name: transformers
pipeline_tag: fill-mask
tags: [fill-mask, masked-lm, mlm-studio]
---
# {name}

A masked language model: {start}, trained further on the text "{corpus}" with MLM Studio.

```python
from transformers import pipeline
print(pipeline("fill-mask", model="path/to/this/folder")("Everything is [MASK]."))
```

## What was measured
On {after.num_masks:,} chosen tokens of paragraphs that were never trained on ({job.held_out:.0%} of the text; of a long text a fixed random choice of them), each of them shown as the mask token,
the same draw both times:

| | loss | masked-token perplexity | first guess right | among first five |
|---|---|---|---|---|
{rows}

Masked-token perplexity is exp(mean loss on the chosen tokens). It says nothing about other texts.
{_exam(report) if report else ""}
## Provenance
Started {job.created}; {history.num_steps:,} steps{kept}. Text: {corpus}, sha256 `{job.fingerprint}`; split seed {job.split_seed}.

| setting | value |
|---|---|
{settings}

## Limits
It repeats what its texts say, and the biases of the model it started from. Not for decisions about people.
"""


def _exam(report: Report) -> str:
    """The exam's verdict and table."""
    from mlm_gui.core.evaluation.wording import signed

    rows = "\n".join(
        f"| {text} | {paired_result.base.loss:.3f} | {paired_result.tuned.loss:.3f} | {signed(paired_result.difference, 3)} | "
        f"{signed(paired_result.difference_interval[0], 3)} to {signed(paired_result.difference_interval[1], 3)} | {paired_result.p_value:.4f} | "
        f"{paired_result.base.top1:.1%} → {paired_result.tuned.top1:.1%} | {paired_result.num_clusters} | {paired_result.num_masks:,} |"
        for text, paired_result in (
            ("unseen text", report.unseen),
            ("general English", report.forgetting),
        )
    )
    return f"""
## Exam
{report.sentence}

| | base loss | tuned loss | difference | 95 % interval | p | first guess right | paragraphs | blanks |
|---|---|---|---|---|---|---|---|---|
{rows}

Base and tuned met the same blanks in {len(report.unseen.seeds)} draws (seeds {", ".join(map(str, report.unseen.seeds))}); interval by resampling whole
paragraphs, p by flipping the sign of each paragraph's difference. {" ".join(report.warnings)}
"""


def _one_line(value: str) -> str:
    """User text inside Markdown: one line, with the signs that would start markup or HTML escaped."""
    return "".join(
        f"&#{ord(sign)};" if sign in "<>&`|[]*_#\\" else sign for sign in " ".join(value.split())
    )
