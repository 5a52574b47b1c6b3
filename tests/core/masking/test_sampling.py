"""The masking rule: which tokens are chosen, what becomes of them, and which are protected."""

import copy
import dataclasses
import math

import families
import pytest
import torch
from scipy.stats import binom

from mlm_gui.core.config import TrainConfig
from mlm_gui.core.masking.policy import IGNORED, Fate, MaskPolicy
from mlm_gui.core.masking.sampling import Vocabulary, mask_pack, mask_tokens
from mlm_gui.core.tokens import tokenize
from mlm_gui.core.training.plan import Plan
from mlm_gui.errors import UserError

HUGE = 10**400  # an int that no float can hold
LITERAL_SPECIALS = (
    "The beans [MASK] are sown <mask> in April [SEP] and [CLS] the peas </s> before <s> them [PAD] "
    "all <pad> of it.",
    "A line with [UNK] and <unk> and |||EMAIL_ADDRESS||| and characters that no small vocabulary "
    "has: 漢字 \U0001f331.",
    "Beans.",
)
NUM_TOKENS = 1_000_000
CERTAIN = 1 - 1e-6


def vocabulary_of(num_ids: int = 1_000) -> Vocabulary:
    return Vocabulary(mask_id=4, special_ids=torch.arange(5), ordinary_ids=torch.arange(5, num_ids))


def inside(count: int, n: int, p: float) -> bool:
    low, high = binom.interval(CERTAIN, n, p)
    return low <= count <= high


@pytest.fixture(scope="module")
def million():
    """One long sequence of ordinary tokens, and its draw by the default policy."""
    vocabulary = vocabulary_of()
    ids = torch.randint(5, 1_000, (NUM_TOKENS,), generator=torch.Generator().manual_seed(1))
    return ids, mask_tokens(
        ids, vocabulary.maskable(ids), MaskPolicy(), vocabulary, torch.Generator().manual_seed(2)
    )


@pytest.mark.parametrize("kind", families.TOKENIZERS)
def test_special_tokens_are_never_chosen_over_many_draws(family, corpus, kind):
    lm = family(kind)
    store = tokenize((*LITERAL_SPECIALS, *corpus.paragraphs[:20]), lm.tokenizer, lm.max_length)
    pack = store.pack(range(store.num_sequences))
    # an independent list: what the tokenizer marks as special in its table of added tokens
    special = torch.tensor(
        [number for number, token in lm.tokenizer.added_tokens_decoder.items() if token.special]
    )
    is_special = torch.isin(pack.input_ids, special)
    assert is_special.sum() > 2 * store.num_sequences, (
        "the literal special tokens of the texts must be in the row too"
    )
    policy = MaskPolicy(rate=0.5)
    for seed in range(200):
        batch = mask_pack(pack, policy, lm.vocabulary, torch.Generator().manual_seed(seed))
        assert not (batch.chosen & is_special).any()
        assert (batch.fates[is_special] == Fate.SPECIAL).all()
        assert torch.equal(batch.input_ids[is_special], pack.input_ids[is_special])


@pytest.mark.parametrize("kind", families.TOKENIZERS)
def test_the_vocabulary_protects_exactly_what_the_tokenizer_calls_special(family, kind):
    tokenizer = family(kind).tokenizer
    vocabulary = Vocabulary.of(tokenizer)
    marked = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    assert set(vocabulary.special_ids.tolist()) == marked
    assert set(vocabulary.ordinary_ids.tolist()) == set(tokenizer.get_vocab().values()) - marked
    assert vocabulary.mask_id == tokenizer.mask_token_id


@pytest.mark.parametrize("kind", families.TOKENIZERS)
def test_every_family_protects_its_own_start_and_end(family, kind):
    lm = family(kind)
    ids = torch.tensor(lm.tokenizer("We sow the beans.")["input_ids"])
    maskable = lm.vocabulary.maskable(ids)
    assert not maskable[0] and not maskable[-1] and maskable[1:-1].all()


@pytest.mark.parametrize("kind", families.TOKENIZERS)
def test_a_random_replacement_is_never_special(family, kind):
    lm = family(kind)
    ids = lm.vocabulary.ordinary_ids.repeat(200)
    batch = mask_tokens(
        ids,
        lm.vocabulary.maskable(ids),
        MaskPolicy(rate=0.9, mask_share=0, random_share=1),
        lm.vocabulary,
        torch.Generator().manual_seed(0),
    )
    swapped = batch.input_ids[batch.fates == Fate.RANDOM]
    assert len(swapped) > 10_000
    assert not torch.isin(swapped, lm.vocabulary.special_ids).any()
    assert len(swapped.unique()) == len(lm.vocabulary.ordinary_ids), (
        "every ordinary token can come up"
    )


def test_a_pad_token_is_protected_too():
    vocabulary = vocabulary_of()
    ids = torch.cat([torch.tensor([2, 50, 60, 3]), torch.zeros(500, dtype=torch.int64)])
    batch = mask_tokens(
        ids,
        vocabulary.maskable(ids),
        MaskPolicy(rate=0.9),
        vocabulary,
        torch.Generator().manual_seed(0),
    )
    assert (batch.fates[4:] == Fate.SPECIAL).all() and (batch.labels[4:] == IGNORED).all()


def test_the_chosen_share_is_inside_the_binomial_bounds(million):
    _, batch = million
    assert inside(int(batch.chosen.sum()), NUM_TOKENS, 0.15)


@pytest.mark.parametrize(
    ("fate", "share"), [(Fate.MASK, 0.8), (Fate.RANDOM, 0.1), (Fate.KEPT, 0.1)]
)
def test_the_80_10_10_split_is_inside_the_binomial_bounds(million, fate, share):
    _, batch = million
    assert inside(int((batch.fates == fate).sum()), int(batch.chosen.sum()), share)


@pytest.mark.parametrize("rate", [0.01, 0.4, 0.9])
def test_another_rate_is_kept_too(rate):
    vocabulary, ids = vocabulary_of(), torch.full((300_000,), 7)
    batch = mask_tokens(
        ids,
        vocabulary.maskable(ids),
        MaskPolicy(rate=rate),
        vocabulary,
        torch.Generator().manual_seed(3),
    )
    assert inside(int(batch.chosen.sum()), 300_000, rate)


def test_neighbouring_choices_are_independent(million):
    _, batch = million
    both = int((batch.chosen[0::2] & batch.chosen[1::2]).sum())
    assert inside(both, NUM_TOKENS // 2, 0.15**2)


def test_what_becomes_of_a_token_does_not_depend_on_how_low_its_draw_was(million):
    _, batch = million
    low = batch.chosen & (batch.draws < 0.075)
    assert inside(int((batch.fates[low] == Fate.MASK).sum()), int(low.sum()), 0.8)


def test_random_replacements_are_spread_evenly(million):
    _, batch = million
    swapped = batch.input_ids[batch.fates == Fate.RANDOM]
    assert inside(int((swapped < 5 + 995 // 5).sum()), len(swapped), 199 / 995)


def test_labels_are_minus_100_exactly_outside_the_chosen(million):
    _, batch = million
    chosen = (batch.fates == Fate.MASK) | (batch.fates == Fate.RANDOM) | (batch.fates == Fate.KEPT)
    assert torch.equal(batch.labels != -100, chosen)


def test_labels_carry_the_original_ids(million):
    ids, batch = million
    assert torch.equal(batch.labels[batch.chosen], ids[batch.chosen])


def test_kept_tokens_are_still_predicted(million):
    ids, batch = million
    kept = batch.fates == Fate.KEPT
    assert kept.any()
    assert torch.equal(batch.input_ids[kept], ids[kept])
    assert torch.equal(batch.labels[kept], ids[kept])


def test_hidden_tokens_show_the_mask_and_others_are_left_alone(million):
    ids, batch = million
    assert (batch.input_ids[batch.fates == Fate.MASK] == 4).all()
    untouched = batch.fates == Fate.UNTOUCHED
    assert torch.equal(batch.input_ids[untouched], ids[untouched])


def test_the_tutorial_s_policy_hides_every_chosen_token():
    vocabulary, ids = vocabulary_of(), torch.full((10_000,), 7)
    batch = mask_tokens(
        ids,
        vocabulary.maskable(ids),
        MaskPolicy(mask_share=1, random_share=0),
        vocabulary,
        torch.Generator().manual_seed(0),
    )
    assert (batch.fates[batch.chosen] == Fate.MASK).all()


def test_every_sequence_with_a_maskable_token_gets_at_least_one_chosen():
    vocabulary = vocabulary_of()
    lengths = torch.arange(1, 200) % 5 + 1
    sequences = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    ids = torch.randint(0, 40, (len(sequences),), generator=torch.Generator().manual_seed(0))
    maskable = vocabulary.maskable(ids)
    for seed in range(100):
        batch = mask_tokens(
            ids,
            maskable,
            MaskPolicy(rate=0.01),
            vocabulary,
            torch.Generator().manual_seed(seed),
            sequences=sequences,
        )
        num_maskable = torch.bincount(sequences[maskable], minlength=len(lengths))
        num_chosen = torch.bincount(sequences[batch.chosen], minlength=len(lengths))
        assert torch.equal(num_maskable > 0, num_chosen > 0)
        num_rescued = torch.bincount(sequences[batch.rescued], minlength=len(lengths))
        assert num_rescued.max() == 1, "a rescue adds one token, not more"
        assert (batch.draws[batch.chosen & ~batch.rescued] < 0.01).all()
        assert (batch.draws[batch.rescued] >= 0.01).all()


def test_a_row_without_maskable_tokens_is_left_whole():
    vocabulary, ids = vocabulary_of(), torch.tensor([2, 1, 1, 3])
    batch = mask_tokens(
        ids,
        vocabulary.maskable(ids),
        MaskPolicy(rate=0.9),
        vocabulary,
        torch.Generator().manual_seed(0),
    )
    assert not batch.chosen.any() and torch.equal(batch.input_ids, ids)


def test_the_same_seed_gives_the_same_masks_and_another_seed_others():
    vocabulary, ids = vocabulary_of(), torch.full((1_000,), 7)
    first, again, other = (
        mask_tokens(
            ids,
            vocabulary.maskable(ids),
            MaskPolicy(),
            vocabulary,
            torch.Generator().manual_seed(seed),
        )
        for seed in (5, 5, 6)
    )
    for name in ("input_ids", "labels", "fates", "draws"):
        assert torch.equal(getattr(first, name), getattr(again, name))
    assert not torch.equal(first.chosen, other.chosen)


@pytest.mark.parametrize("kind", families.TOKENIZERS)
def test_masks_are_fresh_in_each_epoch_and_follow_the_seed(family, corpus, kind):
    lm = family(kind)
    config = TrainConfig(epochs=3, tokens_per_step=65_536)

    def choices(config: TrainConfig) -> list[list[list[bool]]]:
        """For each epoch and sequence, which tokens were chosen; sequences sorted by their ids."""
        epochs = []
        for pack, batch in Plan.of(lm, corpus.paragraphs[:6], config).batches():
            lengths = pack.lengths.tolist()
            ids = [row.tolist() for row in pack.input_ids.split(lengths)]
            chosen = [row.tolist() for row in batch.chosen.split(lengths)]
            epochs.append([flags for _, flags in sorted(zip(ids, chosen, strict=True))])
        return epochs

    first, second, third = choices(config)
    assert choices(config) == [first, second, third]
    assert first != second and second != third and first != third
    assert choices(dataclasses.replace(config, seed=1))[0] != first


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate": math.nan},
        {"rate": math.inf},
        {"rate": -0.1},
        {"rate": 0},
        {"rate": 1.5},
        {"rate": "0.15"},
        {"rate": True},
        {"rate": None},
        {"mask_share": math.nan},
        {"mask_share": 1.1},
        {"random_share": -0.1},
        {"random_share": math.nan},
        {"mask_share": 0.8, "random_share": 0.3},
        {"rate": HUGE},
    ],
)
def test_a_bad_policy_is_refused(wrong):
    with pytest.raises(UserError):
        MaskPolicy(**wrong)


def test_a_tokenizer_without_a_mask_token_is_refused(family):
    tokenizer = copy.deepcopy(family("modernbert").tokenizer)
    tokenizer.mask_token = None
    with pytest.raises(UserError, match="no mask token"):
        Vocabulary.of(tokenizer)
