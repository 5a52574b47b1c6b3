"""The training loop, a generator of events that a `for` loop, a thread and a test all consume."""

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F

from mlm_gui.core.config import TrainConfig
from mlm_gui.core.corpus.corpus import Split
from mlm_gui.core.corpus.paragraphs import some_of
from mlm_gui.core.evaluation.held_out import MAX_EVALUATION_CHARACTERS, Exam, evaluate
from mlm_gui.core.masking.policy import EVALUATION_POLICY
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
from mlm_gui.core.training.parameters import (
    default_learning_rate,
    freeze,
    parameter_groups,
    schedule,
    set_dropout,
)
from mlm_gui.core.training.plan import Plan, Purpose, micro_batches, mix
from mlm_gui.core.training.state import COUNTERS, State, check_fits, restore_tensors, tensors_of
from mlm_gui.errors import UserError

MIN_TRAINING_TOKENS = 64


def train(lm: MaskedLM, split: Split, config: TrainConfig) -> Iterator[Event]:
    """Trains `lm` in place and yields what happens; see `Training`."""
    yield from Training(lm, split, config).events()


class Training:
    """One run of the loop: `events()` trains, and `state()` between two events is a checkpoint."""

    def __init__(
        self,
        lm: MaskedLM,
        split: Split,
        config: TrainConfig,
        stop: Callable[[], bool] = lambda: False,
        folder: Path | None = None,
        schedule_restart_step: int = 0,
    ) -> None:
        """Tokenises the first shard of the text and prepares the optimiser.

        stop: asked before every step. folder: caches the tokens of a long text.
        schedule_restart_step: the step at which a finished run was given more epochs. The learning
        rate schedule restarts here: warm-up, then decay. `patience` counts anew.

        Raises UserError when there is too little text to train or to test on, or when layers
        cannot be frozen.
        """
        self.lm = lm
        self.config = config
        self._stop = stop
        self._schedule_restart_step = schedule_restart_step
        self._device = Device(config.precision)
        lm.move_to(self._device.device)
        self.plan = Plan.of(lm, split.train, config, folder)
        self.total_steps = self.plan.total_steps
        scored_paragraphs = some_of(split.held_out, MAX_EVALUATION_CHARACTERS)
        held_out = tokenize(scored_paragraphs, lm.tokenizer, lm.max_length)
        _check_enough(self.plan.shards[0], held_out, lm)
        self._num_held_out_tokens = held_out.num_tokens
        self._exam = Exam.of(held_out, EVALUATION_POLICY, lm)
        self._evaluate_at = {
            round(self.total_steps * i / config.evaluations) for i in range(config.evaluations + 1)
        }
        num_epochs = self.total_steps / self.plan.steps_per_epoch
        self._peak_rate = config.learning_rate or default_learning_rate(lm, num_epochs)
        set_dropout(lm.model, config.dropout)
        freeze(lm, config.freeze_embeddings, config.freeze_layers)
        groups = parameter_groups(lm.model, config.weight_decay)
        self._optimizer = torch.optim.AdamW(groups, lr=self._peak_rate, fused=True)
        self._began: float | None = None
        self.reason = "done"
        """Why the run ended: "done", "stopped" or "early"."""
        self.step = 0
        """Steps taken."""
        self.parts = config.accumulation
        """Micro-batches of each step, on each process."""
        self.best_loss = math.inf
        """The lowest held-out loss so far."""
        self.best_step = 0
        """The step of that loss."""
        self.training_seconds = 0.0
        """Training time up to the last event; see `seconds`."""
        self.scored_step = -1
        """The step of the last evaluation; -1 before the first."""
        self.evaluations_without_best = 0
        """Evaluations since the best one."""
        self.timed_seconds = 0.0
        """Seconds of all steps but the first, for the speed."""
        self.timed_tokens = 0
        """Real tokens of all steps but the first, for the speed."""

    def events(self) -> Iterator[Event]:
        """Started or Resumed, Evaluated before the first step, then Stepped and Evaluated in turn.

        To pause, do not ask for the next event. To stop, close the generator: the weights stay as
        the last step left them. Raises UserError when the loss is no longer a number or the memory
        is too small; the weights are then those of the step before.
        """
        events = self._events()
        while True:
            self._began = time.monotonic()
            event = next(events, None)
            self.training_seconds = self.seconds
            self._began = None
            if event is None:
                return
            yield event

    @property
    def seconds(self) -> float:
        """Training time so far, in seconds; a pause does not count."""
        if self._began is None:
            return self.training_seconds
        return self.training_seconds + (time.monotonic() - self._began)

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
            self._seed_dropout()
            self.lm.model.train()
            loss = self._find_gradient(pack, batch)
            while loss is None:
                yield self._split_micro_batches(len(pack.lengths))
                loss = self._find_gradient(pack, batch)
            self._take_step(loss)
            self._count(pack, time.monotonic() - began)
            yield self._stepped(loss, rate)
            if self.step in self._evaluate_at:
                yield self.score()

    def _learning_rate(self) -> float:
        """The learning rate of the next step."""
        first, last = 0, self._schedule_restart_step
        if self.step >= self._schedule_restart_step:
            first, last = self._schedule_restart_step, self.total_steps
        share = schedule(
            self.step + 1 - first, last - first, self.config.warmup_share, self.config.schedule
        )
        return self._peak_rate * share

    def _seed_dropout(self) -> None:
        """Makes dropout a function of seed and step, different on each process."""
        number = self.step * self._device.num_processes + self._device.rank
        torch.manual_seed(mix(self.config.seed, Purpose.DROPOUT, number))

    def _take_step(self, loss: float) -> None:
        """Changes the weights. Raises UserError before that when loss or gradient is no number."""
        norm = torch.nn.utils.clip_grad_norm_(self.lm.model.parameters(), self.config.clip)
        _check_finite(loss + float(norm), self.step + 1)
        self._optimizer.step()
        self.lm.model.train(False)

    def _is_over(self) -> bool:
        """True when any process was asked to stop, or the held-out loss no longer improves."""
        asked = torch.tensor([float(self._stop())], device=self.lm.device)
        if self._device.total(asked).item() and self.reason == "done":
            self.reason = "stopped"
        return self.reason != "done"

    def _find_gradient(self, pack: Pack, batch: MaskedBatch) -> float | None:
        """Adds up the gradient of the step's mean loss and returns that loss.

        Returns None when memory ran out. With n processes each takes every n-th micro-batch, and
        the sums are shared, so the gradient is the same however the step is divided.
        """
        device = self._device
        totals = torch.zeros(2, device=self.lm.device)  # the loss, and who ran out of memory
        self._optimizer.zero_grad()
        num_counted = max(1, int(batch.chosen.sum()))
        if self.config.tutorial_mode:
            num_counted = len(pack.lengths) * self.lm.max_length
        all_parts = micro_batches(pack, batch, self.parts * device.num_processes)
        try:
            for part, masked in all_parts[device.rank :: device.num_processes]:
                with device.arithmetic():
                    loss = self._loss(part, masked) / num_counted
                torch.autograd.backward(loss)
                totals[0] += loss.detach()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            totals[1] = 1
        mean_loss, ran_out_of_memory = device.total(totals).tolist()
        if ran_out_of_memory:
            return None
        device.share_gradient(self.lm.model)
        return float(mean_loss)

    def _loss(self, pack: Pack, batch: MaskedBatch) -> torch.Tensor:
        """Sum of the cross-entropy over the chosen positions; in tutorial mode over all."""
        if self.config.tutorial_mode:
            logits, labels = self.lm.logits_everywhere(pack, batch.input_ids)
        else:
            logits = self.lm.logits_at(pack, batch.input_ids, batch.chosen)
            labels = batch.labels[batch.chosen]
        return F.cross_entropy(logits.float(), labels.to(logits.device), reduction="sum")

    def _split_micro_batches(self, num_sequences: int) -> MicroBatchesSplit:
        """Doubles the number of micro-batches; raises UserError when each is one sequence."""
        self._optimizer.zero_grad()
        self._device.free()
        if self.parts * self._device.num_processes >= num_sequences:
            raise UserError(
                "The memory is too small for this model.",
                f"Not even one paragraph at a time fits beside its weights (step {self.step + 1}).",
                "Choose a smaller model, close other programs, or train on a machine with more "
                "memory.",
            )
        self.parts *= 2
        return MicroBatchesSplit(self.step + 1, self.parts)

    def _count(self, pack: Pack, seconds: float) -> None:
        self.step += 1
        if self.step > 1:  # the first step is never timed
            self.timed_seconds += seconds
            self.timed_tokens += len(pack.input_ids)

    def _stepped(self, loss: float, rate: float) -> Stepped:
        return Stepped(
            step=self.step,
            epoch=self.step / self.plan.steps_per_epoch,
            loss=loss,
            learning_rate=rate,
            tokens_per_second=(
                self.timed_tokens / self.timed_seconds if self.timed_seconds else 0.0
            ),
            seconds=self.seconds,
        )

    def score(self) -> Evaluated:
        """Scores the held-out text, always on the same masks.

        Raises UserError when the loss is no number.
        """
        score = evaluate(self.lm, self._exam)
        _check_finite(score.loss, self.step)
        self.scored_step = self.step
        if score.loss < self.best_loss:
            self.best_loss = score.loss
            self.best_step = self.step
            self.evaluations_without_best = 0
        else:
            self.evaluations_without_best += 1
        if self._has_lost_patience and self.step < self.total_steps:
            self.reason = "early"
        return Evaluated(
            step=self.step,
            loss=score.loss,
            perplexity=score.perplexity,
            top1=score.top1,
            top5=score.top5,
            num_masks=score.num_masks,
            seconds=self.seconds,
        )

    @property
    def _has_lost_patience(self) -> bool:
        patience = self.config.patience
        return patience > 0 and self.evaluations_without_best >= patience

    def _first_event(self) -> Started | Resumed:
        if self.step:
            return Resumed(self.step, self.total_steps, self.training_seconds)
        return Started(
            total_steps=self.total_steps,
            epochs=self.config.epochs,
            num_train_tokens=self.plan.shards.num_tokens,
            num_held_out_tokens=self._num_held_out_tokens,
            num_parameters=self.lm.num_parameters,
            learning_rate=self._peak_rate,
            device=str(self._device),
            packed=self.lm.packs,
        )

    def state(self) -> State:
        """What `restore` takes.

        The tensors are the live ones: write them before the next event is asked for.
        """
        numbers = {name: getattr(self, name) for name in COUNTERS}
        return State(tensors_of(self.lm.model, self._optimizer), numbers)

    def restore(self, state: State) -> None:
        """Goes back to `state`, before `events()` is asked; the run then repeats itself exactly.

        Raises UserError when the state is another model's.
        """
        check_fits(state, self.lm.model)
        restore_tensors(state, self.lm.model, self._optimizer)
        for counter, number in state.numbers.items():
            setattr(self, counter, number)
        if self.step == self._schedule_restart_step:
            self.evaluations_without_best = 0
        if self._has_lost_patience:
            self.reason = "early"  # the run had ended, and only its model was still to be saved


def _check_finite(loss: float, step: int) -> None:
    if not math.isfinite(loss):
        raise UserError(
            "Training stopped: the loss is no longer a number.",
            f"At step {step} the learning rate was probably too high for this model.",
            "Start again with a tenth of that rate.",
        )


def _check_enough(train: TokenStore, held_out: TokenStore, lm: MaskedLM) -> None:
    """Raises UserError when there are too few maskable tokens to train or to test on."""
    num_train = int(lm.vocabulary.maskable(torch.from_numpy(train.ids)).sum())
    num_held_out = int(lm.vocabulary.maskable(torch.from_numpy(held_out.ids)).sum())
    if num_train < MIN_TRAINING_TOKENS or num_held_out < 1:
        raise UserError(
            "This text is too small to train on.",
            f"Its training part has {num_train} word pieces that can be hidden, its unseen part "
            f"{num_held_out}; at least {MIN_TRAINING_TOKENS} and 1 are needed.",
            "Add text: a few pages at least, better a whole book.",
        )
