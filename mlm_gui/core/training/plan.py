"""Plan: which text each step reads and which of its tokens are chosen, all decided by the seed before the first step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from mlm_gui.core import validation
from mlm_gui.core.config import TUTORIAL_BATCH, TrainConfig
from mlm_gui.core.corpus.paragraphs import lengths_of
from mlm_gui.core.masking.sampling import MaskedBatch, Vocabulary, mask_tokens
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.core.tokens import LONGEST_SEQUENCE, Pack, Pieces, TokenStore, packs, tokenize


@dataclass(frozen=True)
class Plan:
    """What a run will do, step by step; it can be asked for any step's batch without training the others."""

    pieces: Pieces
    vocabulary: Vocabulary
    config: TrainConfig
    row_length: int = 0
    """Positions that each sequence is padded to when the run goes as taught; 0 when nothing is padded."""

    @classmethod
    def of(
        cls,
        lm: MaskedLM,
        paragraphs: Sequence[str],
        config: TrainConfig,
        folder: Path | None = None,
    ) -> "Plan":
        """The plan of training `lm` on these paragraphs; a sequence that has nothing to hide takes no part. folder: see `Pieces`.

        Raises UserError as `TrainConfig.check_length` does.
        """
        config.check_length(int(lengths_of(paragraphs).sum()))
        tokenizer, vocabulary, max_length = (
            lm.tokenizer,
            lm.vocabulary,
            lm.max_length,
        )  # a plan may be kept longer than the model

        def cut(some: Sequence[str]) -> TokenStore:
            return tokenize(some, tokenizer, max_length, cut=config.tutorial_mode).where(
                lambda ids: bool(vocabulary.maskable(ids).any())
            )

        return cls(
            Pieces(paragraphs, cut, folder, whole=config.tutorial_mode),
            vocabulary,
            config,
            max_length if config.tutorial_mode else 0,
        )

    @cached_property
    def total_steps(self) -> int:
        return min(self._all_steps, self.config.max_steps or self._all_steps)

    @cached_property
    def steps_per_epoch(self) -> float:
        """Steps of one pass over the text; the mean, where the passes differ by a step."""
        return self._all_steps / self.config.epochs

    @cached_property
    def _all_steps(self) -> int:
        return sum(
            self._num_steps(epoch, piece)
            for epoch in range(self.config.epochs)
            for piece in range(len(self.pieces))
        )

    def batches(self, after: int = 0) -> Iterator[tuple[Pack, MaskedBatch]]:
        """The pack and the draw of step `after` + 1, `after` + 2 …: each epoch in a new order, each batch with new masks."""
        first = 0
        for epoch in range(self.config.epochs):
            for piece in self._order_of_pieces(epoch):
                num_steps = self._num_steps(epoch, piece)
                if after < first + num_steps:
                    store = self.pieces[piece]
                    groups = self._groups(store, epoch, piece)
                    for step in range(max(first, after), first + num_steps):
                        yield self._batch(store, groups[(step - first) % len(groups)], step)
                first += num_steps

    def batch_at(self, step: int) -> tuple[Pack, MaskedBatch]:
        """The pack and the draw of step 1, 2 …; raises UserError for a step that the run does not have."""
        return next(self.batches(after=validation.whole("The step", step, 1, self.total_steps) - 1))

    def _order_of_pieces(self, epoch: int) -> list[int]:
        """The first pass goes as the text does, so that it can begin before the rest is tokenised."""
        if epoch == 0:
            return list(range(len(self.pieces)))
        return torch.randperm(
            len(self.pieces),
            generator=torch.Generator().manual_seed(mix(self.config.seed, 4, epoch)),
        ).tolist()

    def _num_steps(self, epoch: int, piece: int) -> int:
        """Exact for a text of one piece; one of several is cut into as many packs as its characters let expect, before it is tokenised."""
        if len(self.pieces) == 1:
            return len(self._groups(self.pieces[0], epoch, 0))
        return max(1, round(self.pieces.num_tokens_in(piece) / self._tokens_per_step))

    @property
    def _tokens_per_step(self) -> int:
        return (
            self.config.tokens_per_step
            if len(self.pieces) == 1
            else max(self.config.tokens_per_step, 2 * LONGEST_SEQUENCE)
        )

    def _groups(self, store: TokenStore, epoch: int, piece: int) -> list[np.ndarray]:
        """The sequences of each step, in a new order for each epoch."""
        generator = torch.Generator().manual_seed(
            mix(self.config.seed, 1, epoch + piece * 1_000_003)
        )
        order = torch.randperm(store.num_sequences, generator=generator).numpy()
        if self.config.tutorial_mode:
            return np.split(order, range(TUTORIAL_BATCH, len(order), TUTORIAL_BATCH))
        num_packs = None if len(self.pieces) == 1 else self._num_steps(epoch, piece)
        return list(packs(store.lengths, self._tokens_per_step, order, num_packs))

    def _batch(
        self, store: TokenStore, sequences: np.ndarray, step: int
    ) -> tuple[Pack, MaskedBatch]:
        pack = store.pack(sequences)
        if not self.config.tutorial_mode:
            return pack, self.draw(pack, step)
        places = [torch.arange(store.offsets[s], store.offsets[s + 1]) for s in sequences]
        return pack, self._drawn_once.at(torch.cat(places))

    @cached_property
    def _drawn_once(self) -> MaskedBatch:
        """The masks of the whole text, drawn before the first step, as the tutorial does."""
        store = self.pieces[0]
        everything = store.pack(np.arange(store.num_sequences))
        generator = torch.Generator().manual_seed(mix(self.config.seed, 2, 0))
        maskable = self.vocabulary.maskable(everything.input_ids)
        return mask_tokens(
            everything.input_ids,
            maskable,
            self.config.policy,
            self.vocabulary,
            generator,
            words=everything.words,
        )

    def draw(self, pack: Pack, step: int) -> MaskedBatch:
        """The masks of one step, when they are drawn anew for each; step 0 is the first."""
        generator = torch.Generator().manual_seed(mix(self.config.seed, 2, step))
        maskable = self.vocabulary.maskable(pack.input_ids)
        return mask_tokens(
            pack.input_ids,
            maskable,
            self.config.policy,
            self.vocabulary,
            generator,
            pack.sequences,
            pack.words,
        )


def mix(seed: int, purpose: int, number: int) -> int:
    """A generator seed for one purpose and number, far from those of its neighbours (splitmix64's multipliers)."""
    mixed = (
        seed * 0x9E3779B97F4A7C15 + purpose * 0xBF58476D1CE4E5B9 + number * 0x94D049BB133111EB
    ) % 2**64
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
        part = Pack(
            pack.input_ids[place],
            pack.lengths[sequences[0] : sequences[-1] + 1],
            pack.continues[place],
        )
        found.append((part, batch.at(place)))
    return found
