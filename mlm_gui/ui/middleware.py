"""What stands in front of Gradio's own routes: strangers' scripts get polite refusals, and nothing that a page would never send reaches the app."""

import asyncio
import ipaddress
import json
import logging
import re
import socket
import time
from collections.abc import Awaitable, Callable
from urllib.parse import SplitResult, urlsplit

from mlm_gui.errors import UserError
from mlm_gui.services.limits import Limits

log = logging.getLogger(__name__)
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
"""How a file's path begins when it is no path but an address, which Gradio would fetch."""
MAX_DEPTH = 64
"""Levels of nesting in what a page sends; it never sends more than ten."""
MAX_VALUES = 200_000
"""Values in what a page sends; a chart of thousands of points has tens of thousands."""
BYTES_PER_CHARACTER = 4
"""At most, of a text in UTF-8."""
SPARE_BYTES = 256 * 1024
"""What a page sends beside a text."""
MAX_HELD_BODIES = 16
"""The longest bodies that are held in memory at once; what comes beyond it is refused."""
UPLOAD_PATH = "/gradio_api/upload"
"""Where Gradio takes files. A path that merely ends in /upload may be a handler's name."""
BODY_SECONDS, UPLOAD_SECONDS = 60.0, 900.0
"""Until the whole body, and until a whole file, must have arrived."""
HEADERS = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"same-origin")]
Send = Callable[[dict], Awaitable[None]]


class Guard:
    """ASGI middleware: caps bodies while they stream, refuses foreign hosts and origins and addresses in place of files, and words Gradio's bare errors."""

    def __init__(self, app: Callable, limits: Limits, host: str = "127.0.0.1") -> None:
        """`host` is the name the server was told to listen on. On a hosted server, behind a proxy, names and origins are the proxy's affair."""
        self._app, self._limits = app, limits
        self._names = {"localhost", host.lower(), socket.gethostname().lower()}
        self._longest = min(
            limits.max_upload_bytes, BYTES_PER_CHARACTER * limits.max_text_characters + SPARE_BYTES
        )
        """Bytes of a body that is no upload: the longest text, and what goes with it."""
        self._held = 0
        """Bytes of the bodies that are arriving now."""

    async def __call__(self, scope: dict, receive: Callable, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        brings_body = scope["method"] not in ("GET", "HEAD", "OPTIONS")
        is_upload = scope["path"].rstrip("/").endswith(UPLOAD_PATH) and _kind_of(scope).startswith(
            "multipart/"
        )
        try:
            self._check_sender(scope)
            if brings_body and not is_upload:
                receive = await self._checked_body(
                    _in_time(receive, BODY_SECONDS), receive, _kind_of(scope)
                )
            elif brings_body:
                receive = _in_time(receive, UPLOAD_SECONDS)
        except UserError as error:
            await _refuse(send, 413 if "large" in error.what else 400, error)
            return
        await self._answer(scope, receive, send)

    def _check_sender(self, scope: dict) -> None:
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        if self._limits.hosted:
            return
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._is_ours(_split(f"//{host}").hostname or ""):
            raise UserError(
                "This address is not served here.",
                f"The request was meant for {host[:100]!r}.",
                "Open the page by the address the program printed.",
            )
        if origin and scope["method"] == "POST" and _split(origin).netloc.lower() != host.lower():
            raise UserError(
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

    async def _checked_body(self, read: Callable, receive: Callable, kind: str) -> Callable:
        """Reads the body, up to the limit, and hands it on when it holds nothing that a page would not send; after it comes what `receive` gives."""
        body, more = bytearray(), True
        try:
            while more:
                message = await read()
                if message["type"] == "http.disconnect":
                    raise UserError(
                        "The request was broken off.",
                        "Its end did not come, or not in time.",
                        "Send it again.",
                    )
                part = message.get("body", b"")
                body += part
                self._held += len(part)
                more = message.get("more_body", False)
                if len(body) > self._longest:
                    raise UserError(
                        "The request is too large.",
                        f"The limit here is {self._longest / 1e6:.1f} MB.",
                        "Send less text at once.",
                    )
                if (
                    len(body) > SPARE_BYTES and self._held > MAX_HELD_BODIES * self._longest
                ):  # a click always gets through
                    raise UserError(
                        "The request was refused.",
                        "Too many others arrive at this moment.",
                        "Send it again in a minute.",
                    )
        finally:
            self._held -= len(body)
        if body and not kind.startswith("multipart/"):
            _check_content(bytes(body), kind)
        handed_on = False

        async def replay() -> dict:
            nonlocal handed_on
            if handed_on:
                return await receive()
            handed_on = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        return replay

    async def _answer(self, scope: dict, receive: Callable, send: Send) -> None:
        """Lets the app answer; what would be a bare server error becomes a refusal in three sentences, and stays in the log."""
        started, failed = False, False

        async def watched(message: dict) -> None:
            nonlocal started, failed
            if message["type"] == "http.response.start":
                failed = message["status"] >= 500
                message = {**message, "headers": [*message.get("headers", []), *HEADERS]}
            if not failed:
                started = True
                await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            if started:
                raise
            log.exception("a request to %s failed", scope["path"])
            failed = True
        if failed:
            log.warning("a malformed request to %s was refused", scope["path"])
            await _refuse(
                send,
                400,
                UserError(
                    "The request was not understood.",
                    "It is not what the page of this program sends.",
                    "Reload the page and try again there.",
                ),
            )


def _in_time(receive: Callable, seconds: float) -> Callable:
    """`receive`, which says that the sender went away when the body is not whole within so many seconds."""
    end = time.monotonic() + seconds
    arrived = False

    async def in_time() -> dict:
        nonlocal arrived
        if arrived:
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), max(0.0, end - time.monotonic()))
        except asyncio.TimeoutError:
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


def _kind_of(scope: dict) -> str:
    """The content type that a request claims."""
    return next(
        (
            value.decode("latin-1").lower()
            for name, value in scope["headers"]
            if name.lower() == b"content-type"
        ),
        "",
    )


def _check_content(body: bytes, kind: str) -> None:
    """Raises UserError for JSON that is broken, too deep, or names an address where a file belongs; in whatever encoding it comes."""
    try:
        layer = [json.loads(body)]
    except (ValueError, RecursionError):
        if "json" not in kind and body.lstrip()[:1] not in (b"{", b"["):
            return  # no JSON, and not said to be: the app cannot read it as JSON either
        raise UserError(
            "The request was not understood.",
            "Its body is not valid JSON.",
            "Reload the page and try again there.",
        ) from None
    num_values = 0
    for _ in range(MAX_DEPTH):
        num_values += len(layer)
        if not layer:
            return
        if num_values > MAX_VALUES:
            raise UserError(
                "The request was not understood.",
                f"It holds more than {MAX_VALUES:,} values.",
                "Reload the page and try again there.",
            )
        for item in layer:
            if (
                isinstance(item, dict)
                and isinstance(item.get("path"), str)
                and ADDRESS.match(item["path"])
                and not re.match(r"[a-z]:[\\/]", item["path"], re.I)
            ):
                raise UserError(
                    "The file was refused.",
                    "An address was sent in its place, and nothing is fetched from the web here.",
                    "Upload the file itself.",
                )
        layer = [
            part
            for item in layer
            if isinstance(item, (dict, list))
            for part in (item.values() if isinstance(item, dict) else item)
        ]
    raise UserError(
        "The request was not understood.",
        f"It is nested more than {MAX_DEPTH} levels deep.",
        "Reload the page and try again there.",
    )


async def _refuse(send: Send, status: int, error: UserError) -> None:
    body = json.dumps({"error": str(error)}, ensure_ascii=False).encode("utf-8", "replace")
    headers = [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        *HEADERS,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
