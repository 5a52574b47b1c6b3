"""What a new run is asked for, as one value from the page or the shell down to the run's folder."""

from dataclasses import dataclass, field

from mlm_gui.core.assets import STARTER
from mlm_gui.core.config import TrainConfig
from mlm_gui.core.corpus.corpus import Corpus


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """A text, a model and settings to train with."""

    corpus: Corpus
    model: str = STARTER
    """The starter, a folder, a Hub id, or a run's model; see `services.models.references`."""
    config: TrainConfig = field(default_factory=TrainConfig)
    held_out: float = 0.1
    """Share of the paragraphs that are never trained on."""
    split_seed: int = 0
    owner: str = ""
    """Opaque key of the visitor who asks."""
    name: str = ""
    """Empty for the name of the text."""
    probes: tuple[str, ...] = ()
    """Pinned sentences with a blank; empty for two sentences of the text."""

    def is_same_as(self, other: "RunRequest") -> bool:
        """True when both ask for one and the same run, as the two clicks of a double click do."""
        return self._key() == other._key()

    def _key(self) -> tuple[object, ...]:
        """Everything that makes a difference; of the text its fingerprint."""
        settings = (self.model, self.config, self.held_out, self.split_seed, self.probes)
        return self.owner, self.name, self.corpus.fingerprint, settings
