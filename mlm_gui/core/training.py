"""The training loop, as a generator of events: a `for` loop, a thread, the shell and a test all consume the same one."""

import dataclasses
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from mlm_gui.core import checks
from mlm_gui.core.documents import Split
from mlm_gui.core.exam import Exam, evaluate
from mlm_gui.core.masking import MaskedBatch, MaskPolicy, mask_tokens
from mlm_gui.core.model import MaskedLM
from mlm_gui.core.tokens import Pack, TokenStore, packs, tokenize
from mlm_gui.errors import UserError

MIN_TRAINING_TOKENS = 64
MAX_STEPS = 1_000_000


@dataclass(frozen=True)
class TrainConfig:
    """Every choice of a training run; raises UserError for a value out of range."""

    epochs: int = 4
    """Passes over the training text, 1 to 100."""
    max_steps: int = 0
    """Stops after this many steps; 0 means no such limit."""
    tokens_per_step: int = 1024
    """Real tokens in each step, about; there is no padding."""
    learning_rate: float = 0.0
    """Peak rate of AdamW; 0 chooses 1e-3 · (128 / hidden size)^1.5, which gives 1e-3 to the starter and 7e-5 to a base-size BERT."""
    warmup_share: float = 0.06
    """Share of the steps in which the rate climbs to its peak; afterwards it falls in a straight line to zero."""
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
    seed: int = 0
    """Decides the order of the paragraphs and every mask."""

    def __post_init__(self) -> None:
        for name, kind, low, high in _RANGES:
            object.__setattr__(self, name, kind(f"The setting {name.replace('_', ' ')}", getattr(self, name), low, high))
        _ = self.policy

    @property
    def policy(self) -> MaskPolicy:
        return MaskPolicy(self.mask_rate, self.mask_share, self.random_share, self.unit)


_RANGES = (
    ("epochs", checks.whole, 1, 100),
    ("max_steps", checks.whole, 0, MAX_STEPS),
    ("tokens_per_step", checks.whole, 64, 65_536),
    ("learning_rate", checks.fraction, 0, 0.1),
    ("warmup_share", checks.fraction, 0, 1),
    ("weight_decay", checks.fraction, 0, 1),
    ("clip", checks.fraction, 0.01, 1000),
    ("dropout", checks.fraction, 0, 0.9),
    ("evaluations", checks.whole, 1, 200),
    ("seed", checks.whole, 0, 2**31 - 1),
)
RECIPES = {
    "recommended": TrainConfig(),
    "quick": TrainConfig(epochs=2, max_steps=60, evaluations=5),
    "thorough": TrainConfig(epochs=10, evaluations=12),
}
"""Prepared settings by name."""


@dataclass(frozen=True)
class Started:
    """The run is about to take its first step."""

    total_steps: int
    epochs: int
    num_train_tokens: int
    num_held_out_tokens: int
    num_parameters: int
    learning_rate: float
    device: str
    packed: bool
    """False when the model only takes padded batches, which is slower."""


@dataclass(frozen=True)
class Stepped:
    """One step of the optimiser is done."""

    step: int
    epoch: float
    """Passes over the text so far."""
    loss: float
    """Mean over the chosen tokens of this step, in nats, before the step."""
    learning_rate: float
    tokens_per_second: float
    """Real tokens over the time spent in steps so far, the first one left out."""
    seconds: float
    """Since the run started."""


@dataclass(frozen=True)
class Evaluated:
    """The held-out text was scored on its fixed masks."""

    step: int
    loss: float
    perplexity: float
    top1: float
    top5: float
    num_masks: int
    seconds: float


@dataclass(frozen=True)
class Saved:
    """The model was written."""

    step: int
    folder: str


@dataclass(frozen=True)
class Finished:
    """The last event of a run that ended as it should."""

    step: int
    reason: str
    """"done" or "stopped"."""
    seconds: float


@dataclass(frozen=True)
class Failed:
    """The last event of a run that could not go on, in the three sentences of a UserError."""

    what: str
    why: str
    do: str


Event = Started | Stepped | Evaluated | Saved | Finished | Failed


@dataclass(frozen=True)
class Plan:
    """What a run will do, step by step; it can be asked for any step's batch without running the others."""

    store: TokenStore
    lm: MaskedLM
    config: TrainConfig

    @classmethod
    def of(cls, lm: MaskedLM, paragraphs: Sequence[str], config: TrainConfig) -> "Plan":
        """The plan for a text; a sequence that has nothing to hide is left out."""
        store = tokenize(paragraphs, lm.tokenizer, lm.max_length)
        return cls(store.where(lambda ids: bool(lm.vocabulary.maskable(ids).any())), lm, config)

    @property
    def total_steps(self) -> int:
        steps = sum(len(list(self._epoch(epoch))) for epoch in range(self.config.epochs))
        return min(steps, self.config.max_steps) if self.config.max_steps else steps

    def _epoch(self, epoch: int) -> Iterator:
        generator = torch.Generator().manual_seed(_mix(self.config.seed, 1, epoch))
        return packs(self.store.lengths, self.config.tokens_per_step, torch.randperm(self.store.num_sequences, generator=generator).numpy())

    def batches(self) -> Iterator[tuple[Pack, MaskedBatch]]:
        """Every step's pack and draw: each epoch in a new order, each batch with new masks, all decided by the seed."""
        step = 0
        for epoch in range(self.config.epochs):
            for sequences in self._epoch(epoch):
                pack = self.store.pack(sequences)
                yield pack, self.draw(pack, step)
                step += 1

    def batch_at(self, step: int) -> tuple[Pack, MaskedBatch]:
        """The pack and the draw of step 1, 2 …; raises UserError for a step that the run does not have."""
        first = 1
        checks.whole("The step", step, 1, self.total_steps)
        for epoch in range(self.config.epochs):
            groups = list(self._epoch(epoch))
            if step < first + len(groups):
                pack = self.store.pack(groups[step - first])
                return pack, self.draw(pack, step - 1)
            first += len(groups)
        raise AssertionError("total_steps counts every group")

    def draw(self, pack: Pack, step: int) -> MaskedBatch:
        """The masks of one step."""
        generator = torch.Generator().manual_seed(_mix(self.config.seed, 2, step))
        maskable = self.lm.vocabulary.maskable(pack.input_ids)
        return mask_tokens(pack.input_ids, maskable, self.config.policy, self.lm.vocabulary, generator, pack.sequences, pack.words)


def _mix(seed: int, purpose: int, number: int) -> int:
    """A generator seed for one purpose and number, far from those of its neighbours (splitmix64's multipliers)."""
    mixed = (seed * 0x9E3779B97F4A7C15 + purpose * 0xBF58476D1CE4E5B9 + number * 0x94D049BB133111EB) % 2**64
    return (mixed ^ (mixed >> 31)) % 2**63


def train(lm: MaskedLM, split: Split, config: TrainConfig) -> Iterator[Event]:
    """Trains `lm` in place and yields what happens: Started, Evaluated before the first step, Stepped and Evaluated in turn.

    To pause, do not ask for the next event; to stop, close the generator: the weights stay as the last step left them.
    Raises UserError when there is too little text to train or to test on, or when the loss is no longer a number.
    """
    plan, held_out = Plan.of(lm, split.train, config), tokenize(split.held_out, lm.tokenizer, lm.max_length)
    store = plan.store
    _check_enough(store, held_out, lm)
    exam = Exam.of(held_out, config.policy, lm)
    total_steps = plan.total_steps
    peak_rate = config.learning_rate or default_learning_rate(lm)
    evaluate_at = {round(total_steps * (i + 1) / config.evaluations) for i in range(config.evaluations)}
    optimizer = torch.optim.AdamW(_groups(lm.model, config.weight_decay), lr=peak_rate, fused=True)
    torch.manual_seed(_mix(config.seed, 3, 0))  # dropout
    set_dropout(lm.model, config.dropout)
    began, spent, counted, tokens_seen = time.monotonic(), 0.0, 0, 0

    yield Started(total_steps, config.epochs, store.num_tokens, held_out.num_tokens, lm.num_parameters, peak_rate, str(lm.device), lm.packs)
    yield _evaluated(0, lm, exam, began)
    for step, (pack, batch) in enumerate(plan.batches(), start=1):
        step_began = time.monotonic()
        lm.model.train()
        rate = peak_rate * schedule(step, total_steps, config.warmup_share)
        for group in optimizer.param_groups:
            group["lr"] = rate
        logits = lm.logits_at(pack, batch.input_ids, batch.chosen)
        loss = F.cross_entropy(logits.float(), batch.labels[batch.chosen].to(logits.device))
        loss_value = loss.item()
        _check_finite(loss_value, step)
        optimizer.zero_grad()
        loss.backward()
        _check_finite(float(torch.nn.utils.clip_grad_norm_(lm.model.parameters(), config.clip)), step)  # before the weights are touched
        optimizer.step()
        lm.model.eval()

        tokens_seen += len(pack.input_ids)
        if step > 1:
            spent, counted = spent + time.monotonic() - step_began, counted + len(pack.input_ids)
        yield Stepped(step, tokens_seen / store.num_tokens, loss_value, rate, counted / spent if spent else 0.0, time.monotonic() - began)
        if step in evaluate_at:
            yield _evaluated(step, lm, exam, began)
        if step == total_steps:
            return


def schedule(step: int, total_steps: int, warmup_share: float) -> float:
    """Share of the peak learning rate at `step` (1 to total_steps): up in a straight line, then down to just above zero."""
    warmup_steps = max(1, round(total_steps * warmup_share))
    if step <= warmup_steps:
        return step / warmup_steps
    return (total_steps + 1 - step) / (total_steps + 1 - warmup_steps)


def default_learning_rate(lm: MaskedLM) -> float:
    """Peak rate for a model of this width; see TrainConfig.learning_rate."""
    return 1e-3 * (128 / getattr(lm.model.config, "hidden_size", 768)) ** 1.5


def set_dropout(model: torch.nn.Module, share: float) -> None:
    """Sets every dropout layer of `model` to `share`."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = share


def as_record(event: Event) -> dict:
    """The event as plain values for one JSON line; its kind stands under "event"."""
    return {"event": type(event).__name__.lower(), **dataclasses.asdict(event)}


def _evaluated(step: int, lm: MaskedLM, exam: Exam, began: float) -> Evaluated:
    score = evaluate(lm, exam)
    _check_finite(score.loss, step)
    return Evaluated(step, score.loss, score.perplexity, score.top1, score.top5, score.num_masks, time.monotonic() - began)


def _check_finite(loss: float, step: int) -> None:
    if not math.isfinite(loss):
        raise UserError(
            "Training stopped: the loss is no longer a number.",
            f"At step {step} the learning rate was probably too high for this model.",
            "Start again with a tenth of that rate.",
        )


def _check_enough(store: TokenStore, held_out: TokenStore, lm: MaskedLM) -> None:
    ordinary, unseen = (int(lm.vocabulary.maskable(torch.from_numpy(side.ids)).sum()) for side in (store, held_out))
    if ordinary < MIN_TRAINING_TOKENS or unseen < 1:
        raise UserError(
            "This text is too small to train on.",
            f"Its training part has {ordinary} word pieces that can be hidden, its unseen part {unseen}; at least {MIN_TRAINING_TOKENS} and 1 are needed.",
            "Add text: a few pages at least, better a whole book.",
        )


def _groups(model: torch.nn.Module, weight_decay: float) -> list[dict]:
    """Parameter groups of AdamW: matrices with weight decay, norms and biases without."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


def score_now(lm: MaskedLM, split: Split, config: TrainConfig, seconds: float, step: int) -> Evaluated:
    """The held-out text scored outside the loop, on the same masks as inside it; `seconds` is the time of the run so far."""
    began = time.monotonic() - seconds
    return _evaluated(step, lm, Exam.of(tokenize(split.held_out, lm.tokenizer, lm.max_length), config.policy, lm), began)


def is_finite(lm: MaskedLM) -> bool:
    """True when every weight is a number."""
    return all(bool(torch.isfinite(parameter).all()) for parameter in lm.model.parameters())
