"""What stands in front of Gradio's own routes: strangers' scripts get polite refusals, and nothing that a page would never send reaches the app."""

import ipaddress
import json
import logging
import re
import socket
from collections.abc import Awaitable, Callable
from urllib.parse import SplitResult, urlsplit

from mlm_gui.errors import UserError
from mlm_gui.services.limits import Limits

log = logging.getLogger(__name__)
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
"""How a file's path begins when it is no path but an address, which Gradio would fetch."""
MAX_DEPTH = 64
"""Levels of nesting in what a page sends; it never sends more than ten."""
HEADERS = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"same-origin")]
Send = Callable[[dict], Awaitable[None]]


class Guard:
    """ASGI middleware: caps bodies while they stream, refuses foreign hosts and origins and addresses in place of files, and words Gradio's bare errors."""

    def __init__(self, app: Callable, limits: Limits, host: str = "127.0.0.1") -> None:
        """`host` is the name the server was told to listen on. On a hosted server, behind a proxy, names and origins are the proxy's affair."""
        self._app, self._limits = app, limits
        self._names = {"localhost", host.lower(), socket.gethostname().lower()}

    async def __call__(self, scope: dict, receive: Callable, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check_sender(scope)
            if scope["method"] not in ("GET", "HEAD", "OPTIONS") and not scope["path"].rstrip("/").endswith("/upload"):
                receive = await self._checked_body(receive, _kind_of(scope))
        except UserError as error:
            await _refuse(send, 413 if "large" in error.what else 400, error)
            return
        await self._answer(scope, receive, send)

    def _check_sender(self, scope: dict) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if self._limits.hosted:
            return
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._is_ours(_split(f"//{host}").hostname or ""):
            raise UserError(
                "This address is not served here.", f"The request was meant for {host[:100]!r}.", "Open the page by the address the program printed."
            )
        if origin and scope["method"] == "POST" and _split(origin).netloc.lower() != host.lower():
            raise UserError("The request was refused.", f"It came from another page, {origin[:100]!r}.", "Use the page of this program itself.")

    def _is_ours(self, name: str) -> bool:
        """True for this machine's names and for bare numbers, which no foreign page can borrow."""
        try:
            return bool(ipaddress.ip_address(name))
        except ValueError:
            return name.lower() in self._names

    async def _checked_body(self, receive: Callable, kind: str) -> Callable:
        """Reads the body, up to the limit, and hands it on when it holds nothing that a page would not send."""
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise UserError("The request was broken off.", "The sender went away before its end.", "Send it again.")
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._limits.max_upload_bytes:
                raise UserError(
                    "The request is too large.", f"The limit here is {self._limits.max_upload_bytes // 2**20} MB.", "Send less text at once."
                )
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
                    "The request was not understood.", "It is not what the page of this program sends.", "Reload the page and try again there."
                ),
            )


def _split(address: str) -> SplitResult:
    """The parts of an address, all of them empty when it is none."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def _kind_of(scope: dict) -> str:
    """The content type that a request claims."""
    return next((value.decode("latin-1").lower() for name, value in scope["headers"] if name.lower() == b"content-type"), "")


def _check_content(body: bytes, kind: str) -> None:
    """Raises UserError for JSON that is broken, too deep, or names an address where a file belongs; in whatever encoding it comes."""
    try:
        layer = [json.loads(body)]
    except (ValueError, RecursionError):
        if "json" not in kind and body.lstrip()[:1] not in (b"{", b"["):
            return  # no JSON, and not said to be: the app cannot read it as JSON either
        raise UserError("The request was not understood.", "Its body is not valid JSON.", "Reload the page and try again there.") from None
    for _ in range(MAX_DEPTH):
        if not layer:
            return
        for item in layer:
            if (
                isinstance(item, dict)
                and isinstance(item.get("path"), str)
                and ADDRESS.match(item["path"])
                and not re.match(r"[a-z]:[\\/]", item["path"], re.I)
            ):
                raise UserError(
                    "The file was refused.", "An address was sent in its place, and nothing is fetched from the web here.", "Upload the file itself."
                )
        layer = [part for item in layer if isinstance(item, (dict, list)) for part in (item.values() if isinstance(item, dict) else item)]
    raise UserError("The request was not understood.", f"It is nested more than {MAX_DEPTH} levels deep.", "Reload the page and try again there.")


async def _refuse(send: Send, status: int, error: UserError) -> None:
    body = json.dumps({"error": str(error)}, ensure_ascii=False).encode("utf-8", "replace")
    headers = [(b"content-type", b"application/json; charset=utf-8"), (b"content-length", str(len(body)).encode()), *HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
