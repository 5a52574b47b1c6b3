"""The shell: the same verbs as the page. `mlm-gui` alone opens the page; see `mlm-gui --help`."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from mlm_gui import commands
from mlm_gui.core.masking.policy import UNITS
from mlm_gui.errors import UserError
from mlm_gui.services import environment
from mlm_gui.services.limits import HUB_MODELS, PROFILES


class _Parser(argparse.ArgumentParser):
    """Complains in the same three sentences as everything else."""

    def error(self, message: str) -> NoReturn:
        raise UserError(
            "The command was not understood.",
            f"{message[0].upper()}{message[1:]}.",
            f"See `{self.prog} --help`.",
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and exits: 0 done, 2 something the person can put right, 130 interrupted."""
    environment.prepare()
    try:
        options = _parser().parse_args(sys.argv[1:] if arguments is None else arguments)
        options.command(options)
    except UserError as error:
        print(error.what, error.why, error.do, sep="\n", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(commands.INTERRUPTED)
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # the reader left, for example `| head`
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="mlm-gui",
        description="Teach a BERT-like model the language of your own texts. Without a command it opens the page.",
    )
    _page_options(parser)
    parser.set_defaults(command=commands.open_app)
    known = parser.add_subparsers(title="commands", metavar="", parser_class=_Parser)

    def command(name: str, what: str, does) -> argparse.ArgumentParser:
        sub = known.add_parser(name, help=what, description=what)
        sub.set_defaults(command=does)
        if does is not commands.open_app:
            sub.add_argument(
                "--json",
                action="store_true",
                help="print machine-readable lines on standard output",
            )
        return sub

    _page_options(command("app", "opens the page", commands.open_app))

    text = command("text", "reads files and reports what is in them", commands.text)
    text.add_argument("files", nargs="+", metavar="FILE")
    text.add_argument(
        "--model", default="starter", help="whose tokenizer counts the tokens (default: starter)"
    )

    mask = command("mask", "draws masks over a text, once, explained", commands.mask)
    mask.add_argument("text", metavar="TEXT")
    mask.add_argument("--model", default="starter")
    mask.add_argument(
        "--rate", type=float, default=0.15, help="chance of each token to be chosen (default: 0.15)"
    )
    mask.add_argument("--seed", type=int, default=0)
    mask.add_argument(
        "--unit", choices=UNITS, default="token", help="what is chosen at a time (default: token)"
    )

    train = command("train", "trains a model on texts, into a run folder", commands.train)
    train.add_argument("files", nargs="*", metavar="FILE")
    train.add_argument(
        "--resume",
        type=Path,
        metavar="FOLDER",
        help="go on with the run in this folder, from its newest whole checkpoint",
    )
    train.add_argument(
        "--model",
        default="starter",
        help="starter, a folder, a Hub id, or run:ID (default: starter)",
    )
    train.add_argument(
        "--out",
        type=Path,
        help="the run folder; without it the run goes to the home folder, where the page lists it",
    )
    train.add_argument(
        "--recipe", choices=["recommended", "quick", "thorough", "tutorial"], default="recommended"
    )
    train.add_argument(
        "--held-out",
        type=float,
        default=0.1,
        help="share of the paragraphs kept unseen (default: 0.1)",
    )
    train.add_argument("--epochs", type=int, help="passes over the text")
    train.add_argument("--max-steps", type=int, help="stop after this many steps")
    train.add_argument(
        "--learning-rate", type=float, help="peak rate; 0 chooses one for the model's size"
    )
    train.add_argument("--tokens-per-step", type=int)
    train.add_argument("--mask-rate", type=float)
    train.add_argument(
        "--unit",
        choices=UNITS,
        help="what is chosen at a time: a token, a whole word or a span of words",
    )
    train.add_argument("--seed", type=int, help="decides the split, the order and every mask")
    _home_option(train)

    fill = command("fill", "fills the blanks of a sentence", commands.fill)
    fill.add_argument(
        "text", metavar="TEXT", help="with [MASK], <mask> or ___ where a word is missing"
    )
    fill.add_argument("--model", default="starter")
    fill.add_argument("--against", help="a second model to compare with")
    fill.add_argument("--top", type=int, default=5)
    fill.add_argument("--joint", action="store_true", help="also fill all blanks together")
    _home_option(fill)

    exam = command(
        "exam",
        "base against tuned on text neither has seen: better, the same or worse",
        commands.exam,
    )
    exam.add_argument("run", metavar="FOLDER", help="a run folder, or run:ID")
    exam.add_argument(
        "--again", action="store_true", help="sit the exam anew even when the folder holds one"
    )
    _home_option(exam)

    runs = command("runs", "lists the runs of a home folder", commands.runs)
    _home_option(runs)
    return parser


def _home_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--home",
        type=Path,
        help="where texts and runs are kept (default: $MLM_GUI_HOME or ~/.mlm-gui)",
    )


def _page_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7860)
    parser.add_argument(
        "--profile",
        choices=sorted(PROFILES),
        help="limits: laptop, or hosted where strangers visit (default: hosted on a Space, else laptop)",
    )
    parser.add_argument(
        "--hub-models",
        metavar="NAMES",
        help=f"Hub models that may be fetched, separated by commas, * for anything, or none (default: ${HUB_MODELS}, else laptop: all, hosted: a few)",
    )
    _home_option(parser)


if __name__ == "__main__":
    main()
