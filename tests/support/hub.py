"""A small Hugging Face Hub on this machine, as honest or as slow as a test needs it."""

import contextlib
import hashlib
import json
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SHA = "0" * 39 + "1"


class Hub(ThreadingHTTPServer):
    """Serves `models`, a folder for each name.

    A file named in `claims` reports the size given there. A file named in `drips` never ends.
    """

    daemon_threads = True

    def __init__(self, models: dict[str, Path]) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.models = models
        self.claims: dict[str, int] = {}
        self.drips: set[str] = set()
        self.asked: list[str] = []
        self.closed = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Answer(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path).strip("/")
        self.server.asked.append(f"{self.command} {path}")
        kind, _, rest = (
            path.partition("api/models/") if path.startswith("api/") else ("file", "", path)
        )
        name = next(
            (name for name in self.server.models if rest == name or rest.startswith(f"{name}/")),
            None,
        )
        if name is None:
            self._say(404, b"{}", {"X-Error-Code": "RepoNotFound"})
            return
        files = {file.name: file for file in sorted(self.server.models[name].iterdir())}
        if kind == "file":
            self._file(files.get(rest.rpartition("/")[2]))
            return
        sizes = {
            file: self.server.claims.get(file, path.stat().st_size) for file, path in files.items()
        }
        listed = [
            {"type": "file", "path": file, "size": size, "oid": SHA} for file, size in sizes.items()
        ]
        details = {
            "id": name,
            "sha": SHA,
            "siblings": [
                {"rfilename": file, "size": size, "blobId": SHA} for file, size in sizes.items()
            ],
        }
        self._say(
            200,
            json.dumps(listed if "/tree/" in rest else details).encode(),
            {"Content-Type": "application/json"},
        )

    def _file(self, file: Path | None) -> None:
        content = file.read_bytes() if file else b""
        headers = {"X-Repo-Commit": SHA, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}
        if file and file.name in self.server.drips and self.command == "GET":
            self.send_response(200)
            for key, value in {**headers, "Content-Length": str(10**6)}.items():
                self.send_header(key, value)
            self.end_headers()
            with contextlib.suppress(OSError):
                while not self.server.closed.wait(0.1):
                    self.wfile.write(b"x")
                    self.wfile.flush()
            return
        self._say(200 if file else 404, content, headers)

    def _say(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_) -> None:
        """Prints nothing: the tests look at `asked`."""


@contextlib.contextmanager
def open_hub(models: dict[str, Path]) -> Iterator[Hub]:
    """The Hub, which answers while this is open."""
    hub = Hub(models)
    thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield hub
    hub.closed.set()
    hub.shutdown()
    hub.server_close()
