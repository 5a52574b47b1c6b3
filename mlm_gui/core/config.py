"""TrainConfig, every choice of a training run with its range; RECIPES, prepared settings."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from mlm_gui.core import validation
from mlm_gui.core.masking.policy import MaskPolicy
from mlm_gui.errors import UserError

MAX_STEPS = 1_000_000
TUTORIAL_BATCH = 16
"""Sequences in one step in tutorial mode."""
MAX_TUTORIAL_CHARACTERS = 20_000_000
"""The longest text that tutorial mode takes, in characters."""


@dataclass(frozen=True)
class TrainConfig:
    """Every choice of a training run; raises UserError for a value out of range."""

    epochs: int = 4
    """Passes over the training text, 1 to 100."""
    max_steps: int = 0
    """The run ends after this many steps; 0 sets no limit."""
    tokens_per_step: int = 1024
    """Real tokens in each step, approximately, since there is no padding.

    A text above a megabyte takes at least 1,024.
    """
    learning_rate: float = 0.0
    """Peak learning rate of AdamW; 0 chooses `default_learning_rate` for the model.

    That is 2e-3 / epochs · (128 / hidden size)^1.5. Over four epochs it is 5e-4 for the starter
    and 3.4e-5 for a base-size BERT.
    """
    warmup_share: float = 0.06
    """Share of the steps in which the learning rate rises to its peak."""
    schedule: str = "linear"
    """The learning rate after the warm-up.

    "linear" decays it in a straight line to zero; "constant" keeps it at its peak.
    """
    weight_decay: float = 0.01
    """Decoupled weight decay, as in AdamW; norms and biases have none."""
    clip: float = 1.0
    """Largest norm of the gradient; a longer gradient is scaled down to it."""
    dropout: float = 0.0
    """Share of activations switched off at random while training; 0 suits short runs."""
    mask_rate: float = 0.15
    """Probability that an ordinary token is chosen, 0.01 to 0.9."""
    mask_share: float = 0.8
    """Share of the chosen tokens that the model sees as the mask token."""
    random_share: float = 0.1
    """Share of the chosen tokens that the model sees as a random token; the rest is kept."""
    unit: str = "token"
    """What is chosen at a time: "token", "word" or "span"; see masking.policy.UNITS."""
    evaluations: int = 8
    """Evaluations on the held-out text during the run, besides the one before the first step."""
    patience: int = 0
    """The run ends after this many evaluations in a row without a new best; 0 never ends it."""
    precision: str = "auto"
    """"float32"; "bfloat16", mixed precision with float32 weights; or "auto".

    "auto" is bfloat16 on a GPU that computes in it, else float32.
    """
    accumulation: int = 1
    """Micro-batches in each step, one after the other.

    More of them need less memory and give the same gradient.
    """
    freeze_embeddings: bool = False
    """Keeps the embeddings fixed, and with them an output matrix that is tied to them."""
    freeze_layers: int = 0
    """Keeps this many of the lowest layers fixed."""
    tutorial_mode: bool = False
    """Trains as the tutorial does, for comparison.

    Sequences are padded to the model's full length, and longer paragraphs are cut off there. A
    step has TUTORIAL_BATCH sequences. Masks are drawn once for all epochs. The loss counts every
    position, padding included. `tokens_per_step` has no effect.
    """
    seed: int = 0
    """Decides the order of the paragraphs and every mask."""

    def __post_init__(self) -> None:
        for name, check in CHECKS.items():
            checked = check(f"The setting {name.replace('_', ' ')}", getattr(self, name))
            object.__setattr__(self, name, checked)
        _ = self.policy  # the policy checks its own four settings

    def check_length(self, num_characters: int) -> None:
        """Raises UserError when tutorial mode would have to hold too long a text in memory."""
        if self.tutorial_mode and num_characters > MAX_TUTORIAL_CHARACTERS:
            raise UserError(
                "This text is too long for the tutorial's way.",
                f"That way holds the whole text in memory, {MAX_TUTORIAL_CHARACTERS:,} characters "
                f"at most, and this one has {num_characters:,}.",
                "Choose another recipe, or a part of the text.",
            )

    @property
    def policy(self) -> MaskPolicy:
        """The four masking settings."""
        return MaskPolicy(self.mask_rate, self.mask_share, self.random_share, self.unit)


Check = Callable[[str, object], object]
CHECKS: dict[str, Check] = {
    "epochs": partial(validation.whole, low=1, high=100),
    "max_steps": partial(validation.whole, low=0, high=MAX_STEPS),
    "tokens_per_step": partial(validation.whole, low=64, high=65_536),
    "learning_rate": partial(validation.fraction, low=0, high=0.1),
    "warmup_share": partial(validation.fraction, low=0, high=1),
    "schedule": partial(validation.one_of, choices=("linear", "constant")),
    "weight_decay": partial(validation.fraction, low=0, high=1),
    "clip": partial(validation.fraction, low=0.01, high=1000),
    "dropout": partial(validation.fraction, low=0, high=0.9),
    "evaluations": partial(validation.whole, low=1, high=200),
    "patience": partial(validation.whole, low=0, high=200),
    "precision": partial(validation.one_of, choices=("auto", "float32", "bfloat16")),
    "accumulation": partial(validation.whole, low=1, high=1024),
    "freeze_embeddings": validation.switch,
    "freeze_layers": partial(validation.whole, low=0, high=1000),
    "tutorial_mode": validation.switch,
    "seed": partial(validation.whole, low=0, high=2**31 - 1),
}
"""The range of each setting; MaskPolicy checks the four masking settings."""
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
