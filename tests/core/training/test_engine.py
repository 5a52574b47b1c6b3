"""The loop beside learning: micro-batches, memory, frozen layers, precision, tutorial mode."""

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F

from mlm_gui.core.config import RECIPES, TrainConfig
from mlm_gui.core.corpus.corpus import Split
from mlm_gui.core.model.attention import Boundaries, flash_attention, packed_attention
from mlm_gui.core.training.events import Evaluated, MicroBatchesSplit, Stepped
from mlm_gui.core.training.loop import Training
from mlm_gui.core.training.plan import Plan, micro_batches
from mlm_gui.errors import UserError

SHORT = TrainConfig(epochs=1, max_steps=3, tokens_per_step=512, evaluations=1)


@pytest.fixture(scope="module")
def split(corpus):
    whole = corpus.split(0.1, 0)
    return Split(whole.train[:24], whole.held_out[:4])


def losses(events) -> list[float]:
    return [event.loss for event in events if isinstance(event, Stepped)]


@pytest.mark.parametrize("num_parts", [1, 2, 3, 50])
def test_the_micro_batches_of_a_step_are_the_step(lm, split, num_parts):
    pack, batch = next(Plan.of(lm, split.train, SHORT).batches())
    divided = micro_batches(pack, batch, num_parts)
    assert 1 <= len(divided) <= min(num_parts, len(pack.lengths))
    assert num_parts > 3 or len(divided) == num_parts
    for name in ("input_ids", "lengths", "continues"):
        joined = torch.cat([getattr(part, name) for part, _ in divided])
        assert torch.equal(joined, getattr(pack, name))
    for name in ("input_ids", "labels", "fates", "draws", "rescued"):
        joined = torch.cat([getattr(masked, name) for _, masked in divided])
        assert torch.equal(joined, getattr(batch, name))


@pytest.fixture(scope="module")
def whole_run(lm, split):
    """Every event of SHORT, with one micro-batch a step."""
    return list(Training(lm.copy(), split, SHORT).events())


def test_a_step_in_micro_batches_learns_the_same(lm, split, whole_run):
    config = dataclasses.replace(SHORT, accumulation=4)
    divided = list(Training(lm.copy(), split, config).events())
    assert losses(divided) == pytest.approx(losses(whole_run), rel=1e-5)
    assert divided[-1].loss == pytest.approx(whole_run[-1].loss, rel=1e-4)


def short_of_memory(lm, limit: int):
    """`lm` with a forward pass that fails, as the allocator does, beyond `limit` tokens."""
    real = lm.logits_at

    def logits_at(pack, input_ids, wanted):
        if len(input_ids) > limit and torch.is_grad_enabled():
            raise RuntimeError(
                "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate "
                "memory: you tried to allocate 999 bytes."
            )
        return real(pack, input_ids, wanted)

    lm.logits_at = logits_at
    return lm


def test_too_little_memory_makes_smaller_micro_batches_and_changes_no_number(lm, split, whole_run):
    training = Training(short_of_memory(lm.copy(), 200), split, SHORT)
    events = list(training.events())
    splits = [event for event in events if isinstance(event, MicroBatchesSplit)]
    assert splits[0] == MicroBatchesSplit(1, 2)
    assert splits[-1].parts == training.parts >= 4
    assert losses(events) == pytest.approx(losses(whole_run), rel=1e-5)


def test_no_memory_at_all_ends_in_plain_words_with_the_weights_untouched(lm, split):
    trained = short_of_memory(lm.copy(), 0)
    with pytest.raises(UserError, match="memory is too small"):
        list(Training(trained, split, SHORT).events())
    assert all(
        torch.equal(ours, theirs)
        for ours, theirs in zip(trained.model.parameters(), lm.model.parameters(), strict=True)
    )


def test_other_errors_are_not_taken_for_a_lack_of_memory(lm, split):
    trained = lm.copy()

    def broken(*_):
        raise RuntimeError("shapes do not fit")

    trained.logits_at = broken
    with pytest.raises(RuntimeError, match="shapes"):
        list(Training(trained, split, SHORT).events())


def test_a_loss_that_is_no_number_leaves_the_weights_of_the_step_before(lm, split):
    trained = lm.copy()
    training = Training(trained, split, SHORT)
    events = training.events()
    while training.step < 1:
        next(events)
    good = [parameter.clone() for parameter in trained.model.parameters()]
    trained.logits_at = lambda pack, ids, wanted: (
        trained.model(input_ids=ids[None, :8]).logits[0][:1].expand(int(wanted.sum()), -1)
        * math.nan
    )
    with pytest.raises(UserError, match="no longer a number"):
        list(events)
    assert all(
        torch.equal(ours, before)
        for ours, before in zip(trained.model.parameters(), good, strict=True)
    )


def test_frozen_layers_and_embeddings_stay_as_they_are(lm, split):
    trained = lm.copy()
    list(
        Training(
            trained, split, dataclasses.replace(SHORT, freeze_embeddings=True, freeze_layers=1)
        ).events()
    )
    changed = {
        name
        for (name, ours), theirs in zip(
            trained.model.named_parameters(), lm.model.parameters(), strict=True
        )
        if not torch.equal(ours, theirs)
    }
    assert any("layer.1." in name for name in changed)
    assert not any("layer.0." in name or "embeddings" in name for name in changed)


@pytest.mark.parametrize("kind", ["bert", "albert"])
def test_more_frozen_layers_than_there_are_is_refused(family, split, kind):
    with pytest.raises(UserError, match="cannot be left"):
        Training(
            family(kind).copy(),
            split,
            dataclasses.replace(SHORT, freeze_layers=99 if kind == "bert" else 1),
        )


def test_bfloat16_learns_about_the_same_and_keeps_float32_weights(lm, split, whole_run):
    trained = lm.copy()
    half = list(Training(trained, split, dataclasses.replace(SHORT, precision="bfloat16")).events())
    assert losses(half) == pytest.approx(losses(whole_run), rel=0.02)
    assert {parameter.dtype for parameter in trained.model.parameters()} == {torch.float32}


def test_the_call_for_the_gpu_s_attention_gives_what_the_cpu_gives(monkeypatch):
    """The GPU's kernel cannot run here, so its arguments are checked against its documentation."""

    def varlen_attn(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, scale, window_size):
        assert (
            cu_seq_q.dtype == torch.int32
            and max_q == max_k == int(cu_seq_q.diff().max())
            and torch.equal(cu_seq_q, cu_seq_k)
        )
        rows = []
        for start, end in zip(cu_seq_q.tolist(), cu_seq_q.tolist()[1:], strict=False):
            places = torch.arange(end - start)
            gap = places[None] - places[:, None]
            near = (
                torch.ones_like(gap, dtype=torch.bool)
                if window_size == (-1, -1)
                else (gap >= -window_size[0]) & (gap <= window_size[1])
            )
            scores = torch.einsum("qhd,khd->hqk", query[start:end], key[start:end]) * scale
            rows.append(
                torch.einsum(
                    "hqk,khd->qhd",
                    scores.masked_fill(~near, -torch.inf).softmax(-1),
                    value[start:end],
                )
            )
        return torch.cat(rows)

    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", varlen_attn)
    query, key, value = torch.randn(3, 1, 2, 40, 8, generator=torch.Generator().manual_seed(0))
    boundaries = Boundaries.of(torch.tensor([7, 21, 12]), torch.device("cpu"))
    for window in (None, 5):
        expected, _ = packed_attention(
            None, query, key, value, None, scaling=0.3, sliding_window=window, boundaries=boundaries
        )
        found = flash_attention(query, key, value, 0.3, window, boundaries)
        assert torch.allclose(found, expected, atol=1e-5)


def test_tutorial_mode_is_the_tutorial(family, split, corpus):
    """Padded to the full length, cut off there, masks drawn once, loss over every position."""
    lm = family("bert")
    long = " ".join(corpus.paragraphs[:40])
    text = Split((*split.train[:19], long), split.held_out)
    config = dataclasses.replace(RECIPES["tutorial"], dropout=0.0, evaluations=1)
    trained = lm.copy()
    training = Training(trained, text, config)
    store = training.plan.shards[0]
    assert (store.num_sequences, training.total_steps) == (20, 4)
    assert store.lengths.max() == lm.max_length
    first_pass, second_pass = ([*training.plan.batches()][start : start + 2] for start in (0, 2))
    assert [len(pack.lengths) for pack, _ in first_pass] == [16, 4]

    def drawn(batches) -> set:
        return {
            (tuple(rows.tolist()), tuple(seen.tolist()))
            for pack, batch in batches
            for rows, seen in zip(
                pack.input_ids.split(pack.lengths.tolist()),
                batch.input_ids.split(pack.lengths.tolist()),
                strict=True,
            )
        }

    assert drawn(first_pass) == drawn(second_pass)
    pack, batch = first_pass[0]
    inputs, labels = (
        torch.zeros(2, 16, lm.max_length, dtype=torch.int64) + lm.tokenizer.pad_token_id
    )
    attention = torch.zeros(16, lm.max_length, dtype=torch.int64)
    for row, (seen, right) in enumerate(
        zip(
            batch.input_ids.split(pack.lengths.tolist()),
            pack.input_ids.split(pack.lengths.tolist()),
            strict=True,
        )
    ):
        inputs[row, : len(seen)] = seen
        labels[row, : len(seen)] = right
        attention[row, : len(seen)] = 1
    assert (inputs[inputs != labels] == lm.tokenizer.mask_token_id).all()
    with torch.no_grad():
        expected = lm.model(input_ids=inputs, attention_mask=attention, labels=labels).loss.item()
    events = training.events()
    found = next(event for event in events if isinstance(event, Stepped))
    assert found.loss == pytest.approx(expected, rel=1e-5) and found.learning_rate == 5e-5
    assert isinstance(list(events)[-1], Evaluated)


def test_the_plain_loss_of_transformers_counts_every_position(lm):
    """Why the tutorial's loss is too low: its labels are never -100, which alone is left out."""
    logits = torch.zeros(1, 3, 5)
    labels = torch.tensor([[0, 1, 2]])
    assert F.cross_entropy(logits.view(-1, 5), labels.view(-1)).item() == pytest.approx(math.log(5))


@pytest.mark.parametrize(
    ("epochs", "max_steps", "expected"), [(4, 0, 5e-4), (8, 0, 2.5e-4), (1, 0, 1e-3), (8, 2, 1e-3)]
)
def test_the_chosen_learning_rate_falls_with_the_epochs(lm, split, epochs, max_steps, expected):
    config = TrainConfig(epochs=epochs, max_steps=max_steps, tokens_per_step=512)
    training = Training(lm.copy(), split, config)
    assert next(training.events()).learning_rate == pytest.approx(expected, rel=0.01)
