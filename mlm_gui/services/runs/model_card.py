"""The model card that goes with every saved model: its source, and what was measured."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from mlm_gui.core.training.history import History
from mlm_gui.services.models.references import names_run
from mlm_gui.services.runs.job import Job

if TYPE_CHECKING:
    from mlm_gui.core.evaluation.paired import PairedResult
    from mlm_gui.core.evaluation.report import Report

_CARD = """---
library_name: transformers
pipeline_tag: fill-mask
tags: [fill-mask, masked-lm, mlm-studio]
---
# {name}

A masked language model: {base}, trained further on the text "{corpus}" with MLM Studio.

```python
from transformers import pipeline
print(pipeline("fill-mask", model="path/to/this/folder")("Everything is [MASK]."))
```

## What was measured
On {num_masks:,} chosen tokens of paragraphs that were never trained on ({held_out:.0%} of the text;
of a long text a fixed random choice of them), each of them shown as the mask token,
the same draw both times:

| | loss | masked-token perplexity | first guess right | among first five |
|---|---|---|---|---|
{scores}

Masked-token perplexity is exp(mean loss on the chosen tokens). It says nothing about other texts.
{exam}
## Provenance
Started {created}; {num_steps:,} steps{kept}. Text: {corpus}, sha256 `{fingerprint}`; \
split seed {split_seed}.

| setting | value |
|---|---|
{settings}

## Limits
It repeats what its texts say, and the biases of the model it started from.
Not for decisions about people.
"""
_EXAM = """
## Exam
{sentence}

| | base loss | tuned loss | difference | 95 % interval | p | first guess right \
| paragraphs | blanks |
|---|---|---|---|---|---|---|---|---|
{rows}

Base and tuned met the same blanks in {num_draws} draws (seeds {seeds}); interval by resampling
whole paragraphs, p by flipping the sign of each paragraph's difference. {warnings}
"""


def model_card(job: Job, history: History, report: Report | None = None) -> str:
    """Markdown with front matter.

    The figures come from the run's own events, which must hold a score, and from its exam.
    """
    after = history.kept_score
    assert after is not None  # a card is written only once there is a score
    kept = ""
    if history.best_step_kept is not None:
        kept = (
            f", of which the model after step {history.best_step_kept:,} "
            "was the best and is this one"
        )
    settings = dataclasses.asdict(job.config).items()
    return _CARD.format(
        name=_one_line(job.name),
        base="the model of an earlier run" if names_run(job.model) else _one_line(job.model),
        corpus=_one_line(job.corpus_name),
        num_masks=after.num_masks,
        held_out=job.held_out,
        scores=_scores(history),
        exam=_exam(report) if report else "",
        created=job.created,
        num_steps=history.num_steps,
        kept=kept,
        fingerprint=job.fingerprint,
        split_seed=job.split_seed,
        settings="\n".join(f"| {name.replace('_', ' ')} | {value} |" for name, value in settings),
    )


def _scores(history: History) -> str:
    """The rows of the score before the first step, where there is one, and of the kept model."""
    before, after = history.evaluations[0], history.kept_score
    rows = [("before", before)] if before.step == 0 else []
    if after:
        rows.append(("after", after))
    return "\n".join(
        f"| {when} | {score.loss:.3f} | {score.perplexity:.1f} "
        f"| {score.top1:.1%} | {score.top5:.1%} |"
        for when, score in rows
    )


def _exam(report: Report) -> str:
    """The verdict and the table of an exam."""
    rows = (
        _exam_row("unseen text", report.unseen),
        _exam_row("general English", report.forgetting),
    )
    return _EXAM.format(
        sentence=report.sentence,
        rows="\n".join(rows),
        num_draws=len(report.unseen.seeds),
        seeds=", ".join(map(str, report.unseen.seeds)),
        warnings=" ".join(report.warnings),
    )


def _exam_row(text: str, result: PairedResult) -> str:
    from mlm_gui.core.evaluation.wording import signed

    low, high = result.difference_interval
    return (
        f"| {text} | {result.base.loss:.3f} | {result.tuned.loss:.3f} "
        f"| {signed(result.difference, 3)} | {signed(low, 3)} to {signed(high, 3)} "
        f"| {result.p_value:.4f} | {result.base.top1:.1%} → {result.tuned.top1:.1%} "
        f"| {result.num_clusters} | {result.num_masks:,} |"
    )


def _one_line(value: str) -> str:
    """User text inside Markdown: one line, with every sign of markup or HTML escaped."""
    line = " ".join(value.split())
    return "".join(f"&#{ord(sign)};" if sign in "<>&`|[]*_#\\" else sign for sign in line)
