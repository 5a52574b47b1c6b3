"""Which positions of a text the loss counts, under the tutorial's recipe and under ours."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mlm_gui.core.masking.explanation import TUTORIAL_LENGTH
from mlm_gui.core.tokenizer import Tokenizer
from mlm_gui.core.tokens import parts_of


@dataclass(frozen=True)
class LossBudget:
    """Positions that the loss counts, by kind."""

    masked: int
    """Chosen by the draw: the model is asked to guess them."""
    unmasked: int
    """Words in plain sight."""
    special: int
    padding: int

    @property
    def total(self) -> int:
        return self.masked + self.unmasked + self.special + self.padding

    def share(self, kind: str) -> float:
        """Share of the field with this name."""
        num_positions: int = getattr(self, kind)
        return num_positions / self.total

    @property
    def ours(self) -> "LossBudget":
        """The same draw under the recommended recipe, whose loss counts chosen positions only."""
        return LossBudget(self.masked, 0, 0, 0)


def tutorial_budget(
    paragraphs: Sequence[str], tokenizer: Tokenizer, rate: float = 0.15, seed: int = 0
) -> LossBudget:
    """The positions in the tutorial's loss.

    Each paragraph is one row of 512 positions, cut or padded, with a label at every position. The
    tutorial's draw protects [CLS], [SEP] and [PAD], or this tokenizer's tokens in their place.
    """
    length = min(TUTORIAL_LENGTH, tokenizer.model_max_length)
    rows = [parts[0].ids for parts in parts_of(paragraphs, tokenizer, length)]
    ids = torch.tensor([token_id for row in rows for token_id in row])
    marks = (tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id)
    protected = torch.tensor([token_id for token_id in marks if token_id is not None])
    is_special = torch.isin(ids, protected)
    generator = torch.Generator().manual_seed(seed)
    is_chosen = (torch.rand(len(ids), generator=generator) < rate) & ~is_special
    num_masked = int(is_chosen.sum())
    num_special = int(is_special.sum())
    return LossBudget(
        masked=num_masked,
        unmasked=len(ids) - num_masked - num_special,
        special=num_special,
        padding=len(rows) * length - len(ids),
    )
