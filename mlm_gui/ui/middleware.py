"""What stands in front of Gradio's own routes: a guard that no malformed request gets past.

It answers with three sentences where Gradio would answer with a bare error.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import SplitResult, urlsplit

from mlm_gui.services.limits import Limits
from mlm_gui.ui.refusals import Busy, Refusal, TooLarge, busy, failed, refusal_of

ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
"""The beginning of a web address, which Gradio would fetch in place of a file."""
DRIVE = re.compile(r"[a-z]:[\\/]", re.IGNORECASE)
"""The beginning of a path on Windows."""
MAX_DEPTH = 64
"""Levels of nesting in a body; a page never sends more than ten."""
MAX_VALUES = 200_000
"""Values in a body; a chart of thousands of points has tens of thousands."""
BYTES_PER_CHARACTER = 4
"""At most, of a text in UTF-8."""
SPARE_BYTES = 256 * 1024
"""What a page sends beside a text."""
MAX_HELD_BODIES = 16
"""The longest bodies that are held in memory at once; more are refused."""
UPLOAD_PATH = "/gradio_api/upload"
"""Where Gradio takes files. A path that merely ends in /upload may be a handler's name."""
BODY_SECONDS, UPLOAD_SECONDS = 60.0, 900.0
"""Until the whole body, and until a whole file, must have arrived."""
HEADERS = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"same-origin")]
Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Guard:
    """ASGI middleware: caps bodies, refuses foreign hosts and origins, and words bare errors."""

    def __init__(self, app: App, limits: Limits, host: str = "127.0.0.1") -> None:
        """`host` is the name that the server listens on.

        A hosted server is behind a proxy, which looks after names and origins.
        """
        self._app, self._limits = app, limits
        self._names = {"localhost", host.lower(), socket.gethostname().lower()}
        longest_text = BYTES_PER_CHARACTER * limits.max_text_characters + SPARE_BYTES
        self._longest = min(limits.max_upload_bytes, longest_text)
        """Bytes of a body that is no upload: the longest text, and what goes with it."""
        self._held = 0
        """Bytes of the bodies that are arriving now."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check_sender(scope)
            if _is_upload(scope):
                receive = _in_time(receive, UPLOAD_SECONDS)
            elif _brings_body(scope):
                in_time = _in_time(receive, BODY_SECONDS)
                receive = await self._checked_body(in_time, receive, _kind_of(scope))
        except Refusal as refusal:
            await _refuse(send, refusal)
            return
        await self._answer(scope, receive, send)

    def _check_sender(self, scope: Scope) -> None:
        """Raises Refusal for a request to another host, or from another page."""
        if self._limits.hosted:
            return
        host, origin = _header(scope, b"host"), _header(scope, b"origin")
        if not self._is_ours(_split(f"//{host}").hostname or ""):
            raise Refusal(
                "This address is not served here.",
                f"The request was meant for {host[:100]!r}.",
                "Open the page by the address the program printed.",
            )
        is_foreign = bool(origin) and _split(origin).netloc.lower() != host.lower()
        if is_foreign and scope["method"] == "POST":
            raise Refusal(
                "The request was refused.",
                f"It came from another page, {origin[:100]!r}.",
                "Use the page of this program itself.",
            )

    def _is_ours(self, name: str) -> bool:
        """True for this machine's names and for bare numbers, which no foreign page can borrow."""
        try:
            return bool(ipaddress.ip_address(name))
        except ValueError:
            return name.lower() in self._names

    async def _checked_body(self, read: Receive, receive: Receive, kind: str) -> Receive:
        """Reads the body, up to the limit, checks it, and returns a `receive` that hands it on.

        After the body comes what the server's own `receive` gives.
        """
        body = bytearray()
        try:
            async for part in _parts(read):
                body += part
                self._held += len(part)
                self._check_size(len(body))
        finally:
            self._held -= len(body)
        if body and not kind.startswith("multipart/"):
            _check_content(bytes(body), kind)
        handed_on = False

        async def replay() -> Message:
            nonlocal handed_on
            if handed_on:
                return await receive()
            handed_on = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        return replay

    def _check_size(self, num_bytes: int) -> None:
        """Raises Refusal for a body that is too long by itself, or together with the others."""
        if num_bytes > self._longest:
            raise TooLarge(
                "The request is too large.",
                f"The limit here is {self._longest / 1e6:.1f} MB.",
                "Send less text at once.",
            )
        is_click = num_bytes <= SPARE_BYTES  # a click always gets through
        if not is_click and self._held > MAX_HELD_BODIES * self._longest:
            raise Busy(
                "The request was refused.",
                "Too many others arrive at this moment.",
                "Send it again in a minute.",
            )

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets the app answer; a bare server error becomes a refusal in three sentences."""
        started, failed_status = False, 0

        async def watched(message: Message) -> None:
            nonlocal started, failed_status
            if message["type"] == "http.response.start":
                failed_status = message["status"] if message["status"] >= 500 else 0
                message = {**message, "headers": [*message.get("headers", []), *HEADERS]}
            if not failed_status:
                started = True
                await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if started:
                raise
            await _refuse(send, refusal_of(error, scope["path"], _brings_body(scope)))
            return
        if failed_status:
            is_busy = failed_status == Busy.status
            await _refuse(send, busy() if is_busy else failed(f"HTTP {failed_status}"))


def _brings_body(scope: Scope) -> bool:
    return scope["method"] not in ("GET", "HEAD", "OPTIONS")


def _is_upload(scope: Scope) -> bool:
    is_multipart = _kind_of(scope).startswith("multipart/")
    return _brings_body(scope) and is_multipart and scope["path"].rstrip("/").endswith(UPLOAD_PATH)


async def _parts(read: Receive) -> AsyncIterator[bytes]:
    """The parts of a body as they arrive. Raises Refusal when the end does not come."""
    more = True
    while more:
        message = await read()
        if message["type"] == "http.disconnect":
            raise Refusal(
                "The request was broken off.",
                "Its end did not come, or not in time.",
                "Send it again.",
            )
        more = message.get("more_body", False)
        yield message.get("body", b"")


def _in_time(receive: Receive, seconds: float) -> Receive:
    """`receive`, which reports a disconnect when the body is not whole within so many seconds."""
    end = time.monotonic() + seconds
    arrived = False

    async def in_time() -> Message:
        nonlocal arrived
        if arrived:
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), max(0.0, end - time.monotonic()))
        except TimeoutError:
            return {"type": "http.disconnect"}
        arrived = not message.get("more_body", False)
        return message

    return in_time


def _split(address: str) -> SplitResult:
    """The parts of an address, all of them empty when it is none."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def _header(scope: Scope, wanted: bytes) -> str:
    """The first header of this name, or ""."""
    values = (value for name, value in scope["headers"] if name.lower() == wanted)
    return str(next(values, b"").decode("latin-1"))


def _kind_of(scope: Scope) -> str:
    """The content type that a request claims."""
    return _header(scope, b"content-type").lower()


def _check_content(body: bytes, kind: str) -> None:
    """Raises Refusal for JSON that is broken or too deep, or has an address in place of a file.

    The encoding does not matter.
    """
    try:
        layer = [json.loads(body)]
    except (ValueError, RecursionError):
        if "json" not in kind and body.lstrip()[:1] not in (b"{", b"["):
            return  # no JSON, and not said to be: the app cannot read it as JSON either
        raise _not_understood("Its body is not valid JSON.") from None
    num_values = 0
    for _ in range(MAX_DEPTH):
        num_values += len(layer)
        if not layer:
            return
        if num_values > MAX_VALUES:
            raise _not_understood(f"It holds more than {MAX_VALUES:,} values.")
        if any(_is_address(item) for item in layer):
            raise Refusal(
                "The file was refused.",
                "An address was sent in its place, and nothing is fetched from the web here.",
                "Upload the file itself.",
            )
        layer = [part for item in layer for part in _inside(item)]
    raise _not_understood(f"It is nested more than {MAX_DEPTH} levels deep.")


def _inside(item: object) -> list[Any]:
    """The values of an object, the entries of a list, and nothing of anything else."""
    if isinstance(item, dict):
        return list(item.values())
    return item if isinstance(item, list) else []


def _is_address(item: object) -> bool:
    """True for a file whose path is an address."""
    path = item.get("path") if isinstance(item, dict) else None
    return isinstance(path, str) and bool(ADDRESS.match(path)) and not DRIVE.match(path)


def _not_understood(why: str) -> Refusal:
    return Refusal("The request was not understood.", why, "Reload the page and try again there.")


async def _refuse(send: Send, refusal: Refusal) -> None:
    body = json.dumps({"error": str(refusal)}, ensure_ascii=False).encode("utf-8", "replace")
    headers = [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        *HEADERS,
    ]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
