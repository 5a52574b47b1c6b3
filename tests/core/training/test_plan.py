"""The plan of a run: every paragraph once in an epoch, and any step without the ones before.

Both hold however many shards the text is tokenised in.
"""

import collections
from itertools import islice

import pytest
import torch

from mlm_gui.core import tokens
from mlm_gui.core.config import TrainConfig
from mlm_gui.core.tokens import SHARD_CHARACTERS, tokenize
from mlm_gui.core.training import plan as plan_module
from mlm_gui.core.training.plan import Plan

CONFIG = TrainConfig(epochs=3, tokens_per_step=1024)


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(tokens, "SHARD_CHARACTERS", 12_000)


@pytest.fixture
def tokenized(monkeypatch) -> list[str]:
    """The first paragraph of every shard that is tokenised, in order."""
    first_paragraphs = []

    def recorded(paragraphs, *options, **named_options):
        first_paragraphs.append(paragraphs[0])
        return tokenize(paragraphs, *options, **named_options)

    monkeypatch.setattr(plan_module, "tokenize", recorded)
    return first_paragraphs


def plan_of(lm, corpus, folder=None, config=CONFIG) -> Plan:
    return Plan.of(lm, corpus.paragraphs, config, folder)


def sequences(batches) -> collections.Counter:
    return collections.Counter(
        tuple(row.tolist())
        for pack, _ in batches
        for row in pack.input_ids.split(pack.lengths.tolist())
    )


def test_a_short_text_is_one_shard(lm, corpus):
    assert sum(map(len, corpus.paragraphs)) < SHARD_CHARACTERS
    assert len(plan_of(lm, corpus).shards) == 1


def test_a_long_text_is_used_once_in_every_epoch(lm, corpus, small_shards):
    plan = plan_of(lm, corpus)
    assert len(plan.shards) >= 3
    batches = list(plan.batches())
    assert len(batches) == plan.total_steps and plan.steps_per_epoch == plan.total_steps / 3
    steps = round(plan.steps_per_epoch)
    store = tokenize(corpus.paragraphs, lm.tokenizer, lm.max_length)
    whole = collections.Counter(
        tuple(store.ids[a:b].tolist())
        for a, b in zip(store.offsets, store.offsets[1:], strict=False)
    )
    for epoch in range(3):
        assert sequences(batches[epoch * steps : (epoch + 1) * steps]) == whole
    assert plan.shards.num_tokens == pytest.approx(store.num_tokens, rel=0.1)


@pytest.mark.parametrize("num_shards", [1, 4])
def test_any_step_can_be_asked_for_without_the_ones_before(lm, corpus, request, num_shards):
    if num_shards > 1:
        request.getfixturevalue("small_shards")
    batches = list(plan_of(lm, corpus).batches())
    for after in (0, 1, 7, len(batches) // 2, len(batches) - 1, len(batches)):
        rest = list(plan_of(lm, corpus).batches(after))
        assert len(rest) == len(batches) - after
        for (pack, batch), (expected_pack, expected) in zip(rest, batches[after:], strict=True):
            assert torch.equal(pack.input_ids, expected_pack.input_ids)
            assert torch.equal(batch.input_ids, expected.input_ids)


def test_the_first_step_waits_for_the_first_shard_only(lm, corpus, small_shards, tokenized):
    plan = plan_of(lm, corpus)
    assert plan.total_steps and next(plan.batches())
    assert tokenized == [corpus.paragraphs[0]]
    list(islice(plan.batches(), 12))
    places = [corpus.paragraphs.index(paragraph) for paragraph in tokenized]
    assert len(places) > 1 and places == sorted(places)


def test_tokens_cached_on_disk_are_the_tokens(lm, corpus, small_shards, tmp_path, tokenized):
    in_memory = list(plan_of(lm, corpus).batches())
    first = list(plan_of(lm, corpus, tmp_path).batches())
    files = sorted(tmp_path.iterdir())
    assert len(files) == len(plan_of(lm, corpus).shards)
    num_tokens = sum(len(pack.input_ids) for pack, _ in first)
    assert sum(file.stat().st_size for file in files) < 8 * num_tokens
    files[1].write_bytes(files[1].read_bytes()[:50])
    files[2].write_bytes(b"")
    damaged = list(plan_of(lm, corpus, tmp_path).batches())
    tokenized.clear()
    cached = list(plan_of(lm, corpus, tmp_path).batches())
    assert not tokenized, "every shard is read from its file"
    for (pack, batch), *others in zip(in_memory, first, damaged, cached, strict=True):
        for other_pack, other in others:
            assert torch.equal(pack.input_ids, other_pack.input_ids)
            assert torch.equal(pack.continues, other_pack.continues)
            assert torch.equal(batch.labels, other.labels)
            assert torch.equal(batch.input_ids, other.input_ids)


@pytest.mark.parametrize("calls", [1, 7, 1000])
def test_the_same_seed_gives_the_same_masks_however_the_text_is_fed_to_the_tokenizer(
    lm, corpus, monkeypatch, calls
):
    expected = list(islice(plan_of(lm, corpus).batches(), 5))
    monkeypatch.setattr(tokens, "PARAGRAPHS_PER_CALL", calls)
    batches = islice(plan_of(lm, corpus).batches(), 5)
    for (pack, batch), (expected_pack, expected_batch) in zip(batches, expected, strict=True):
        assert torch.equal(pack.input_ids, expected_pack.input_ids)
        assert torch.equal(batch.labels, expected_batch.labels)


def test_one_endless_paragraph_is_a_shard_of_its_own(lm, corpus, small_shards):
    text = [" ".join(corpus.paragraphs), *corpus.paragraphs[:3]]
    plan = Plan.of(lm, text, TrainConfig(epochs=1))
    num_tokens = sum(len(row) for row in sequences(plan.batches()))
    assert len(plan.shards) == 2
    assert num_tokens > 0.9 * tokenize(corpus.paragraphs, lm.tokenizer, 512).num_tokens
