"""A cloze test from held-out sentences: both models guess hidden key words of the text."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from mlm_gui.core.corpus.fragmentation import WORD
from mlm_gui.core.evaluation.outcomes import CUTS
from mlm_gui.core.model.masked_lm import MaskedLM, evaluating
from mlm_gui.core.model.vocabulary import spelled
from mlm_gui.core.tokens import Pack

MAX_ITEMS = 50
MAX_KEY_WORDS = 60
"""Only the most typical words of a text are asked."""
MIN_LETTERS = 4
"""Shorter words are nearly always function words."""
MIN_COUNT = 2
"""A key word occurs at least this often in the text."""
MIN_SENTENCE_WORDS = 5
"""A shorter sentence gives too little context."""
MAX_SENTENCE_WORDS = 60
"""A longer sentence is too much to read."""
SHOWN_GUESSES = 3
ITEMS_PER_PASS = 8
_SENTENCE_END = re.compile(r"(?<=[.!?;])[\"'”’)]*\s+")
_FUNCTION_WORDS = """
about above after again against almost also although always among another because been before being
below between both cannot could does doing done down during each either else even ever every
everything from further hast hath have having here hers herself himself however into itself itself
just less like made make many might more most much must myself neither never nothing once only other
others ought ours ourselves over rather same shall shalt should since some something still such than
that thee their theirs them themselves then there therefore these they thine thing things this those
thou though through thus thyself under until unto upon very were what whatever when where whether
which while whom whose will with within without would your yours yourself yourselves
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""English words of MIN_LETTERS and more that carry grammar rather than a subject; never asked."""


@dataclass(frozen=True)
class KeyWord:
    """A word that is typical of the text."""

    word: str
    """In lower case."""
    count: int
    """Occurrences in the text."""
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

    @property
    def sentence(self) -> str:
        """The whole sentence."""
        return f"{self.before}{self.answer}{self.after}"


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
    """The cloze test of an evaluation; empty when the text has no suitable sentence."""

    items: tuple[Answered, ...]
    key_words: tuple[str, ...]
    """The words that were asked, most typical first."""
    base_right: tuple[int, int, int]
    """Items with the hidden word among the first 1, 5 and 10 guesses."""
    tuned_right: tuple[int, int, int]


def key_words(
    paragraphs: Sequence[str], reference: Sequence[str], most: int = MAX_KEY_WORDS
) -> tuple[KeyWord, ...]:
    """Content words that are more frequent in `paragraphs` than in `reference`.

    They are sorted by their log-likelihood ratio, largest first: G² = 2 Σ observed ·
    ln(observed / expected) over the two texts (Dunning 1993, "Accurate Methods for the Statistics
    of Surprise and Coincidence", in the two-cell form of Rayson & Garside 2000, "Comparing Corpora
    using Frequency Profiling").
    """
    counts = _word_counts(paragraphs)
    reference_counts = _word_counts(reference)
    size = counts.total()
    reference_size = max(1, reference_counts.total())
    candidates = []
    for word, count in counts.items():
        if len(word) < MIN_LETTERS or word in FUNCTION_WORDS or count < MIN_COUNT:
            continue
        reference_count = reference_counts[word]
        count_in_both = count + reference_count
        expected = count_in_both * size / (size + reference_size)
        if count <= expected:
            continue
        keyness = count * math.log(count / expected)
        if reference_count:
            expected_in_reference = count_in_both * reference_size / (size + reference_size)
            keyness += reference_count * math.log(reference_count / expected_in_reference)
        candidates.append(KeyWord(word, count, 2 * keyness))
    candidates.sort(key=lambda key: (-key.keyness, key.word))
    return tuple(candidates[:most])


def _word_counts(paragraphs: Sequence[str]) -> Counter[str]:
    return Counter(word.lower() for paragraph in paragraphs for word in WORD.findall(paragraph))


def cloze_items(
    lm: MaskedLM, held_out: Sequence[str], known: Sequence[str], reference: Sequence[str]
) -> tuple[tuple[KeyWord, Item], ...]:
    """At most MAX_ITEMS questions from held-out sentences.

    Each asks a key word of `known` that is a single token for `lm` and occurs once in its
    sentence. Words take turns, the most typical first: no word is asked again before every other
    suitable word was asked. Each sentence is asked once.
    """
    sentences_with = _sentences_by_word(held_out)
    keys = [key for key in key_words(known, reference) if key.word in sentences_with]
    asked: set[str] = set()
    questions: list[tuple[KeyWord, Item]] = []
    while keys:
        asked_this_turn = []
        for key in keys:
            candidates = [s for s in sentences_with[key.word] if s not in asked]
            item = _first_item(lm, candidates, key.word)
            if item is None:
                continue
            asked.add(item.sentence)
            questions.append((key, item))
            if len(questions) == MAX_ITEMS:
                return tuple(questions)
            asked_this_turn.append(key)
        keys = asked_this_turn
    return tuple(questions)


def _sentences_by_word(paragraphs: Sequence[str]) -> dict[str, list[str]]:
    """For each word the sentences of suitable length in which it occurs once."""
    sentences_with: dict[str, list[str]] = {}
    for paragraph in paragraphs:
        for sentence in _SENTENCE_END.split(paragraph):
            words = [word.lower() for word in WORD.findall(sentence)]
            if MIN_SENTENCE_WORDS <= len(words) <= MAX_SENTENCE_WORDS:
                for word, count in Counter(words).items():
                    if count == 1:
                        sentences_with.setdefault(word, []).append(sentence)
    return sentences_with


def _first_item(lm: MaskedLM, sentences: Sequence[str], word: str) -> Item | None:
    """The first sentence with `word` hidden in which it is a single token; None without one."""
    for sentence in sentences:
        match = next(each for each in WORD.finditer(sentence) if each.group().lower() == word)
        item = Item(sentence[: match.start()], sentence[match.end() :], match.group())
        if _encoded(lm, item):
            return item
    return None


def ask_cloze(base: MaskedLM, tuned: MaskedLM, questions: Sequence[tuple[KeyWord, Item]]) -> Cloze:
    """Both models' answers; the two must cut words into the same pieces."""
    items = []
    for start in range(0, len(questions), ITEMS_PER_PASS):
        asked = [item for _, item in questions[start : start + ITEMS_PER_PASS]]
        answers = zip(asked, _guesses(base, asked), _guesses(tuned, asked), strict=True)
        for item, of_base, of_tuned in answers:
            items.append(
                Answered(
                    before=item.before,
                    after=item.after,
                    answer=item.answer,
                    base_guesses=of_base.guesses,
                    tuned_guesses=of_tuned.guesses,
                    base_rank=of_base.rank,
                    tuned_rank=of_tuned.rank,
                )
            )
    return Cloze(
        items=tuple(items),
        key_words=tuple(dict.fromkeys(key.word for key, _ in questions)),
        base_right=_num_right([item.base_rank for item in items]),
        tuned_right=_num_right([item.tuned_rank for item in items]),
    )


def _num_right(ranks: Sequence[int]) -> tuple[int, int, int]:
    """How many ranks are within each of the CUTS."""
    first, second, third = (sum(rank <= cut for rank in ranks) for cut in CUTS)
    return first, second, third


class _EncodedItem(NamedTuple):
    """The tokens of an item's whole sentence, and the position of its hidden token."""

    ids: list[int]
    position: int


def _encoded(lm: MaskedLM, item: Item) -> _EncodedItem | None:
    """The item as tokens; None when its answer is not a single token or it is too long."""
    start = len(item.before)
    end = start + len(item.answer)
    encoding = lm.tokenizer(item.sentence).encodings[0]
    token = encoding.char_to_token(start)
    if token is None or encoding.char_to_token(end - 1) != token:
        return None
    if encoding.char_to_token(end) == token:
        return None
    starts_earlier = start > 0 and encoding.char_to_token(start - 1) == token
    if starts_earlier:  # only by a space, which some tokenizers write into a word's first token
        starts_before_space = start > 1 and encoding.char_to_token(start - 2) == token
        if starts_before_space or not item.before[-1].isspace():
            return None
    if len(encoding.ids) > lm.max_length or encoding.ids[token] in lm.tokenizer.all_special_ids:
        return None
    return _EncodedItem(list(encoding.ids), token)


class _Answer(NamedTuple):
    """A model's answer to one question."""

    rank: int
    """1 when the first guess is right."""
    guesses: tuple[str, ...]


def _guesses(lm: MaskedLM, items: Sequence[Item]) -> list[_Answer]:
    """The answer of `lm` to each question."""
    rows = [row for item in items if (row := _encoded(lm, item)) is not None]
    ids = torch.tensor([token for row in rows for token in row.ids])
    lengths = torch.tensor([len(row.ids) for row in rows])
    starts = torch.cumsum(lengths, 0) - lengths
    is_hidden = torch.zeros(len(ids), dtype=torch.bool)
    is_hidden[starts + torch.tensor([row.position for row in rows])] = True
    pack = Pack(ids, lengths, torch.zeros(len(ids), dtype=torch.bool))
    seen = torch.where(is_hidden, lm.vocabulary.mask_id, ids)
    with evaluating(lm):
        logits = lm.logits_at(pack, seen, is_hidden).float().cpu()
    right = ids[is_hidden][:, None]
    ranks = (logits > logits.gather(1, right)).sum(1) + 1
    best = logits.topk(SHOWN_GUESSES).indices
    return [
        _Answer(rank, tuple(spelled(lm.tokenizer, token) for token in row))
        for rank, row in zip(ranks.tolist(), best.tolist(), strict=True)
    ]
