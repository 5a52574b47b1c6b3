"""TrainConfig: every choice of a training run, with its range; and the recipes, prepared settings by name."""

from dataclasses import dataclass

from mlm_gui.core import validation
from mlm_gui.core.masking.policy import MaskPolicy
from mlm_gui.errors import UserError

MAX_STEPS = 1_000_000
TUTORIAL_BATCH = 16
"""Sequences in one step when a run goes as taught."""
MAX_TUTORIAL_CHARACTERS = 20_000_000
"""The longest text that is trained on as taught."""


@dataclass(frozen=True)
class TrainConfig:
    """Every choice of a training run; raises UserError for a value out of range."""

    epochs: int = 4
    """Passes over the training text, 1 to 100."""
    max_steps: int = 0
    """Stops after this many steps; 0 means no such limit."""
    tokens_per_step: int = 1024
    """Real tokens in each step, about; there is no padding. A text above a megabyte takes at least 1,024."""
    learning_rate: float = 0.0
    """Peak rate of AdamW; 0 chooses 2e-3 / passes · (128 / hidden size)^1.5: over four passes 5e-4 for the starter and 3.4e-5 for a base-size BERT."""
    warmup_share: float = 0.06
    """Share of the steps in which the rate climbs to its peak."""
    schedule: str = "linear"
    """After the warm-up the rate falls in a straight line to zero ("linear") or stays at its peak ("constant")."""
    weight_decay: float = 0.01
    """Pull of the weights towards zero (decoupled, as in AdamW); norms and biases are spared."""
    clip: float = 1.0
    """Largest norm of the gradient; a longer one is shortened to it."""
    dropout: float = 0.0
    """Share of activations switched off at random while training; 0 suits short runs."""
    mask_rate: float = 0.15
    """Chance of each ordinary token to be chosen."""
    mask_share: float = 0.8
    """Of the chosen, the share shown as the mask token."""
    random_share: float = 0.1
    """Of the chosen, the share shown as a random token; the rest is left as it is."""
    unit: str = "token"
    """What is chosen at a time: "token", "word" or "span"; see masking.UNITS."""
    evaluations: int = 8
    """How many times the held-out text is scored on the way, besides before the first step."""
    patience: int = 0
    """Ends the run after this many evaluations in a row without a new best; 0 never does."""
    precision: str = "auto"
    """"float32", "bfloat16" (mixed: weights stay float32), or "auto": bfloat16 on a GPU that computes in it, else float32."""
    accumulation: int = 1
    """Parts each step is computed in, one after the other; more parts need less memory and give the same gradient."""
    freeze_embeddings: bool = False
    """Leaves the embeddings as they are; where the output matrix is tied to them, that too."""
    freeze_layers: int = 0
    """Leaves this many of the lowest layers as they are."""
    tutorial_mode: bool = False
    """Goes the way of the tutorial: sequences padded to the model's full length and longer paragraphs cut off there, 16 sequences a step, masks drawn
    once for all passes, and the loss over every position, padding included. `tokens_per_step` has no say then."""
    seed: int = 0
    """Decides the order of the paragraphs and every mask."""

    def __post_init__(self) -> None:
        for name, check, *limits in _RANGES:
            object.__setattr__(
                self,
                name,
                check(f"The setting {name.replace('_', ' ')}", getattr(self, name), *limits),
            )
        _ = self.policy

    def check_length(self, num_characters: int) -> None:
        """Raises UserError for a run as taught on a text that does not fit into memory whole, as the tutorial has it."""
        if self.tutorial_mode and num_characters > MAX_TUTORIAL_CHARACTERS:
            raise UserError(
                "This text is too long for the tutorial's way.",
                f"That way holds the whole text in memory, {MAX_TUTORIAL_CHARACTERS:,} characters at most, and this one has {num_characters:,}.",
                "Choose another recipe, or a part of the text.",
            )

    @property
    def policy(self) -> MaskPolicy:
        return MaskPolicy(self.mask_rate, self.mask_share, self.random_share, self.unit)


_RANGES = (
    ("epochs", validation.whole, 1, 100),
    ("max_steps", validation.whole, 0, MAX_STEPS),
    ("tokens_per_step", validation.whole, 64, 65_536),
    ("learning_rate", validation.fraction, 0, 0.1),
    ("warmup_share", validation.fraction, 0, 1),
    ("schedule", validation.one_of, ("linear", "constant")),
    ("weight_decay", validation.fraction, 0, 1),
    ("clip", validation.fraction, 0.01, 1000),
    ("dropout", validation.fraction, 0, 0.9),
    ("evaluations", validation.whole, 1, 200),
    ("patience", validation.whole, 0, 200),
    ("precision", validation.one_of, ("auto", "float32", "bfloat16")),
    ("accumulation", validation.whole, 1, 1024),
    ("freeze_embeddings", validation.switch),
    ("freeze_layers", validation.whole, 0, 1000),
    ("tutorial_mode", validation.switch),
    ("seed", validation.whole, 0, 2**31 - 1),
)
RECIPES = {
    "recommended": TrainConfig(),
    "quick": TrainConfig(epochs=2, max_steps=60, evaluations=5),
    "thorough": TrainConfig(epochs=8, evaluations=12),
    "tutorial": TrainConfig(
        epochs=2,
        learning_rate=5e-5,
        warmup_share=0,
        schedule="constant",
        weight_decay=0,
        clip=1000,
        dropout=0.1,
        mask_share=1,
        random_share=0,
        evaluations=4,
        tutorial_mode=True,
    ),
}
"""Prepared settings by name."""
