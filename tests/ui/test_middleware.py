"""The guard: no bare server errors, no fetched addresses, no foreign hosts, no endless bodies."""

import asyncio
import contextlib
import dataclasses
import errno
import json
import random

import gradio as gr
import pytest
from gradio import processing_utils
from starlette.testclient import TestClient

from mlm_gui.services.limits import HOSTED, LAPTOP
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.base import PollFailed, answering
from mlm_gui.ui.middleware import Guard
from mlm_gui.ui.page import build
from mlm_gui.ui.server import launch_options

ADDRESS = "http://127.0.0.1:7860"


@contextlib.contextmanager
def client_of(home, limits):
    """Talks to a page that was launched as `serve` launches it."""
    studio = Studio.open(home, limits)
    page = build(studio)
    page.queue(max_size=64, api_open=False)
    page.launch(server_port=None, prevent_thread_lock=True, **launch_options(studio))
    yield TestClient(page.app, base_url=ADDRESS, raise_server_exceptions=False)
    page.close(verbose=False)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with client_of(
        tmp_path_factory.mktemp("home"), dataclasses.replace(LAPTOP, max_upload_bytes=100_000)
    ) as client:
        yield client


def sentences(answer) -> str:
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.text[:300])
    return answer.json()["error"]


def test_the_page_itself_is_served_with_its_headers(client):
    answer = client.get("/")
    assert answer.status_code == 200 and answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "[", "localhost.evil.example:7860"]
)
def test_a_foreign_host_name_is_refused(client, host):
    assert "not served here" in sentences(client.get("/", headers={"host": host}))


@pytest.mark.parametrize("host", ["localhost:7860", "127.0.0.1", "192.168.1.20:7860", "[::1]:7860"])
def test_this_machine_s_names_are_served(client, host):
    assert client.get("/", headers={"host": host}).status_code == 200


def test_a_post_from_another_page_is_refused(client):
    assert "another page" in sentences(
        client.post("/gradio_api/queue/join", json={}, headers={"origin": "http://evil.example"})
    )
    assert "another page" in sentences(
        client.post(
            "/gradio_api/upload", files={"files": b"x"}, headers={"origin": "http://localhost:1"}
        )
    )


@pytest.mark.parametrize(
    "route", ["queue/join", "call/upload", "call/v2/upload", "run/upload", "api/upload", "upload"]
)
def test_no_route_takes_an_address_or_an_endless_body_for_an_upload(client, route):
    body = {
        "data": [[{"path": "http://10.0.0.1/x.gz", "meta": {"_type": "gradio.FileData"}}]],
        "fn_index": 0,
        "session_hash": "abc",
    }
    assert "nothing is fetched" in sentences(client.post(f"/gradio_api/{route}", json=body))
    assert client.post(f"/gradio_api/{route}", json={"data": ["x" * (100_000)]}).status_code == 413


@pytest.mark.parametrize(
    "path",
    [
        "http://10.0.0.1/x.gz",
        "https://example.org/a.txt",
        "file:///etc/passwd",
        "FTP://x/y",
        "data:text/plain,hello",
    ],
)
def test_an_address_in_place_of_a_file_is_refused_unread(client, path):
    body = {
        "data": [[{"path": path, "meta": {"_type": "gradio.FileData"}}]],
        "fn_index": 0,
        "session_hash": "abc",
    }
    assert "nothing is fetched" in sentences(client.post("/gradio_api/queue/join", json=body))


def test_an_endless_body_is_refused_while_it_streams(client):
    sent = []

    def body():
        for _ in range(1000):
            sent.append(1)
            yield b'{"data": "' + b"x" * 10_000

    answer = client.post("/gradio_api/queue/join", content=body())
    assert answer.status_code == 413 and "too large" in sentences(answer)


@pytest.mark.parametrize(
    "body", ['{"data": [', "[" * 5_000 + "]" * 5_000, "{" + '"a":{' * 200 + "}" * 201]
)
def test_broken_and_bottomless_json_is_refused(client, body):
    assert "not understood" in sentences(client.post("/gradio_api/queue/join", content=body))


def test_no_malformed_post_is_answered_with_a_server_error(client):
    choose = random.Random(0)
    values = [
        None,
        True,
        -1,
        1e308,
        "",
        "x" * 5000,
        "\ud800",
        [],
        {},
        [[]],
        {"a": [1]},
        {"path": 3},
        {"path": "/etc/passwd"},
        "🌱\x00",
    ]
    routes = [
        "queue/join",
        "run/x",
        "call/x",
        "api/x",
        "reset",
        "cancel",
        "component_server",
        "upload",
        "queue/data",
        "process_recording",
    ]
    for _ in range(150):
        body = {
            key: choose.choice(values)
            for key in choose.sample(
                [
                    "data",
                    "fn_index",
                    "session_hash",
                    "event_id",
                    "trigger_id",
                    "component_id",
                    "fn_name",
                ],
                4,
            )
        }
        content = json.dumps(choose.choice([body, choose.choice(values), [body]]))
        answer = client.post(
            f"/gradio_api/{choose.choice(routes)}",
            content=content,
            headers={"content-type": "application/json"},
        )
        assert answer.status_code < 500, (content, answer.text[:300])


def test_a_hosted_server_leaves_names_to_its_proxy(tmp_path):
    with client_of(tmp_path, HOSTED) as hosted:
        assert hosted.get("/", headers={"host": "somebody-studio.hf.space"}).status_code == 200


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_an_address_is_refused_in_any_encoding(client, encoding, kind):
    body = json.dumps(
        {
            "data": [[{"path": "http://169.254.169.254/x", "meta": {"_type": "gradio.FileData"}}]],
            "fn_index": 0,
            "session_hash": "a",
        }
    )
    answer = client.post(
        "/gradio_api/queue/join", content=body.encode(encoding), headers={"content-type": kind}
    )
    assert "nothing is fetched" in sentences(answer)


def test_a_download_is_served_where_it_lies_so_that_a_deleted_run_leaves_no_copy(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    with client_of(tmp_path, HOSTED) as hosted:
        (zipped := tmp_path / "exports" / "a" / "b" / "model.zip").parent.mkdir(parents=True)
        zipped.write_bytes(b"PK")
        button = gr.DownloadButton()
        shown = processing_utils.move_files_to_cache(
            button.postprocess(str(zipped)).model_dump(), button, postprocess=True
        )
        assert hosted.get(f"/gradio_api/file={shown['path']}").content == b"PK"
        zipped.unlink()
        assert hosted.get(f"/gradio_api/file={shown['path']}").status_code in (403, 404)
        assert not list((tmp_path / "uploads").rglob("*.zip"))


def asked(guard: Guard, messages: list, pause: float = 0.0) -> tuple[int, str]:
    """Status and text of the answer to a post whose body comes in these messages.

    pause: seconds before each of them.
    """
    answers = []

    async def receive() -> dict:
        await asyncio.sleep(pause)
        return messages.pop(0)

    async def send(message: dict) -> None:
        answers.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/gradio_api/queue/join",
        "headers": [(b"content-type", b"application/json")],
    }
    asyncio.run(guard(scope, receive, send))
    return answers[0]["status"], answers[1]["body"].decode()


def part(body: bytes, more: bool = True) -> dict:
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_that_drips_is_broken_off(monkeypatch):
    monkeypatch.setattr("mlm_gui.ui.middleware.BODY_SECONDS", 0.05)
    status, said = asked(Guard(None, HOSTED), [part(b"{")] + [part(b" ")] * 1000, pause=0.01)
    assert status == 400 and "not in time" in said


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b'["' + b"x" * (4 * HOSTED.max_text_characters + 2**19) + b'"]', 413, "too large"),
        (b"[" + b"{}," * 250_000 + b"{}]", 400, "more than 200,000 values"),
        (b"[" * 100_000, 400, "not valid JSON"),
    ],
)
def test_no_body_is_larger_than_a_text_or_wider_than_a_page_sends(body, status, said):
    answer = asked(Guard(None, HOSTED), [part(body, more=False)])
    assert answer[0] == status and said in answer[1]


def test_bodies_that_arrive_at_once_are_bounded_together_and_the_bound_is_given_back(monkeypatch):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"answered"})

    guard = Guard(app, HOSTED)
    long_body = b'"' + b"x" * 300_000 + b'"'
    with monkeypatch.context() as nothing_fits:
        nothing_fits.setattr("mlm_gui.ui.middleware.MAX_HELD_BODIES", 0)
        status, said = asked(guard, [part(long_body, more=False)])
        assert status == 503 and "Too many others" in said
        assert asked(guard, [part(b"{}", more=False)]) == (200, "answered"), (
            "a click gets through all the same"
        )
    only_one_fits = (len(long_body) + 1) / (4 * HOSTED.max_text_characters + 2**18)
    monkeypatch.setattr("mlm_gui.ui.middleware.MAX_HELD_BODIES", only_one_fits)
    for _ in range(2):  # what the first one held is given back
        assert asked(guard, [part(long_body, more=False)]) == (200, "answered")


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (KeyError("fn_index"), 400, "not understood"),
        (OSError(errno.ENOSPC, "No space left on device"), 507, "The disk of the server is full"),
        (OSError(errno.EIO, "Input/output error"), 500, "an error it does not know (OSError)"),
        (RuntimeError("large"), 500, "an error it does not know (RuntimeError)"),
        (PollFailed("KeyError"), 500, "an error it does not know (PollFailed)"),
    ],
)
def test_an_error_of_the_app_is_answered_by_its_type(error, status, said):
    async def app(scope, receive, send):
        raise error

    answer = asked(Guard(app, HOSTED), [part(b"{}", more=False)])
    assert answer[0] == status and said in answer[1]


@pytest.mark.parametrize(
    ("status", "said"), [(500, "an error it does not know"), (503, "The server is busy")]
)
def test_a_bare_server_error_keeps_its_status_and_gets_words(status, said):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"Internal Server Error"})

    answer = asked(Guard(app, HOSTED), [part(b"{}", more=False)])
    assert answer[0] == status and said in answer[1]


@dataclasses.dataclass(frozen=True)
class Question:
    run: str


def test_an_error_in_a_poll_of_ours_is_no_malformed_request():
    def poll(asked: Question) -> dict:
        raise KeyError("a bug")

    with pytest.raises(PollFailed):
        answering(poll)({"run": "x"})
    assert answering(poll)({"run": 7}) is None
