"""MLM Studio for notebooks: the nouns and verbs of masked-language modelling, without the page.

>>> import mlm_gui
>>> lm = mlm_gui.MaskedLM.load("starter")
>>> corpus = mlm_gui.Corpus.from_files(["my_text.txt"])
>>> for event in mlm_gui.train(lm, corpus.split(), mlm_gui.TrainConfig()):
...     print(event)

Names are loaded on first use, so `import mlm_gui` itself is quick.
"""

import importlib

_WHERE = {
    "Corpus": "core.documents",
    "Document": "core.documents",
    "Split": "core.documents",
    "TokenStore": "core.tokens",
    "tokenize": "core.tokens",
    "Fate": "core.policy",
    "MaskPolicy": "core.policy",
    "MaskedBatch": "core.masking",
    "Vocabulary": "core.masking",
    "mask_tokens": "core.masking",
    "draw_masks": "core.draw",
    "MaskedLM": "core.model",
    "TrainConfig": "core.config",
    "RECIPES": "core.config",
    "train": "core.training",
    "Exam": "core.exam",
    "Score": "core.exam",
    "evaluate": "core.exam",
    "fill": "core.filling",
    "compare": "core.filling",
    "UserError": "errors",
}
__all__ = sorted(_WHERE)


def __getattr__(name: str):
    if name not in _WHERE:
        raise AttributeError(f"module 'mlm_gui' has no attribute {name!r}")
    return getattr(importlib.import_module(f"mlm_gui.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return __all__
