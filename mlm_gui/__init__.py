"""MLM Studio for notebooks: masked-language modelling without the page.

>>> import mlm_gui
>>> lm = mlm_gui.MaskedLM.load("starter")
>>> corpus = mlm_gui.Corpus.from_files(["my_text.txt"])
>>> for event in mlm_gui.train(lm, corpus.split(), mlm_gui.TrainConfig()):
...     print(event)

Each name is loaded on first use, so `import mlm_gui` itself is quick.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # editors and type checkers see the names that __getattr__ loads
    from mlm_gui.core.config import RECIPES, TrainConfig
    from mlm_gui.core.corpus.corpus import Corpus, Document, Split
    from mlm_gui.core.evaluation.held_out import Exam, Score, evaluate
    from mlm_gui.core.inference.fill import compare, fill
    from mlm_gui.core.masking.explanation import draw_masks
    from mlm_gui.core.masking.policy import Fate, MaskPolicy
    from mlm_gui.core.masking.sampling import MaskedBatch, Vocabulary, mask_tokens
    from mlm_gui.core.model.masked_lm import MaskedLM
    from mlm_gui.core.tokens import TokenStore, tokenize
    from mlm_gui.core.training.loop import train
    from mlm_gui.errors import UserError

__all__ = [
    "Corpus",
    "Document",
    "Exam",
    "Fate",
    "MaskPolicy",
    "MaskedBatch",
    "MaskedLM",
    "RECIPES",
    "Score",
    "Split",
    "TokenStore",
    "TrainConfig",
    "UserError",
    "Vocabulary",
    "compare",
    "draw_masks",
    "evaluate",
    "fill",
    "mask_tokens",
    "tokenize",
    "train",
]

PUBLIC_MODULES = {
    "RECIPES": "core.config",
    "Corpus": "core.corpus.corpus",
    "Document": "core.corpus.corpus",
    "Exam": "core.evaluation.held_out",
    "Fate": "core.masking.policy",
    "MaskPolicy": "core.masking.policy",
    "MaskedBatch": "core.masking.sampling",
    "MaskedLM": "core.model.masked_lm",
    "Score": "core.evaluation.held_out",
    "Split": "core.corpus.corpus",
    "TokenStore": "core.tokens",
    "TrainConfig": "core.config",
    "UserError": "errors",
    "Vocabulary": "core.masking.sampling",
    "compare": "core.inference.fill",
    "draw_masks": "core.masking.explanation",
    "evaluate": "core.evaluation.held_out",
    "fill": "core.inference.fill",
    "mask_tokens": "core.masking.sampling",
    "tokenize": "core.tokens",
    "train": "core.training.loop",
}
"""The module of each public name, without the package."""


def __getattr__(name: str) -> object:
    if name not in PUBLIC_MODULES:
        raise AttributeError(f"module 'mlm_gui' has no attribute {name!r}")
    return getattr(importlib.import_module(f"mlm_gui.{PUBLIC_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
