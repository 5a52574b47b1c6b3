"""The plan of a run: every paragraph once in a pass, whatever pieces the text is tokenised in, and any step without the ones before."""

import collections
from itertools import islice

import pytest
import torch

from mlm_gui.core import tokens
from mlm_gui.core.config import TrainConfig
from mlm_gui.core.tokens import PIECE_CHARACTERS, Pieces, tokenize
from mlm_gui.core.training.plan import Plan

CONFIG = TrainConfig(epochs=3, tokens_per_step=1024)


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(tokens, "PIECE_CHARACTERS", 12_000)


def plan_of(lm, corpus, folder=None, config=CONFIG) -> Plan:
    return Plan.of(lm, corpus.paragraphs, config, folder)


def sequences(batches) -> collections.Counter:
    return collections.Counter(
        tuple(row.tolist())
        for pack, _ in batches
        for row in pack.input_ids.split(pack.lengths.tolist())
    )


def test_a_short_text_is_one_piece(lm, corpus):
    assert (
        sum(map(len, corpus.paragraphs)) < PIECE_CHARACTERS and len(plan_of(lm, corpus).pieces) == 1
    )


def test_a_long_text_passes_once_in_every_epoch(lm, corpus, small_pieces):
    plan = plan_of(lm, corpus)
    assert len(plan.pieces) >= 3
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
    assert plan.pieces.num_tokens == pytest.approx(store.num_tokens, rel=0.1)


@pytest.mark.parametrize("pieces", [1, 4])
def test_any_step_can_be_asked_for_without_the_ones_before(lm, corpus, request, pieces):
    if pieces > 1:
        request.getfixturevalue("small_pieces")
    batches = list(plan_of(lm, corpus).batches())
    for after in (0, 1, 7, len(batches) // 2, len(batches) - 1, len(batches)):
        rest = list(plan_of(lm, corpus).batches(after))
        assert len(rest) == len(batches) - after
        for (pack, batch), (expected_pack, expected) in zip(rest, batches[after:], strict=True):
            assert torch.equal(pack.input_ids, expected_pack.input_ids) and torch.equal(
                batch.input_ids, expected.input_ids
            )


def test_the_first_step_waits_for_the_first_piece_only(lm, corpus, small_pieces, monkeypatch):
    cut = []
    real = Pieces._write
    monkeypatch.setattr(
        Pieces,
        "_write",
        lambda self, number, store: cut.append(number) or real(self, number, store),
    )
    plan = plan_of(lm, corpus)
    assert plan.total_steps and next(plan.batches()) and cut == [0]
    list(islice(plan.batches(), 12))
    assert cut == sorted(cut) and len(cut) > 1


def test_tokens_kept_on_disk_are_the_tokens(lm, corpus, small_pieces, tmp_path, monkeypatch):
    in_memory = list(plan_of(lm, corpus).batches())
    first = list(plan_of(lm, corpus, tmp_path).batches())
    files = sorted(tmp_path.iterdir())
    assert len(files) == len(plan_of(lm, corpus).pieces) and sum(
        file.stat().st_size for file in files
    ) < 8 * sum(len(p.input_ids) for p, _ in first)
    files[1].write_bytes(files[1].read_bytes()[:50])
    files[2].write_bytes(b"")
    damaged = list(plan_of(lm, corpus, tmp_path).batches())
    monkeypatch.setattr(Pieces, "_write", None)  # every piece is read now
    again = list(plan_of(lm, corpus, tmp_path).batches())
    for (pack, batch), *others in zip(in_memory, first, damaged, again, strict=True):
        for other_pack, other in others:
            assert torch.equal(pack.input_ids, other_pack.input_ids) and torch.equal(
                pack.continues, other_pack.continues
            )
            assert torch.equal(batch.labels, other.labels) and torch.equal(
                batch.input_ids, other.input_ids
            )


@pytest.mark.parametrize("calls", [1, 7, 1000])
def test_the_same_seed_gives_the_same_masks_however_the_text_is_fed_to_the_tokenizer(
    lm, corpus, monkeypatch, calls
):
    expected = list(islice(plan_of(lm, corpus).batches(), 5))
    monkeypatch.setattr(tokens, "PARAGRAPHS_PER_CALL", calls)
    for (pack, batch), (expected_pack, expected_batch) in zip(
        plan_of(lm, corpus).batches(), expected, strict=False
    ):
        assert torch.equal(pack.input_ids, expected_pack.input_ids) and torch.equal(
            batch.labels, expected_batch.labels
        )


def test_one_endless_paragraph_is_a_piece_of_its_own(lm, corpus, small_pieces):
    text = [" ".join(corpus.paragraphs), *corpus.paragraphs[:3]]
    plan = Plan.of(lm, text, TrainConfig(epochs=1))
    found = sequences(plan.batches())
    assert (
        len(plan.pieces) == 2
        and sum(len(row) for row in found)
        > len(tokenize(corpus.paragraphs, lm.tokenizer, 512).ids) * 0.9
    )
