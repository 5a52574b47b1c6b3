"""Models by the names people use: "starter", a folder, a Hub id, or "run:ID".

Loaded ones are kept for the next question.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mlm_gui.core import validation
from mlm_gui.core.assets import STARTER
from mlm_gui.errors import UserError
from mlm_gui.services.limits import Limits
from mlm_gui.services.models.downloads import Downloads
from mlm_gui.services.models.references import run_id_of
from mlm_gui.services.runs.registry import Runs

if TYPE_CHECKING:
    from mlm_gui.core.inference.fill import Blank, Comparison
    from mlm_gui.core.inference.joint import Together
    from mlm_gui.core.inference.shift import ShiftMap
    from mlm_gui.core.inference.surprisal import Surprise
    from mlm_gui.core.model.masked_lm import MaskedLM
    from mlm_gui.core.tokenizer import Tokenizer

KEPT_MODELS = 3
"""Loaded models kept in memory; the one unused longest goes first."""
KEPT_TOKENIZERS = 8
"""Tokenizers kept in memory; the one unused longest goes first."""
Made = TypeVar("Made")
Value = TypeVar("Value")


class _Recent(OrderedDict[str, Value]):
    """The last few values by name; the one unused longest goes first."""

    def keep(self, name: str, value: Value, most: int) -> None:
        self[name] = value
        self.move_to_end(name)
        while len(self) > most:
            self.popitem(last=False)


class Models:
    """Finds, checks and keeps models; predictions run one at a time."""

    def __init__(self, runs: Runs, limits: Limits) -> None:
        self._runs = runs
        self._limits = limits
        self._downloads = Downloads(limits)
        self._loaded: _Recent[tuple[int, MaskedLM]] = _Recent()
        """By folder, each with the version of the folder that was loaded."""
        self._tokenizers: _Recent[Tokenizer] = _Recent()
        self._using = threading.Lock()
        self._keeping = threading.Lock()

    def resolve(self, name: object) -> str:
        """What `core.model.masked_lm.MaskedLM.load` takes for this name.

        Raises UserError for a run that is not there and, where strangers visit, for folders and
        for Hub names that are not on offer.
        """
        if not isinstance(name, str) or not name.strip():
            raise UserError(
                "No model is chosen.",
                "The model's name is empty.",
                "Choose the starter, or type a Hub name such as google-bert/bert-base-uncased.",
            )
        name = name.strip()
        run_id = run_id_of(name)
        if run_id is not None:
            run = self._runs.find(run_id)
            if run is None or not run.has_model:
                raise UserError(
                    "That run has no model.",
                    "It is not on this server any more, or it never reached a save.",
                    "Choose another run, or train one.",
                )
            return str(run.model_folder)
        if name != STARTER and self._limits.hosted:
            self._check_offered(name)
        return name

    def _check_offered(self, name: str) -> None:
        """Raises UserError for a folder, and for a Hub model that this server does not offer."""
        if name.startswith((".", "~", "/")) or _exists(name):
            raise UserError(
                f"There is no model called {name[:100]}.",
                "On this server only the starter, your own runs "
                "and the Hub models on offer can be used.",
                "Choose one of those.",
            )
        self._downloads.check_allowed(name)

    def load(self, name: str) -> MaskedLM:
        """A fresh model for training: nobody else holds it. A download is waited for."""
        from mlm_gui.core.model.masked_lm import MaskedLM

        return _named(_by_name(MaskedLM.load, self._place(name, patience=None), name), name)

    def bring(self, name: str) -> None:
        """Downloads the model where it is missing, so that no question has to wait for it.

        Raises UserError as `resolve` and `Downloads.bring` do.
        """
        self._place(name, self._limits.download_patience)

    def tokenizer(self, name: str) -> Tokenizer:
        """The tokenizer alone, for drawing masks and counting."""
        from mlm_gui.core.model.loading import load_tokenizer

        place = self._place(name, self._limits.download_patience)
        tokenizer = self._tokenizers.get(place) or _by_name(load_tokenizer, place, name)
        with self._keeping:
            self._tokenizers.keep(place, tokenizer, KEPT_TOKENIZERS)
        return tokenizer

    def fill(self, name: str, text: str, top_k: int = 5) -> tuple[Blank, ...]:
        """See `core.inference.fill.fill`."""
        from mlm_gui.core.inference.fill import fill

        with self._asking(name) as (lm,):
            return fill(lm, text, top_k)

    def compare(self, base: str, tuned: str, text: str, top_k: int = 5) -> Comparison:
        """See `core.inference.fill.compare`."""
        from mlm_gui.core.inference.fill import compare

        with self._asking(base, tuned) as (base_lm, tuned_lm):
            return compare(base_lm, tuned_lm, text, top_k)

    def score_words(
        self, names: tuple[str, str], text: str, blank: int, words: Sequence[str]
    ) -> list[tuple[Surprise, Surprise]]:
        """For each word the surprise of base and tuned at it in this blank.

        See `core.inference.surprisal.score_word`.
        """
        from mlm_gui.core.inference.surprisal import score_word

        with self._asking(*names) as (base, tuned):
            return [
                (score_word(base, text, blank, word), score_word(tuned, text, blank, word))
                for word in words
            ]

    def fill_jointly(self, name: str, text: str, top_k: int = 5) -> Together:
        """See `core.inference.joint.fill_jointly`."""
        from mlm_gui.core.inference.joint import fill_jointly

        with self._asking(name) as (lm,):
            return fill_jointly(lm, text, top_k)

    def shift_map(self, base: str, tuned: str, text: str, blank: int) -> ShiftMap:
        """How the whole vocabulary moved for the blank of this number; 0 is the first."""
        from mlm_gui.core.inference.fill import predict
        from mlm_gui.core.inference.shift import Shared, shift_map

        with self._asking(base, tuned) as (base_lm, tuned_lm):
            before, after = predict(base_lm, text)[1], predict(tuned_lm, text)[1]
            blank = validation.whole("The blank", blank, 0, len(before) - 1)
            return shift_map(Shared.of(base_lm, tuned_lm), before[blank], after[blank])

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """While it is open, no other question is asked of a model."""
        with self._using:
            yield

    def borrow(self, name: str) -> MaskedLM:
        """A loaded model that others use too: to look at, not to change."""
        with self._asking(name) as (lm,):
            return lm

    @contextlib.contextmanager
    def _asking(self, *names: str) -> Iterator[list[MaskedLM]]:
        """The loaded models of these names. While it is open, no other question is asked.

        Downloads are finished before the turn is taken.
        """
        places = [self._place(name, self._limits.download_patience) for name in names]
        with self._using:
            yield [self._kept(place, name) for place, name in zip(places, names, strict=True)]

    def _place(self, name: str, patience: float | None) -> str:
        """The starter, or the folder of the model of that name, downloaded from the Hub."""
        place = self.resolve(name)
        try:
            if place == STARTER or Path(place).is_dir():
                return place
            return str(self._downloads.bring(place, patience))
        except (OSError, ValueError):  # too long for the file system, or a NUL: loading reports it
            return place

    def _kept(self, place: str, name: str) -> MaskedLM:
        from mlm_gui.core.model.masked_lm import MaskedLM

        version = _version(place)
        known = self._loaded.get(place)
        if known and known[0] == version:
            lm = known[1]
        else:  # a resumed run may have saved another model in the same place
            self._loaded.pop(place, None)
            lm = _named(_by_name(MaskedLM.load, place, name), name)
        self._loaded.keep(place, (version, lm), KEPT_MODELS)
        return lm


def _named(lm: MaskedLM, name: str) -> MaskedLM:
    lm.name = name
    return lm


def _by_name(load: Callable[[str], Made], place: str, name: str) -> Made:
    """What `load` makes of the model in this place.

    Its errors use the name that was asked for, not the folders of the server.
    """
    try:
        return load(place)
    except UserError as error:
        what, why, do = (part.replace(place, name) for part in error.args)
        raise UserError(what, why, do) from error


def _version(place: str) -> int:
    """Tells a model from an earlier one in the same folder; 0 for what is no folder."""
    try:
        return (Path(place) / "config.json").stat().st_mtime_ns
    except (OSError, ValueError):
        return 0


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):  # too long for the file system, or with a NUL in it
        return False
