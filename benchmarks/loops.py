"""The loops that ours is measured against, and ours, all as generators that yield a Step after each
change of the weights.

A is the loop of the tutorial "Training BERT #2: train with MLM". B1 and B3 do by hand what
transformers' example script
run_mlm.py does with its defaults: one paragraph a row (`--line_by_line`), and paragraphs joined and
cut to rows of 128
(`group_texts`). Speed means real tokens, padding left out.
"""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.utils.data import DataLoader
from transformers import DataCollatorForLanguageModeling

from mlm_gui.core.config import TrainConfig
from mlm_gui.core.corpus.corpus import Split
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.core.training.events import Started, Stepped
from mlm_gui.core.training.loop import train

TUTORIAL_LENGTH = 512
TUTORIAL_BATCH = 16
GROUP_LENGTH = 128
RUN_MLM_BATCH = 8
USUAL_RATE = 5e-5
"""The learning rate of the tutorial's notebook and run_mlm's default."""


@dataclass(frozen=True)
class Step:
    """One change of the weights."""

    tokens: int
    """Real tokens in it."""
    slots: int
    """Positions that were computed, padding included."""
    loss: float
    """As that loop defines it."""
    rate: float
    """The learning rate of this step."""


def tutorial_rows(
    tokenizer, paragraphs: Sequence[str], length: int, generator: torch.Generator
) -> list[dict[str, torch.Tensor]]:
    """The tutorial's dataset: padded to `length`, longer paragraphs cut off, labels a plain copy,
    masks drawn once, all of them [MASK].
    """
    inputs = tokenizer(
        list(paragraphs),
        return_tensors="pt",
        max_length=length,
        truncation=True,
        padding="max_length",
    )
    ids, labels = inputs["input_ids"], inputs["input_ids"].clone()
    chance = torch.rand(ids.shape, generator=generator)
    ids[
        (chance < 0.15)
        * (ids != tokenizer.cls_token_id)
        * (ids != tokenizer.sep_token_id)
        * (ids != tokenizer.pad_token_id)
    ] = tokenizer.mask_token_id
    masks = inputs["attention_mask"]
    return [
        {"input_ids": ids[i], "attention_mask": masks[i], "labels": labels[i]}
        for i in range(len(ids))
    ]


def tutorial(
    model: torch.nn.Module,
    tokenizer,
    paragraphs: Sequence[str],
    *,
    batch: int = TUTORIAL_BATCH,
    epochs: int = 2,
    rate: float = USUAL_RATE,
    seed: int = 0,
) -> Iterator[Step]:
    """Loop A: AdamW at one rate, dropout as the model has it, the loss over all positions."""
    torch.manual_seed(seed)
    length = min(TUTORIAL_LENGTH, tokenizer.model_max_length, model.config.max_position_embeddings)
    rows = tutorial_rows(tokenizer, paragraphs, length, torch.Generator().manual_seed(seed))
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0)
    model.train()
    for _ in range(epochs):
        for rows_of_step in DataLoader(rows, batch_size=batch, shuffle=True):
            optimizer.zero_grad()
            loss = model(**rows_of_step).loss
            loss.backward()
            optimizer.step()
            real = rows_of_step["attention_mask"]
            yield Step(int(real.sum()), real.numel(), loss.item(), optimizer.param_groups[0]["lr"])


def lines(tokenizer, paragraphs: Sequence[str], max_length: int = 512) -> list[dict]:
    """run_mlm's rows with `--line_by_line`: a paragraph each, cut off at `max_length`."""
    rows = tokenizer(
        list(paragraphs),
        truncation=True,
        max_length=min(max_length, tokenizer.model_max_length),
        return_special_tokens_mask=True,
    )
    return [
        {"input_ids": ids, "special_tokens_mask": marks}
        for ids, marks in zip(rows["input_ids"], rows["special_tokens_mask"], strict=True)
    ]


def groups(tokenizer, paragraphs: Sequence[str], length: int = GROUP_LENGTH) -> list[dict]:
    """run_mlm's rows otherwise: everything joined and cut to `length`, the small rest dropped."""
    rows = tokenizer(
        list(paragraphs), return_special_tokens_mask=True, verbose=False
    )  # no advice on rows longer than the model reads
    ids, marks = (sum(rows[name], []) for name in ("input_ids", "special_tokens_mask"))
    whole = len(ids) // length * length
    return [
        {"input_ids": ids[i : i + length], "special_tokens_mask": marks[i : i + length]}
        for i in range(0, whole, length)
    ]


def collator(tokenizer) -> DataCollatorForLanguageModeling:
    """transformers' own: pads to the longest row of the batch, 15 %, of them 80/10/10."""
    return DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15)


def run_mlm(
    model: torch.nn.Module,
    tokenizer,
    rows: list[dict],
    *,
    batch: int = RUN_MLM_BATCH,
    epochs: int = 3,
    rate: float = USUAL_RATE,
    steps: int = 0,
    seed: int = 0,
) -> Iterator[Step]:
    """Loops B1 and B3: what Trainer does with run_mlm's defaults. The rate falls in a straight line
    to zero, no warm-up; gradients clipped at 1.

    `steps` ends it, and the fall of the rate, after so many steps whatever `epochs` says; 0 does
    not.
    """
    torch.manual_seed(seed)
    loader = DataLoader(rows, batch_size=batch, shuffle=True, collate_fn=collator(tokenizer))
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0, fused=True)
    total = steps or epochs * len(loader)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / total)
    model.train()
    passes = itertools.chain.from_iterable(itertools.repeat(loader))  # each pass is shuffled anew
    for rows_of_step in itertools.islice(passes, total):
        loss = model(**rows_of_step).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        now = optimizer.param_groups[0]["lr"]
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        real = rows_of_step["attention_mask"]
        yield Step(int(real.sum()), real.numel(), loss.item(), now)


def ours(lm: MaskedLM, split: Split, config: TrainConfig) -> Iterator[Step]:
    """Our loop, by its public events alone; the scores it takes on the way are part of the time of
    the step after them.
    """
    num_tokens, seen = 0, 0
    for event in train(lm, split, config):
        if isinstance(event, Started):
            num_tokens = event.num_train_tokens
        elif isinstance(event, Stepped):
            now = round(event.epoch * num_tokens)
            yield Step(now - seen, now - seen, event.loss, event.learning_rate)
            seen = now


def share_real(lengths: Sequence[int], batch: int, seed: int = 0, padded_to: int = 0) -> float:
    """Real tokens to each computed position over many shuffled passes of rows of these lengths,
    padded to `padded_to` or to their batch's longest.
    """
    lengths, order, slots, passes = (
        [min(n, padded_to) if padded_to else n for n in lengths],
        random.Random(seed),
        0,
        20,
    )
    for _ in range(passes):
        shuffled = order.sample(lengths, len(lengths))
        for start in range(0, len(shuffled), batch):
            rows = shuffled[start : start + batch]
            slots += len(rows) * (padded_to or max(rows))
    return passes * sum(lengths) / slots
