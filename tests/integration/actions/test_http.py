"""`http.request` against real servers on loopback, which the operator opened."""

from __future__ import annotations

import gzip
import json
import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from orchestration.actions import ActionCancelled, ActionContext, Permanent, Retryable
from orchestration.actions.http import HttpParams, request, retry_after_s
from orchestration.actions.testing import Recorder, make_context

Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """An HTTP server whose paths answer as the test says; remembers what it was asked."""

    def __init__(self, certificate: ssl.SSLContext | None = None) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answers: dict[str, Answer] = {}
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                server.asked.append((self.command, self.path, headers, body))
                server.answers[self.path.partition("?")[0]](self)

            def log_message(self, *_: Any) -> None:
                return

        for method in ("GET", "HEAD", "POST", "PUT", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.handle_any)

        class QuietServer(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                return

        self.http = QuietServer(("127.0.0.1", 0), Handler)
        if certificate is not None:
            self.http.socket = certificate.wrap_socket(self.http.socket, server_side=True)
        self.port = self.http.server_port
        self.scheme = "http" if certificate is None else "https"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


def answer(status: int = 200, body: bytes | str = b"", **headers: str) -> Answer:
    data = body.encode() if isinstance(body, str) else body

    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return write


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def other() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def call(
    url: str, *, recorder: Recorder | None = None, allow: tuple[str, ...] = ("127.0.0.1",), **params: Any
) -> dict[str, Any]:
    return call_in(make_context(recorder, settings={"http_allow": allow}), url, **params)


def call_in(ctx: ActionContext, url: str, **params: Any) -> dict[str, Any]:
    result = request(ctx, HttpParams.model_validate({"url": url, **params}))
    assert isinstance(result, dict)
    return result


def resolve_to_loopback(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> list[str]:
    """Make names lead to this machine; gives the names that were looked up."""
    looked_up: list[str] = []
    real = socket.getaddrinfo

    def fake(host: str, *args: Any, **kwargs: Any) -> Any:
        if host in hosts:
            looked_up.append(host)
            host = "127.0.0.1"
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", fake)
    return looked_up


def test_what_goes_over_the_network_is_counted_with_that_of_redirects(server, other):
    body = b"y" * 200_000
    server.answers["/from"] = answer(302, Location=other.url("/to"), Connection="close")
    other.answers["/to"] = answer(200, body, Connection="close")
    recorder = Recorder()
    call(server.url("/from"), recorder=recorder, headers={"X-Long": "h" * 5000})
    assert len(recorder.network) == 2
    sent, received = map(sum, zip(*recorder.network, strict=True))
    # Both requests with their heads, the whole answer: what goes beside it is known to be little.
    assert 10_000 < sent < 12_000
    assert len(body) < received < len(body) + 2000


def test_tls_is_counted_as_it_went_over_the_wire(tmp_path, monkeypatch):
    certificate, context = make_certificate(tmp_path, "tls.test")
    resolve_to_loopback(monkeypatch, "tls.test")
    server = Server(context)
    try:
        server.answers["/x"] = answer(200, b"y" * 100_000)
        recorder = Recorder()
        ctx = make_context(recorder, settings={"http_allow": ("127.0.0.1",), "http_ca_bundle": str(certificate)})
        call_in(ctx, server.url("/x", "tls.test"))
    finally:
        server.close()
    ((sent, received),) = recorder.network
    assert 300 < sent < 5000
    assert 100_000 < received < 110_000


def test_json_answer_is_parsed_and_the_request_goes_out_as_told(server):
    server.answers["/x"] = answer(201, '{"a": [1, "é"]}', Content_Type="application/json", X_Id="7")
    recorder = Recorder()
    result = call(
        server.url("/x"),
        recorder=recorder,
        method="POST",
        json={"n": 1},
        query={"q": "a b", "flag": True, "many": ["1", "2"]},
        headers={"X-Mine": "yes"},
    )
    assert (result["status"], result["body"], result["cut"]) == (201, {"a": [1, "é"]}, False)
    assert result["headers"]["x-id"] == "7"
    method, path, headers, body = server.asked[0]
    assert (method, path, json.loads(body)) == ("POST", "/x?q=a+b&flag=true&many=1&many=2", {"n": 1})
    assert headers["x-mine"] == "yes"
    assert headers["host"] == f"127.0.0.1:{server.port}"
    assert headers["idempotency-key"] == "run-1/step"
    assert "q=" not in recorder.log_text


def test_each_exchange_is_a_line_for_the_audit_without_path_and_query(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.answers["/private"] = answer(503)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed_port = free.getsockname()[1]
    with caplog.at_level(logging.INFO, logger="perdure.http"):
        with pytest.raises(Retryable):
            call(server.url("/private?key=hunter22"))
        with pytest.raises(Retryable):
            call(f"http://127.0.0.1:{closed_port}/private")
    answered, failed = [record.__dict__ for record in caplog.records if record.name == "perdure.http"]
    assert (answered["msg"], answered["method"], answered["status"]) == ("http request", "GET", 503)
    assert server.url("") == f"http://{answered['host']}"
    assert answered["duration_ms"] >= 0
    assert (failed["msg"], failed["status"]) == ("http request failed", None)
    assert not {"private", "hunter22"} & set(re.findall(r"\w+", f"{answered} {failed}".replace("test_", "")))


def test_text_answer_is_text_and_cookies_are_left_out(server):
    server.answers["/x"] = answer(
        200, "grüß".encode("latin-1"), Content_Type="text/plain; charset=latin-1", Set_Cookie="a=b"
    )
    result = call(server.url("/x"))
    assert result["body"] == "grüß"
    assert "set-cookie" not in result["headers"]
    assert "idempotency-key" not in server.asked[0][2]


def test_body_text_is_sent_as_utf8(server):
    server.answers["/x"] = answer()
    call(server.url("/x"), method="PUT", body="é", headers={"Content-Type": "text/plain"})
    assert server.asked[0][3] == "é".encode()


def test_compressed_answer_is_unpacked_and_a_bomb_is_cut(server):
    server.answers["/x"] = answer(200, gzip.compress(b"hello"), Content_Encoding="gzip")
    server.answers["/bomb"] = answer(200, gzip.compress(b"0" * 50_000_000), Content_Encoding="gzip")
    assert call(server.url("/x"))["body"] == "hello"
    result = call(server.url("/bomb"))
    assert result["cut"]
    assert len(json.dumps(result)) < 256 * 1024


@pytest.mark.parametrize("filling", [b"x", b'"', b"\n", "é".encode(), b"\x00", b"\xff"])
def test_large_answer_is_cut_with_a_notice_and_fits_a_result(server, filling):
    server.answers["/x"] = answer(200, filling * (400_000 // len(filling)))
    result = call(server.url("/x"))
    assert result["cut"]
    assert "[cut: the first" in result["body"]
    assert len(json.dumps(result, ensure_ascii=False).encode()) < 256 * 1024


def test_json_that_is_not_json_stays_text(server):
    server.answers["/x"] = answer(200, "{oops", Content_Type="application/json")
    assert call(server.url("/x"))["body"] == "{oops"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_busy_server_is_worth_another_attempt(server, status):
    server.answers["/x"] = answer(status, "later", Retry_After="7")
    with pytest.raises(Retryable) as caught:
        call(server.url("/x?api_key=abc"))
    assert (caught.value.after, caught.value.code) == (7, f"http.{status}")
    assert caught.value.details == {"status": status, "body": "later"}
    assert "abc" not in caught.value.reason


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422])
def test_refusal_is_permanent(server, status):
    server.answers["/x"] = answer(status, "no")
    with pytest.raises(Permanent, match=str(status)) as caught:
        call(server.url("/x"))
    assert caught.value.code == f"http.{status}"


def test_expected_statuses_count_as_success(server):
    server.answers["/x"] = answer(404)
    server.answers["/ok"] = answer(200)
    assert call(server.url("/x"), expect=[404])["status"] == 404
    with pytest.raises(Permanent, match="200"):
        call(server.url("/ok"), expect=[204])


def test_retry_after_may_be_a_date():
    now = datetime.now(UTC)
    in_a_minute = format_datetime(now + timedelta(seconds=60), usegmt=True)
    assert 50 <= (retry_after_s({"retry-after": in_a_minute}) or 0) <= 60
    # By the server's own clock, which may be off.
    skewed = {"retry-after": "Wed, 21 Oct 2015 07:28:30 GMT", "date": "Wed, 21 Oct 2015 07:28:00 GMT"}
    assert retry_after_s(skewed) == 30
    assert retry_after_s({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    assert retry_after_s({"retry-after": "99999999999"}) == 86_400
    for unreadable in ("", "soon", "-5", "1.5"):
        assert retry_after_s({"retry-after": unreadable}) is None


def test_refused_and_broken_connections_are_worth_another_attempt(server):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed_port = free.getsockname()[1]
    with pytest.raises(Retryable, match="no connection"):
        call(f"http://127.0.0.1:{closed_port}/")

    def break_off(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"half")
        handler.close_connection = True

    server.answers["/x"] = break_off
    with pytest.raises(Retryable):
        call(server.url("/x"))


def test_loopback_is_refused_unless_opened(server):
    server.answers["/x"] = answer()
    for host in ("127.0.0.1", "localhost", "127.1"):
        with pytest.raises(Permanent, match="PERDURE_HTTP_ALLOW"):
            call(server.url("/x", host), allow=())
    assert call(server.url("/x"), allow=(f"127.0.0.1:{server.port}",))["status"] == 200
    assert call(server.url("/x"), allow=("127.0.0.0/8",))["status"] == 200
    assert len(server.asked) == 2


def test_connection_goes_to_the_address_that_was_checked(server, monkeypatch):
    looked_up = resolve_to_loopback(monkeypatch, "pinned.test")
    server.answers["/x"] = answer()
    assert call(server.url("/x", "pinned.test"), allow=("pinned.test",))["status"] == 200
    assert server.asked[0][2]["host"] == f"pinned.test:{server.port}"
    # A second look-up could be answered with another address.
    assert looked_up == ["pinned.test"]


def test_next_address_is_tried_when_one_takes_no_connection(server, monkeypatch):
    real = socket.getaddrinfo

    def both(host: str, *args: Any, **kwargs: Any) -> Any:
        first = real("127.0.0.2" if host == "two.test" else host, *args, **kwargs)
        return first + real("127.0.0.1", *args, **kwargs) if host == "two.test" else first

    monkeypatch.setattr(socket, "getaddrinfo", both)
    server.answers["/x"] = answer()
    assert call(server.url("/x", "two.test"), allow=("two.test",))["status"] == 200


def test_redirects_are_followed_and_each_is_checked(server, other, monkeypatch):
    resolve_to_loopback(monkeypatch, "inner.test")
    server.answers["/a"] = answer(302, Location="/b?x=1")
    server.answers["/b"] = answer(307, Location=other.url("/c"))
    other.answers["/c"] = answer(200, "end")
    result = call(server.url("/a"))
    assert (result["body"], result["url"]) == ("end", other.url("/c"))
    server.answers["/a"] = answer(302, Location=other.url("/c", "inner.test"))
    with pytest.raises(Permanent, match="this machine"):
        call(server.url("/a"), allow=(f"127.0.0.1:{server.port}",))
    server.answers["/a"] = answer(302, Location="http://169.254.169.254/latest/meta-data/")
    with pytest.raises(Permanent, match="link-local"):
        call(server.url("/a"))
    assert len(other.asked) == 1


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "gopher://127.0.0.1/", "http://u:p@127.0.0.1/", "http://[::bad/", "//"]
)
def test_redirect_to_what_is_no_plain_web_address_is_refused(server, location):
    server.answers["/a"] = answer(302, Location=location)
    with pytest.raises(Permanent):
        call(server.url("/a"))


def test_endless_redirects_end(server):
    server.answers["/a"] = answer(302, Location="/a")
    with pytest.raises(Permanent, match="redirects"):
        call(server.url("/a"))
    assert len(server.asked) == 6


def test_redirects_can_be_left_alone(server):
    server.answers["/a"] = answer(302, Location="/b")
    assert call(server.url("/a"), follow_redirects=False)["status"] == 302


def test_post_becomes_get_where_browsers_do_so_and_keeps_its_body_elsewhere(server):
    server.answers["/303"] = answer(303, Location="/end")
    server.answers["/307"] = answer(307, Location="/end")
    server.answers["/end"] = answer()
    call(server.url("/303"), method="POST", json={"a": 1})
    call(server.url("/307"), method="POST", json={"a": 1})
    (get, _, headers, empty), (post, _, _, body) = server.asked[1], server.asked[3]
    assert (get, empty, post, json.loads(body)) == ("GET", b"", "POST", {"a": 1})
    assert "content-type" not in headers


def test_secret_header_is_sent_to_its_host_only(server, other):
    recorder = Recorder(secrets={"key": "hunter22"})
    headers = {"X-Key": {"secret": "key"}, "Authorization": {"secret": "key", "prefix": "Bearer "}, "X-Plain": "p"}
    server.answers["/same"] = answer(302, Location="/a")
    server.answers["/a"] = answer(302, Location=other.url("/b"))
    other.answers["/b"] = answer()
    call(server.url("/same"), recorder=recorder, headers=headers)
    assert [asked[2].get("authorization") for asked in server.asked] == ["Bearer hunter22"] * 2
    assert "x-key" not in other.asked[0][2]
    assert "authorization" not in other.asked[0][2]
    assert other.asked[0][2]["x-plain"] == "p"
    assert recorder.secrets_read == [("key", "127.0.0.1"), ("key", "127.0.0.1")]


@pytest.mark.parametrize(
    "params",
    [
        {"url": "ftp://x/"},
        {"url": "file:///etc/passwd"},
        {"url": "/relative"},
        {"method": "TRACE"},
        {"headers": {"Host": "evil"}},
        {"headers": {"content-length": "5"}},
        {"json": 1, "body": "x"},
        {"timeout_s": 0},
        {"unknown": 1},
    ],
)
def test_parameters_that_make_no_sense_are_refused(params):
    with pytest.raises(ValidationError):
        HttpParams.model_validate({"url": "http://x/", **params})


@pytest.mark.parametrize(
    "params",
    [
        {"url": "http://user:pw@127.0.0.1/"},
        {"url": "http:///path"},
        {"url": "http://127.0.0.1:99999/"},
        {"url": "http://127.0.0.1/", "headers": {"X-A": "a\r\nX-B: b"}},
    ],
)
def test_request_that_cannot_be_sent_is_a_permanent_failure(params):
    with pytest.raises(Permanent):
        call(params.pop("url"), **params)


def test_environment_proxy_is_used_only_by_setting(server, other, monkeypatch):
    monkeypatch.setenv("http_proxy", other.url(""))
    monkeypatch.setenv("no_proxy", "")
    server.answers["/x"] = answer(200, "direct")
    other.answers[server.url("/x")] = answer(200, "by proxy")
    assert call(server.url("/x"))["body"] == "direct"
    ctx = make_context(settings={"http_allow": ["127.0.0.1"], "http_environment_proxy": True})
    assert call_in(ctx, server.url("/x"))["body"] == "by proxy"


@pytest.mark.parametrize("slow_part", ["headers", "body"])
def test_dripping_answer_ends_at_the_time_limit_and_on_a_stop(server, slow_part):
    ended = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        if slow_part == "body":
            handler.send_response(200)
            handler.send_header("Content-Length", "1000000")
            handler.end_headers()
        while not ended.wait(0.05):
            handler.wfile.write(b"x")
            handler.wfile.flush()

    server.answers["/x"] = drip
    try:
        started = time.monotonic()
        with pytest.raises(Retryable, match=r"0\.5 s"):
            call(server.url("/x"), timeout_s=0.5)
        assert time.monotonic() - started < 15
        ctx = make_context(settings={"http_allow": ["127.0.0.1"]})
        threading.Timer(0.3, ctx.token.cancel, ("stop",)).start()
        started = time.monotonic()
        with pytest.raises(ActionCancelled):
            request(ctx, HttpParams(url=server.url("/x"), timeout_s=60))
        assert time.monotonic() - started < 15
    finally:
        ended.set()


def make_certificate(directory: Path, host: str) -> tuple[Path, ssl.SSLContext]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = directory / "certificate.pem"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = directory / "key.pem"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return public, context


def test_tls_is_checked_against_the_name_although_the_address_is_pinned(tmp_path, monkeypatch):
    public, context = make_certificate(tmp_path, "tls.test")
    asked_for: list[str] = []
    context.sni_callback = lambda _socket, name, _context: asked_for.append(name)
    server = Server(context)
    looked_up = resolve_to_loopback(monkeypatch, "tls.test", "wrong.test")
    settings = {"http_allow": ["tls.test", "wrong.test", "127.0.0.1"], "http_ca_bundle": str(public)}
    server.answers["/x"] = answer(200, "secure")
    try:
        assert call_in(make_context(settings=settings), server.url("/x", "tls.test"))["body"] == "secure"
        assert asked_for == ["tls.test"]
        assert looked_up == ["tls.test"]
        for host in ("wrong.test", "127.0.0.1"):
            with pytest.raises(Permanent, match="certificate"):
                request(make_context(settings=settings), HttpParams(url=server.url("/x", host)))
        with pytest.raises(Permanent, match="certificate"):
            call(server.url("/x", "tls.test"), allow=("tls.test",))
    finally:
        server.close()
