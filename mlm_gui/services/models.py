"""Models by the names people use: "starter", a folder, a Hub id, or "run:ID". Loaded ones are kept for the next question."""

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from mlm_gui.core import checks
from mlm_gui.core.filling import Blank, Comparison, compare, fill, predict
from mlm_gui.core.joint import Together, fill_jointly
from mlm_gui.core.loading import STARTER, load_tokenizer
from mlm_gui.core.model import MaskedLM
from mlm_gui.core.shift import Shared, ShiftMap, shift_map
from mlm_gui.core.words import Surprise, score_word
from mlm_gui.errors import UserError
from mlm_gui.services.limits import Limits
from mlm_gui.services.runs import Runs

KEPT_MODELS = 3
"""Loaded models kept in memory; the one unused longest goes first."""
KEPT_TOKENIZERS = 8
Made = TypeVar("Made")


class Models:
    """Finds, checks and keeps models; predictions run one at a time."""

    def __init__(self, runs: Runs, limits: Limits) -> None:
        self._runs, self._limits = runs, limits
        self._loaded: OrderedDict[str, MaskedLM] = OrderedDict()
        self._versions: dict[str, int] = {}
        self._tokenizers: OrderedDict[str, object] = OrderedDict()
        self._using, self._keeping = threading.Lock(), threading.Lock()

    def resolve(self, name: object) -> str:
        """What `MaskedLM.load` takes for this name. Raises UserError for a run that is not there and, where strangers visit, for folders."""
        if not isinstance(name, str) or not name.strip():
            raise UserError(
                "No model is chosen.", "The model's name is empty.", "Choose the starter, or type a Hub name such as google-bert/bert-base-uncased."
            )
        name = name.strip()
        if name.startswith("run:"):
            run = self._runs.find(name.removeprefix("run:"))
            if run is None or not run.has_model:
                raise UserError(
                    "That run has no model.", "It is not on this server any more, or it never reached a save.", "Choose another run, or train one."
                )
            return str(run.model_folder)
        if name != STARTER and self._limits.hosted and (name.startswith((".", "~", "/")) or _exists(name)):
            raise UserError(
                f"There is no model called {name[:100]}.",
                "On this server only the starter, your own runs and Hub names can be used.",
                "Choose one of those.",
            )
        return name

    def load(self, name: str) -> MaskedLM:
        """A fresh model for training: nobody else holds it."""
        return self._named(_by_name(MaskedLM.load, self.resolve(name), name), name)

    def tokenizer(self, name: str):
        """The tokenizer alone, for drawing masks and counting."""
        key = self.resolve(name)
        tokenizer = self._tokenizers.get(key) or _by_name(load_tokenizer, key, name)
        with self._keeping:
            self._tokenizers[key] = tokenizer
            while len(self._tokenizers) > KEPT_TOKENIZERS:
                self._tokenizers.popitem(last=False)
        return tokenizer

    def fill(self, name: str, text: str, top_k: int = 5) -> tuple[Blank, ...]:
        """See core.filling.fill."""
        with self._using:
            return fill(self._kept(name), text, top_k)

    def compare(self, base: str, tuned: str, text: str, top_k: int = 5) -> Comparison:
        """See core.filling.compare."""
        with self._using:
            return compare(self._kept(base), self._kept(tuned), text, top_k)

    def score_words(self, names: tuple[str, str], text: str, blank: int, words: Sequence[str]) -> list[tuple[Surprise, Surprise]]:
        """For each word what base and tuned think of it in this blank; see core.words.score_word."""
        with self._using:
            models = [self._kept(name) for name in names]
            return [tuple(score_word(lm, text, blank, word) for lm in models) for word in words]

    def fill_jointly(self, name: str, text: str, top_k: int = 5) -> Together:
        """See core.joint.fill_jointly."""
        with self._using:
            return fill_jointly(self._kept(name), text, top_k)

    def shift_map(self, base: str, tuned: str, text: str, blank: int) -> ShiftMap:
        """How the whole vocabulary moved for the blank of this number, 0 the first."""
        with self._using:
            lms = [self._kept(name) for name in (base, tuned)]
            answers = [predict(lm, text)[1] for lm in lms]
            return shift_map(Shared.of(*lms), *(answer[checks.whole("The blank", blank, 0, len(answer) - 1)] for answer in answers))

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """While it is open, no other question is asked of a model."""
        with self._using:
            yield

    def borrow(self, name: str) -> MaskedLM:
        """A loaded model that others use too: to look at, not to change."""
        with self._using:
            return self._kept(name)

    def _kept(self, name: str) -> MaskedLM:
        key = self.resolve(name)
        version = _version(key)
        if self._versions.get(key) != version:  # a run went on and saved another model in the same place
            self._loaded.pop(key, None)
        if key not in self._loaded:
            self._loaded[key], self._versions[key] = self._named(_by_name(MaskedLM.load, key, name), name), version
            while len(self._loaded) > KEPT_MODELS:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(key)
        return self._loaded[key]

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
