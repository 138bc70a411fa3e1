"""What `api/state_poll.py` answers before Flask is what the view answers, and costs one statement."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.auth.identity import session_cookie_name
from api.exposition import Measured
from api.services import Services
from api.state_poll import StatePolls
from orchestration.store.accounts import exchange_token, list_tokens
from schemas.statuses import Role
from tests.api.workflow.conftest import Worker
from tests.api.workflow.test_controls import start
from tests.api.workflow.test_reading import Statements

Answer = tuple[str, dict[str, str], bytes]


def ask(app: Any, query: str, **environ: str) -> Answer:
    """Call a WSGI app; status, headers with the order of their values set aside, body."""
    got: list[Any] = []
    request = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/workflow/state",
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        **environ,
    }
    body = b"".join(app(request, lambda *values: got.extend(values)))
    headers = {name: ", ".join(sorted(value.split(", "))) for name, value in got[1]}
    return got[0], headers, body


class Sides:
    """The app with the short way, and the view behind it."""

    def __init__(self, app: Flask) -> None:
        assert isinstance(app.wsgi_app, Measured)
        short = app.wsgi_app.app
        assert isinstance(short, StatePolls)
        self.whole = short
        self.view = short._app

    def both(self, query: str, **environ: str) -> tuple[Answer, Answer]:
        return ask(self.whole, query, **environ), ask(self.view, query, **environ)


@pytest.fixture
def sides(app: Flask) -> Sides:
    return Sides(app)


@pytest.fixture
def bearer(token_of: Callable[[Role], str]) -> str:
    return f"Bearer {token_of(Role.VIEWER)}"


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [("", False), ("identity", False), ("gzip", True), ("gzip, deflate, br", True), ("gzip;q=0", False), ("*", True)],
)
def test_a_document_is_the_same_as_the_views(
    accepted: str, is_compressed: bool, sides: Sides, bearer: str, operator: FlaskClient
) -> None:
    run_id = start(operator, *[f"k{n}" for n in range(20)])
    headers = {"HTTP_AUTHORIZATION": bearer} | ({"HTTP_ACCEPT_ENCODING": accepted} if accepted else {})
    short, view = sides.both(f"workflow_id={run_id}", **headers)
    assert short == view
    assert short[0].startswith("200")
    assert ("Content-Encoding" in short[1]) == is_compressed


@pytest.mark.parametrize("how", ["header", "weak header", "since"])
def test_a_known_tag_is_answered_as_the_view_does(how: str, sides: Sides, bearer: str, operator: FlaskClient) -> None:
    run_id = start(operator)
    tag = ask(sides.view, f"workflow_id={run_id}", HTTP_AUTHORIZATION=bearer)[1]["ETag"].removeprefix("W/")
    header = {"header": {"HTTP_IF_NONE_MATCH": tag}, "weak header": {"HTTP_IF_NONE_MATCH": f"W/{tag}"}}.get(how, {})
    query = f"workflow_id={run_id}" + (f"&since={tag[1:-1]}&wait=20" if how == "since" else "")
    short, view = sides.both(query, HTTP_AUTHORIZATION=bearer, **header)
    # Flask says a length of an answer that has none.
    view[1].pop("Content-Type", None)
    view[1].pop("Content-Length", None)
    assert short == view
    assert short[0].startswith("304")
    assert short[2] == b""


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("workflow_id=nobody", {}),
        ("workflow_id=a%20b", {}),
        ("workflow_id=%00", {}),
        ("", {}),
        ("workflow_id={run}&workflow_id=other", {}),
        ("workflow_id={run}&since=" + "1" * 101, {}),
        ("workflow_id={run}&wait=-1", {}),
        ("workflow_id={run}", {"HTTP_AUTHORIZATION": "Bearer wrong"}),
        ("workflow_id={run}", {"HTTP_AUTHORIZATION": ""}),
        ("workflow_id={run}", {"HTTP_ORIGIN": "http://127.0.0.1:8400"}),
        ("workflow_id={run}", {"HTTP_ORIGIN": "https://elsewhere.example"}),
        ("workflow_id={run}", {"HTTP_IF_NONE_MATCH": '"1-1-0", "2-2-0"'}),
        ("workflow_id={run}", {"HTTP_IF_NONE_MATCH": "*"}),
        ("workflow_id={run}", {"HTTP_COOKIE": "perdure_session_8400=forged", "HTTP_AUTHORIZATION": ""}),
        ("workflow_id={run}", {"REQUEST_METHOD": "HEAD"}),
        ("workflow_id={run}", {"REQUEST_METHOD": "OPTIONS"}),
    ],
)
def test_what_is_not_plain_is_answered_by_the_view(
    query: str, headers: dict[str, str], sides: Sides, bearer: str, operator: FlaskClient
) -> None:
    run_id = start(operator)
    environ = {name: value for name, value in ({"HTTP_AUTHORIZATION": bearer} | headers).items() if value}
    short, view = sides.both(query.replace("{run}", run_id), **environ)
    assert short == view


def test_a_session_polls_until_its_token_is_deleted(
    sides: Sides, services: Services, operator: FlaskClient, token_of: Callable[[Role], str]
) -> None:
    run_id = start(operator)
    session = exchange_token(services.database, token_of(Role.VIEWER))
    cookie = f"theme=dark; {session_cookie_name(services.settings)}={session}"
    tag = ask(sides.whole, f"workflow_id={run_id}", HTTP_COOKIE=cookie)[1]["ETag"]
    asked = {"HTTP_COOKIE": cookie, "HTTP_IF_NONE_MATCH": tag}
    assert ask(sides.whole, f"workflow_id={run_id}", **asked)[0].startswith("304")
    assert services.database.execute("DELETE FROM tokens WHERE role = 'viewer'") == 1
    assert ask(sides.whole, f"workflow_id={run_id}", **asked)[0].startswith("401")


def test_secrets_are_taken_out_of_what_clients_wrote(sides: Sides, bearer: str, operator: FlaskClient) -> None:
    body = {"steps": [{"key": "a", "action": "work"}], "params": {"note": "say correct-horse-battery"}}
    run_id = operator.post("/workflow/start", json=body).get_json()["workflow_id"]
    for _ in range(2):
        document = ask(sides.whole, f"workflow_id={run_id}", HTTP_AUTHORIZATION=bearer)[2]
        assert b"correct-horse" not in document
        assert b"[redacted]" in document


def test_a_poll_is_one_statement_and_notes_the_use_of_a_token_once(
    sides: Sides,
    bearer: str,
    operator: FlaskClient,
    services: Services,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_id = start(operator, *[f"k{n}" for n in range(150)])
    counted = Statements(monkeypatch)
    query = f"workflow_id={run_id}"
    tag = ask(sides.whole, query, HTTP_AUTHORIZATION=bearer)[1]["ETag"]
    assert [sql.partition(" ")[0] for sql in counted.seen] == ["poll_state", "UPDATE"]
    assert all(token.last_used_at for token in list_tokens(services.database) if token.role is Role.VIEWER)

    counted.seen.clear()
    ask(sides.whole, query, HTTP_AUTHORIZATION=bearer)
    assert len(counted.seen) == 1
    ask(sides.whole, query, HTTP_AUTHORIZATION=bearer, HTTP_IF_NONE_MATCH=tag)
    assert len(counted.seen) == 2
    worker.claim(run_id)
    counted.seen.clear()
    # A tag that is old costs a second look, for the document.
    assert ask(sides.whole, query, HTTP_AUTHORIZATION=bearer, HTTP_IF_NONE_MATCH=tag)[0].startswith("200")
    assert len(counted.seen) == 2
