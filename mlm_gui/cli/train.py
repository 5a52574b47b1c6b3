"""`mlm-gui train`: a run from the shell, alone or as one of several processes."""

from __future__ import annotations

import argparse
import dataclasses
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mlm_gui.cli.files import gather
from mlm_gui.cli.output import INTERRUPTED, open_studio, print_record, print_refusals
from mlm_gui.errors import UserError

if TYPE_CHECKING:
    from mlm_gui.core.training.events import Event
    from mlm_gui.core.training.history import History
    from mlm_gui.services.runs.request import RunRequest
    from mlm_gui.services.runs.run import Run
    from mlm_gui.services.studio import Studio

CHANGEABLE = (
    "epochs",
    "max_steps",
    "learning_rate",
    "tokens_per_step",
    "mask_rate",
    "unit",
    "seed",
)
"""Settings of a recipe that have an option of their own."""
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def train(options: argparse.Namespace) -> None:
    """Trains a new run, or resumes one. Ctrl-C ends it after its step, with the model saved."""
    from mlm_gui.core.training.device import Device
    from mlm_gui.services.runs.finetune import finetune

    studio = open_studio(options)
    if Device().rank:
        _train_along(studio, options)
        return
    run = _run_to_resume(options) if options.resume else _new_run(studio, options)
    with _ending_on_signal() as is_asked_to_stop:
        _follow(options, run, finetune(run, studio.models.load, is_asked_to_stop))
    snapshot = run.snapshot()
    paused = snapshot.history.paused
    if paused and paused.what:
        raise UserError(
            paused.what,
            paused.why,
            f"Make room on the disk, then run `mlm-gui train --resume {run.folder}`.",
        )
    if is_asked_to_stop() and snapshot.state != "finished":
        print(
            f"Interrupted after {snapshot.history.num_steps} steps; "
            f"the model so far is kept in {run.model_folder}",
            file=sys.stderr,
        )
        print(f"`mlm-gui train --resume {run.folder}` goes on.", file=sys.stderr)
        sys.exit(INTERRUPTED)


@contextmanager
def _ending_on_signal() -> Iterator[Callable[[], bool]]:
    """A function that is true once Ctrl-C or a termination signal came, instead of dying of it."""
    asked: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: asked.append(number))
        for number in ENDING_SIGNALS
    }
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _new_run(studio: Studio, options: argparse.Namespace) -> Run:
    """A new run, in the folder that was named or else in the home folder."""
    from mlm_gui.services.runs.run import Run

    request = run_request(studio, options)
    if options.out:
        return Run.create(options.out.absolute(), request)
    return studio.runs.create(request)


def run_request(studio: Studio, options: argparse.Namespace) -> RunRequest:
    """What the options ask for. Raises UserError before anything is written."""
    from mlm_gui.core.config import RECIPES
    from mlm_gui.services.runs.request import RunRequest

    if not options.files:
        raise UserError(
            "The command was not understood.",
            "It names no text to train on.",
            "Give one or more files, or --resume FOLDER.",
        )
    asked = {name: getattr(options, name) for name in CHANGEABLE}
    changes = {name: value for name, value in asked.items() if value is not None}
    config = dataclasses.replace(RECIPES[options.recipe], **changes)
    corpus, refused = gather(studio, options.files)
    print_refusals(refused)
    studio.models.tokenizer(options.model)  # an unknown model is refused before a folder is made
    return RunRequest(
        corpus=corpus,
        model=_lasting_name(studio, options),
        config=config,
        held_out=options.held_out,
        split_seed=config.seed,
    )


def _lasting_name(studio: Studio, options: argparse.Namespace) -> str:
    """The name by which the run will find its base model again.

    A run in a folder of its own may be resumed from another folder or with another home, so it
    needs the whole path of a model folder.
    """
    from mlm_gui.core.assets import STARTER
    from mlm_gui.services.models.references import names_run

    name: str = options.model
    folder = Path(studio.models.resolve(name))
    is_in_home = names_run(name) and not options.out
    if name == STARTER or is_in_home or not folder.is_dir():
        return name
    return str(folder.absolute())


def _run_to_resume(options: argparse.Namespace) -> Run:
    """The run in the folder.

    Raises UserError when there is none, when it has ended, or when texts or another folder are
    named too.
    """
    from mlm_gui.services.runs.run import RESUMABLE_STATES, Run

    if options.files or options.out:
        raise UserError(
            "The command was not understood.",
            "A run goes on with its own text, in its own folder.",
            "Give --resume FOLDER alone.",
        )
    folder = options.resume.absolute()
    if not folder.is_dir():
        raise UserError(
            f"There is no run in {folder}.",
            "That folder is not there.",
            "See `mlm-gui runs` for the folders of your runs.",
        )
    run = Run(folder)
    run.sound_job()
    state = run.state
    if state not in RESUMABLE_STATES:
        raise UserError(
            f"The run in {folder} cannot go on.",
            f"It is {state}.",
            "Choose one that was interrupted, paused or stopped.",
        )
    return run


def _train_along(studio: Studio, options: argparse.Namespace) -> None:
    """One of the further processes of `accelerate launch`: it computes its part of every step.

    The first process writes the folder and prints.
    """
    from mlm_gui.core.training.loop import Training
    from mlm_gui.services.runs.run import Run

    for number in ENDING_SIGNALS:  # the first process hears it, and all end after the same step
        signal.signal(number, signal.SIG_IGN)
    if options.resume:
        run = Run(options.resume.absolute())
        job = run.sound_job()
        training = Training(
            studio.models.load(job.model),
            run.split(),
            job.config,
            schedule_restart_step=job.schedule_restart_step,
        )
        state, _ = run.checkpoints.newest_whole()
        if state is not None:
            training.restore(state)
    else:
        request = run_request(studio, options)
        split = request.corpus.split(request.held_out, request.split_seed)
        training = Training(studio.models.load(request.model), split, request.config)
    for _ in training.events():
        pass


def _follow(options: argparse.Namespace, run: Run, events: Iterator[Event]) -> None:
    """Shows the events of a run as they come: JSON lines, or a bar and a summary."""
    from tqdm import tqdm

    from mlm_gui.core.training.events import (
        CheckpointSkipped,
        Examined,
        Resumed,
        Started,
        Stepped,
        as_record,
    )

    bar, verdict = None, ""
    for event in events:
        if isinstance(event, Examined):
            verdict = event.sentence
        if options.json:
            print_record(as_record(event))
        elif isinstance(event, (Started, Resumed)):
            done = event.step if isinstance(event, Resumed) else 0
            bar = tqdm(total=event.total_steps, initial=done, unit="step", file=sys.stderr)
        elif isinstance(event, CheckpointSkipped):
            print(event.why, file=sys.stderr)
        elif isinstance(event, Stepped) and bar is not None:
            bar.set_postfix(epoch=f"{event.epoch:.1f}", loss=f"{event.loss:.2f}", refresh=False)
            bar.update()
    if bar is not None:
        bar.close()
    history = run.history()
    if not options.json and not history.paused:
        _print_summary(run, history, verdict)


def _print_summary(run: Run, history: History, verdict: str) -> None:
    """Scores before and after, the verdict, and where the model is."""
    before, after = history.evaluations[:1], history.kept_score
    if not before or not after:
        return
    print(
        f"Loss on unseen text: {before[0].loss:.3f} before, {after.loss:.3f} after "
        f"({after.num_masks} tokens, all of them hidden, the same both times); "
        f"{after.seconds:.0f} s."
    )
    print(f"First guess right: {before[0].top1:.1%} before, {after.top1:.1%} after.")
    print(verdict or f"No exam was run; `mlm-gui exam {run.folder}` does it.")
    print(f"The model is in {run.model_folder}")
