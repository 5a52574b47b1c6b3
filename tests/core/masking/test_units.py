"""Whole words and spans, and tokens that a person forces or forbids."""

from itertools import pairwise

import families
import pytest
import torch

from mlm_gui.core.masking.expectation import span_distribution, span_interval
from mlm_gui.core.masking.policy import MAX_SPAN_WORDS, UNITS, Fate, MaskPolicy
from mlm_gui.core.masking.sampling import Vocabulary, mask_tokens, span_chances
from mlm_gui.core.tokens import tokenize
from mlm_gui.errors import UserError


def pack_of(lm, corpus):
    store = tokenize(corpus.paragraphs[:40], lm.tokenizer, lm.max_length)
    return store.pack(range(store.num_sequences))


def draw(lm, pack, policy, seed=0, **marks):
    maskable = lm.vocabulary.maskable(pack.input_ids)
    generator = torch.Generator().manual_seed(seed)
    return mask_tokens(
        pack.input_ids,
        maskable,
        policy,
        lm.vocabulary,
        generator,
        sequences=pack.sequences,
        words=pack.words,
        **marks,
    )


@pytest.mark.parametrize("kind", families.TOKENIZERS)
@pytest.mark.parametrize("unit", ["word", "span"])
def test_a_whole_word_is_never_split(family, corpus, kind, unit):
    lm = family(kind)
    pack = pack_of(lm, corpus)
    maskable = lm.vocabulary.maskable(pack.input_ids)
    goes_on = pack.continues & maskable & maskable.roll(1)
    assert goes_on.sum() > 100
    for seed in range(20):
        batch = draw(lm, pack, MaskPolicy(rate=0.3, unit=unit), seed)
        assert torch.equal(batch.chosen[goes_on], batch.chosen.roll(1)[goes_on])
        assert not (batch.chosen & ~maskable).any() and batch.chosen.any()


@pytest.mark.parametrize("unit", ["word", "span"])
def test_tokens_of_one_word_meet_the_80_10_10_rule_one_by_one(lm, corpus, unit):
    pack = pack_of(lm, corpus)
    pairs = pack.continues[1:]
    batch = draw(lm, pack, MaskPolicy(rate=0.9, unit=unit))
    assert (batch.fates[1:][pairs] != batch.fates[:-1][pairs]).any()


VOCABULARY = Vocabulary(mask_id=4, special_ids=torch.arange(5), ordinary_ids=torch.arange(5, 100))


def row_of_words(num_tokens: int) -> torch.Tensor:
    """Ordinary tokens, each a word, in sequences of 100 with a protected token at either end."""
    ids = torch.full((num_tokens,), 7)
    ids[::100] = 2
    ids[99::100] = 3
    return ids


def draw_row(ids: torch.Tensor, policy: MaskPolicy, seed: int):
    """The draw of such a row."""
    numbers = torch.arange(len(ids))
    return mask_tokens(
        ids,
        VOCABULARY.maskable(ids),
        policy,
        VOCABULARY,
        torch.Generator().manual_seed(seed),
        sequences=numbers // 100,
        words=numbers,
    )


@pytest.mark.parametrize("rate", [0.05, 0.15, 0.5])
@pytest.mark.parametrize("unit", UNITS)
def test_every_unit_keeps_the_rate_in_the_middle_and_at_the_edges(unit, rate):
    batch = draw_row(row_of_words(1_000_000), MaskPolicy(rate=rate, unit=unit), 1)
    chosen = (batch.chosen & ~batch.rescued).view(-1, 100)[:, 1:-1].double().mean(0)
    assert abs(chosen.mean() - rate) < 0.005
    assert abs(chosen[0] - rate) < 0.02 and abs(chosen[-1] - rate) < 0.02


def test_spans_have_the_lengths_of_spanbert():
    starting, entering = span_chances(0.15)
    shares = [(longer - even) / starting[0] for longer, even in pairwise((*starting, 0))]
    assert len(shares) == MAX_SPAN_WORDS
    mean_length = sum(length * share for length, share in enumerate(shares, start=1))
    assert mean_length == pytest.approx(3.8, abs=0.01)
    assert all(later / earlier == pytest.approx(0.8) for earlier, later in pairwise(shares))
    assert entering[0] == pytest.approx(0.15, abs=1e-9)


def test_a_span_ends_with_its_sequence_and_before_a_protected_token():
    ids = row_of_words(400)
    ids[50] = 1
    for seed in range(300):
        batch = draw_row(ids, MaskPolicy(rate=0.05, unit="span"), seed)
        begins = batch.chosen & ~batch.chosen.roll(1)
        assert (batch.rescued | (batch.draws < batch.thresholds))[begins].all(), (
            "every run of chosen words begins where a span begins"
        )
        assert not batch.chosen[50] and not batch.chosen[::100].any()


def test_the_distribution_of_spans_is_that_of_many_draws():
    batch = draw_row(row_of_words(400_000), MaskPolicy(unit="span"), 3)
    counts = (batch.chosen & ~batch.rescued).view(-1, 100).sum(1)
    drawn = torch.bincount(counts, minlength=99).double() / len(counts)
    exact = span_distribution([98], 0.15)
    mean = (exact * torch.arange(99)).sum()
    assert float(exact.sum()) == pytest.approx(1)
    assert float(mean) == pytest.approx(98 * 0.15)
    assert float((drawn.cumsum(0) - exact.cumsum(0)).abs().max()) < 0.03
    low, high = span_interval([98], 0.15)
    assert 0.94 < float(((counts >= low) & (counts <= high)).double().mean()) < 0.99


@pytest.mark.parametrize("unit", UNITS)
def test_forced_and_forbidden_tokens_are_respected_and_special_ones_never_forced(lm, corpus, unit):
    pack = pack_of(lm, corpus)
    maskable = lm.vocabulary.maskable(pack.input_ids)
    plain = draw(lm, pack, MaskPolicy(unit=unit))
    force, forbid = torch.rand(2, len(maskable), generator=torch.Generator().manual_seed(9)) < 0.2
    batch = draw(lm, pack, MaskPolicy(unit=unit), force=force, forbid=forbid & ~force)
    assert batch.chosen[force & maskable].all() and not batch.chosen[~maskable].any()
    assert not batch.chosen[forbid & ~force].any()
    same = ~force & ~forbid & ~plain.rescued & ~batch.rescued
    assert torch.equal(batch.chosen[same], plain.chosen[same]), (
        "what is not marked stays as the draw had it"
    )
    assert (batch.fates[~maskable] == Fate.SPECIAL).all()


def test_everything_forbidden_leaves_nothing_chosen(lm, corpus):
    pack = pack_of(lm, corpus)
    assert not draw(lm, pack, MaskPolicy(), forbid=torch.ones_like(pack.continues)).chosen.any()


@pytest.mark.parametrize("unit", ["letter", "", None, 3, [], "Token"])
def test_an_unknown_unit_is_refused(unit):
    with pytest.raises(UserError, match="token, word, span"):
        MaskPolicy(unit=unit)
