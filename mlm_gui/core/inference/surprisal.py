"""Surprisal: how little a model expects a word when the word is hidden from it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from mlm_gui.core import validation
from mlm_gui.core.inference.blanks import BLANK, MAX_BLANKS
from mlm_gui.core.inference.blanks import MAX_CHARACTERS as MAX_SENTENCE_CHARACTERS
from mlm_gui.core.inference.fill import log_probabilities_at, with_mask_tokens
from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.core.model.vocabulary import spelled
from mlm_gui.core.tokenizer import Tokenizer
from mlm_gui.errors import UserError

WORD = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]")
"""A word or a single punctuation mark; the same for every tokenizer, so that models compare."""
TOKENS_PER_PACK = 4096
"""Tokens of one pass for a model as narrow as the starter; fewer for wider models.

A pass then takes well under a second.
"""
MIN_TOKENS_PER_PACK = 256
STARTER_WIDTH = 128
CONTEXT_TOKENS = 256
"""Largest context of a word, in tokens; the cost of a long text grows with it."""
MAX_CHARACTERS = 2_000_000
"""Characters of a text whose words are scored."""
MAX_WORD_CHARACTERS = 100


@dataclass(frozen=True)
class Surprise:
    """The surprisal of one word."""

    word: str
    start: int
    """Position of its first character in the text."""
    pieces: tuple[str, ...]
    """Its tokens."""
    nats: float
    """-ln P(word | the rest of its text), the sum over its tokens."""


@dataclass(frozen=True)
class _Question:
    """A stretch of text with some tokens hidden: how probable is `answer` at `position`?"""

    ids: list[int]
    position: int
    answer: int


@dataclass(frozen=True)
class _Window:
    """As much of a text as the model reads at once."""

    ids: list[int]
    words: tuple[tuple[re.Match[str], tuple[int, ...]], ...]
    """Each word with the positions of its tokens in `ids`."""


def surprises(lm: MaskedLM, text: str, context: int = CONTEXT_TOKENS) -> Iterator[Surprise]:
    """The surprisal of each word of `text`, in order and as soon as it is known.

    A word's tokens are scored from left to right, each with itself and the word's later tokens
    hidden and everything outside the word visible: PLL-word-l2r (Kauf & Ivanova 2023, "A Better
    Way to Do Masked Language Model Scoring"). The last word is hidden like any other. A text of
    more than `context` tokens is cut between words, and words beyond a cut are not visible. Words
    without a token in the vocabulary are left out. To stop, close the generator. Raises UserError
    for something that is no text, or too long.
    """
    text = validation.text("The text", text, MAX_CHARACTERS)
    words = list(WORD.finditer(text))
    for window in _windows(lm, text, words, min(lm.max_length, context)):
        questions = [
            question
            for _, positions in window.words
            for question in _questions(lm, window.ids, positions)
        ]
        answers = _log_probabilities(lm, questions)
        for match, positions in window.words:
            nats = -sum(next(answers) for _ in positions)
            pieces = tuple(spelled(lm.tokenizer, window.ids[position]) for position in positions)
            yield Surprise(match.group(), match.start(), pieces, nats)


def score_word(lm: MaskedLM, text: str, blank: int, word: str) -> Surprise:
    """The surprisal of `word` in one blank of `text`; the other blanks stay hidden.

    blank: its number, where 0 is the first. See `surprises` for the measure. Raises UserError for
    a word without a token, a blank that does not exist, or a text too long for the model.
    """
    word = validation.text("The word", word, MAX_WORD_CHARACTERS).strip()
    text = validation.text("The sentence", text, MAX_SENTENCE_CHARACTERS)
    blank = validation.whole("The blank", blank, 0, MAX_BLANKS)
    blanks = list(BLANK.finditer(text))
    if not word or blank >= len(blanks):
        raise UserError(
            "There is nothing to score.",
            "No word was typed, or the sentence has no such blank.",
            "Hide a word and type one to put there.",
        )
    before = with_mask_tokens(lm, text[: blanks[blank].start()])
    after = with_mask_tokens(lm, text[blanks[blank].end() :])
    written = before + word + after
    match = re.compile(re.escape(word)).match(written, len(before))
    assert match is not None  # the word was just written there
    windows = _windows(lm, written, [match], lm.max_length)
    if len(windows) != 1:
        raise UserError(
            "The sentence is too long for the model.",
            f"The model reads {lm.max_length} word pieces.",
            "Shorten it.",
        )
    window = windows[0]
    if not window.words:
        raise UserError(
            f"“{word}” cannot be scored.",
            "The model's vocabulary has no piece for it.",
            "Choose another word.",
        )
    ((_, positions),) = window.words
    nats = -sum(_log_probabilities(lm, _questions(lm, window.ids, positions)))
    pieces = tuple(spelled(lm.tokenizer, window.ids[position]) for position in positions)
    return Surprise(word, len(before), pieces, nats)


def _windows(
    lm: MaskedLM, text: str, words: Sequence[re.Match[str]], max_length: int
) -> list[_Window]:
    """The text in windows of at most `max_length` tokens, special ones included."""
    prefix, suffix = _frame(lm.tokenizer)
    room = max_length - len(prefix) - len(suffix)
    encoding = lm.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids: list[int] = encoding["input_ids"]
    special_ids = set(lm.tokenizer.all_special_ids)
    word_of = [
        None if token in special_ids else word
        for token, word in zip(ids, _words_of(encoding["offset_mapping"], words), strict=True)
    ]
    windows = []
    first = 0
    while first < len(ids):
        last = _end_of_window(word_of, first, room)
        positions: dict[int, list[int]] = {}
        for index in range(first, last):
            number = word_of[index]
            if number is not None:
                positions.setdefault(number, []).append(index - first + len(prefix))
        in_window = tuple((words[number], tuple(own)) for number, own in positions.items())
        windows.append(_Window([*prefix, *ids[first:last], *suffix], in_window))
        first = last
    return windows


def _end_of_window(word_of: Sequence[int | None], first: int, room: int) -> int:
    """Where a window of at most `room` tokens ends that starts at `first`.

    It ends between two words. A word that is longer than the window is cut.
    """
    longest = min(first + room, len(word_of))
    last = longest
    while first + 1 < last < len(word_of):
        if word_of[last] is None or word_of[last] != word_of[last - 1]:
            return last
        last -= 1
    return longest if last == first + 1 else last


def _words_of(
    offsets: Sequence[tuple[int, int]], words: Sequence[re.Match[str]]
) -> list[int | None]:
    """For each token the number of the first word that it has a character of."""
    numbers: list[int | None] = []
    number = 0
    for start, end in offsets:
        while number < len(words) and words[number].end() <= start:
            number += 1
        overlaps = number < len(words) and words[number].start() < end
        numbers.append(number if overlaps else None)
    return numbers


def _frame(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """The special tokens that the tokenizer puts before and after a text."""
    inside: list[int] = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole: list[int] = tokenizer("a")["input_ids"]
    start = next(
        index for index in range(len(whole)) if whole[index : index + len(inside)] == inside
    )
    return whole[:start], whole[start + len(inside) :]


def _questions(lm: MaskedLM, ids: list[int], positions: Sequence[int]) -> list[_Question]:
    """One question for each token of a word, which is hidden with the tokens after it."""
    questions = []
    for number, position in enumerate(positions):
        visible = list(ids)
        for hidden in positions[number:]:
            visible[hidden] = lm.vocabulary.mask_id
        questions.append(_Question(visible, position, ids[position]))
    return questions


def _log_probabilities(lm: MaskedLM, questions: Sequence[_Question]) -> Iterator[float]:
    """ln P(answer) of each question, many in one pass and without padding."""
    most_tokens = max(MIN_TOKENS_PER_PACK, round(TOKENS_PER_PACK * STARTER_WIDTH / lm.width))
    asked: list[_Question] = []
    num_tokens = 0
    for question in questions:
        if asked and num_tokens + len(question.ids) > most_tokens:
            yield from _answers(lm, asked)
            asked = []
            num_tokens = 0
        asked.append(question)
        num_tokens += len(question.ids)
    if asked:
        yield from _answers(lm, asked)


def _answers(lm: MaskedLM, questions: Sequence[_Question]) -> list[float]:
    """ln P(answer) of each question, in one pass."""
    rows = log_probabilities_at(
        lm,
        [question.ids for question in questions],
        [[question.position] for question in questions],
    )
    answers = torch.tensor([[question.answer] for question in questions])
    log_probabilities: list[float] = rows.gather(1, answers).flatten().tolist()
    return log_probabilities
