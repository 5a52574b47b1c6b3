"""The settings of a draw and the fates of a token; the draw itself is in `masking.sampling`."""

from dataclasses import dataclass
from enum import IntEnum

from mlm_gui.core import validation
from mlm_gui.errors import UserError

IGNORED = -100
"""Label of a position that the loss does not count (the default of torch's cross-entropy)."""
UNITS = ("token", "word", "span")
"""What is chosen at a time: a token, a whole word, or a span of whole words."""
MAX_SPAN_WORDS = 10
SPAN_STOP = 0.2
"""Probability that a span ends after each of its words.

Together with MAX_SPAN_WORDS it gives spans of 3.8 words on average.
"""


class Fate(IntEnum):
    """What happened to one token in a draw."""

    UNTOUCHED = 0
    MASK = 1
    RANDOM = 2
    KEPT = 3
    SPECIAL = 4


@dataclass(frozen=True)
class MaskPolicy:
    """How tokens are chosen, and what the model sees in their place."""

    rate: float = 0.15
    """Probability that an ordinary token is chosen."""
    mask_share: float = 0.8
    """Share of the chosen tokens that become the mask token."""
    random_share: float = 0.1
    """Share of the chosen tokens that become a random ordinary token.

    The rest of the chosen tokens is kept as it is and still predicted.
    """
    unit: str = "token"
    """What is chosen at a time, one of UNITS; a token is chosen with `rate` in all three."""

    def __post_init__(self) -> None:
        validation.one_of("The unit", self.unit, UNITS)
        validation.fraction("The hidden share", self.rate, 0.01, 0.9)
        validation.fraction("The [MASK] share", self.mask_share, 0, 1)
        validation.fraction("The random share", self.random_share, 0, 1)
        if self.mask_share + self.random_share > 1 + 1e-9:
            raise UserError(
                "The shares do not fit.",
                f"[MASK] {self.mask_share:.0%} and random {self.random_share:.0%} make more than "
                "100 % of the chosen tokens.",
                "Lower one of them.",
            )


EVALUATION_SEEDS = (0, 1, 2, 3, 4)
"""One draw of blanks for each; a score is the mean over all draws, so none of them decides it."""
EVALUATION_POLICY = MaskPolicy(rate=0.15, mask_share=1.0, random_share=0.0)
"""Every held-out score hides all the tokens that it asks for.

Training's rule (80 % hidden, 10 % swapped, 10 % kept) would leave a tenth of the answers in plain
sight, and the loss would reward copying. Salazar et al. 2020, "Masked Language Model Scoring",
hide what they score too.
"""
