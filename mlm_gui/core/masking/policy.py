"""The settings of a draw and what can become of a token; the draw itself is in `masking`."""

from dataclasses import dataclass
from enum import IntEnum

from mlm_gui.core import validation
from mlm_gui.errors import UserError

IGNORED = -100
"""The label of a position that the loss does not count (torch's cross-entropy default)."""


UNITS = ("token", "word", "span")
"""What is chosen at a time: a piece, a whole word, or a span of whole words."""
MAX_SPAN_WORDS = 10
SPAN_STOP = 0.2
"""Chance that a span ends after each of its words; together with MAX_SPAN_WORDS a mean of 3.8 words."""


class Fate(IntEnum):
    """What happened to one token in a draw."""

    UNTOUCHED = 0
    MASK = 1
    RANDOM = 2
    KEPT = 3
    SPECIAL = 4


@dataclass(frozen=True)
class MaskPolicy:
    """How tokens are chosen and what becomes of the chosen ones."""

    rate: float = 0.15
    """Chance of each ordinary token to be chosen."""
    mask_share: float = 0.8
    """Of the chosen, the share that becomes the mask token."""
    random_share: float = 0.1
    """Of the chosen, the share that becomes a random ordinary token; the rest is kept as it is and still predicted."""
    unit: str = "token"
    """What is chosen at a time, one of UNITS; the chance of each token is `rate` in all three."""

    def __post_init__(self) -> None:
        validation.one_of("The unit", self.unit, UNITS)
        validation.fraction("The hidden share", self.rate, 0.01, 0.9)
        validation.fraction("The [MASK] share", self.mask_share, 0, 1)
        validation.fraction("The random share", self.random_share, 0, 1)
        if self.mask_share + self.random_share > 1 + 1e-9:
            raise UserError(
                "The shares do not fit.",
                f"[MASK] {self.mask_share:.0%} and random {self.random_share:.0%} make more than 100 % of the chosen tokens.",
                "Lower one of them.",
            )


EXAM_SEEDS = (0, 1, 2, 3, 4)
"""One draw of blanks for each; an exam's score is the mean over all draws, so that it does not hang on one of them."""
EXAM_POLICY = MaskPolicy(rate=0.15, mask_share=1.0, random_share=0.0)
"""Every held-out score hides all the tokens it asks for. Training's rule (80 % hidden, 10 % swapped, 10 % left) would leave a tenth of the answers in
plain sight, and the loss would reward copying; Salazar et al. 2020, "Masked Language Model Scoring", hide what they score too."""
