"""Plan: the text and the masks of every step, decided by the seed before the first step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from mlm_gui.core import validation
from mlm_gui.core.config import TUTORIAL_BATCH, TrainConfig
from mlm_gui.core.corpus.paragraphs import lengths_of
from mlm_gui.core.masking.sampling import MaskedBatch, Vocabulary, mask_pack, mask_tokens
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.core.tokens import LONGEST_SEQUENCE, Pack, Shards, TokenStore, packs, tokenize


class Purpose(IntEnum):
    """What random numbers are drawn for; see `mix`."""

    ORDER = 1
    MASKS = 2
    DROPOUT = 3
    SHARD_ORDER = 4


_SHARD_STRIDE = 1_000_003
"""Keeps the seeds of one shard's epochs apart from those of the next shard."""
Step = tuple[Pack, MaskedBatch]
"""The text of one step and its masks."""


@dataclass(frozen=True)
class Plan:
    """What a run does in each step; any step can be asked for without training the others."""

    shards: Shards
    vocabulary: Vocabulary
    config: TrainConfig
    row_length: int = 0
    """Positions that tutorial mode pads each sequence to; 0 when nothing is padded."""

    @classmethod
    def of(
        cls,
        lm: MaskedLM,
        paragraphs: Sequence[str],
        config: TrainConfig,
        folder: Path | None = None,
    ) -> "Plan":
        """The plan of training `lm` on these paragraphs.

        Sequences without a maskable token are left out. folder: see `Shards`. Raises UserError as
        `TrainConfig.check_length` does.
        """
        config.check_length(int(lengths_of(paragraphs).sum()))
        # a plan may be kept longer than the model, so `cut` must not hold `lm`
        tokenizer = lm.tokenizer
        vocabulary = lm.vocabulary
        max_length = lm.max_length

        def has_maskable(ids: torch.Tensor) -> bool:
            return bool(vocabulary.maskable(ids).any())

        def cut(part: Sequence[str]) -> TokenStore:
            store = tokenize(part, tokenizer, max_length, cut=config.tutorial_mode)
            return store.where(has_maskable)

        shards = Shards(paragraphs, cut, folder, whole=config.tutorial_mode)
        return cls(shards, vocabulary, config, max_length if config.tutorial_mode else 0)

    @cached_property
    def total_steps(self) -> int:
        return min(self._all_steps, self.config.max_steps or self._all_steps)

    @cached_property
    def steps_per_epoch(self) -> float:
        """Steps of one epoch; the mean, when the epochs differ by a step."""
        return self._all_steps / self.config.epochs

    @cached_property
    def _all_steps(self) -> int:
        """Steps of all epochs, without the limit of `max_steps`."""
        return sum(
            self._num_steps(epoch, shard)
            for epoch in range(self.config.epochs)
            for shard in range(len(self.shards))
        )

    def batches(self, after: int = 0) -> Iterator[Step]:
        """The steps `after` + 1, `after` + 2 … with a new order in each epoch.

        Every batch has new masks, except in tutorial mode.
        """
        first = 0
        for epoch in range(self.config.epochs):
            for shard in self._shard_order(epoch):
                num_steps = self._num_steps(epoch, shard)
                if after < first + num_steps:
                    store = self.shards[shard]
                    groups = self._groups(store, epoch, shard)
                    for step in range(max(first, after), first + num_steps):
                        yield self._batch(store, groups[(step - first) % len(groups)], step)
                first += num_steps

    def batch_at(self, step: int) -> Step:
        """Step 1, 2 …; raises UserError for a step that the run does not have."""
        number = validation.whole("The step", step, 1, self.total_steps)
        return next(self.batches(after=number - 1))

    def _shard_order(self, epoch: int) -> list[int]:
        """The first epoch keeps the text's order, so that it can start before all is tokenised."""
        if epoch == 0:
            return list(range(len(self.shards)))
        generator = torch.Generator().manual_seed(mix(self.config.seed, Purpose.SHARD_ORDER, epoch))
        order: list[int] = torch.randperm(len(self.shards), generator=generator).tolist()
        return order

    def _num_steps(self, epoch: int, shard: int) -> int:
        """Steps of one shard: exact for a single shard, otherwise set before it is tokenised."""
        if len(self.shards) == 1:
            return len(self._groups(self.shards[0], epoch, 0))
        return max(1, round(self.shards.num_tokens_in(shard) / self._tokens_per_step))

    @property
    def _tokens_per_step(self) -> int:
        if len(self.shards) == 1:
            return self.config.tokens_per_step
        return max(self.config.tokens_per_step, 2 * LONGEST_SEQUENCE)

    def _groups(self, store: TokenStore, epoch: int, shard: int) -> list[np.ndarray]:
        """The sequences of each step, in a new order for each epoch."""
        seed = mix(self.config.seed, Purpose.ORDER, epoch + shard * _SHARD_STRIDE)
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(store.num_sequences, generator=generator).numpy()
        if self.config.tutorial_mode:
            return np.split(order, range(TUTORIAL_BATCH, len(order), TUTORIAL_BATCH))
        num_packs = None if len(self.shards) == 1 else self._num_steps(epoch, shard)
        return list(packs(store.lengths, self._tokens_per_step, order, num_packs))

    def _batch(self, store: TokenStore, sequences: np.ndarray, step: int) -> Step:
        pack = store.pack(sequences)
        if not self.config.tutorial_mode:
            return pack, self.draw(pack, step)
        positions = [torch.arange(store.offsets[s], store.offsets[s + 1]) for s in sequences]
        return pack, self._drawn_once.at(torch.cat(positions))

    @cached_property
    def _drawn_once(self) -> MaskedBatch:
        """The masks of the whole text, drawn before the first step, as the tutorial does."""
        store = self.shards[0]
        pack = store.pack(np.arange(store.num_sequences))
        return mask_tokens(
            pack.input_ids,
            self.vocabulary.maskable(pack.input_ids),
            self.config.policy,
            self.vocabulary,
            torch.Generator().manual_seed(mix(self.config.seed, Purpose.MASKS, 0)),
            words=pack.words,
        )

    def draw(self, pack: Pack, step: int) -> MaskedBatch:
        """New masks for one step; step 0 is the first."""
        generator = torch.Generator().manual_seed(mix(self.config.seed, Purpose.MASKS, step))
        return mask_pack(pack, self.config.policy, self.vocabulary, generator)


def mix(seed: int, purpose: Purpose, number: int) -> int:
    """A generator seed for one purpose and number, unlike those of neighbouring numbers.

    The multipliers are those of splitmix64.
    """
    mixed = (
        seed * 0x9E3779B97F4A7C15 + purpose * 0xBF58476D1CE4E5B9 + number * 0x94D049BB133111EB
    ) % 2**64
    return (mixed ^ (mixed >> 31)) % 2**63


def micro_batches(pack: Pack, batch: MaskedBatch, count: int) -> list[Step]:
    """The same sequences in order, as at most `count` packs of nearly equal size."""
    if count == 1:
        return [(pack, batch)]
    lengths = pack.lengths.numpy()
    ends = np.cumsum(lengths)
    tokens_per_part = len(pack.input_ids) / count
    divided = []
    for sequences in packs(lengths, tokens_per_part, np.arange(len(lengths))):
        first, last = int(sequences[0]), int(sequences[-1])
        tokens = slice(int(ends[first] - lengths[first]), int(ends[last]))
        part = Pack(pack.input_ids[tokens], pack.lengths[first : last + 1], pack.continues[tokens])
        divided.append((part, batch.at(tokens)))
    return divided
