"""The training loop, as a generator of events: a `for` loop, a thread, the shell and a test all consume the same one."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

from mlm_gui.core.config import TrainConfig
from mlm_gui.core.corpus.corpus import Split
from mlm_gui.core.corpus.paragraphs import some_of
from mlm_gui.core.evaluation.held_out import MAX_EVALUATION_CHARACTERS, Exam, evaluate
from mlm_gui.core.masking.policy import EXAM_POLICY
from mlm_gui.core.masking.sampling import MaskedBatch
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.core.tokens import Pack, TokenStore, tokenize
from mlm_gui.core.training.device import Device, is_out_of_memory
from mlm_gui.core.training.events import (
    Evaluated,
    Event,
    MicroBatchesSplit,
    Resumed,
    Started,
    Stepped,
)
from mlm_gui.core.training.plan import Plan, mix, parts
from mlm_gui.errors import UserError

MIN_TRAINING_TOKENS = 64


@dataclass(frozen=True)
class State:
    """Everything that a resumed run needs; random numbers need no state, each is a function of (seed, purpose, step)."""

    tensors: dict[str, torch.Tensor]
    """Weights and the optimiser's moments, by name, on the CPU or the training device; none shares its storage with another."""
    numbers: dict[str, int | float]
    """Counters: see `Training`."""


def train(lm: MaskedLM, split: Split, config: TrainConfig) -> Iterator[Event]:
    """Trains `lm` in place and yields what happens; see `Training`."""
    yield from Training(lm, split, config).events()


class Training:
    """One run of the loop: `events()` trains and says what happens; between two events `state()` is what a checkpoint needs."""

    def __init__(
        self,
        lm: MaskedLM,
        split: Split,
        config: TrainConfig,
        stop: Callable[[], bool] = lambda: False,
        folder: Path | None = None,
        schedule_restart_step: int = 0,
    ) -> None:
        """Cuts the first piece of the text into tokens and readies the optimiser. `stop` is asked before every step; `folder` keeps a long text's tokens.

        warm_again_after: the step at which a finished run was given more passes; from there the learning rate climbs and falls once more, and
        `patience` counts anew.

        Raises UserError when there is too little text to train or to test on, or when layers cannot be frozen.
        """
        self.lm, self.config, self._stop, self._schedule_restart_step = (
            lm,
            config,
            stop,
            schedule_restart_step,
        )
        self._device = Device(config.precision)
        lm.model.to(self._device.device)
        self.plan = Plan.of(lm, split.train, config, folder)
        held_out = tokenize(
            some_of(split.held_out, MAX_EVALUATION_CHARACTERS), lm.tokenizer, lm.max_length
        )
        _check_enough(self.plan.pieces[0], held_out, lm)
        self._exam = Exam.of(held_out, EXAM_POLICY, lm)
        self.total_steps = self.plan.total_steps
        self._evaluate_at = {
            round(self.total_steps * i / config.evaluations) for i in range(config.evaluations + 1)
        }
        self._peak_rate = config.learning_rate or default_learning_rate(
            lm, self.total_steps / self.plan.steps_per_epoch
        )
        set_dropout(lm.model, config.dropout)
        freeze(lm, config.freeze_embeddings, config.freeze_layers)
        self._optimizer = torch.optim.AdamW(
            _groups(lm.model, config.weight_decay), lr=self._peak_rate, fused=True
        )
        self._num_held_out_tokens = held_out.num_tokens
        self._began: float | None = None
        self.reason = "done"
        """Why the run ended: "done", "stopped" or "early"."""
        self.step = 0
        """Steps done."""
        self.parts = config.accumulation
        """Parts each step is computed in, on each process."""
        self.best_loss, self.best_step = math.inf, 0
        """The lowest loss on the held-out text so far, and when it was seen."""
        self.training_seconds = 0.0
        """Time spent in training up to the last event; see `seconds`."""
        self.scored_step = -1
        """The step at which the held-out text was last scored; -1 before the first time."""
        self.evaluations_without_best = 0
        """Evaluations since the best one."""
        self.timed_seconds, self.timed_tokens = 0.0, 0
        """Seconds and real tokens of all steps but the first, for the speed."""

    def events(self) -> Iterator[Event]:
        """Started (or Resumed), Evaluated before the first step, then Stepped and Evaluated in turn.

        To pause, do not ask for the next event; to stop, close the generator: the weights stay as the last step left them.
        Raises UserError when the loss is no longer a number or the memory is too small; the weights are then those of the step before.
        """
        events = self._events()
        while True:
            self._began = time.monotonic()
            event = next(events, None)
            self.training_seconds, self._began = self.seconds, None
            if event is None:
                return
            yield event

    @property
    def seconds(self) -> float:
        """Time spent in training so far, in seconds; a pause does not count."""
        return self.training_seconds + (
            time.monotonic() - self._began if self._began is not None else 0
        )

    def _events(self) -> Iterator[Event]:
        yield self._first_event()
        if self.scored_step < self.step and self.step in self._evaluate_at:
            yield self.score()
        for pack, batch in self.plan.batches(after=self.step):
            if self.step == self.total_steps or self._is_over():
                return
            began = time.monotonic()
            rate = self._learning_rate()
            for group in self._optimizer.param_groups:
                group["lr"] = rate
            torch.manual_seed(
                mix(self.config.seed, 3, self.step * self._device.num_processes + self._device.rank)
            )  # dropout
            self.lm.model.train()
            while (loss := self._find_gradient(pack, batch)) is None:
                yield self._split_micro_batches(len(pack.lengths))
            norm = float(
                torch.nn.utils.clip_grad_norm_(self.lm.model.parameters(), self.config.clip)
            )
            _check_finite(loss + norm, self.step + 1)  # before the weights are touched
            self._optimizer.step()
            self.lm.model.eval()
            self._count(pack, time.monotonic() - began)
            yield Stepped(
                self.step,
                self.step / self.plan.steps_per_epoch,
                loss,
                rate,
                self._tokens_per_second,
                self.seconds,
            )
            if self.step in self._evaluate_at:
                yield self.score()

    def _learning_rate(self) -> float:
        first, last = (
            (self._schedule_restart_step, self.total_steps)
            if self.step >= self._schedule_restart_step
            else (0, self._schedule_restart_step)
        )
        return self._peak_rate * schedule(
            self.step + 1 - first, last - first, self.config.warmup_share, self.config.schedule
        )

    def _is_over(self) -> bool:
        """True when the run was asked to stop, on any of its processes, or has stopped getting better."""
        if self._device.total(torch.tensor([float(self._stop())], device=self.lm.device)).item():
            self.reason = "stopped" if self.reason == "done" else self.reason
        return self.reason != "done"

    def _find_gradient(self, pack: Pack, batch: MaskedBatch) -> float | None:
        """Adds up the gradient of the step's mean loss, part by part, and returns that loss; None when memory ran out.

        With several processes each takes every n-th part, and the sums are shared: the same gradient, however it is divided.
        """
        device, total = self._device, torch.zeros(2, device=self.lm.device)
        self._optimizer.zero_grad()
        num_counted = (
            len(pack.lengths) * self.lm.max_length
            if self.config.tutorial_mode
            else max(1, int(batch.chosen.sum()))
        )
        mine = parts(pack, batch, self.parts * device.num_processes)[
            device.rank :: device.num_processes
        ]
        try:
            for part, masked in mine:
                with device.arithmetic():
                    loss = self._loss(part, masked) / num_counted
                loss.backward()
                total[0] += loss.detach()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            total[1] = 1
        loss_value, short_of_memory = device.total(total).tolist()
        if short_of_memory:
            return None
        device.share_gradient(self.lm.model)
        return loss_value

    def _loss(self, pack: Pack, batch: MaskedBatch) -> torch.Tensor:
        """Sum of the cross-entropy over the positions that count: the chosen ones, or, as taught, every one."""
        if self.config.tutorial_mode:
            logits, labels = self.lm.logits_everywhere(pack, batch.input_ids)
        else:
            logits, labels = (
                self.lm.logits_at(pack, batch.input_ids, batch.chosen),
                batch.labels[batch.chosen],
            )
        return F.cross_entropy(logits.float(), labels.to(logits.device), reduction="sum")

    def _split_micro_batches(self, num_sequences: int) -> MicroBatchesSplit:
        self._optimizer.zero_grad()
        self._device.free()
        if self.parts * self._device.num_processes >= num_sequences:
            raise UserError(
                "The memory is too small for this model.",
                f"Not even one paragraph at a time fits beside its weights (step {self.step + 1}).",
                "Choose a smaller model, close other programs, or train on a machine with more memory.",
            )
        self.parts *= 2
        return MicroBatchesSplit(self.step + 1, self.parts)

    def _count(self, pack: Pack, seconds: float) -> None:
        self.step += 1
        if self.step > 1:  # the first one is never timed
            self.timed_seconds, self.timed_tokens = (
                self.timed_seconds + seconds,
                self.timed_tokens + len(pack.input_ids),
            )

    @property
    def _tokens_per_second(self) -> float:
        return self.timed_tokens / self.timed_seconds if self.timed_seconds else 0.0

    def score(self) -> Evaluated:
        """The held-out text as the weights stand now, always on the same masks. Raises UserError when the loss is no number."""
        score = evaluate(self.lm, self._exam)
        _check_finite(score.loss, self.step)
        self.scored_step, self.evaluations_without_best = (
            self.step,
            self.evaluations_without_best + 1,
        )
        if score.loss < self.best_loss:
            self.best_loss, self.best_step, self.evaluations_without_best = score.loss, self.step, 0
        if (
            self.config.patience
            and self.evaluations_without_best >= self.config.patience
            and self.step < self.total_steps
        ):
            self.reason = "early"
        return Evaluated(
            self.step,
            score.loss,
            score.perplexity,
            score.top1,
            score.top5,
            score.num_masks,
            self.seconds,
        )

    def _first_event(self) -> Started | Resumed:
        if self.step:
            return Resumed(self.step, self.total_steps, self.training_seconds)
        num_tokens = self.plan.pieces.num_tokens, self._num_held_out_tokens
        return Started(
            self.total_steps,
            self.config.epochs,
            *num_tokens,
            self.lm.num_parameters,
            self._peak_rate,
            str(self._device),
            self.lm.packs,
        )

    def state(self) -> State:
        """What `restore` takes; the tensors are the live ones: write them before the next event is asked for."""
        names = {parameter: name for name, parameter in self.lm.model.named_parameters()}
        tensors = {f"weights.{name}": parameter.detach() for parameter, name in names.items()}
        for parameter, moments in self._optimizer.state.items():
            tensors |= {f"{kind}.{names[parameter]}": moment for kind, moment in moments.items()}
        return State(tensors, {name: getattr(self, name) for name in COUNTERS})

    @torch.no_grad()
    def restore(self, state: State) -> None:
        """Goes back to `state`, before `events()` is asked; what follows is what followed then. Raises UserError when it is of another model."""
        parameters = dict(self.lm.model.named_parameters())
        kept = {
            name.removeprefix("weights."): tensor
            for name, tensor in state.tensors.items()
            if name.startswith("weights.")
        }
        if (
            kept.keys() != parameters.keys()
            or any(kept[name].shape != parameters[name].shape for name in kept)
            or set(state.numbers) != set(COUNTERS)
        ):
            raise UserError(
                "The checkpoint does not fit this run.",
                "It belongs to another model or another version of the program.",
                "Start a new run.",
            )
        for name, parameter in parameters.items():
            parameter.copy_(kept[name])
            for kind in ("step", "exp_avg", "exp_avg_sq"):
                if f"{kind}.{name}" in state.tensors:
                    self._optimizer.state[parameter][kind] = state.tensors[f"{kind}.{name}"].to(
                        parameter.device, copy=True
                    )
        for name, number in state.numbers.items():
            setattr(self, name, number)
        if self.step == self._schedule_restart_step:
            self.evaluations_without_best = 0
        if self.config.patience and self.evaluations_without_best >= self.config.patience:
            self.reason = "early"  # it had ended, and was only being saved


COUNTERS = (
    "step",
    "parts",
    "best_loss",
    "best_step",
    "training_seconds",
    "scored_step",
    "evaluations_without_best",
    "timed_seconds",
    "timed_tokens",
)
"""What `State.numbers` holds; a checkpoint keeps them under these names."""


def schedule(step: int, total_steps: int, warmup_share: float, kind: str = "linear") -> float:
    """Share of the peak learning rate at `step` (1 to total_steps): up in a straight line, then down to just above zero, or level."""
    warmup_steps = max(1, round(total_steps * warmup_share)) if warmup_share else 0
    if step <= warmup_steps:
        return step / warmup_steps
    return (
        1.0 if kind == "constant" else (total_steps + 1 - step) / (total_steps + 1 - warmup_steps)
    )


def default_learning_rate(lm: MaskedLM, passes: float) -> float:
    """Peak rate for a model of this width and so many passes over the text; the more passes, the gentler each step.

    Measured with `python -m benchmarks.rates`: on texts of 6,500 to 45,000 tokens the best rate for the starter was 5e-4 over four passes and
    2.5e-4 over eight. The step down for wider models is the usual one from small to base size (1e-3 at 128 wide to 7e-5 at 768).
    """
    return 2e-3 / max(2, passes) * (128 / getattr(lm.model.config, "hidden_size", 768)) ** 1.5


def set_dropout(model: torch.nn.Module, share: float) -> None:
    """Sets every dropout layer of `model` to `share`."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = share


def freeze(lm: MaskedLM, embeddings: bool, num_layers: int) -> None:
    """Takes the embeddings and the lowest layers out of the training. Raises UserError for a model that has not so many layers of its own."""
    base = lm.model.base_model
    stacks = [
        m
        for m in base.modules()
        if isinstance(m, torch.nn.ModuleList)
        and len(m) == getattr(lm.model.config, "num_hidden_layers", 0)
    ]
    if num_layers and (not stacks or num_layers >= len(stacks[0])):
        raise UserError(
            f"{num_layers} layers cannot be left as they are.",
            f"This model has {len(stacks[0])}, and one must stay to learn."
            if stacks
            else "This model's layers share their weights.",
            "Choose a smaller number, or 0.",
        )
    frozen = [base.embeddings] if embeddings and hasattr(base, "embeddings") else []
    for module in [*frozen, *(stacks[0][:num_layers] if num_layers else [])]:
        module.requires_grad_(False)


def _check_finite(loss: float, step: int) -> None:
    if not math.isfinite(loss):
        raise UserError(
            "Training stopped: the loss is no longer a number.",
            f"At step {step} the learning rate was probably too high for this model.",
            "Start again with a tenth of that rate.",
        )


def _check_enough(store: TokenStore, held_out: TokenStore, lm: MaskedLM) -> None:
    ordinary, unseen = (
        int(lm.vocabulary.maskable(torch.from_numpy(side.ids)).sum()) for side in (store, held_out)
    )
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


def is_finite(lm: MaskedLM) -> bool:
    """True when every weight is a number."""
    return all(bool(torch.isfinite(parameter).all()) for parameter in lm.model.parameters())
