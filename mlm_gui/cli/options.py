"""The options of every command."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from mlm_gui.cli.app import open_app
from mlm_gui.cli.ask import fill, mask
from mlm_gui.cli.runs import exam, runs
from mlm_gui.cli.text import text
from mlm_gui.cli.train import train
from mlm_gui.core.masking.policy import UNITS
from mlm_gui.errors import UserError
from mlm_gui.services.limits import HUB_MODELS, PROFILES

HIGHEST_PORT = 65_535


class Parser(argparse.ArgumentParser):
    """Complains in three sentences, like everything else."""

    def error(self, message: str) -> NoReturn:
        raise UserError(
            "The command was not understood.",
            f"{message[0].upper()}{message[1:]}.",
            f"See `{self.prog} --help`.",
        )


def parser() -> Parser:
    """The parser of `mlm-gui`. Parsed options hold the `command` to call with them."""
    main = Parser(
        prog="mlm-gui",
        description="Teach a BERT-like model the language of your own texts. "
        "Without a command it opens the page.",
    )
    _page_options(main)
    main.set_defaults(command=open_app)
    commands = main.add_subparsers(title="commands", metavar="", parser_class=Parser)

    def add(
        name: str, description: str, command: Callable[[argparse.Namespace], None]
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=description, description=description)
        sub.set_defaults(command=command)
        return sub

    _page_options(add("app", "opens the page", open_app))
    _text_options(add("text", "reads files and reports what is in them", text))
    _mask_options(add("mask", "draws masks over a text, once, explained", mask))
    _train_options(add("train", "trains a model on texts, into a run folder", train))
    _fill_options(add("fill", "fills the blanks of a sentence", fill))
    verdict = "base against tuned on text neither has seen: better, the same or worse"
    _exam_options(add("exam", verdict, exam))
    _runs_options(add("runs", "lists the runs of a home folder", runs))
    return main


def _port(text: str) -> int:
    """A port number. Raises ValueError or ArgumentTypeError for anything else."""
    port = int(text)
    if not 0 <= port <= HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{port} is no port; ports go up to {HIGHEST_PORT}")
    return port


def _page_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=_port, default=7860)
    parser.add_argument(
        "--profile",
        choices=sorted(PROFILES),
        help="limits: laptop, or hosted where strangers visit "
        "(default: hosted on a Space, else laptop)",
    )
    parser.add_argument(
        "--hub-models",
        metavar="NAMES",
        help="Hub models that may be fetched, separated by commas, * for anything, or none "
        f"(default: ${HUB_MODELS}, else laptop: all, hosted: a few)",
    )
    _home_option(parser)


def _text_options(parser: argparse.ArgumentParser) -> None:
    _json_option(parser)
    parser.add_argument("files", nargs="+", metavar="FILE", help="- reads standard input")
    parser.add_argument(
        "--model", default="starter", help="whose tokenizer counts the tokens (default: starter)"
    )


def _mask_options(parser: argparse.ArgumentParser) -> None:
    _json_option(parser)
    parser.add_argument("text", metavar="TEXT")
    parser.add_argument("--model", default="starter")
    parser.add_argument(
        "--rate", type=float, default=0.15, help="chance of each token to be chosen (default: 0.15)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--unit", choices=UNITS, default="token", help="what is chosen at a time (default: token)"
    )


def _train_options(parser: argparse.ArgumentParser) -> None:
    _json_option(parser)
    parser.add_argument("files", nargs="*", metavar="FILE", help="- reads standard input")
    parser.add_argument(
        "--resume",
        type=Path,
        metavar="FOLDER",
        help="resume the run in this folder, from its newest whole checkpoint",
    )
    parser.add_argument(
        "--model",
        default="starter",
        help="starter, a folder, a Hub id, or run:ID (default: starter)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="the run folder; without it the run goes to the home folder, where the page lists it",
    )
    parser.add_argument(
        "--recipe", choices=["recommended", "quick", "thorough", "tutorial"], default="recommended"
    )
    parser.add_argument(
        "--held-out",
        type=float,
        default=0.1,
        help="share of the paragraphs kept unseen (default: 0.1)",
    )
    parser.add_argument("--epochs", type=int, help="passes over the text")
    parser.add_argument("--max-steps", type=int, help="stop after this many steps")
    parser.add_argument(
        "--learning-rate", type=float, help="peak rate; 0 chooses one for the model's size"
    )
    parser.add_argument("--tokens-per-step", type=int)
    parser.add_argument("--mask-rate", type=float)
    parser.add_argument(
        "--unit",
        choices=UNITS,
        help="what is chosen at a time: a token, a whole word or a span of words",
    )
    parser.add_argument("--seed", type=int, help="decides the split, the order and every mask")
    _home_option(parser)


def _fill_options(parser: argparse.ArgumentParser) -> None:
    _json_option(parser)
    parser.add_argument(
        "text", metavar="TEXT", help="with [MASK], <mask> or ___ where a word is missing"
    )
    parser.add_argument("--model", default="starter")
    parser.add_argument("--against", help="a second model to compare with")
    parser.add_argument("--top", type=int, default=5)
    parser.add_argument("--joint", action="store_true", help="also fill all blanks together")
    _home_option(parser)


def _exam_options(parser: argparse.ArgumentParser) -> None:
    _json_option(parser)
    parser.add_argument("run", metavar="FOLDER", help="a run folder, or run:ID")
    parser.add_argument(
        "--again", action="store_true", help="run the exam again even when the folder holds one"
    )
    _home_option(parser)


def _runs_options(parser: argparse.ArgumentParser) -> None:
    _json_option(parser)
    _home_option(parser)


def _json_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", action="store_true", help="print machine-readable lines on standard output"
    )


def _home_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--home",
        type=Path,
        help="where texts and runs are kept (default: $MLM_GUI_HOME or ~/.mlm-gui)",
    )
