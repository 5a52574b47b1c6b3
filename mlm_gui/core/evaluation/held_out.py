"""How well a model guesses hidden words of text it was not trained on; the masks never change."""

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from mlm_gui.core.masking.policy import MaskPolicy
from mlm_gui.core.masking.sampling import MaskedBatch, mask_pack
from mlm_gui.core.model.masked_lm import MaskedLM, evaluating
from mlm_gui.core.tokens import Pack, TokenStore, packs

TOKENS_PER_PACK = 2048
MAX_EVALUATION_TOKENS = 30_000
"""A longer held-out text is scored on a fixed random selection of its sequences."""
MAX_EVALUATION_CHARACTERS = 250_000
"""Of a longer held-out text a fixed random selection of paragraphs is tokenised."""
MAX_EXPONENT = 700
"""exp of a larger number is more than a float can hold."""


@dataclass(frozen=True)
class Score:
    """How well one model guessed the blanks of a held-out text.

    It has no interval: the blanks of a paragraph are not independent, so an interval needs the
    paragraphs, which `evaluation.paired` resamples.
    """

    loss: float
    """Mean cross-entropy over the blanks, in nats."""
    perplexity: float
    """Masked-token perplexity: exp(loss)."""
    top1: float
    """Share of the blanks whose first guess is right."""
    top5: float
    """Share of the blanks with the right token among the first five guesses."""
    num_masks: int
    """Number of blanks."""


@dataclass(frozen=True)
class Exam:
    """Held-out packs with their masks drawn once, so that all models get the same blanks."""

    questions: tuple[tuple[Pack, MaskedBatch], ...]
    asked: np.ndarray
    """int64, the numbers of the sequences in the packs, in their order."""

    @property
    def num_masks(self) -> int:
        """Number of blanks."""
        return sum(int(batch.chosen.sum()) for _, batch in self.questions)

    @classmethod
    def of(cls, held_out: TokenStore, policy: MaskPolicy, lm: MaskedLM, seed: int = 0) -> "Exam":
        """Draws the masks with `seed`, for the vocabulary of `lm`."""
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(held_out.num_sequences, generator=generator).numpy()
        num_tokens = np.cumsum(held_out.lengths[order])
        num_asked = int(np.searchsorted(num_tokens, MAX_EVALUATION_TOKENS)) + 1
        asked = np.sort(order[:num_asked])
        questions = []
        for sequences in packs(held_out.lengths, TOKENS_PER_PACK, asked):
            pack = held_out.pack(sequences)
            questions.append((pack, mask_pack(pack, policy, lm.vocabulary, generator)))
        return cls(tuple(questions), asked)


def evaluate(lm: MaskedLM, exam: Exam) -> Score:
    """Scores `lm`; the same weights give the same score to the last digit."""
    answers = list(_answers(lm, exam))
    losses = torch.cat([answer.losses for answer in answers])
    ranks = torch.cat([answer.ranks for answer in answers])
    loss = losses.mean().item()
    return Score(
        loss=loss,
        perplexity=perplexity(loss),
        top1=(ranks < 1).double().mean().item(),
        top5=(ranks < 5).double().mean().item(),
        num_masks=len(losses),
    )


def perplexity(loss: float) -> float:
    """Masked-token perplexity: exp(mean loss on the blanks), kept below what a float can hold."""
    return math.exp(min(loss, MAX_EXPONENT))


def tally(
    lm: MaskedLM, exams: Sequence[Exam], cluster_of: np.ndarray
) -> Generator[float, None, np.ndarray]:
    """Sums over the blanks of each cluster of sequences.

    cluster_of: int64 [S], the cluster of each sequence of the store that the exams were drawn
    from. Yields the share of blanks answered so far. Returns float64 [C, 4]: blanks, loss, right
    first guesses, right among five.
    """
    sums = np.zeros((int(cluster_of.max()) + 1, 4))
    num_blanks = sum(exam.num_masks for exam in exams)
    num_answered = 0
    for exam in exams:
        for answers in _answers(lm, exam):
            ranks = answers.ranks.numpy()
            ones = np.ones(len(ranks))
            rows = np.stack([ones, answers.losses.numpy(), ranks < 1, ranks < 5], 1)
            np.add.at(sums, cluster_of[exam.asked[answers.places.numpy()]], rows)
            num_answered += len(ranks)
            yield num_answered / num_blanks
    return sums


class _Answers(NamedTuple):
    """A model's answers at the W blanks of one pack."""

    losses: torch.Tensor
    """float64 [W]."""
    ranks: torch.Tensor
    """int64 [W], how many tokens the model finds more probable than the right one."""
    places: torch.Tensor
    """int64 [W], the place of the blank's sequence in `Exam.asked`."""


def _answers(lm: MaskedLM, exam: Exam) -> Iterator[_Answers]:
    """The answers at the blanks of each pack, in order."""
    num_sequences = 0
    for pack, batch in exam.questions:
        with evaluating(lm):
            logits = lm.logits_at(pack, batch.input_ids, batch.chosen).float()
            right = batch.labels[batch.chosen].to(logits.device)
            ranks = (logits > logits.gather(1, right[:, None])).sum(1)
            losses = F.cross_entropy(logits, right, reduction="none")
        places = pack.sequences[batch.chosen] + num_sequences
        yield _Answers(losses.double().cpu(), ranks.cpu(), places)
        num_sequences += len(pack.lengths)
