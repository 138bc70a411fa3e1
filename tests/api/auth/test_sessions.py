"""Signed-in browsers: who sees them, who ends them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from flask import Flask
from flask.testing import FlaskClient

from api.services import Services
from orchestration.store.accounts import exchange_token, list_audit
from schemas.answers.accounts import SessionsAnswer, SessionShown
from schemas.statuses import Role
from tests.api.auth.conftest import OWN

SignIn = Callable[[Role], FlaskClient]


def sessions(client: FlaskClient) -> list[SessionShown]:
    answer = client.get("/auth/sessions")
    assert answer.status_code == 200, answer.text
    return SessionsAnswer.model_validate(answer.get_json()).sessions


def end(client: FlaskClient, session_id: str) -> Any:
    return client.delete(f"/auth/sessions/{session_id}", headers=OWN)


def test_a_browser_sees_its_sessions_and_which_one_it_is(app: Flask, token_of: Callable[[Role], str]) -> None:
    token = token_of(Role.OPERATOR)
    browsers = [app.test_client() for _ in range(2)]
    for name, browser in zip(("Desk/1", "Phone/\x072" + "x" * 500), browsers, strict=True):
        agent = {"User-Agent": name}
        assert browser.post("/auth/exchange", json={"token": token}, headers=OWN | agent).status_code == 200
    phone, desk = sessions(browsers[0])
    assert (desk.current, phone.current) == (True, False)
    assert (desk.user_name, desk.user_agent, desk.address) == ("operator", "Desk/1", "127.0.0.1")
    assert phone.user_agent is not None
    assert phone.user_agent.startswith("Phone/2xxx")
    assert len(phone.user_agent) == 300
    assert [shown.current for shown in sessions(browsers[1])] == [True, False]


def test_nothing_of_the_secret_is_shown(app: Flask, services: Services, token_of: Callable[[Role], str]) -> None:
    session = exchange_token(services.database, token_of(Role.VIEWER))
    client = app.test_client(use_cookies=False)
    client.environ_base["HTTP_COOKIE"] = f"perdure_session_{services.settings.port}={session}"
    (shown,) = sessions(client)
    assert shown.id not in str(session)
    assert services.database.call("SELECT encode(hash, 'hex') FROM sessions") not in client.get("/auth/sessions").text


def test_others_see_only_their_own_and_an_admin_all(sign_in: SignIn, admin: FlaskClient) -> None:
    viewer, operator = sign_in(Role.VIEWER), sign_in(Role.OPERATOR)
    assert [shown.user_name for shown in sessions(viewer)] == ["viewer"]
    assert [shown.user_name for shown in sessions(operator)] == ["operator"]
    assert sorted(shown.user_name for shown in sessions(admin)) == ["operator", "viewer"]
    assert not any(shown.current for shown in sessions(admin))


def test_ones_own_other_session_can_be_ended(sign_in: SignIn, services: Services) -> None:
    here, there = sign_in(Role.VIEWER), sign_in(Role.VIEWER)
    (other,) = [shown for shown in sessions(here) if not shown.current]
    assert end(here, other.id).status_code == 200
    assert there.get("/auth/me").status_code == 401
    assert here.get("/auth/me").status_code == 200
    (record,) = list_audit(services.database, limit=1)
    assert (record.action, record.target, record.outcome) == ("session.end", f"{other.id} of viewer", "done")


def test_ending_the_session_one_uses_signs_out(sign_in: SignIn) -> None:
    client = sign_in(Role.VIEWER)
    (own,) = sessions(client)
    answer = end(client, own.id)
    assert answer.status_code == 200
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert client.get("/auth/me").status_code == 401


def test_someone_elses_session_is_unknown_but_for_an_admin(sign_in: SignIn, admin: FlaskClient) -> None:
    operator, viewer = sign_in(Role.OPERATOR), sign_in(Role.VIEWER)
    (theirs,) = sessions(operator)
    refused = end(viewer, theirs.id)
    assert (refused.status_code, refused.get_json()["code"]) == (404, "unknown_session")
    assert operator.get("/auth/me").status_code == 200
    assert end(admin, theirs.id).status_code == 200
    assert operator.get("/auth/me").status_code == 401
    assert end(admin, theirs.id).status_code == 404
    assert end(admin, str(uuid4())).status_code == 404
    assert end(admin, "1 OR 1=1").status_code == 400


def test_a_foreign_page_cannot_end_a_session(sign_in: SignIn) -> None:
    client = sign_in(Role.VIEWER)
    (own,) = sessions(client)
    answer = client.delete(f"/auth/sessions/{own.id}", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert client.get("/auth/me").status_code == 200


def test_the_release_before_goes_on_opening_sessions(services: Services, token_of: Callable[[Role], str]) -> None:
    token_of(Role.VIEWER)
    services.database.execute(
        "INSERT INTO sessions SELECT sha256('s'), id, clock_now(), clock_now() + interval '1 day' FROM tokens"
    )
    assert services.database.call("SELECT count(DISTINCT id) FROM sessions WHERE user_agent IS NULL") == 1
