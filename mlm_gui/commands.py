"""What the shell's commands do; `mlm_gui.__main__` reads their options."""

import argparse
import dataclasses
import json
import signal
import sys
from pathlib import Path

from mlm_gui.errors import UserError
from mlm_gui.services.limits import LAPTOP

INTERRUPTED = 130
"""Exit status of a command that was interrupted."""


def _studio(options: argparse.Namespace):
    from mlm_gui.services.storage.files import default_home
    from mlm_gui.services.studio import Studio

    return Studio.open((options.home if "home" in options else None) or default_home(), LAPTOP)


def _print(record: dict) -> None:
    print(json.dumps(record, ensure_ascii=False), flush=True)


def open_app(options: argparse.Namespace) -> None:
    from mlm_gui.services import environment
    from mlm_gui.services.storage.files import default_home

    home = options.home or default_home()
    environment.prepare(home)  # before the page imports gradio
    from mlm_gui.ui.server import serve

    serve(
        host=options.host,
        port=options.port,
        home=home,
        profile=options.profile,
        hub_models=options.hub_models,
    )


def text(options: argparse.Namespace) -> None:
    import numpy as np

    from mlm_gui.core.corpus.corpus import Corpus
    from mlm_gui.core.corpus.fragmentation import fragmented_words
    from mlm_gui.core.corpus.near_duplicates import near_duplicates
    from mlm_gui.core.corpus.paragraphs import some_of
    from mlm_gui.core.tokens import COUNTED_CHARACTERS, num_tokens_of

    tokenizer = _studio(options).models.tokenizer(options.model)
    bad: list[tuple[str, UserError]] = []
    corpus = Corpus.from_files(options.files, options.files, refused=bad).looked_through()
    refused = [
        {"file": file, "what": error.what, "why": error.why, "do": error.do} for file, error in bad
    ]
    counts = corpus.statistics()
    tokens, is_exact = num_tokens_of(corpus.paragraphs, tokenizer)
    words = fragmented_words(some_of(corpus.paragraphs, COUNTED_CHARACTERS), tokenizer)
    pairs = near_duplicates(corpus.paragraphs)
    num_near = len(np.unique(pairs[:, 1])) - counts.num_duplicates
    if options.json:
        _print(
            {
                "paragraphs": counts.num_paragraphs,
                "words": counts.num_words,
                "tokens": tokens,
                "tokens_are_exact": is_exact,
                "longest_words": counts.longest_words,
                "duplicates": counts.num_duplicates,
                "near_duplicates": num_near,
                "leaks": _num_leaks(corpus, pairs),
                "shattered": [dataclasses.asdict(word) for word in words],
                "refused": refused,
            }
        )
        return
    print(
        f"{counts.num_paragraphs:,} paragraphs, {counts.num_words:,} words, {'' if is_exact else 'about '}{tokens:,} tokens; the longest paragraph has {counts.longest_words:,} words."
    )
    print(
        f"{counts.num_duplicates:,} paragraphs repeat an earlier one, {num_near:,} more nearly do."
    )
    if not is_exact:
        print(f"Words in pieces, in a random part of {COUNTED_CHARACTERS:,} characters:")
    for word in words[:10]:
        print(f"  {word.word} (×{word.count}) → {' '.join(word.pieces)}")
    for refusal in refused:
        print(f"Refused: {refusal['what']} {refusal['why']} {refusal['do']}", file=sys.stderr)


def _num_leaks(corpus, pairs) -> int:
    """Held-out paragraphs of the usual split that repeat, or nearly repeat, one that would be trained on. pairs: int64 [P, 2], the near-duplicates."""
    if len(corpus.paragraphs) < 2:
        return 0
    is_held_out = corpus.unseen()
    leaks = pairs[is_held_out[pairs[:, 0]] != is_held_out[pairs[:, 1]]]
    return len(set(leaks[is_held_out[leaks]].tolist()))


def mask(options: argparse.Namespace) -> None:
    from mlm_gui.core.masking.explanation import as_record, draw_masks
    from mlm_gui.core.masking.policy import MaskPolicy

    policy = MaskPolicy(rate=options.rate, unit=options.unit)
    draw = draw_masks(
        _studio(options).models.tokenizer(options.model), options.text, policy, options.seed
    )
    if options.json:
        _print(as_record(draw))
        return
    for token in draw.tokens:
        print(f"{token.token:>16} → {token.seen:<16} {token.why}")
    low, high = draw.expected
    print(f"{draw.num_chosen} of {draw.num_maskable} chosen; chance gives {low} to {high}.")


def train(options: argparse.Namespace) -> None:
    from mlm_gui.core.training.device import Device
    from mlm_gui.services.runs.finetune import finetune
    from mlm_gui.services.runs.registry import Run

    studio = _studio(options)
    if Device().rank:
        _train_along(studio, options)
        return
    if options.resume:
        run = _run_to_resume(options)
    else:
        asked = _asked(studio, options)
        run = (
            Run.create(options.out.absolute(), *asked)
            if options.out
            else studio.runs.create(*asked)
        )

    asked_to_stop: list[bool] = []
    before = {
        number: signal.signal(number, lambda *_: asked_to_stop.append(True))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        _follow(options, run, finetune(run, studio.models.load, lambda: bool(asked_to_stop)))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    paused = run.history().paused
    if paused and paused.what:
        raise UserError(
            paused.what,
            paused.why,
            f"Make room on the disk, then run `mlm-gui train --resume {run.folder}`.",
        )
    if asked_to_stop and run.state != "finished":
        print(
            f"Interrupted after {run.history().num_steps} steps; the model so far is kept in {run.model_folder}",
            file=sys.stderr,
        )
        print(f"`mlm-gui train --resume {run.folder}` goes on.", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _asked(studio, options: argparse.Namespace) -> tuple:
    """Corpus, model, config, held-out share and split seed of a new run. Raises UserError before anything is written."""
    from mlm_gui.core.assets import STARTER
    from mlm_gui.core.config import RECIPES

    if not options.files:
        raise UserError(
            "The command was not understood.",
            "It names no text to train on.",
            "Give one or more files, or --resume FOLDER.",
        )
    changes = {
        name: getattr(options, name)
        for name in (
            "epochs",
            "max_steps",
            "learning_rate",
            "tokens_per_step",
            "mask_rate",
            "unit",
            "seed",
        )
    }
    config = dataclasses.replace(
        RECIPES[options.recipe],
        **{name: value for name, value in changes.items() if value is not None},
    )
    corpus = studio.texts.gather(options.files)
    studio.models.tokenizer(
        options.model
    )  # an unknown model is refused before a run folder is made
    place = Path(studio.models.resolve(options.model))
    stays_named = (
        options.model == STARTER
        or not place.is_dir()
        or (options.model.startswith("run:") and not options.out)
    )
    # a run in a folder of its own finds its base by the place: it may go on from another folder, or with another home
    model = options.model if stays_named else str(place.absolute())
    return corpus, model, config, options.held_out, config.seed


def _run_to_resume(options: argparse.Namespace):
    """The run in the folder. Raises UserError when there is none, when it has ended, or when texts or another folder are named too."""
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
    if run.state not in RESUMABLE_STATES:
        raise UserError(
            f"The run in {folder} cannot go on.",
            f"It is {run.state}.",
            "Choose one that was interrupted, paused or stopped.",
        )
    return run


def _train_along(studio, options: argparse.Namespace) -> None:
    """One of the further processes of `accelerate launch`: it computes its part of every step; the first process writes the folder and speaks."""
    from mlm_gui.core.training.loop import Training
    from mlm_gui.services.runs.run import Run

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(
            number, signal.SIG_IGN
        )  # the first process hears it and all end after the same step
    state, schedule_restart_step = None, 0
    if options.resume:
        run = Run(options.resume.absolute())
        job, (state, _) = run.sound_job(), run.checkpoints.newest_whole()
        schedule_restart_step, model, config, split = (
            job.schedule_restart_step,
            job.model,
            job.config,
            run.split(),
        )
    else:
        corpus, model, config, held_out, split_seed = _asked(studio, options)
        split = corpus.split(held_out, split_seed)
    training = Training(
        studio.models.load(model), split, config, schedule_restart_step=schedule_restart_step
    )
    if state is not None:
        training.restore(state)
    for _ in training.events():
        pass


def _follow(options: argparse.Namespace, run, events) -> None:
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
            _print(as_record(event))
        elif isinstance(event, (Started, Resumed)):
            bar = tqdm(
                total=event.total_steps,
                initial=getattr(event, "step", 0),
                unit="step",
                file=sys.stderr,
            )
        elif isinstance(event, CheckpointSkipped):
            print(event.why, file=sys.stderr)
        elif isinstance(event, Stepped) and bar is not None:
            bar.set_postfix(epoch=f"{event.epoch:.1f}", loss=f"{event.loss:.2f}", refresh=False)
            bar.update()
    if bar is not None:
        bar.close()
    history = run.history()
    if not options.json and history.kept_score and not history.paused:
        before, after = history.evaluations[0], history.kept_score
        print(
            f"Loss on unseen text: {before.loss:.3f} before, {after.loss:.3f} after ({after.num_masks} tokens, all of them hidden, the same both times); {after.seconds:.0f} s."
        )
        print(f"First guess right: {before.top1:.1%} before, {after.top1:.1%} after.")
        print(verdict or f"No exam was sat; `mlm-gui exam {run.folder}` does it.")
        print(f"The model is in {run.model_folder}")


def fill(options: argparse.Namespace) -> None:
    models = _studio(options).models
    names = [name for name in (options.model, options.against) if name]
    answers = [models.fill(name, options.text, options.top) for name in names]
    together = (
        [models.fill_jointly(name, options.text, options.top).joint for name in names]
        if options.joint
        else []
    )
    if options.json:
        record = dict(
            zip(
                ("blanks", "against"),
                ([dataclasses.asdict(blank) for blank in blanks] for blanks in answers),
                strict=False,
            )
        )
        joint = (
            [{"tokens": one.tokens, "probability": one.probability} for one in fillings]
            for fillings in together
        )
        _print({**record, **dict(zip(("joint", "against_joint"), joint, strict=False))})
        return
    for name, blanks in zip((options.model, options.against), answers, strict=False):
        for number, blank in enumerate(blanks, start=1):
            print(
                f"{name}, blank {number}: "
                + ", ".join(f"{guess.token} {guess.probability:.1%}" for guess in blank.guesses)
            )
    for name, fillings in zip(names, together, strict=False):
        print(
            f"{name}, together: "
            + ", ".join(f"{' … '.join(one.tokens)} {one.probability:.2%}" for one in fillings)
        )


def exam(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from mlm_gui.services.runs.evaluation import as_record, examine_again, read_exam
    from mlm_gui.services.runs.registry import Run

    studio = _studio(options)
    run = (
        studio.runs.find(options.run.removeprefix("run:"))
        if options.run.startswith("run:")
        else Run(Path(options.run).absolute())
    )
    if run is None or run.job is None:
        raise UserError(
            f"There is no run in {options.run}.",
            "It holds no readable job.json.",
            "Give a run folder, or run:ID as `mlm-gui runs` lists it.",
        )
    report = None if options.again else read_exam(run.folder)
    if report is None:
        with tqdm(
            total=100,
            unit="%",
            file=sys.stderr,
            disable=options.json,
            bar_format="{l_bar}{bar}| {elapsed}",
        ) as bar:
            report = examine_again(
                run,
                studio.models.load,
                lambda share: bool(bar.update(round(100 * share) - bar.n) or True),
            )
    if options.json:
        _print(as_record(report))
        return
    print(report.sentence)
    for text, paired_result in (
        ("unseen text", report.unseen),
        ("general English", report.forgetting),
    ):
        print(
            f"{text}: {paired_result.num_masks:,} blanks in {paired_result.num_clusters} paragraphs, {len(paired_result.seeds)} draws, p = {paired_result.p_value:.4f}"
        )
        for name, figures in (("base", paired_result.base), ("tuned", paired_result.tuned)):
            low, high = figures.interval
            right = f"first guess right {figures.top1:.1%}, among five {figures.top5:.1%}"
            print(
                f"  {name:<5}  loss {figures.loss:.3f} ({low:.3f} to {high:.3f})  masked-token perplexity {figures.perplexity:.1f}  {right}"
            )
    cloze = report.cloze
    print(
        f"Key words of unseen sentences, right at the first guess: base {cloze.base_right[0]}, tuned {cloze.tuned_right[0]} of {len(cloze.items)}."
    )


def runs(options: argparse.Namespace) -> None:
    runs = _studio(options).runs.all()
    for run in runs:
        history, job = run.history(), run.job
        record = {
            "id": run.id,
            "state": run.state,
            "name": job.name if job else None,
            "model": job.model if job else None,
            "created": job.created if job else None,
            "steps": history.num_steps,
            "loss_before": history.evaluations[0].loss if history.evaluations else None,
            "loss_after": history.kept_score.loss if history.kept_score else None,
            "checkpoint_step": run.checkpoint_step,
            "findings": run.findings,
            "folder": str(run.folder),
        }
        if options.json:
            _print(record)
        else:
            print(
                f"{record['id']}  {record['state']:<11}  {record['steps']:>6} steps  {record['name'] or 'unreadable'}"
            )
            for finding in run.findings:
                print(f"    {finding}")
    if not runs and not options.json:
        print("There are no runs yet.")
