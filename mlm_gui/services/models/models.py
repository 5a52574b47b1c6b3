"""Models by the names people use: "starter", a folder, a Hub id, or "run:ID". Loaded ones are kept for the next question."""

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
from mlm_gui.services.runs.registry import Runs

if TYPE_CHECKING:
    from mlm_gui.core.inference.fill import Blank, Comparison
    from mlm_gui.core.inference.joint import Together
    from mlm_gui.core.inference.shift import ShiftMap
    from mlm_gui.core.inference.surprisal import Surprise
    from mlm_gui.core.model.masked_lm import MaskedLM

KEPT_MODELS = 3
"""Loaded models kept in memory; the one unused longest goes first."""
KEPT_TOKENIZERS = 8
Made = TypeVar("Made")


class Models:
    """Finds, checks and keeps models; predictions run one at a time."""

    def __init__(self, runs: Runs, limits: Limits) -> None:
        self._runs, self._limits, self._downloads = runs, limits, Downloads(limits)
        self._loaded: OrderedDict[str, MaskedLM] = OrderedDict()
        self._versions: dict[str, int] = {}
        self._tokenizers: OrderedDict[str, object] = OrderedDict()
        self._using, self._keeping = threading.Lock(), threading.Lock()

    def resolve(self, name: object) -> str:
        """What `core.model.MaskedLM.load` takes for this name. Raises UserError for a run that is not there and, where strangers visit, for folders and for Hub names not on offer."""
        if not isinstance(name, str) or not name.strip():
            raise UserError(
                "No model is chosen.",
                "The model's name is empty.",
                "Choose the starter, or type a Hub name such as google-bert/bert-base-uncased.",
            )
        name = name.strip()
        if name.startswith("run:"):
            run = self._runs.find(name.removeprefix("run:"))
            if run is None or not run.has_model:
                raise UserError(
                    "That run has no model.",
                    "It is not on this server any more, or it never reached a save.",
                    "Choose another run, or train one.",
                )
            return str(run.model_folder)
        if (
            name != STARTER
            and self._limits.hosted
            and (name.startswith((".", "~", "/")) or _exists(name))
        ):
            raise UserError(
                f"There is no model called {name[:100]}.",
                "On this server only the starter, your own runs and the Hub models on offer can be used.",
                "Choose one of those.",
            )
        if name != STARTER and self._limits.hosted:
            self._downloads.check_allowed(name)
        return name

    def load(self, name: str) -> MaskedLM:
        """A fresh model for training: nobody else holds it. A download is waited for."""
        from mlm_gui.core.model.masked_lm import MaskedLM

        return self._named(_by_name(MaskedLM.load, self._place(name, patience=None), name), name)

    def bring(self, name: str) -> None:
        """Has the model on this machine; a question that asks for it does not have to wait. Raises UserError as `resolve` and `Downloads.bring` do."""
        self._place(name, self._limits.download_patience)

    def tokenizer(self, name: str):
        """The tokenizer alone, for drawing masks and counting."""
        from mlm_gui.core.model.loading import load_tokenizer

        place = self._place(name, self._limits.download_patience)
        tokenizer = self._tokenizers.get(place) or _by_name(load_tokenizer, place, name)
        with self._keeping:
            self._tokenizers[place] = tokenizer
            while len(self._tokenizers) > KEPT_TOKENIZERS:
                self._tokenizers.popitem(last=False)
        return tokenizer

    def fill(self, name: str, text: str, top_k: int = 5) -> tuple[Blank, ...]:
        """See core.filling.fill."""
        from mlm_gui.core.inference.fill import fill

        with self._asking(name) as (lm,):
            return fill(lm, text, top_k)

    def compare(self, base: str, tuned: str, text: str, top_k: int = 5) -> Comparison:
        """See core.filling.compare."""
        from mlm_gui.core.inference.fill import compare

        with self._asking(base, tuned) as lms:
            return compare(*lms, text, top_k)

    def score_words(
        self, names: tuple[str, str], text: str, blank: int, words: Sequence[str]
    ) -> list[tuple[Surprise, Surprise]]:
        """For each word what base and tuned think of it in this blank; see core.words.score_word."""
        from mlm_gui.core.inference.surprisal import score_word

        with self._asking(*names) as lms:
            return [tuple(score_word(lm, text, blank, word) for lm in lms) for word in words]

    def fill_jointly(self, name: str, text: str, top_k: int = 5) -> Together:
        """See core.joint.fill_jointly."""
        from mlm_gui.core.inference.joint import fill_jointly

        with self._asking(name) as (lm,):
            return fill_jointly(lm, text, top_k)

    def shift_map(self, base: str, tuned: str, text: str, blank: int) -> ShiftMap:
        """How the whole vocabulary moved for the blank of this number, 0 the first."""
        from mlm_gui.core.inference.fill import predict
        from mlm_gui.core.inference.shift import Shared, shift_map

        with self._asking(base, tuned) as lms:
            answers = [predict(lm, text)[1] for lm in lms]
            return shift_map(
                Shared.of(*lms),
                *(
                    answer[validation.whole("The blank", blank, 0, len(answer) - 1)]
                    for answer in answers
                ),
            )

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
        """The loaded models of these names; while it is open, no other question is asked. What has to be downloaded is, before the turn is taken."""
        places = [self._place(name, self._limits.download_patience) for name in names]
        with self._using:
            yield [self._kept(place, name) for place, name in zip(places, names, strict=True)]

    def _place(self, name: str, patience: float | None) -> str:
        """The starter, or the folder of the model of that name, downloaded when it is of the Hub."""
        place = self.resolve(name)
        try:
            return (
                place
                if place == STARTER or Path(place).is_dir()
                else str(self._downloads.bring(place, patience))
            )
        except (
            OSError,
            ValueError,
        ):  # too long for the file system, or with a NUL in it: core.model.MaskedLM.load says so
            return place

    def _kept(self, place: str, name: str) -> MaskedLM:
        from mlm_gui.core.model.masked_lm import MaskedLM

        version = _version(place)
        if (
            self._versions.get(place) != version
        ):  # a run went on and saved another model in the same place
            self._loaded.pop(place, None)
        if place not in self._loaded:
            self._loaded[place], self._versions[place] = (
                self._named(_by_name(MaskedLM.load, place, name), name),
                version,
            )
            while len(self._loaded) > KEPT_MODELS:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(place)
        return self._loaded[place]

    @staticmethod
    def _named(lm: MaskedLM, name: str) -> MaskedLM:
        lm.name = name
        return lm


def _by_name(load: Callable[[str], Made], place: str, name: str) -> Made:
    """What `load` makes of the model in this place; its complaints speak of the name that was asked for, not of the server's folders."""
    try:
        return load(place)
    except UserError as error:
        raise UserError(*(part.replace(place, name) for part in error.args)) from error


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
