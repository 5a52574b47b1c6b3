"""The whole exam of two models, and what may be said about it in one honest sentence."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from mlm_gui.core.assets import ASSETS
from mlm_gui.core.corpus.paragraphs import lengths_of
from mlm_gui.core.evaluation.cloze import Cloze, ask_cloze, cloze_items
from mlm_gui.core.evaluation.outcomes import MIN_CLUSTERS, MIN_MASKS, NO_VERDICT
from mlm_gui.core.evaluation.paired import PairedResult, pair, scaled
from mlm_gui.core.evaluation.wording import verdict_sentence
from mlm_gui.core.masking.policy import EXAM_SEEDS
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.errors import UserError

MAX_EXAM_CHARACTERS = 80_000
"""A longer text is examined on a fixed random choice of its paragraphs, about this long (some 20,000 tokens)."""


@dataclass(frozen=True)
class Material:
    """What an exam is made from."""

    base_name: str
    tuned_name: str
    text_name: str
    unseen: Sequence[str]
    """Paragraphs to be scored."""
    known: Sequence[str]
    """Paragraphs whose key words are asked: the training side, or the unseen ones themselves when there is none."""
    general: tuple[str, ...]
    """Paragraphs of everyday language, for the forgetting meter."""
    seen_by_base: int = 0
    """How many of the unseen paragraphs the base model was trained on after all, word for word or nearly."""
    seen_by_tuned: int = 0


@dataclass(frozen=True)
class Report:
    """A finished exam."""

    base_name: str
    tuned_name: str
    text_name: str
    verdict: str
    """BETTER, SAME, WORSE or NO_VERDICT."""
    sentence: str
    """The verdict, by how much, and at what cost."""
    warnings: tuple[str, ...]
    """Why the figures must not be trusted, or not all of them."""
    unseen: PairedResult
    forgetting: PairedResult
    cloze: Cloze
    seconds_trained: float
    """0 when nobody knows."""


def general_paragraphs() -> tuple[str, ...]:
    """The everyday text of our own that the forgetting meter reads: news, letters, recipes, science, dialogue, law, sport, travel, stories."""
    return tuple((ASSETS / "exam" / "general.txt").read_text(encoding="utf-8").split("\n\n"))


def examination(
    base: MaskedLM,
    tuned: MaskedLM,
    material: Material,
    seconds_trained: float = 0.0,
    seeds: Sequence[int] = EXAM_SEEDS,
) -> Generator[float, None, Report]:
    """Both models sit the exam; yields the share done, 0 to 1, and returns the report. To stop, close the generator.

    The same weights, material and seeds give the same report to the last digit. Raises UserError when the models cut text into different pieces.
    """
    check_same_pieces(base, tuned)
    unseen, general = (bounded(paragraphs) for paragraphs in (material.unseen, material.general))
    weight = sum(map(len, unseen)) / max(1, sum(map(len, unseen + general)))
    paired_result = yield from scaled(pair(base, tuned, unseen, seeds), 0.0, 0.95 * weight)
    forgetting = yield from scaled(pair(base, tuned, general, seeds), 0.95 * weight, 0.95)
    cloze = ask_cloze(base, tuned, cloze_items(base, unseen, bounded(material.known), general))
    yield 1.0
    warnings = warnings_of(paired_result, material)
    verdict = NO_VERDICT if warnings else paired_result.outcome
    sentence = (
        verdict_sentence(verdict, paired_result, forgetting, seconds_trained)
        if not warnings
        else f"No verdict: {warnings[0]}"
    )
    return Report(
        material.base_name,
        material.tuned_name,
        material.text_name,
        verdict,
        sentence,
        warnings,
        paired_result,
        forgetting,
        cloze,
        seconds_trained,
    )


def check_same_pieces(base: MaskedLM, tuned: MaskedLM) -> None:
    """Raises UserError when the two tokenizers differ: a loss for each piece means something else for each of them then."""
    sample = " ".join(general_paragraphs()[:3])
    same_pieces = (
        base.tokenizer.get_vocab() == tuned.tokenizer.get_vocab()
        and base.tokenizer(sample)["input_ids"] == tuned.tokenizer(sample)["input_ids"]
    )
    if not same_pieces or base.vocabulary.mask_id != tuned.vocabulary.mask_id:
        raise UserError(
            "These two models cannot sit the same exam.",
            "They cut words into different pieces (their tokenizers differ), so a loss or a share of right guesses for each piece would not be comparable.",
            "Compare a run with the model it started from, or two runs of the same base model.",
        )


def bounded(paragraphs: Sequence[str]) -> tuple[str, ...]:
    """All paragraphs, or, of a long text, a fixed random choice of about MAX_EXAM_CHARACTERS; the last one chosen may be cut."""
    if lengths_of(paragraphs).sum() <= MAX_EXAM_CHARACTERS:
        return tuple(paragraphs)
    room, chosen = MAX_EXAM_CHARACTERS, {}
    for number in map(int, np.random.default_rng(0).permutation(len(paragraphs))):
        chosen[number] = paragraphs[number][:room]
        room -= len(chosen[number])
        if room <= 0:
            break
    return tuple(chosen[number] for number in sorted(chosen))


def warnings_of(paired_result: PairedResult, material: Material) -> tuple[str, ...]:
    """Every reason for which no verdict may be given."""
    num_paragraphs = len(material.unseen)
    warnings = [
        f"{seen:,} of the {num_paragraphs:,} paragraphs were, word for word or nearly, in the text that the {role} model learned from; "
        "a model that has seen the answers looks better than it is. Choose a text that neither has seen."
        for role, seen in (("tuned", material.seen_by_tuned), ("base", material.seen_by_base))
        if seen
    ]
    if paired_result.num_clusters < MIN_CLUSTERS:
        warnings.append(
            f"only {paired_result.num_clusters} different {'paragraph is' if paired_result.num_clusters == 1 else 'paragraphs are'} unseen, and a verdict needs {MIN_CLUSTERS}: with fewer, chance alone could look like progress. "
            "Keep a larger share unseen, or bring more text."
        )
    if paired_result.num_masks < MIN_MASKS:
        warnings.append(
            f"only {paired_result.num_masks} {'blank was' if paired_result.num_masks == 1 else 'blanks were'} asked, and a verdict needs {MIN_MASKS}: with fewer, the share of right guesses is uncertain by more than "
            "7 in 100. Keep a larger share unseen, or bring more text."
        )
    return tuple(warnings)
