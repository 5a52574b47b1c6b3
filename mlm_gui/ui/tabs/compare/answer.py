"""Both models' answers to a question, as component values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import gradio as gr

from mlm_gui.core.corpus.paragraphs import lengths_of
from mlm_gui.core.inference.memorization import SEARCHED_CHARACTERS, is_in_text
from mlm_gui.services.runs.evaluation import learned_by
from mlm_gui.services.studio import Studio
from mlm_gui.ui.door import RunId, VisitorId
from mlm_gui.ui.formatting import format_factor
from mlm_gui.ui.model_choice import label_of, run_of
from mlm_gui.ui.tabs.compare.models import pair
from mlm_gui.ui.tabs.compare.question import (
    FIRST_SENTENCE,
    CompareQuestion,
    PickedWord,
    PickerValue,
    are_words_of,
    blank_names,
    words_of,
)
from mlm_gui.ui.wiring import Slot

if TYPE_CHECKING:
    from mlm_gui.core.inference.fill import Blank
    from mlm_gui.core.inference.shift import Shift

FULL_WIDTH = 0.3
"""The probability whose bar is as wide as the card, when no guess has more."""
MOVED = "What moved"
IN_TRAINING_TEXT = (
    "This sentence stands in the text that the tuned model learned from: "
    "a good guess here may be memory. Try one of your own."
)
SEARCHED_IN_PART = (
    f"Only the first {SEARCHED_CHARACTERS:,} characters of the text that the tuned model learned "
    "from were searched for this sentence."
)
OTHER_PIECES = (
    "These two models cut words into different pieces. Each shows its own pieces; “what moved” "
    "and the shift map compare only whole words that both know."
)


class Answer(NamedTuple):
    """What a question changes.

    Which words are hidden is not among it: the browser alone decides that, so that no late answer
    brings a hidden word back.
    """

    which: Slot
    warned: Slot
    base: Slot
    tuned: Slot
    moved: Slot


class NewSentence(NamedTuple):
    """What another sentence changes."""

    words: Slot
    answer: Answer


@dataclass(frozen=True)
class ShownAnswer:
    """The value of the base model's bars, as far as it is read."""

    asked: str = ""
    """The tag of the question they answer."""


def new_sentence(studio: Studio, question: CompareQuestion) -> NewSentence:
    """Another sentence was typed: its words are laid out anew, unless they are there already."""
    if are_words_of(question.sentence, question.words):
        return NewSentence(gr.skip(), ask(studio, question))
    laid_out = words_of(question.sentence)
    words = PickerValue(tuple(PickedWord(**word) for word in laid_out["words"]))
    return NewSentence(laid_out, ask(studio, replace(question, words=words, which=None)))


def ask(studio: Studio, question: CompareQuestion) -> Answer:
    """Both models' guesses for the chosen blank, what moved, and what to keep in mind."""
    answer = _answer(studio, question)
    return answer._replace(base={**answer.base, "asked": question.tag})


def agree(studio: Studio, question: CompareQuestion, shown: ShownAnswer) -> Answer:
    """Asks again where the guesses that are shown answer another question than the page asks.

    Questions can overtake each other on their way.
    """
    if shown.asked == question.tag:
        return Answer(*[gr.skip()] * len(Answer._fields))
    return ask(studio, question)


def _answer(studio: Studio, question: CompareQuestion) -> Answer:
    which = _blank_choice(question)
    if not question.num_blanks:
        text = "Hide a word: click it, or write ___ in the sentence."
        return Answer(
            which,
            {"cautions": []},
            no_bars("Base", "base", text),
            no_bars("Tuned", "tuned", text),
            no_bars(MOVED, "moved", text),
        )
    visitor, text, place = question.visitor, question.masked_text, question.place
    base, tuned = pair(studio, visitor, question.base, question.tuned)
    title = title_of(studio, visitor, "Base", base)
    if tuned is None:
        waiting = "Train a model first; its guesses appear here."
        filled = studio.models.fill(base, text, question.top)
        return Answer(
            which,
            {"cautions": []},
            guess_values(title, "base", filled[place]),
            no_bars("Tuned", "tuned", waiting),
            no_bars(MOVED, "moved", waiting),
        )
    both = studio.models.compare(base, tuned, text, question.top)
    tuned_title = title_of(studio, visitor, "Tuned", tuned)
    warnings = cautions_of(studio, visitor, tuned, question.sentence, both.by_words)
    return Answer(
        which,
        {"cautions": warnings},
        guess_values(title, "base", both.base[place]),
        guess_values(tuned_title, "tuned", both.tuned[place]),
        shift_values(both.shifts[place]),
    )


def _blank_choice(question: CompareQuestion) -> gr.Radio:
    """The choice between blanks, which is shown when there are several."""
    names = blank_names(question.num_blanks)
    return gr.Radio(
        names,
        value=names[question.place] if names else None,
        visible=True if len(names) > 1 else "hidden",
    )


def title_of(studio: Studio, visitor: str, role: str, name: str) -> str:
    """The heading of a model's guesses."""
    return f"{role} · {label_of(studio, visitor, name)}"


def own_sentence(studio: Studio, visitor: VisitorId, run_id: RunId, sentence: str) -> object:
    """The first sentence that the run was watched by, in place of the tab's own; others stay.

    It is one of the person's own text, and unseen.
    """
    run = studio.visible(run_id, visitor)
    if sentence != FIRST_SENTENCE or run is None or run.job is None or not run.job.probes:
        return gr.skip()
    return run.job.probes[0]


def cautions_of(
    studio: Studio, visitor: str, tuned: str, sentence: str, by_words: bool
) -> list[str]:
    """What could mislead a reader of the answer."""
    cautions = []
    run = run_of(studio, visitor, tuned)
    learned = learned_by(run.folder) if run else ()
    if any(is_in_text(sentence, text) for text in learned):
        cautions.append(IN_TRAINING_TEXT)
    elif any(lengths_of(text).sum() > SEARCHED_CHARACTERS for text in learned):
        cautions.append(SEARCHED_IN_PART)
    if by_words:
        cautions.append(OTHER_PIECES)
    return cautions


def guess_values(title: str, tone: str, blank: Blank) -> dict[str, Any]:
    """Bars of one blank; the longest bar is the most probable token's."""
    most = max(guess.probability for guess in blank.guesses)
    rows = [
        {
            "token": guess.token,
            "share": guess.probability / max(most, FULL_WIDTH),
            "text": f"{guess.probability:.1%}",
            "note": f"{guess.token}: probability {guess.probability:.2%}",
        }
        for guess in blank.guesses
    ]
    return {"title": title, "tone": tone, "rows": rows, "empty": ""}


def shift_values(moves: tuple[Shift, ...]) -> dict[str, Any]:
    """Bars of what rose and fell, as long as their part in the change, with the factor beside."""
    most = max((move.weight for move in moves), default=1)
    return {
        "title": f"{MOVED} (× rose, ÷ fell)",
        "tone": "moved",
        "rows": [_shift_row(move, most) for move in moves],
        "empty": "Nothing moved by a fifth or more.",
    }


def _shift_row(move: Shift, most: float) -> dict[str, Any]:
    rose = move.ratio > 1
    verb = "rose" if rose else "fell"
    return {
        "token": move.token,
        "share": move.weight / most,
        "text": format_factor(move.ratio),
        "note": f"{move.token} {verb} from {move.before:.2%} to {move.after:.2%}",
        "tone": "tuned" if rose else "base",
    }


def no_bars(title: str, tone: str, text: str = "Hide a word to see guesses.") -> dict[str, Any]:
    """Bars with a sentence in their place."""
    return {"title": title, "tone": tone, "rows": [], "empty": text}
