"""Settings that libraries read once, when they are first imported."""

import os


def prepare() -> None:
    """Call before gradio or torch is imported; what the person has set already stays."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # no look-ups from the server
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # OpenMP's waiting threads sleep instead of spinning: a fifth slower on an idle machine, but not three times slower on a busy one
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
