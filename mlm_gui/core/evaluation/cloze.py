"""A cloze test from unseen sentences: the key words of a text, each hidden where it stands, guessed by both models."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mlm_gui.core.corpus.fragmentation import WORD
from mlm_gui.core.evaluation.outcomes import CUTS
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.core.model.vocabulary import spelled
from mlm_gui.core.tokens import Pack

MAX_ITEMS = 50
MAX_KEY_WORDS = 60
"""Only the most typical words of a text are asked."""
MIN_LETTERS = 4
"""Shorter words are nearly always function words."""
SENTENCE_WORDS = (5, 60)
"""Sentences with fewer or more words are not asked: too little to go by, too much to read."""
SHOWN_GUESSES = 3
ITEMS_PER_PASS = 8
_SENTENCE_END = re.compile(r"(?<=[.!?;])[\"'”’)]*\s+")
_FUNCTION_WORDS = (
    "about above after again against almost also although always among another because been before being below between both cannot could does doing "
    "done down during each either else even ever every everything from further hast hath have having here hers herself himself however into itself "
    "just less like made make many might more most much must myself neither never nothing once only other others ought ours ourselves over rather "
    "same shall shalt should since some something still such than that thee their theirs them themselves then there therefore these they thine thing things "
    "this those thou though through thus thyself under until unto upon very were what whatever when where whether which while whom whose will with "
    "within without would your yours yourself yourselves"
)
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""English words of MIN_LETTERS and more that carry grammar rather than the subject of a text; they are never asked."""


@dataclass(frozen=True)
class KeyWord:
    """A word that marks the text."""

    word: str
    """In small letters."""
    count: int
    """Times it stands in the text."""
    keyness: float
    """Log-likelihood ratio G² against the general text; larger is more typical."""


@dataclass(frozen=True)
class Item:
    """One question: a sentence with one word hidden."""

    before: str
    """The sentence up to the blank."""
    after: str
    """The sentence after it."""
    answer: str
    """The hidden word, as written."""


@dataclass(frozen=True)
class Answered:
    """One question with both models' answers."""

    before: str
    after: str
    answer: str
    base_guesses: tuple[str, ...]
    tuned_guesses: tuple[str, ...]
    base_rank: int
    """1 when the model's first guess is the hidden word."""
    tuned_rank: int


@dataclass(frozen=True)
class Cloze:
    """The cloze test of an exam; empty when the text has no fit sentence."""

    items: tuple[Answered, ...]
    key_words: tuple[str, ...]
    """The words that were asked, most typical first."""
    base_right: tuple[int, int, int]
    """Items with the hidden word among the first 1, 5 and 10 guesses."""
    tuned_right: tuple[int, int, int]


def key_words(
    paragraphs: Sequence[str], reference: Sequence[str], most: int = MAX_KEY_WORDS
) -> tuple[KeyWord, ...]:
    """Content words that are more frequent in `paragraphs` than in `reference`, by their log-likelihood ratio, largest first.

    G² = 2 Σ observed · ln(observed / expected) over the two texts, Dunning 1993, "Accurate Methods for the Statistics of Surprise and Coincidence",
    in the two-cell form of Rayson & Garside 2000, "Comparing Corpora using Frequency Profiling".
    """
    counts, others = (
        Counter(word.lower() for paragraph in side for word in WORD.findall(paragraph))
        for side in (paragraphs, reference)
    )
    size, other_size = sum(counts.values()), max(1, sum(others.values()))
    found = []
    for word, count in counts.items():
        if len(word) < MIN_LETTERS or word in FUNCTION_WORDS or count < 2:
            continue
        other = others[word]
        expected, other_expected = (
            (count + other) * part / (size + other_size) for part in (size, other_size)
        )
        keyness = 2 * (
            count * math.log(count / expected)
            + (other * math.log(other / other_expected) if other else 0.0)
        )
        if count > expected:
            found.append(KeyWord(word, count, keyness))
    return tuple(sorted(found, key=lambda key: (-key.keyness, key.word))[:most])


def cloze_items(
    lm: MaskedLM, unseen: Sequence[str], known: Sequence[str], reference: Sequence[str]
) -> tuple[tuple[KeyWord, Item], ...]:
    """At most MAX_ITEMS questions from unseen sentences, each on a key word of `known` that is a single piece for `lm` and stands once in its sentence.

    Words take turns, the most typical first, so that no word is asked again before every other fit one was; each sentence is asked once.
    """
    standing: dict[str, list[str]] = {}
    for paragraph in unseen:
        for sentence in _SENTENCE_END.split(paragraph):
            words = [word.lower() for word in WORD.findall(sentence)]
            if SENTENCE_WORDS[0] <= len(words) <= SENTENCE_WORDS[1]:
                for word, count in Counter(words).items():
                    if count == 1:
                        standing.setdefault(word, []).append(sentence)
    keys = [key for key in key_words(known, reference) if key.word in standing]
    asked: set[str] = set()
    chosen: list[tuple[KeyWord, Item]] = []
    while keys and len(chosen) < MAX_ITEMS:
        left = []
        for key in keys:
            item = next(
                (
                    item
                    for sentence in standing[key.word]
                    if sentence not in asked and (item := _item(lm, sentence, key.word))
                ),
                None,
            )
            if item and len(chosen) < MAX_ITEMS:
                asked.add(f"{item.before}{item.answer}{item.after}")
                chosen.append((key, item))
                left.append(key)
        keys = left
    return tuple(chosen)


def ask_cloze(base: MaskedLM, tuned: MaskedLM, questions: Sequence[tuple[KeyWord, Item]]) -> Cloze:
    """Both models' answers; the two must cut words into the same pieces."""
    items = []
    for start in range(0, len(questions), ITEMS_PER_PASS):
        asked = [item for _, item in questions[start : start + ITEMS_PER_PASS]]
        for item, (base_rank, base_guesses), (tuned_rank, tuned_guesses) in zip(
            asked, _guesses(base, asked), _guesses(tuned, asked), strict=True
        ):
            items.append(
                Answered(
                    item.before,
                    item.after,
                    item.answer,
                    base_guesses,
                    tuned_guesses,
                    base_rank,
                    tuned_rank,
                )
            )
    right = [
        tuple(sum(rank <= cut for rank in ranks) for cut in CUTS)
        for ranks in ([i.base_rank for i in items], [i.tuned_rank for i in items])
    ]
    return Cloze(
        tuple(items), tuple(dict.fromkeys(key.word for key, _ in questions)), right[0], right[1]
    )


def _item(lm: MaskedLM, sentence: str, word: str) -> Item | None:
    """The sentence with `word` hidden, or None when it is more than one piece there or the sentence is too long for the model."""
    place = next(match for match in WORD.finditer(sentence) if match.group().lower() == word)
    item = Item(sentence[: place.start()], sentence[place.end() :], place.group())
    return item if _encoded(lm, item) else None


def _encoded(lm: MaskedLM, item: Item) -> tuple[list[int], int] | None:
    """Token ids of the whole sentence and the place of its hidden piece."""
    start, end = len(item.before), len(item.before) + len(item.answer)
    encoding = lm.tokenizer(f"{item.before}{item.answer}{item.after}").encodings[0]
    first, last = encoding.char_to_token(start), encoding.char_to_token(end - 1)
    alone = (
        first is not None
        and first == last
        and all(encoding.char_to_token(place) != first for place in (start - 1, end) if place >= 0)
    )
    if (
        not alone and first is not None and first == last
    ):  # families that write the space before a word into its first piece
        alone = (
            item.before[-1:].isspace()
            and encoding.char_to_token(end) != first
            and encoding.char_to_token(start - 2) != first
        )
    fits = (
        alone
        and len(encoding.ids) <= lm.max_length
        and encoding.ids[first] not in lm.tokenizer.all_special_ids
    )
    return (list(encoding.ids), first) if fits else None


@torch.no_grad()
def _guesses(lm: MaskedLM, items: Sequence[Item]) -> list[tuple[int, tuple[str, ...]]]:
    """For each question the rank of the hidden piece and the model's first guesses."""
    rows, places = zip(*(_encoded(lm, item) for item in items), strict=True)
    ids, lengths = (
        torch.tensor([token for row in rows for token in row]),
        torch.tensor([len(row) for row in rows]),
    )
    chosen = torch.zeros(len(ids), dtype=torch.bool)
    chosen[torch.cumsum(lengths, 0) - lengths + torch.tensor(places)] = True
    was_training = lm.model.training
    lm.model.eval()
    pack = Pack(ids, lengths, torch.zeros(len(ids), dtype=torch.bool))
    logits = (
        lm.logits_at(pack, torch.where(chosen, lm.vocabulary.mask_id, ids), chosen).float().cpu()
    )
    lm.model.train(was_training)
    ranks = (logits > logits.gather(1, ids[chosen][:, None])).sum(1) + 1
    best = logits.topk(SHOWN_GUESSES).indices
    return [
        (rank, tuple(spelled(lm.tokenizer, token) for token in row))
        for rank, row in zip(ranks.tolist(), best.tolist(), strict=True)
    ]
