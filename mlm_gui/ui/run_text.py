"""A run in words: its label, its state, its facts, and one sentence on how it is doing."""

from mlm_gui.core.formatting import format_bytes, format_duration
from mlm_gui.core.training.events import Failed, Finished
from mlm_gui.core.training.history import History
from mlm_gui.errors import UserError
from mlm_gui.services import resources
from mlm_gui.services.runs.job import Job
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
"""The sign before the word of each state."""
LOSS_NAME = "loss on unseen text (one draw)"
"""While a run trains. Its exam draws the blanks several times, so its figure is another one."""
BLANK_FACTS = [
    {"name": name, "value": "–", "extra": ""}
    for name in (LOSS_NAME, "right first guess", "speed", "time left")
]


def job_of(run: Run) -> Job:
    """What was asked of the run. Raises UserError for a damaged run."""
    if run.job is None:
        raise UserError(
            "This run cannot be shown.",
            "Its folder is damaged and cannot be read.",
            "Choose another run.",
        )
    return run.job


def run_label(run: Run) -> str:
    """How a run is called in lists: its name, its time and the number of its steps."""
    job = job_of(run)
    created = job.created[:16].replace("T", " ")
    return f"{job.name} · {created} · {run.history().num_steps} steps"


def run_facts(history: History) -> list[dict[str, str]]:
    """The four numbers above the chart."""
    now = history.kept_score
    if now is None:
        return BLANK_FACTS
    before, latest = history.evaluations[0], history.latest
    kept = f"; step {now.step:,}, the best" if history.best_step_kept is not None else ""
    seconds = latest.seconds if latest else now.seconds
    speed = f"{latest.tokens_per_second:,.0f}" if latest and latest.tokens_per_second else "–"
    return [
        {"name": LOSS_NAME, "value": f"{now.loss:.2f}", "extra": f"from {before.loss:.2f}{kept}"},
        {
            "name": "right first guess",
            "value": f"{now.top1:.0%}",
            "extra": f"from {before.top1:.0%}",
        },
        {"name": "speed", "value": speed, "extra": "pieces / s"},
        _time_fact(history, seconds),
    ]


def _time_fact(history: History, seconds: float) -> dict[str, str]:
    taken = format_duration(seconds)
    if isinstance(history.ended, (Finished, Failed)):
        return {"name": "time taken", "value": taken, "extra": ""}
    left = format_duration(history.seconds_left)
    return {"name": "time left", "value": left, "extra": f"{taken} so far"}


def run_note(studio: Studio, run: RunSnapshot) -> str:
    """One sentence on how the run is doing, and what can be done."""
    state, history = run.state, run.history
    if state == "damaged":
        return " ".join(("The folder of this run is damaged and cannot be read.", *run.findings))
    failed = history.ended
    if isinstance(failed, Failed):
        return f"{failed.what} {failed.why} {failed.do}{checkpoint_sentence(run.checkpoint_step)}"
    if state == "queued":
        return _queue_note(studio, run)
    if state == "running":
        return _training_note(history)
    if state == "paused":
        return f"{_pause_note(history)}{checkpoint_sentence(run.checkpoint_step)}"
    if state == "interrupted":
        return f"Interrupted at step {history.num_steps:,}; {checkpoint_note(run.checkpoint_step)}."
    return _end_note(run)


def _steps_of(history: History) -> str:
    if history.started is None:
        return "no steps yet"
    return f"{history.num_steps:,} of {history.started.total_steps:,} steps"


def _queue_note(studio: Studio, run: RunSnapshot) -> str:
    waiting = studio.training_queue.position(run.id)
    if not waiting:
        return "Loading the model and cutting the text into pieces …"
    runs_come = "run comes" if waiting == 1 else "runs come"
    return f"Waiting in the queue: {waiting} {runs_come} first."


def _training_note(history: History) -> str:
    steps = _steps_of(history)
    if history.is_trained:
        early = early_words(history)
        return f"Trained and kept: {steps}.{early} Now it sits its exam on the unseen text …"
    tested = history.evaluations[0].num_masks if history.evaluations else 0
    epoch = history.latest.epoch if history.latest else 0
    epochs = history.started.epochs if history.started else 0
    return (
        f"Training: {steps}, pass {epoch:.1f} of {epochs}; "
        f"unseen text is tested on {tested:,} blanks, always the same "
        "(of a long text a random choice) and all of them hidden."
    )


def _pause_note(history: History) -> str:
    paused = history.paused
    if paused and paused.what:
        return f"{paused.what} {paused.why} {paused.do}"
    total = history.started.total_steps if history.started else 0
    step = paused.step if paused else history.num_steps
    return f"Paused at step {step:,} of {total:,}. The queue goes on without it."


def _end_note(run: RunSnapshot) -> str:
    history = run.history
    kept = " The model is kept: compare it in the next tab." if run.has_model else ""
    kept += f" Exam: {history.examined.verdict}." if history.examined else ""
    steps = _steps_of(history)
    return {
        "finished": f"Finished: {steps}.{early_words(history)}{kept}",
        "stopped": f"Stopped: {steps}.{kept}",
    }.get(run.state, "")


def early_words(history: History) -> str:
    """That a run ended early, and which step's model was kept; empty for any other run."""
    if history.best_step_kept is not None:
        return (
            " It ended early: the unseen text got no better, and the model of step "
            f"{history.best_step_kept:,}, the best, is the one that is kept."
        )
    is_early = isinstance(history.ended, Finished) and history.ended.reason == "early"
    return " It ended early: the unseen text got no better." if is_early else ""


def checkpoint_note(step: int) -> str:
    """Where an interrupted run starts again; 0 when it has no checkpoint."""
    if not step:
        return "nothing was safe yet. Press Resume to begin it again"
    return f"safe up to step {step:,}. Press Resume to take it up from there"


def checkpoint_sentence(step: int) -> str:
    """The same, as a sentence of its own; empty when there is no checkpoint."""
    return f" Safe up to step {step:,}." if step else ""


def second_line(run: RunSnapshot) -> str:
    """Learning rate, speed, and the memory of a run that trains in this very program."""
    history = run.history
    if not history.latest:
        return ""
    words = [
        f"learning rate {history.latest.learning_rate:.2g}",
        f"{history.latest.tokens_per_second:,.0f} pieces a second",
    ]
    if run.is_held_here and run.state == "running":
        used, peak = resources.used_bytes(), resources.peak_bytes()
        if used and peak:
            words.append(f"memory {format_bytes(used)}, at most {format_bytes(max(used, peak))}")
    return " · ".join(words)


def pill_text(studio: Studio, run: RunSnapshot) -> str:
    """The line at the top of every tab."""
    state, history, name = run.state, run.history, run.name[:40]
    if state == "queued":
        waiting = studio.training_queue.position(run.id)
        return f"{name} · {f'number {waiting + 1} in the queue' if waiting else 'starting'}"
    if state == "running":
        left = history.seconds_left
        time_left = "" if left is None else f" · {format_duration(left)} left"
        return f"{name} · {_step_of(history, state)}{time_left}"
    if state in ("paused", "interrupted"):
        return f"{name} · {_step_of(history, state)} · {state}"
    return f"{name} · {state}{' · kept' if run.has_model else ''}"


def _step_of(history: History, state: str) -> str:
    if history.started is None:
        return state
    return f"step {history.num_steps} of {history.started.total_steps}"
