"""The model card that goes with every saved model: where it comes from, and what was measured."""

import dataclasses

from mlm_gui.core.config import TrainConfig
from mlm_gui.core.history import History


def model_card(job, history: History) -> str:
    """Markdown with front matter. `job` is the run's Job; figures come from its own events, which hold at least one score."""
    config: TrainConfig = job.config
    before, after = history.evaluations[0], history.kept
    settings = "\n".join(f"| {name.replace('_', ' ')} | {value} |" for name, value in dataclasses.asdict(config).items())
    rows = "\n".join(
        f"| {when} | {score.loss:.3f} | {score.perplexity:.1f} | {score.top1:.1%} | {score.top5:.1%} |"
        for when, score in (*((("before", before),) if before.step == 0 else ()), ("after", after))
    )
    name, model, corpus = (_one_line(value) for value in (job.name, job.model, job.corpus_name))
    return f"""---
library_name: transformers
pipeline_tag: fill-mask
tags: [fill-mask, masked-lm, mlm-studio]
---
# {name}

A masked language model: {model}, trained further on the text "{corpus}" with MLM Studio.

```python
from transformers import pipeline
print(pipeline("fill-mask", model="path/to/this/folder")("Everything is [MASK]."))
```

## What was measured
On {after.num_masks:,} chosen tokens of paragraphs that were never trained on ({job.held_out:.0%} of the text), hidden by the same rule as in training
({config.mask_share:.0%} mask token, {config.random_share:.0%} random, the rest in plain sight), the same draw both times:

| | loss | masked-token perplexity | first guess right | among first five |
|---|---|---|---|---|
{rows}

Masked-token perplexity is exp(mean loss on the chosen tokens). It says nothing about other texts.

## Provenance
Started {job.created}; {history.num_steps:,} steps. Text: {corpus}, sha256 `{job.fingerprint}`; split seed {job.split_seed}.

| setting | value |
|---|---|
{settings}

## Limits
It repeats what its texts say, and the biases of the model it started from. Not for decisions about people.
"""


def _one_line(value: str) -> str:
    """User text inside Markdown: one line, with the signs that would start markup or HTML escaped."""
    return "".join(f"&#{ord(sign)};" if sign in "<>&`|[]*_#\\" else sign for sign in " ".join(value.split()))
