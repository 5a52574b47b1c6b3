"""Plan: which text each step reads and which of its tokens are chosen, all decided by the seed before the first step."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from mlm_gui.core.config import TUTORIAL_BATCH, TrainConfig
from mlm_gui.core.masking import MaskedBatch, Vocabulary, mask_tokens
from mlm_gui.core.tokens import Pack, TokenStore, packs


@dataclass(frozen=True)
class Plan:
    """What a run will do, step by step; it can be asked for any step's batch without training the others."""

    store: TokenStore
    vocabulary: Vocabulary
    config: TrainConfig

    @cached_property
    def total_steps(self) -> int:
        steps = sum(len(self._epoch(epoch)) for epoch in range(self.config.epochs))
        return min(steps, self.config.max_steps) if self.config.max_steps else steps

    def batches(self, after: int = 0) -> Iterator[tuple[Pack, MaskedBatch]]:
        """The pack and the draw of step `after` + 1, `after` + 2 …: each epoch in a new order, each batch with new masks."""
        first = 0
        for epoch in range(self.config.epochs):
            groups = self._epoch(epoch)
            for step, sequences in enumerate(groups, start=first):
                if step >= after:
                    yield self._batch(sequences, step)
            first += len(groups)

    def _epoch(self, epoch: int) -> list[np.ndarray]:
        """The sequences of each step of one pass over the text."""
        generator = torch.Generator().manual_seed(mix(self.config.seed, 1, epoch))
        order = torch.randperm(self.store.num_sequences, generator=generator).numpy()
        if self.config.as_taught:
            return np.split(order, range(TUTORIAL_BATCH, len(order), TUTORIAL_BATCH))
        return list(packs(self.store.lengths, self.config.tokens_per_step, order))

    def _batch(self, sequences: np.ndarray, step: int) -> tuple[Pack, MaskedBatch]:
        pack = self.store.pack(sequences)
        if not self.config.as_taught:
            return pack, self.draw(pack, step)
        places = [torch.arange(self.store.offsets[s], self.store.offsets[s + 1]) for s in sequences]
        return pack, self._drawn_once.at(torch.cat(places))

    @cached_property
    def _drawn_once(self) -> MaskedBatch:
        """The masks of the whole text, drawn before the first step, as the tutorial does."""
        everything = self.store.pack(np.arange(self.store.num_sequences))
        generator = torch.Generator().manual_seed(mix(self.config.seed, 2, 0))
        return mask_tokens(everything.input_ids, self.vocabulary.maskable(everything.input_ids), self.config.policy, self.vocabulary, generator)

    def draw(self, pack: Pack, step: int) -> MaskedBatch:
        """The masks of one step, when they are drawn anew for each; step 0 is the first."""
        generator = torch.Generator().manual_seed(mix(self.config.seed, 2, step))
        maskable = self.vocabulary.maskable(pack.input_ids)
        return mask_tokens(pack.input_ids, maskable, self.config.policy, self.vocabulary, generator, pack.sequences)


def mix(seed: int, purpose: int, number: int) -> int:
    """A generator seed for one purpose and number, far from those of its neighbours (splitmix64's multipliers)."""
    mixed = (seed * 0x9E3779B97F4A7C15 + purpose * 0xBF58476D1CE4E5B9 + number * 0x94D049BB133111EB) % 2**64
    return (mixed ^ (mixed >> 31)) % 2**63


def parts(pack: Pack, batch: MaskedBatch, num_parts: int) -> list[tuple[Pack, MaskedBatch]]:
    """The same sequences as at most `num_parts` smaller packs of nearly equal size, in order."""
    if num_parts == 1:
        return [(pack, batch)]
    lengths = pack.lengths.numpy()
    ends = np.cumsum(lengths)
    found = []
    for sequences in packs(lengths, len(pack.input_ids) / num_parts, np.arange(len(lengths))):
        place = slice(int(ends[sequences[0]] - lengths[sequences[0]]), int(ends[sequences[-1]]))
        part = Pack(pack.input_ids[place], pack.lengths[sequences[0] : sequences[-1] + 1], pack.continues[place])
        found.append((part, batch.at(place)))
    return found
