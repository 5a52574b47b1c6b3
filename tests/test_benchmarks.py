"""The loops that ours is compared with are what they are said to be, and every benchmark gives the
figures it promises.
"""

import math
from dataclasses import asdict
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from transformers import BertConfig

from benchmarks import data, exams, ledger, loops, page, quality, rates, texts, training
from benchmarks.memory import peak_bytes
from mlm_gui.core.config import TrainConfig
from mlm_gui.core.corpus.corpus import Corpus, Document, Split
from mlm_gui.core.masking.policy import Fate
from mlm_gui.core.training.parameters import set_dropout


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


def test_the_tutorial_s_loss_runs_over_every_position_and_its_masks_spare_the_special_tokens(
    tiny, split
):
    tokenizer, rows = (
        tiny.tokenizer,
        loops.tutorial_rows(tiny.tokenizer, split.train[:4], 256, torch.Generator().manual_seed(0)),
    )
    ids = tokenizer(
        list(split.train[:4]),
        max_length=256,
        truncation=True,
        padding="max_length",
        return_tensors="pt",
    )["input_ids"]
    seen, labels, real = (
        torch.stack([row[name] for row in rows])
        for name in ("input_ids", "labels", "attention_mask")
    )
    assert torch.equal(labels, ids) and labels.shape == (4, 256) and bool((labels >= 0).all())
    changed = seen != ids
    assert set(seen[changed].tolist()) == {tokenizer.mask_token_id}
    assert not set(ids[changed].tolist()) & {
        tokenizer.cls_token_id,
        tokenizer.sep_token_id,
        tokenizer.pad_token_id,
    }

    model = tiny.copy().model.eval()
    whole = model(input_ids=seen, attention_mask=real, labels=labels)
    assert whole.loss.item() == pytest.approx(
        F.cross_entropy(whole.logits.flatten(0, 1), ids.flatten()).item(), rel=1e-6
    )


def test_the_hand_loop_does_what_transformers_trainer_does(tiny, split, tmp_path, monkeypatch):
    """Three steps over the same eight rows with the same masks, dropout off: losses and weights of
    the real Trainer.
    """
    from transformers import Trainer, TrainerCallback, TrainingArguments

    class Losses(TrainerCallback):
        def on_log(self, arguments, state, control, logs=None, **_):
            logged.extend([logs["loss"]] if "loss" in logs else [])

    real, logged = loops.collator(tiny.tokenizer), []

    def same_masks(rows):
        torch.manual_seed(0)
        return real([dict(row) for row in sorted(rows, key=lambda row: row["input_ids"])])

    rows, (by_hand, by_trainer) = (
        loops.lines(tiny.tokenizer, split.train[:8]),
        (tiny.copy().model, tiny.copy().model),
    )
    for model in (by_hand, by_trainer):
        set_dropout(model, 0)
    settings = TrainingArguments(
        tmp_path,
        max_steps=3,
        logging_steps=1,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
        remove_unused_columns=False,
    )
    Trainer(
        by_trainer, settings, train_dataset=rows, data_collator=same_masks, callbacks=[Losses()]
    ).train()
    monkeypatch.setattr(loops, "collator", lambda tokenizer: same_masks)
    losses = [step.loss for step in loops.run_mlm(by_hand, tiny.tokenizer, rows, steps=3)]
    assert losses == pytest.approx(logged, rel=1e-4)
    assert len(set(losses)) == 3
    for left, right in zip(by_hand.parameters(), by_trainer.parameters(), strict=True):
        assert torch.allclose(left, right, atol=1e-7)


def test_the_share_of_real_tokens_is_that_of_the_batches():
    assert loops.share_real([4, 4, 4], 2) == 1
    assert loops.share_real([2, 4], 2) == pytest.approx(6 / 8)
    assert loops.share_real([100, 600], 1, padded_to=512) == pytest.approx(612 / 1024)


def test_the_exam_hides_every_chosen_token(tiny, split):
    sat = exams.hidden_exams(split.held_out, tiny)
    assert {
        int(fate)
        for exam in sat
        for _, batch in exam.questions
        for fate in batch.fates[batch.chosen]
    } == {int(Fate.MASK)}
    assert exams.hidden_loss(tiny, sat) == exams.hidden_loss(tiny, sat)


def test_the_operations_of_a_base_step_are_counted_as_by_hand():
    """85 million encoder weights, 5.3 million of them and 24 million of the head at 15 % of the
    tokens, six operations each, and attention over 100.
    """
    counted = training.flops_per_token(BertConfig(), [100, 100], 0.15)
    last = 768 * 768 + 2 * 768 * 3072
    assert counted == pytest.approx(
        6 * (84_934_656 - last) + 12 * 12 * 768 * 100 + 6 * 0.15 * (last + 768 * 768 + 768 * 30_522)
    )


def test_training_gives_the_figures_it_promises(monkeypatch, family_folder):
    monkeypatch.setattr(training, "folder_of", lambda size, home: family_folder("bert"))
    monkeypatch.setattr(training, "matmul_flops_per_second", lambda: 1e11)
    monkeypatch.setattr(
        training.subprocess,
        "run",
        lambda *_, **__: SimpleNamespace(
            stdout='{"peak_memory_gb": 1, "peak_memory_above_libraries_gb": 1}'
        ),
    )
    figures = training.measured(
        SimpleNamespace(
            size="starter", text=[], quick=True, against=["tutorial", "line_by_line", "group_128"]
        )
    )
    promised = {
        "ratio_vs_tutorial",
        "ratio_vs_line_by_line",
        "ratio_vs_group_128",
        "gemm_fraction",
        "peak_memory_gb",
    }
    assert promised <= figures.keys() and all(figures[name] > 0 for name in promised)
    assert "B3 group_texts 128" in training.told(figures)
    assert peak_bytes() > 10**7


def test_one_thread_is_timed_by_the_process_s_own_clock(monkeypatch):
    monkeypatch.setattr(training.time, "process_time", lambda: "its own")
    monkeypatch.setattr(training.time, "perf_counter", lambda: "on the wall")
    clocks = []
    for threads in (1, 2):
        monkeypatch.setattr(training.torch, "get_num_threads", lambda threads=threads: threads)
        clocks.append(training.seconds_now())
    assert clocks == ["its own", "on the wall"]


def test_quality_compares_every_way_at_equal_tokens_and_time(tiny, corpus):
    text = Corpus("a text", (Document("a text", corpus.paragraphs[:12]),))
    figures = quality.summary([quality.compared(tiny, text, seed=0)])
    ways = figures["texts"]["a text"]["ways"]
    assert ways.keys() == quality.NAMES.keys()
    assert all({"equal_tokens", "equal_time"} <= columns.keys() for columns in ways.values())
    assert "1 seeds" in quality.told(figures)


def test_an_interrupted_sweep_goes_on_where_it_was(tmp_path):
    grid = rates.cells(num_corpora=2, seeds=2)
    assert len(set(grid)) == len(grid) == 2 * 2 * len(rates.SETTINGS)
    done = tmp_path / "done.jsonl"
    for cell in grid:
        ledger.append(done, {**asdict(cell), "name": ""})
    assert rates.sweep(done, (), (), seeds=2, seconds=0, workers=1) == 0


def test_a_longer_run_gets_a_lower_rate():
    assert rates.rate_by_rule(100) == pytest.approx(5e-4)
    assert rates.rate_by_rule(400) == pytest.approx(2.5e-4)


def test_a_made_up_text_has_its_size_and_no_paragraph_twice(tmp_path):
    (file,) = data.write_files(0.2, tmp_path)
    paragraphs = texts.corpus_of(file).paragraphs
    assert abs(file.stat().st_size - 200_000) < 2_000
    assert len(set(paragraphs)) == len(paragraphs) > 100


def test_a_percentile_is_a_value_that_was_seen():
    assert page.summary([float(number) for number in range(100, 0, -1)]) == {
        "p50": 50,
        "p95": 95,
        "p99": 99,
        "max": 100,
    }
    assert page.summary([7.0]) == {"p50": 7, "p95": 7, "p99": 7, "max": 7}
