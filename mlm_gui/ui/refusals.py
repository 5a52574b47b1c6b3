"""Requests that are not answered: the HTTP status by the type of the error, the words beside it."""

from __future__ import annotations

import errno
import logging

from gradio.route_utils import FnIndexInferError
from starlette.requests import ClientDisconnect

from mlm_gui.errors import UserError

log = logging.getLogger(__name__)
MALFORMED = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    FnIndexInferError,
    ClientDisconnect,
)
"""What Gradio's own routes raise for a body that no page would send, or that breaks off.

Our handlers and polls raise other types, see `wiring.on` and `components.base.PollFailed`.
"""
DISK_IS_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


class Refusal(UserError):
    """A request that is not answered, with its HTTP status."""

    status = 400


class TooLarge(Refusal):
    """Its body is too long."""

    status = 413


class Failed(Refusal):
    """An error of the program's own."""

    status = 500


class Busy(Refusal):
    """It may succeed a little later."""

    status = 503


class DiskFull(Refusal):
    """The server has no room left."""

    status = 507


def refusal_of(error: Exception, path: str, brings_body: bool) -> Refusal:
    """What a person is told of an error of the app, by its type; the log has the rest."""
    if isinstance(error, OSError) and error.errno in DISK_IS_FULL:
        log.error("a request to %s found the disk full", path)
        return DiskFull(
            "The request could not be answered.",
            "The disk of the server is full.",
            "Make room on it, for example by deleting old runs, then try again.",
        )
    if isinstance(error, MALFORMED) and brings_body:
        log.warning("a malformed request to %s was refused", path)
        return Refusal(
            "The request was not understood.",
            "It is not what the page of this program sends.",
            "Reload the page and try again there.",
        )
    log.error("a request to %s failed", path, exc_info=error)
    return failed(type(error).__name__)


def failed(reason: str) -> Failed:
    """What a person is told of an error of the program's own."""
    return Failed(
        "Something went wrong here.",
        f"The program met an error it does not know ({reason}).",
        "Nothing was lost; try again, or look into the server's log.",
    )


def busy() -> Busy:
    """What a person is told when a queue is full."""
    return Busy(
        "The server is busy.",
        "Too many requests wait for an answer.",
        "Try again in a minute.",
    )
