"""The loops that ours is compared with are what they are said to be, and every benchmark gives the figures it promises."""

import math

import pytest
import torch
import torch.nn.functional as F
from benchmarks import data, exams, loops, page, quality, rates, texts, training
from benchmarks.memory import peak_bytes

from mlm_gui.core.config import TrainConfig
from mlm_gui.core.documents import Split
from mlm_gui.core.exam import evaluate
from mlm_gui.core.masking import Fate
from transformers import BertConfig


@pytest.fixture(scope="module")
def tiny(family):
    return family("bert")


@pytest.fixture(scope="module")
def split(corpus):
    return Split(corpus.paragraphs[:24], corpus.paragraphs[24:26])


def test_every_loop_trains(tiny, split):
    tokenizer = tiny.tokenizer
    rows = loops.lines(tokenizer, split.train)
    for running in (
        loops.tutorial(tiny.copy().model, tokenizer, split.train, batch=4),
        loops.run_mlm(tiny.copy().model, tokenizer, rows),
        loops.run_mlm(tiny.copy().model, tokenizer, loops.groups(tokenizer, split.train)),
        loops.ours(tiny.copy(), split, TrainConfig(tokens_per_step=256, evaluations=1)),
    ):
        steps = [next(running), next(running)]
        assert all(math.isfinite(step.loss) and 0 < step.tokens <= step.slots for step in steps)


def test_a_loop_ends_after_the_steps_it_was_given(tiny, split):
    rows = loops.lines(tiny.tokenizer, split.train[:6])
    assert len(list(loops.run_mlm(tiny.copy().model, tiny.tokenizer, rows, batch=4, steps=5))) == 5


def test_the_tutorial_s_loss_runs_over_every_position_and_its_masks_spare_the_special_tokens(tiny, split):
    tokenizer, rows = tiny.tokenizer, loops.tutorial_rows(tiny.tokenizer, split.train[:4], 256, torch.Generator().manual_seed(0))
    ids, seen, labels = (
        torch.stack(column)
        for column in zip(
            *(
                (torch.tensor(tokenizer(text, max_length=256, truncation=True, padding="max_length")["input_ids"]), row["input_ids"], row["labels"])
                for text, row in zip(split.train, rows, strict=False)
            ),
            strict=True,
        )
    )
    assert torch.equal(labels, ids) and labels.shape == (4, 256) and bool((labels >= 0).all())
    changed = seen != ids
    assert set(seen[changed].tolist()) == {tokenizer.mask_token_id}
    assert not set(ids[changed].tolist()) & {tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id}

    model = tiny.copy().model.eval()
    whole = model(input_ids=seen, attention_mask=torch.stack([row["attention_mask"] for row in rows]), labels=labels)
    assert float(whole.loss) == pytest.approx(float(F.cross_entropy(whole.logits.flatten(0, 1), ids.flatten())), rel=1e-6)


def test_the_hand_loop_does_what_the_trainer_does(tiny, split, tmp_path):
    """The same rows, seed and number of steps: the losses of transformers' own Trainer, step by step."""
    from transformers import Trainer, TrainerCallback, TrainingArguments

    class Losses(TrainerCallback):
        def __init__(self):
            self.seen = []

        def on_log(self, arguments, state, control, logs=None, **_):
            self.seen += [logs["loss"]] if "loss" in logs else []

    rows, losses, model = loops.lines(tiny.tokenizer, split.train[:16]), Losses(), tiny.copy().model
    loops_model = tiny.copy().model
    for dropped in (model, loops_model):
        for module in dropped.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0

    def collate(rows):  # the same masks whatever was drawn before
        torch.manual_seed(len(rows[0]["input_ids"]))
        return loops.collator(tiny.tokenizer)(rows)

    settings = TrainingArguments(
        tmp_path,
        per_device_train_batch_size=8,
        max_steps=2,
        logging_steps=1,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
        remove_unused_columns=False,
    )
    Trainer(model, settings, train_dataset=rows, data_collator=collate, callbacks=[losses]).train()
    assert losses.seen
