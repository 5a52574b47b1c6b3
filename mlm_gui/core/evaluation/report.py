"""The whole evaluation of two models, and its verdict in one honest sentence."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from mlm_gui.core.assets import ASSETS
from mlm_gui.core.corpus.paragraphs import lengths_of
from mlm_gui.core.evaluation.cloze import Cloze, ask_cloze, cloze_items
from mlm_gui.core.evaluation.outcomes import MIN_CLUSTERS, MIN_MASKS, NO_VERDICT
from mlm_gui.core.evaluation.paired import PairedResult, scaled, score_both
from mlm_gui.core.evaluation.wording import verdict_sentence
from mlm_gui.core.masking.policy import EVALUATION_SEEDS
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.errors import UserError

MAX_REPORT_CHARACTERS = 80_000
"""A longer text is evaluated on a fixed random selection of paragraphs, about 20,000 tokens."""
SCORING_SHARE = 0.95
"""Share of the progress that is reported while both texts are scored; the rest is the cloze."""


@dataclass(frozen=True)
class Material:
    """The texts of an evaluation."""

    base_name: str
    tuned_name: str
    text_name: str
    held_out: Sequence[str]
    """Paragraphs to be scored."""
    known: Sequence[str]
    """Paragraphs whose key words are asked: the training side, or the held-out ones themselves."""
    general: tuple[str, ...]
    """Paragraphs of everyday language, for the forgetting meter."""
    seen_by_base: int = 0
    """Held-out paragraphs that the base model was trained on, word for word or nearly."""
    seen_by_tuned: int = 0
    """Held-out paragraphs that the tuned model was trained on, word for word or nearly."""


@dataclass(frozen=True)
class Report:
    """A finished evaluation."""

    base_name: str
    tuned_name: str
    text_name: str
    verdict: str
    """BETTER, SAME, WORSE or NO_VERDICT."""
    sentence: str
    """The verdict, by how much, and at what cost."""
    warnings: tuple[str, ...]
    """Why the figures, or some of them, must not be trusted."""
    unseen: PairedResult
    """On the held-out text; exam.json has it under this name."""
    forgetting: PairedResult
    """On the general text."""
    cloze: Cloze
    seconds_trained: float
    """0 when it is not known."""


def general_paragraphs() -> tuple[str, ...]:
    """The everyday text that the forgetting meter uses, written for this package.

    News, letters, recipes, science, dialogue, law, sport, travel and stories.
    """
    return tuple((ASSETS / "exam" / "general.txt").read_text(encoding="utf-8").split("\n\n"))


def evaluate_both(
    base: MaskedLM,
    tuned: MaskedLM,
    material: Material,
    seconds_trained: float = 0.0,
    seeds: Sequence[int] = EVALUATION_SEEDS,
) -> Generator[float, None, Report]:
    """Evaluates both models; yields the share done, 0 to 1, and returns the report.

    To stop, close the generator. The same weights, material and seeds give the same report to the
    last digit. Raises UserError when the models cut text into different pieces.
    """
    check_same_pieces(base, tuned)
    held_out = bounded(material.held_out)
    general = bounded(material.general)
    num_held_out = sum(map(len, held_out))
    num_general = sum(map(len, general))
    middle = SCORING_SHARE * num_held_out / max(1, num_held_out + num_general)
    paired_result = yield from scaled(score_both(base, tuned, held_out, seeds), 0.0, middle)
    forgetting = yield from scaled(score_both(base, tuned, general, seeds), middle, SCORING_SHARE)
    questions = cloze_items(base, held_out, bounded(material.known), general)
    cloze = ask_cloze(base, tuned, questions)
    yield 1.0
    warnings = warnings_of(paired_result, material)
    if warnings:
        verdict = NO_VERDICT
        sentence = f"No verdict: {warnings[0]}"
    else:
        verdict = paired_result.outcome
        sentence = verdict_sentence(verdict, paired_result, forgetting, seconds_trained)
    return Report(
        base_name=material.base_name,
        tuned_name=material.tuned_name,
        text_name=material.text_name,
        verdict=verdict,
        sentence=sentence,
        warnings=warnings,
        unseen=paired_result,
        forgetting=forgetting,
        cloze=cloze,
        seconds_trained=seconds_trained,
    )


def check_same_pieces(base: MaskedLM, tuned: MaskedLM) -> None:
    """Raises UserError when the tokenizers differ, since a loss per token is then incomparable."""
    sample = " ".join(general_paragraphs()[:3])
    same_pieces = (
        base.tokenizer.get_vocab() == tuned.tokenizer.get_vocab()
        and base.tokenizer(sample)["input_ids"] == tuned.tokenizer(sample)["input_ids"]
    )
    if not same_pieces or base.vocabulary.mask_id != tuned.vocabulary.mask_id:
        raise UserError(
            "These two models cannot take the same exam.",
            "They cut words into different pieces (their tokenizers differ), so a loss or a share "
            "of right guesses for each piece would not be comparable.",
            "Compare a run with the model it started from, or two runs of the same base model.",
        )


def bounded(paragraphs: Sequence[str]) -> tuple[str, ...]:
    """All paragraphs, or a fixed random selection of about MAX_REPORT_CHARACTERS of a long text.

    The last paragraph selected may be cut.
    """
    if lengths_of(paragraphs).sum() <= MAX_REPORT_CHARACTERS:
        return tuple(paragraphs)
    room = MAX_REPORT_CHARACTERS
    selected: dict[int, str] = {}
    for number in np.random.default_rng(0).permutation(len(paragraphs)).tolist():
        selected[number] = paragraphs[number][:room]
        room -= len(selected[number])
        if room <= 0:
            break
    return tuple(selected[number] for number in sorted(selected))


def warnings_of(paired_result: PairedResult, material: Material) -> tuple[str, ...]:
    """Every reason why there is no verdict."""
    candidates = (
        _seen_warning("tuned", material.seen_by_tuned, len(material.held_out)),
        _seen_warning("base", material.seen_by_base, len(material.held_out)),
        _clusters_warning(paired_result.num_clusters),
        _masks_warning(paired_result.num_masks),
    )
    return tuple(warning for warning in candidates if warning)


def _seen_warning(role: str, num_seen: int, num_paragraphs: int) -> str:
    """Some of the text was in the model's training text; "" when none was."""
    if not num_seen:
        return ""
    return (
        f"{num_seen:,} of the {num_paragraphs:,} paragraphs were, word for word or nearly, in the "
        f"text that the {role} model learned from; a model that has seen the answers looks better "
        "than it is. Choose a text that neither has seen."
    )


def _clusters_warning(num_clusters: int) -> str:
    """There are too few different paragraphs; "" when there are enough."""
    if num_clusters >= MIN_CLUSTERS:
        return ""
    noun = "paragraph is" if num_clusters == 1 else "paragraphs are"
    return (
        f"only {num_clusters} different {noun} unseen, and a verdict needs {MIN_CLUSTERS}: with "
        "fewer, chance alone could look like progress. Keep a larger share unseen, or bring more "
        "text."
    )


def _masks_warning(num_masks: int) -> str:
    """There are too few blanks; "" when there are enough."""
    if num_masks >= MIN_MASKS:
        return ""
    noun = "blank was" if num_masks == 1 else "blanks were"
    return (
        f"only {num_masks} {noun} asked, and a verdict needs {MIN_MASKS}: with fewer, the share of "
        "right guesses is uncertain by more than 7 in 100. Keep a larger share unseen, or bring "
        "more text."
    )
