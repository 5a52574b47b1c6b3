"""What the loss is made of: which positions of a text it counts, under the tutorial's recipe and under ours."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mlm_gui.core.masking.explanation import TUTORIAL_LENGTH
from mlm_gui.core.tokens import parts_of


@dataclass(frozen=True)
class LossBudget:
    """Positions that the loss counts, by kind."""

    masked: int
    """Chosen by the draw: what the model is asked to guess."""
    unmasked: int
    """Words in plain sight."""
    special: int
    padding: int

    @property
    def total(self) -> int:
        return self.masked + self.unmasked + self.special + self.padding

    def share(self, kind: str) -> float:
        return getattr(self, kind) / self.total

    @property
    def ours(self) -> "LossBudget":
        """The same draw under the recommended recipe, whose loss counts the chosen positions only."""
        return LossBudget(self.masked, 0, 0, 0)


def tutorial_budget(
    paragraphs: Sequence[str], tokenizer, rate: float = 0.15, seed: int = 0
) -> LossBudget:
    """The positions in the tutorial's loss: one row of 512 for each paragraph, cut or padded, with a label at every place.

    Its draw protects [CLS], [SEP] and [PAD], or what this tokenizer has in their place.
    """
    length = min(TUTORIAL_LENGTH, tokenizer.model_max_length)
    rows = [parts[0].ids for parts in parts_of(paragraphs, tokenizer, length)]
    ids = torch.tensor([token_id for row in rows for token_id in row])
    marks = [
        token_id
        for token_id in (tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id)
        if token_id is not None
    ]
    special = torch.isin(ids, torch.tensor(marks))
    chosen = (torch.rand(len(ids), generator=torch.Generator().manual_seed(seed)) < rate) & ~special
    masked, num_special = int(chosen.sum()), int(special.sum())
    return LossBudget(
        masked, len(ids) - masked - num_special, num_special, len(rows) * length - len(ids)
    )
