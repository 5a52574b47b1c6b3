"""How well a model guesses hidden words it never trained on, on masks that never change."""

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from mlm_gui.core.masking.policy import MaskPolicy
from mlm_gui.core.masking.sampling import MaskedBatch, mask_tokens
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.core.tokens import Pack, TokenStore, packs

TOKENS_PER_PACK = 2048
MAX_EVALUATION_TOKENS = 30_000
"""A longer held-out text is scored on a fixed random selection of its sequences, about this many tokens."""
MAX_EVALUATION_CHARACTERS = 250_000
"""No more of a held-out text than this, a fixed random selection of its paragraphs, is tokenised."""


@dataclass(frozen=True)
class Score:
    """Guesses at the chosen tokens of a held-out text."""

    loss: float
    """Mean cross-entropy in nats over the chosen tokens."""
    perplexity: float
    """Masked-token perplexity: exp(loss)."""
    top1: float
    """Share of chosen tokens whose first guess is right."""
    top5: float
    """Share of chosen tokens with the right one among the first five guesses."""
    interval: tuple[float, float]
    """95 % interval of the loss, normal approximation over the chosen tokens."""
    num_masks: int


@dataclass(frozen=True)
class Exam:
    """Held-out packs with their masks drawn once; every model that sits it meets the same blanks."""

    questions: tuple[tuple[Pack, MaskedBatch], ...]
    asked: np.ndarray
    """int64, the numbers of the sequences that stand in the packs, in their order."""

    @property
    def num_masks(self) -> int:
        return sum(int(batch.chosen.sum()) for _, batch in self.questions)

    @classmethod
    def of(cls, held_out: TokenStore, policy: MaskPolicy, lm: MaskedLM, seed: int = 0) -> "Exam":
        """Draws the masks with `seed`, for `lm`'s vocabulary."""
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(held_out.num_sequences, generator=generator).numpy()
        order = np.sort(
            order[
                : int(np.searchsorted(np.cumsum(held_out.lengths[order]), MAX_EVALUATION_TOKENS))
                + 1
            ]
        )
        questions = []
        for sequences in packs(held_out.lengths, TOKENS_PER_PACK, order):
            pack = held_out.pack(sequences)
            maskable = lm.vocabulary.maskable(pack.input_ids)
            batch = mask_tokens(
                pack.input_ids,
                maskable,
                policy,
                lm.vocabulary,
                generator,
                pack.sequences,
                pack.words,
            )
            questions.append((pack, batch))
        return cls(tuple(questions), order)


def evaluate(lm: MaskedLM, exam: Exam) -> Score:
    """Scores `lm`, in evaluation mode (it is put back as it was). The same weights give the same score to the last digit."""
    losses, ranks, _ = (torch.cat(column) for column in zip(*_answers(lm, exam), strict=True))
    loss, spread = (
        losses.mean().item(),
        (losses.std() / math.sqrt(len(losses))).item() if len(losses) > 1 else math.inf,
    )
    return Score(
        loss=loss,
        perplexity=perplexity(loss),
        top1=(ranks < 1).double().mean().item(),
        top5=(ranks < 5).double().mean().item(),
        interval=(loss - 1.96 * spread, loss + 1.96 * spread),
        num_masks=len(losses),
    )


def perplexity(loss: float) -> float:
    """Masked-token perplexity: exp(mean loss on the hidden tokens), kept below what a float can hold."""
    return math.exp(min(loss, 700))


def tally(
    lm: MaskedLM, exams: Sequence[Exam], unit_of: np.ndarray
) -> Generator[float, None, np.ndarray]:
    """Sums for each unit, a unit being the sequences with the same number: float64 [U, 4] of blanks, loss, right first guesses, right among five.

    unit_of: int64 [S], the unit of each sequence of the store the exams were drawn from. Yields the share of blanks answered so far; the sums are what
    the generator returns. The model's mode is put back, closed early or not.
    """
    sums = np.zeros((int(unit_of.max()) + 1, 4))
    total = sum(exam.num_masks for exam in exams)
    for exam in exams:
        for losses, ranks, sequences in _answers(lm, exam):
            rows = np.stack(
                [np.ones(len(losses)), losses.numpy(), (ranks < 1).numpy(), (ranks < 5).numpy()], 1
            )
            np.add.at(sums, unit_of[exam.asked[sequences.numpy()]], rows)
            yield float(sums[:, 0].sum() / total)
    return sums


def _answers(lm: MaskedLM, exam: Exam) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """For each pack and each chosen token in it: its loss (float64 [W]), how many tokens the model liked better (int64 [W]), the place of its sequence
    in `exam.asked` (int64 [W])."""
    was_training = lm.model.training
    lm.model.eval()
    before = 0
    try:
        for pack, batch in exam.questions:
            with torch.no_grad():
                logits = lm.logits_at(pack, batch.input_ids, batch.chosen).float()
                right = batch.labels[batch.chosen].to(logits.device)
                better = (logits > logits.gather(1, right[:, None])).sum(1)
                losses = F.cross_entropy(logits, right, reduction="none")
            yield losses.double().cpu(), better.cpu(), pack.sequences[batch.chosen] + before
            before += len(pack.lengths)
    finally:
        lm.model.train(was_training)
