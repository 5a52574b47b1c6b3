"""One place in the training queue."""

import contextvars
import threading
from dataclasses import dataclass, field

from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.runs.run import Run


@dataclass(eq=False)
class Turn:
    """A run that waits or trains, and what is wanted of it."""

    run: Run
    request: RunRequest | None = None
    """What it was started with; None for a run that was there before."""
    context: contextvars.Context = field(default_factory=contextvars.copy_context)
    stop: threading.Event = field(default_factory=threading.Event)
    pause: threading.Event = field(default_factory=threading.Event)
    is_one_step: bool = False
    """Pauses again after the first step."""
    is_wanted_again: bool = False
    """Somebody pressed Resume while it was about to pause."""
