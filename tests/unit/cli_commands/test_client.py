"""Which server is asked, what is sent, and what becomes of its answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cli.client import Client, NoToken, Refused, Server, Unreachable, find_server, is_loopback
from cli.event_feed import parse_events


class Answers:
    """An HTTP server that gives prepared answers in turn; the last one stays."""

    def __init__(self) -> None:
        self.prepared: list[tuple[int, dict[str, str], Any]] = []
        self.asked: list[dict[str, Any]] = []
        self.url = ""

    def add(self, status: int, body: Any, **headers: str) -> None:
        self.prepared.append((status, headers, body))


@contextmanager
def serving(answers: Answers) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(size)
            answers.asked.append({"line": self.requestline, "headers": dict(self.headers), "body": body})
            status, headers, told = answers.prepared.pop(0) if len(answers.prepared) > 1 else answers.prepared[0]
            data = told if isinstance(told, bytes) else json.dumps(told).encode()
            if status == 0:  # an answer that is lost
                self.connection.close()
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: Any) -> None:
            pass

    for method in ("GET", "POST", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.do)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    answers.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def answers() -> Iterator[Answers]:
    prepared = Answers()
    with serving(prepared):
        yield prepared


@pytest.fixture
def client(answers: Answers) -> Client:
    return Client(Server(answers.url, "perdure_secret"))


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("PERDURE_URL", "PERDURE_TOKEN", "PERDURE_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PERDURE_DATA_DIR", str(tmp_path))
    return tmp_path


def test_the_environment_names_the_server(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERDURE_URL", "https://perdure.example.org/")
    monkeypatch.setenv("PERDURE_TOKEN", "t")
    assert find_server() == Server("https://perdure.example.org", "t")


def test_by_default_the_data_directory_has_the_token(data_dir: Path) -> None:
    (data_dir / "admin-token").write_text("perdure_kept\n")
    assert find_server() == Server("http://127.0.0.1:8400", "perdure_kept")


def test_a_preset_admin_token_is_used_on_its_own_server(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERDURE_ADMIN_TOKEN", "preset")
    assert find_server().token == "preset"


def test_the_kept_token_is_not_sent_to_another_server(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data_dir / "admin-token").write_text("perdure_kept\n")
    monkeypatch.setenv("PERDURE_URL", "http://elsewhere.example")
    with pytest.raises(NoToken, match="PERDURE_TOKEN"):
        find_server()


def test_without_a_token_it_is_said_where_one_comes_from(data_dir: Path) -> None:
    with pytest.raises(NoToken, match="perdure up"):
        find_server()


@pytest.mark.parametrize("url", ["127.0.0.1:8400", "ftp://x", "http://", "nonsense"])
def test_an_address_that_is_none_is_refused(url: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERDURE_URL", url)
    monkeypatch.setenv("PERDURE_TOKEN", "t")
    with pytest.raises(NoToken, match="PERDURE_URL"):
        find_server()


def test_calls_to_loopback_use_no_proxy_and_no_netrc(
    answers: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    answers.add(200, {"success": True})
    client = Client(Server(answers.url, "perdure_secret"))
    assert client.get("/x") == {"success": True}
    assert answers.asked[0]["headers"]["Authorization"] == "Bearer perdure_secret"


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:1", True), ("http://127.9.9.9", True), ("http://[::1]:1", True), ("http://localhost", True),
        ("http://10.0.0.1", False), ("http://localhost.example", False),
    ],
)  # fmt: skip
def test_what_loopback_is(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback


def test_a_problem_is_refused_with_all_it_tells(answers: Answers, client: Client) -> None:
    answers.add(409, {"success": False, "detail": "it is completed", "where": "/x", "mend": "retry it"})
    with pytest.raises(Refused) as caught:
        client.post("/workflow/pause")
    assert (caught.value.status, str(caught.value), caught.value.problem["mend"]) == (
        409,
        "it is completed",
        "retry it",
    )


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_that_cannot_serve_is_away(answers: Answers, client: Client, status: int) -> None:
    answers.add(status, b"<html>Bad gateway</html>")
    with pytest.raises(Unreachable, match=str(status)):
        client.get("/x")


def test_an_error_id_is_passed_on(answers: Answers, client: Client) -> None:
    answers.add(500, {"success": False, "detail": "something went wrong here", "error_id": "ab12"})
    with pytest.raises(Unreachable, match=r"something went wrong here \(error id ab12\)"):
        client.get("/x")


def test_a_redirect_is_not_followed(answers: Answers, client: Client) -> None:
    answers.add(301, b"", Location="https://elsewhere.example/x")
    with pytest.raises(Unreachable, match="elsewhere"):
        client.get("/x")
    assert len(answers.asked) == 1


def test_another_program_on_the_port_is_named_as_such(answers: Answers, client: Client) -> None:
    answers.add(200, b"hello")
    with pytest.raises(Unreachable, match="is not a Perdure server"):
        client.get("/x")


def test_a_closed_port_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="refused"):
        Client(Server("http://127.0.0.1:1", "t")).get("/x")


def test_a_start_whose_answer_is_lost_is_sent_again_with_the_same_key(answers: Answers, client: Client) -> None:
    answers.add(0, b"")
    answers.add(503, {"success": False, "detail": "away"})
    answers.add(200, {"workflow_id": "r"})
    assert client.start("/workflow/start", {"steps": []})["workflow_id"] == "r"
    keys = {asked["headers"]["Idempotency-Key"] for asked in answers.asked}
    assert len(answers.asked) == 3
    assert len(keys) == 1


def test_a_known_state_is_not_sent_again(answers: Answers, client: Client) -> None:
    answers.add(200, {"state": {"version": 1}}, ETag='W/"a"')
    answers.add(304, b"")
    assert client.state("r") == ('W/"a"', {"version": 1})
    assert client.state("r", 'W/"a"') is None
    assert answers.asked[1]["headers"]["If-None-Match"] == 'W/"a"'


def test_pages_are_read_up_to_the_limit(answers: Answers, client: Client) -> None:
    answers.add(200, {"runs": [1, 2], "next": 7})
    answers.add(200, {"runs": [], "next": 5})  # a searched page may be empty and still go on
    answers.add(200, {"runs": [3, 4], "next": 3})
    assert client.pages("/workflow/runs", "runs", limit=3, q="x") == [1, 2, 3]
    assert [asked["line"].split()[1] for asked in answers.asked] == [
        "/workflow/runs?q=x&limit=3", "/workflow/runs?q=x&cursor=7&limit=1", "/workflow/runs?q=x&cursor=5&limit=1",
    ]  # fmt: skip


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_server_sent_events_are_read_however_they_are_cut(size: int) -> None:
    stream = (
        b"retry: 2000\n\n: still here\n\n"
        b"id: 1-1\r\nevent: subscribed\r\ndata: {}\r\n\r\n"
        b'id: 1-2\nevent: workflow_event\ndata: {\ndata: "\xc3\xa4"}\n\n'
        b"id: 1-3\ndata: cut"
    )
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert [(m.name, m.data, m.id) for m in parse_events(pieces)] == [
        ("subscribed", "{}", "1-1"), ("workflow_event", '{\n"ä"}', "1-2"),
    ]  # fmt: skip
