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
    "Corpus": "core.corpus.corpus",
    "Document": "core.corpus.corpus",
    "Split": "core.corpus.corpus",
    "TokenStore": "core.tokens",
    "tokenize": "core.tokens",
    "Fate": "core.masking.policy",
    "MaskPolicy": "core.masking.policy",
    "MaskedBatch": "core.masking.sampling",
    "Vocabulary": "core.masking.sampling",
    "mask_tokens": "core.masking.sampling",
    "draw_masks": "core.masking.explanation",
    "MaskedLM": "core.model.masked_lm",
    "TrainConfig": "core.config",
    "RECIPES": "core.config",
    "train": "core.training.loop",
    "Exam": "core.evaluation.held_out",
    "Score": "core.evaluation.held_out",
    "evaluate": "core.evaluation.held_out",
    "fill": "core.inference.fill",
    "compare": "core.inference.fill",
    "UserError": "errors",
}
__all__ = sorted(_WHERE)


def __getattr__(name: str):
    if name not in _WHERE:
        raise AttributeError(f"module 'mlm_gui' has no attribute {name!r}")
    return getattr(importlib.import_module(f"mlm_gui.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return __all__
