"""A run in words: its label, its state with a mark, its facts, and one sentence on where it stands."""

from mlm_gui.core.training.events import Failed, Finished
from mlm_gui.core.training.history import History
from mlm_gui.services import resources as memory
from mlm_gui.services.runs.run import Run
from mlm_gui.services.runs.snapshot import RunSnapshot
from mlm_gui.services.studio import Studio

MARKS = {
    "queued": "…",
    "running": "▶",
    "paused": "‖",
    "finished": "✓",
    "stopped": "■",
    "failed": "!",
    "interrupted": "≠",
    "damaged": "×",
}
"""The sign that stands before a state's word."""
LOSS_NAME = "loss on unseen text (one draw)"
"""While a run trains; its exam draws the blanks several times, so that its figure is another one."""
BLANK_FACTS = [
    {"name": name, "value": "–", "extra": ""}
    for name in (LOSS_NAME, "right first guess", "speed", "time left")
]


def run_label(run: Run) -> str:
    """How a run is called in lists: its name, its time and how far it came."""
    return f"{run.job.name} · {run.job.created[:16].replace('T', ' ')} · {run.history().num_steps} steps"


def run_facts(history: History) -> list[dict]:
    """The four numbers above the chart."""
    if not history.evaluations:
        return BLANK_FACTS
    before, now = history.evaluations[0], history.kept_score
    kept = f"; step {now.step:,}, the best" if history.best_step_kept is not None else ""
    speed = history.latest.tokens_per_second if history.latest else 0
    seconds = history.latest.seconds if history.latest else now.seconds
    ended = isinstance(history.ended, (Finished, Failed))
    return [
        {"name": LOSS_NAME, "value": f"{now.loss:.2f}", "extra": f"from {before.loss:.2f}{kept}"},
        {
            "name": "right first guess",
            "value": f"{now.top1:.0%}",
            "extra": f"from {before.top1:.0%}",
        },
        {"name": "speed", "value": f"{speed:,.0f}" if speed else "–", "extra": "pieces / s"},
        {
            "name": "time taken" if ended else "time left",
            "value": format_duration(seconds if ended else history.seconds_left),
            "extra": "" if ended else f"{format_duration(seconds)} so far",
        },
    ]


def run_note(studio: Studio, run: RunSnapshot) -> str:
    """One sentence on where the run stands, and what can be done."""
    state, history = run.state, run.history
    if state == "damaged":
        return " ".join(("The folder of this run is damaged and cannot be read.", *run.findings))
    total = history.started.total_steps if history.started else 0
    steps = f"{history.num_steps:,} of {total:,} steps" if history.started else "no steps yet"
    if isinstance(history.ended, Failed):
        return (
            f"{history.ended.what} {history.ended.why} {history.ended.do}"
            f"{checkpoint_sentence(run.checkpoint_step)}"
        )
    if state == "queued":
        waiting = studio.training_queue.position(run.id)
        return (
            f"Waiting in the queue: {waiting} {'run comes' if waiting == 1 else 'runs come'} first."
            if waiting
            else "Loading the model and cutting the text into pieces …"
        )
    if state == "running" and history.is_trained:
        return f"Trained and kept: {steps}.{early_words(history)} Now it sits its exam on the unseen text …"
    if state == "running":
        tested = history.evaluations[0].num_masks if history.evaluations else 0
        return (
            f"Training: {steps}, pass {history.latest.epoch if history.latest else 0:.1f} of {history.started.epochs}; "
            f"unseen text is tested on {tested:,} blanks, always the same (of a long text a random choice) and all of them hidden."
        )
    if state == "paused":
        paused = history.paused
        why = (
            f"{paused.what} {paused.why} {paused.do}"
            if paused.what
            else f"Paused at step {paused.step:,} of {total:,}. The queue goes on without it."
        )
        return f"{why}{checkpoint_sentence(run.checkpoint_step)}"
    if state == "interrupted":
        return f"Interrupted at step {history.num_steps:,}; {checkpoint_note(run.checkpoint_step)}."
    kept = " The model is kept: compare it in the next tab." if run.has_model else ""
    kept += f" Exam: {history.examined.verdict}." if history.examined else ""
    return {
        "finished": f"Finished: {steps}.{early_words(history)}{kept}",
        "stopped": f"Stopped: {steps}.{kept}",
    }.get(state, "")


def early_words(history: History) -> str:
    """That a run ended early, and which step's model was kept then; empty for any other run."""
    if history.best_step_kept is not None:
        return f" It ended early: the unseen text got no better, and the model of step {history.best_step_kept:,}, the best, is the one that is kept."
    is_early = isinstance(history.ended, Finished) and history.ended.reason == "early"
    return " It ended early: the unseen text got no better." if is_early else ""


def checkpoint_note(step: int) -> str:
    """What a run that broke off goes on from."""
    return (
        f"safe up to step {step:,}. Press Go on to take it up from there"
        if step
        else "nothing was safe yet. Press Go on to begin it again"
    )


def checkpoint_sentence(step: int) -> str:
    """The same, as a sentence of its own; empty when there is nothing safe."""
    return f" Safe up to step {step:,}." if step else ""


def second_line(run: RunSnapshot) -> str:
    """Learning rate, speed and memory; memory only of a run that trains in this very program."""
    state, history = run.state, run.history
    if not history.latest:
        return ""
    words = [
        f"learning rate {history.latest.learning_rate:.2g}",
        f"{history.latest.tokens_per_second:,.0f} pieces a second",
    ]
    used, peak = (
        (memory.used_bytes(), memory.peak_bytes())
        if run.is_held_here and state == "running"
        else (None, None)
    )
    if used and peak:
        words.append(f"memory {format_bytes(used)}, at most {format_bytes(max(used, peak))}")
    return " · ".join(words)


def pill_text(studio: Studio, run: RunSnapshot) -> str:
    """The line at the top of every tab."""
    state, history, name = run.state, run.history, run.name[:40]
    if state == "queued":
        waiting = studio.training_queue.position(run.id)
        return f"{name} · {f'number {waiting + 1} in the queue' if waiting else 'starting'}"
    if state in ("running", "paused", "interrupted"):
        place = (
            f"step {history.num_steps} of {history.started.total_steps}"
            if history.started
            else state
        )
        left = (
            f" · {format_duration(history.seconds_left)} left"
            if history.seconds_left is not None and state == "running"
            else ""
        )
        return f"{name} · {place}{left}" + ("" if state == "running" else f" · {state}")
    return f"{name} · {state}{' · kept' if run.has_model else ''}"


def format_duration(seconds: float | None) -> str:
    """A duration as minutes and seconds: 70 -> "1:10"."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    return (
        f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"
    )


def format_bytes(count: float) -> str:
    """2_400_000 -> "2.4 MB"."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return (
                f"{count / size:,.1f} {unit}"
                if count < 10 * size
                else f"{count / size:,.0f} {unit}"
            )
    return f"{count:,.0f} bytes"
