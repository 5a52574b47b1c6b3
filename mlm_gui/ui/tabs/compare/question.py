"""A question to both models: a sentence, which of its words are hidden, and the questions asked before."""

import re

import gradio as gr

from mlm_gui.core.inference.blanks import BLANK, MAX_CHARACTERS
from mlm_gui.errors import UserError
from mlm_gui.services.studio import Studio

FIRST_SENTENCE = "Nothing is evil which is according to ___."
BLANK_MARK = "[MASK]"
"""How a hidden word is asked for: unlike ___, two side by side stay two."""
_LETTERS = r"(?:[^\W_]|(?<!_)_(?!_))+"
WORD = re.compile(rf"{BLANK.pattern}|{_LETTERS}(?:['’-]{_LETTERS})*|[^\w\s]", re.IGNORECASE)
MAX_WORDS = 400
MAX_REMEMBERED = 20
"""Questions that a browser keeps."""


def words_of(sentence: str, blanks: list[bool] | None = None) -> dict:
    """The words and signs of a sentence for the blanker; a written blank (___ or [MASK]) starts as one."""
    found = WORD.findall(sentence[:MAX_CHARACTERS]) if isinstance(sentence, str) else []
    blanks = blanks if blanks is not None else [bool(BLANK.fullmatch(word)) for word in found]
    return {
        "words": [
            {"text": "____" if BLANK.fullmatch(word) else word, "blank": blank}
            for word, blank in zip(found[:MAX_WORDS], blanks, strict=False)
        ]
    }


def blanks_of(sentence: str, words: object) -> list[bool]:
    """Which words of `sentence` are blanks, by what the browser says; what does not fit the sentence is not believed."""
    expected = words_of(sentence)["words"]
    given = words.get("words") if isinstance(words, dict) else None
    if not isinstance(given, list) or len(given) != len(expected):
        return [word["blank"] for word in expected]
    return [bool(word.get("blank")) if isinstance(word, dict) else False for word in given]


def are_words_of(sentence: str, words: object) -> bool:
    """Whether what the browser shows are the words of this sentence, whichever of them are hidden."""
    given = words.get("words") if isinstance(words, dict) else None
    shown = (
        [word.get("text") if isinstance(word, dict) else None for word in given]
        if isinstance(given, list)
        else []
    )
    return shown == [word["text"] for word in words_of(sentence)["words"]]


def question_of(sentence: str, blanks: list[bool]) -> str:
    """The sentence with [MASK] for every blank. Raises UserError when it is too long to be shown word by word."""
    found = list(WORD.finditer(sentence[: MAX_CHARACTERS + 1]))
    if len(sentence) > MAX_CHARACTERS or len(found) > MAX_WORDS:
        raise UserError(
            "The sentence is too long.",
            f"It has {len(found)} words and signs, and the limit is {MAX_WORDS}.",
            "Shorten it.",
        )
    parts, end = [], 0
    for word, blank in zip(found, blanks, strict=True):
        written = BLANK.fullmatch(word.group())
        parts += [
            sentence[end : word.start()],
            BLANK_MARK if blank else "" if written else word.group(),
        ]
        end = word.end()
    return "".join([*parts, sentence[end:]])


def blank_names(count: int) -> list[str]:
    """The blanks as the page calls them. A server that was started again knows them all, so that a page that stayed open is not refused."""
    return [f"blank {number}" for number in range(1, count + 1)]


def remember(
    studio: Studio, questions: object, sentence: str, words: object
) -> tuple[list[str], gr.Dropdown]:
    """Puts the question first among those asked before; each stands there once, with ___ for its blanks."""
    asked = (
        question_of(sentence, blanks_of(sentence, words)).replace(BLANK_MARK, "___")
        if isinstance(sentence, str)
        else ""
    )
    known = _kept(questions)
    if "___" in asked:
        known = [asked, *(question for question in known if question != asked)][:MAX_REMEMBERED]
    return known, gr.Dropdown(choices=known)


def recall(studio: Studio, questions: object) -> gr.Dropdown:
    """The list of questions asked before, as this browser kept it."""
    return gr.Dropdown(choices=_kept(questions))


def forget(studio: Studio) -> tuple[list[str], gr.Dropdown]:
    """No question was ever asked."""
    return [], gr.Dropdown(choices=[], value=None)


def _kept(questions: object) -> list[str]:
    """The questions in what a browser sent, whatever that is."""
    return (
        [question[:MAX_CHARACTERS] for question in questions if isinstance(question, str)][
            :MAX_REMEMBERED
        ]
        if isinstance(questions, list)
        else []
    )
