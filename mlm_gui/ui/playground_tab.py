"""Tab 4, Compare: one sentence, two models, side by side; and the tuned model to take away."""

import re
from typing import NamedTuple

import gradio as gr

from mlm_gui.core import checks
from mlm_gui.core.filling import BLANK, MAX_CHARACTERS, Blank
from mlm_gui.core.shift import Shift
from mlm_gui.errors import UserError
from mlm_gui.services.export import export_zip
from mlm_gui.services.studio import Studio
from mlm_gui.ui.bars import bars
from mlm_gui.ui.blanker import blanker
from mlm_gui.ui.run_words import run_label
from mlm_gui.ui.session import Session
from mlm_gui.ui.training_tab import TrainingTab
from mlm_gui.ui.wiring import INFERENCE, on

FIRST_SENTENCE = "Nothing is evil which is according to ___."
BLANK_MARK = "[MASK]"
"""How a hidden word is asked for: unlike ___, two side by side stay two."""
_LETTERS = r"(?:[^\W_]|(?<!_)_(?!_))+"
WORD = re.compile(rf"{BLANK.pattern}|{_LETTERS}(?:['’-]{_LETTERS})*|[^\w\s]", re.IGNORECASE)
MAX_WORDS = 400


class Answer(NamedTuple):
    """What a question changes."""

    words: gr.HTML
    which: gr.Radio
    base: gr.HTML
    tuned: gr.HTML
    moved: gr.HTML


class PlaygroundView(NamedTuple):
    """What another list of runs changes."""

    run: gr.Dropdown
    download: gr.DownloadButton


class PlaygroundTab(NamedTuple):
    """The parts the page needs."""

    view: PlaygroundView
    answer: Answer
    question: list


def build(studio: Studio, session: Session, training: TrainingTab) -> PlaygroundTab:
    """Lays the tab out and wires it."""
    gr.Markdown("Ask both models the same question. Click a word to hide it, click it again to bring it back.", elem_classes="lead")
    with gr.Column(elem_classes="card"):
        with gr.Row():
            run = gr.Dropdown(
                [],
                label="tuned model",
                info="A run of yours; the base is the model it started from.",
                allow_custom_value=True,
                elem_id="compare-run",
                scale=2,
                min_width=240,
            )
            top = gr.Slider(1, 20, 5, step=1, label="guesses shown", elem_id="compare-top", scale=1, min_width=160)
            download = gr.DownloadButton("Download the tuned model (zip)", interactive=False, elem_id="compare-download", scale=1, min_width=200)
        sentence = gr.Textbox(
            FIRST_SENTENCE,
            label="sentence",
            info="Write three underscores for a blank, or click words below.",
            max_lines=4,
            elem_id="compare-sentence",
        )
        words = blanker("Click a word to hide it", value=words_of(FIRST_SENTENCE), elem_id="compare-words")
        which = gr.Radio(blank_names(MAX_WORDS), label="blank", visible=False, elem_id="compare-which")
    with gr.Row(elem_classes="two"):
        with gr.Column(elem_classes="card", min_width=300):
            base = bars("Guesses of the base model", value=nothing("Base", "base"), elem_id="compare-base")
        with gr.Column(elem_classes="card", min_width=300):
            tuned = bars("Guesses of the tuned model", value=nothing("Tuned", "tuned"), elem_id="compare-tuned")
    with gr.Column(elem_classes="card"):
        moved = bars("What moved", value=nothing("What moved", "moved"), elem_id="compare-moved")

    view, answer = PlaygroundView(run, download), Answer(words, which, base, tuned, moved)
    question = [session.visitor, run, sentence, words, which, top]
    busy = {"concurrency_id": INFERENCE, "trigger_mode": "always_last"}
    on(sentence.change, new_sentence, studio, [session.visitor, run, sentence, top], answer, **busy)
    on(words.toggle, toggle, studio, question, answer, **busy)
    on(which.input, ask, studio, question, answer, **busy)
    on(top.release, ask, studio, question, answer, **busy)
    chosen = on(run.change, choose, studio, [session.visitor, run], download)
    on(chosen.then, ask, studio, question, answer, **busy)
    on(training.finished.then, refresh, studio, [session.visitor, session.run_id], view)
    return PlaygroundTab(view, answer, question)


def refresh(studio: Studio, visitor: str, run_id: str) -> PlaygroundView:
    """The list of runs with a model; the one the page looks at is chosen, else the newest."""
    runs = [run for run in studio.visible_runs(visitor) if run.has_model]
    wanted = next((run for run in runs if run.id == run_id), runs[0] if runs else None)
    return PlaygroundView(
        gr.Dropdown([(run_label(run), run.id) for run in runs], value=wanted.id if wanted else None),
        choose(studio, visitor, wanted.id if wanted else ""),
    )


def choose(studio: Studio, visitor: str, run_id: str | None) -> gr.DownloadButton:
    """Makes the zip of the chosen run ready."""
    run = studio.visible(run_id, visitor)
    if run is None or not run.has_model:
        return gr.DownloadButton(value=None, interactive=False)
    return gr.DownloadButton(value=str(export_zip(run, studio.home / "exports")), interactive=True)


def new_sentence(studio: Studio, visitor: str, run_id: str, sentence: str, top: float) -> Answer:
    """Another sentence was typed: its words are laid out anew."""
    return ask(studio, visitor, run_id, sentence, words_of(sentence), None, top)


def toggle(studio: Studio, visitor: str, run_id: str, sentence: str, words: dict, which: str, top: float, event: gr.EventData) -> Answer:
    """A word was clicked: it becomes a blank, or comes back."""
    blanks = blanks_of(sentence, words)
    data = vars(event).get("_data")  # whatever the browser sent
    index = data.get("index") if isinstance(data, dict) else None
    if isinstance(index, int) and 0 <= index < len(blanks):
        blanks[index] = not blanks[index]
    return ask(studio, visitor, run_id, sentence, words_of(sentence, blanks), which, top)


def ask(studio: Studio, visitor: str, run_id: str, sentence: str, words: dict, which: str | None, top: float) -> Answer:
    """Both models' guesses for the chosen blank, and what moved."""
    blanks = blanks_of(sentence, words)
    view, num_blanks = words_of(sentence, blanks), sum(blanks)
    numbers = blank_names(num_blanks)
    place = numbers.index(which) if which in numbers else 0
    radio = gr.Radio(numbers, value=numbers[place] if numbers else None, visible=num_blanks > 1)
    if not num_blanks:
        empty = "Hide a word: click it, or write ___ in the sentence."
        return Answer(view, radio, nothing("Base", "base", empty), nothing("Tuned", "tuned", empty), nothing("What moved", "moved", empty))
    question = question_of(sentence, blanks)
    run = studio.visible(run_id, visitor)
    if run is None or not run.has_model:
        filled = studio.models.fill("starter", question, checks.whole("The number of guesses", top, 1, 20))
        waiting = "Train a model first; its guesses appear here."
        return Answer(
            view, radio, guesses("Base · starter", "base", filled[place]), nothing("Tuned", "tuned", waiting), nothing("What moved", "moved", waiting)
        )
    base_name = run.job.model
    both = studio.models.compare(base_name, f"run:{run.id}", question, checks.whole("The number of guesses", top, 1, 20))
    called = base_name if not base_name.startswith("run:") else "an earlier run"
    return Answer(
        view,
        radio,
        guesses(f"Base · {called}", "base", both.base[place]),
        guesses(f"Tuned · {run.job.name}", "tuned", both.tuned[place]),
        shifts(both.shifts[place]),
    )


def blank_names(count: int) -> list[str]:
    """The blanks as the page calls them. A server that was started again knows them all, so that a page that stayed open is not refused."""
    return [f"blank {number}" for number in range(1, count + 1)]


def words_of(sentence: str, blanks: list[bool] | None = None) -> dict:
    """The words and signs of a sentence for the blanker; a written blank (___ or [MASK]) starts as one."""
    found = WORD.findall(sentence[:MAX_CHARACTERS]) if isinstance(sentence, str) else []
    blanks = blanks if blanks is not None else [bool(BLANK.fullmatch(word)) for word in found]
    return {
        "words": [{"text": "____" if BLANK.fullmatch(word) else word, "blank": blank} for word, blank in zip(found[:MAX_WORDS], blanks, strict=False)]
    }


def blanks_of(sentence: str, words: object) -> list[bool]:
    """Which words of `sentence` are blanks, by what the browser says; what does not fit the sentence is not believed."""
    expected = words_of(sentence)["words"]
    given = words.get("words") if isinstance(words, dict) else None
    if not isinstance(given, list) or len(given) != len(expected):
        return [word["blank"] for word in expected]
    return [bool(word.get("blank")) if isinstance(word, dict) else False for word in given]


def question_of(sentence: str, blanks: list[bool]) -> str:
    """The sentence with [MASK] for every blank. Raises UserError when it is too long to be shown word by word."""
    found = list(WORD.finditer(sentence[: MAX_CHARACTERS + 1]))
    if len(sentence) > MAX_CHARACTERS or len(found) > MAX_WORDS:
        raise UserError("The sentence is too long.", f"It has {len(found)} words and signs, and the limit is {MAX_WORDS}.", "Shorten it.")
    parts, end = [], 0
    for word, blank in zip(found, blanks, strict=True):
        written = BLANK.fullmatch(word.group())
        parts += [sentence[end : word.start()], BLANK_MARK if blank else "" if written else word.group()]
        end = word.end()
    return "".join([*parts, sentence[end:]])


def guesses(title: str, tone: str, blank: Blank) -> dict:
    """Bars of one blank; the longest bar is the most probable token's."""
    most = max(guess.probability for guess in blank.guesses)
    rows = [
        {
            "token": guess.token,
            "share": guess.probability / max(most, 0.3),
            "text": f"{guess.probability:.1%}",
            "note": f"{guess.token}: probability {guess.probability:.2%}",
        }
        for guess in blank.guesses
    ]
    return {"title": title, "tone": tone, "rows": rows, "empty": ""}


def shifts(moves: tuple[Shift, ...]) -> dict:
    """Bars of what rose and fell, by how much of the change it makes up, with the factor beside it."""
    most = max((move.weight for move in moves), default=1)
    rows = []
    for move in moves:
        factor, rose = max(move.ratio, 1 / move.ratio), move.ratio > 1
        rows.append(
            {
                "token": move.token,
                "share": move.weight / most,
                "text": f"{'×' if rose else '÷'}{factor:,.{0 if factor >= 10 else 1}f}",
                "note": f"{move.token} {'rose' if rose else 'fell'} from {move.before:.2%} to {move.after:.2%}",
                "tone": "tuned" if rose else "base",
            }
        )
    return {"title": "What moved (× rose, ÷ fell)", "tone": "moved", "rows": rows, "empty": "Nothing moved by a fifth or more."}


def nothing(title: str, tone: str, empty: str = "Hide a word to see guesses.") -> dict:
    """Bars with a sentence in their place."""
    return {"title": title, "tone": tone, "rows": [], "empty": empty}
