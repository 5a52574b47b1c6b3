"""Masked-language modelling itself: torch and transformers, no page, no threads, no globals.

Its modules are loaded when they are first asked for, as `core.training.train`, so that whoever only names them starts without torch.
"""

import importlib
import threading

from mlm_gui.core import checks as checks  # all others take it from here by name, which must not wait for the lock below: they may be loading already

BUILDING = threading.Lock()
"""Held while transformers builds a model: it changes things that all threads share, and of two at once one may find its weights missing."""
_LOADING = threading.RLock()
"""One thread at a time: modules of torch and transformers that import each other may look half made to a second one."""


def __getattr__(name: str):
    if name.startswith("_"):
        raise AttributeError(f"module 'mlm_gui.core' has no attribute {name!r}")
    with _LOADING:
        try:
            return importlib.import_module(f"mlm_gui.core.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"mlm_gui.core.{name}":
                raise
            raise AttributeError(f"module 'mlm_gui.core' has no attribute {name!r}") from None
