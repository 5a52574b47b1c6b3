"""How well a model guesses hidden words it never trained on, on masks that never change."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from mlm_gui.core.masking import MaskedBatch, MaskPolicy, mask_tokens
from mlm_gui.core.model import MaskedLM
from mlm_gui.core.tokens import Pack, TokenStore, packs

TOKENS_PER_PACK = 2048
MAX_EVALUATION_TOKENS = 50_000
"""A longer held-out text is scored on a fixed random selection of its sequences, about this many tokens."""
MAX_EVALUATION_CHARACTERS = 1_000_000
"""No more of a held-out text than this is tokenised."""


def some_of(paragraphs: Sequence[str]) -> Sequence[str]:
    """All of a short held-out text; of a long one a fixed random selection, more than `Exam.of` reads."""
    if sum(map(len, paragraphs)) <= MAX_EVALUATION_CHARACTERS:
        return paragraphs
    order = np.random.default_rng(0).permutation(len(paragraphs))
    enough = int(np.searchsorted(np.cumsum([len(paragraphs[place]) for place in order]), MAX_EVALUATION_CHARACTERS)) + 1
    return [paragraphs[place] for place in np.sort(order[:enough])]


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

    @classmethod
    def of(cls, held_out: TokenStore, policy: MaskPolicy, lm: MaskedLM, seed: int = 0) -> "Exam":
        """Draws the masks with `seed`, for `lm`'s vocabulary."""
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(held_out.num_sequences, generator=generator).numpy()
        order = order[: int(np.searchsorted(np.cumsum(held_out.lengths[order]), MAX_EVALUATION_TOKENS)) + 1]
        questions = []
        for sequences in packs(held_out.lengths, TOKENS_PER_PACK, np.sort(order)):
            pack = held_out.pack(sequences)
            questions.append(
                (pack, mask_tokens(pack.input_ids, lm.vocabulary.maskable(pack.input_ids), policy, lm.vocabulary, generator, pack.sequences))
            )
        return cls(tuple(questions))


@torch.no_grad()
def evaluate(lm: MaskedLM, exam: Exam) -> Score:
    """Scores `lm`, in evaluation mode (it is put back as it was). The same weights give the same score to the last digit."""
    was_training = lm.model.training
    lm.model.eval()
    try:
        parts = list(_answers(lm, exam))
    finally:
        lm.model.train(was_training)
    losses, ranks = (torch.cat(column).double() for column in zip(*parts, strict=True))
    loss, spread = losses.mean().item(), (losses.std() / math.sqrt(len(losses))).item() if len(losses) > 1 else math.inf
    return Score(
        loss=loss,
        perplexity=math.exp(min(loss, 700)),
        top1=(ranks < 1).double().mean().item(),
        top5=(ranks < 5).double().mean().item(),
        interval=(loss - 1.96 * spread, loss + 1.96 * spread),
        num_masks=len(losses),
    )


def _answers(lm: MaskedLM, exam: Exam) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """For each pack: the loss of each chosen token (float [W]) and how many tokens the model liked better (int64 [W])."""
    for pack, batch in exam.questions:
        logits = lm.logits_at(pack, batch.input_ids, batch.chosen).float()
        right = batch.labels[batch.chosen].to(logits.device)
        better = (logits > logits.gather(1, right[:, None])).sum(1)
        yield F.cross_entropy(logits, right, reduction="none").cpu(), better.cpu()
