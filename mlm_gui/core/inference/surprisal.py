"""How surprised a model is by a word, with the word hidden from it, however many pieces it has."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from mlm_gui.core import validation
from mlm_gui.core.inference.blanks import BLANK, MAX_BLANKS
from mlm_gui.core.inference.blanks import MAX_CHARACTERS as MAX_SENTENCE_CHARACTERS
from mlm_gui.core.inference.fill import log_probabilities_at
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.core.model.vocabulary import spelled
from mlm_gui.errors import UserError

WORD = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]")
"""A word, or a sign that stands alone; the same for every tokenizer, so that models with different pieces meet the same words."""
TOKENS_PER_PACK = 4096
"""Tokens that one pass reads of a model as narrow as the starter; of wider ones fewer, so that a pass takes well under a second."""
CONTEXT_TOKENS = 256
"""Tokens around a word that its surprise is measured in, at most; the cost of a long text grows with it."""
MAX_CHARACTERS = 2_000_000
"""Of a text whose words are scored."""
MAX_WORD_CHARACTERS = 100


@dataclass(frozen=True)
class Surprise:
    """How little a model expected one word."""

    word: str
    start: int
    """Place of its first character in the text."""
    pieces: tuple[str, ...]
    nats: float
    """-ln P(word | the rest of its text), the sum over its pieces."""


@dataclass(frozen=True)
class _Question:
    """A stretch of text with some pieces hidden: how probable is the piece at `place`?"""

    ids: list[int]
    place: int
    answer: int


@dataclass(frozen=True)
class _Window:
    """As much of a text as the model reads at once."""

    ids: list[int]
    words: tuple[tuple[re.Match, tuple[int, ...]], ...]
    """Each word with the places of its pieces in `ids`."""


def surprises(lm: MaskedLM, text: str, context: int = CONTEXT_TOKENS) -> Iterator[Surprise]:
    """Each word of `text` with the model's surprise at it, in order and as soon as it is known; to stop, close the generator.

    A word's pieces are scored from left to right, each with itself and the pieces after it hidden, and everything outside the word in sight: PLL-word-l2r
    (Kauf & Ivanova 2023, "A Better Way to Do Masked Language Model Scoring"). The last word is hidden like any other. A text of more than
    `context` tokens is cut between words; the words beyond a cut are not seen. Words that the vocabulary has no piece for are left out.
    Raises UserError for what is no text, or too much of it.
    """
    text = validation.text("The text", text, MAX_CHARACTERS)
    for window in _windows(lm, text, list(WORD.finditer(text)), min(lm.max_length, context)):
        questions = [
            question for _, places in window.words for question in _hidden(lm, window.ids, places)
        ]
        answers = _log_probabilities(lm, questions)
        for match, places in window.words:
            nats = -sum(next(answers) for _ in places)
            yield Surprise(
                match.group(),
                match.start(),
                tuple(spelled(lm.tokenizer, window.ids[place]) for place in places),
                nats,
            )


def score_word(lm: MaskedLM, text: str, blank: int, word: str) -> Surprise:
    """The surprise at `word` in the blank of this number (0 is the first); the other blanks stay hidden. See `surprises` for how it is measured.

    Raises UserError for a word without a piece, a blank that is not there, or a text too long for the model.
    """
    word = validation.text("The word", word, MAX_WORD_CHARACTERS).strip()
    text, blank = (
        validation.text("The sentence", text, MAX_SENTENCE_CHARACTERS),
        validation.whole("The blank", blank, 0, MAX_BLANKS),
    )
    blanks = list(BLANK.finditer(text))
    if not word or blank >= len(blanks):
        raise UserError(
            "There is nothing to score.",
            "No word was typed, or the sentence has no such blank.",
            "Hide a word and type one to put there.",
        )
    start, end = blanks[blank].span()
    before, after = (
        BLANK.sub(lambda _: lm.tokenizer.mask_token, part) for part in (text[:start], text[end:])
    )
    written = re.compile(re.escape(word)).match(before + word + after, len(before))
    windows = _windows(lm, before + word + after, [written], lm.max_length)
    if len(windows) != 1:
        raise UserError(
            "The sentence is too long for the model.",
            f"The model reads {lm.max_length} word pieces.",
            "Shorten it.",
        )
    ((_, places),) = windows[0].words or ((None, ()),)
    if not places:
        raise UserError(
            f"“{word}” cannot be scored.",
            "The model's vocabulary has no piece for it.",
            "Choose another word.",
        )
    ids = windows[0].ids
    nats = -sum(_log_probabilities(lm, _hidden(lm, ids, places)))
    return Surprise(
        word, len(before), tuple(spelled(lm.tokenizer, ids[place]) for place in places), nats
    )


def _windows(lm: MaskedLM, text: str, words: Sequence[re.Match], max_length: int) -> list[_Window]:
    """The text in stretches of at most `max_length` tokens, special ones included, cut between words."""
    before, after = _frame(lm.tokenizer)
    room = max_length - len(before) - len(after)
    encoding = lm.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids, special = encoding["input_ids"], set(lm.tokenizer.all_special_ids)
    owners = [
        None if token in special else owner
        for token, owner in zip(ids, _owners(encoding["offset_mapping"], words), strict=True)
    ]
    windows, first = [], 0
    while first < len(ids):
        last = min(first + room, len(ids))
        while (
            last < len(ids)
            and last > first + 1
            and owners[last] is not None
            and owners[last] == owners[last - 1]
        ):
            last -= 1  # a word is not cut in two, unless it is longer than the model reads
        if last == first + 1 < len(ids):
            last = min(first + room, len(ids))
        places: dict[int, list[int]] = {}
        for place in range(first, last):
            if owners[place] is not None:
                places.setdefault(owners[place], []).append(place - first + len(before))
        windows.append(
            _Window(
                [*before, *ids[first:last], *after],
                tuple((words[number], tuple(own)) for number, own in places.items()),
            )
        )
        first = last
    return windows


def _owners(offsets: Sequence[tuple[int, int]], words: Sequence[re.Match]) -> list[int | None]:
    """For each token the number of the first word it has a character of."""
    owners, number = [], 0
    for start, end in offsets:
        while number < len(words) and words[number].end() <= start:
            number += 1
        owners.append(number if number < len(words) and words[number].start() < end else None)
    return owners


def _frame(tokenizer) -> tuple[list[int], list[int]]:
    """The special tokens that the tokenizer puts before and after a text."""
    inside, whole = (
        tokenizer("a", add_special_tokens=False)["input_ids"],
        tokenizer("a")["input_ids"],
    )
    start = next(
        place for place in range(len(whole)) if whole[place : place + len(inside)] == inside
    )
    return whole[:start], whole[start + len(inside) :]


def _hidden(lm: MaskedLM, ids: list[int], places: Sequence[int]) -> list[_Question]:
    """One question for each piece of a word: it and those after it hidden."""
    questions = []
    for number, place in enumerate(places):
        hidden = set(places[number:])
        seen = [
            lm.vocabulary.mask_id if position in hidden else token
            for position, token in enumerate(ids)
        ]
        questions.append(_Question(seen, place, ids[place]))
    return questions


def _log_probabilities(lm: MaskedLM, questions: Sequence[_Question]) -> Iterator[float]:
    """ln P(answer) of each question, many in one pass and without padding."""
    first, room = (
        0,
        max(256, round(TOKENS_PER_PACK * 128 / getattr(lm.model.config, "hidden_size", 768))),
    )
    while first < len(questions):
        last, num_tokens = first + 1, len(questions[first].ids)
        while last < len(questions) and num_tokens + len(questions[last].ids) <= room:
            num_tokens += len(questions[last].ids)
            last += 1
        asked = questions[first:last]
        rows = log_probabilities_at(
            lm, [question.ids for question in asked], [[question.place] for question in asked]
        )
        yield from rows.gather(1, torch.tensor([[question.answer] for question in asked]))[
            :, 0
        ].tolist()
        first = last
