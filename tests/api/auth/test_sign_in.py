"""Codes, sessions, tokens."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.services import Services
from orchestration.store.accounts import add_sign_in_code, exchange_code
from schemas.statuses import Role

COOKIE = "perdure_session_8400"
SignIn = Callable[[Role], FlaskClient]


def test_a_code_opens_a_session_with_the_rights_of_its_token(sign_in: SignIn) -> None:
    assert sign_in(Role.OPERATOR).get("/auth/me").json == {"success": True, "name": "operator", "role": "operator"}


def test_the_cookie_is_closed_to_scripts_and_foreign_sites(app: Flask, services: Services, token_of) -> None:
    code = add_sign_in_code(services.database, token_of(Role.VIEWER))
    cookie = app.test_client().post("/auth/exchange", json={"code": code}).headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie


def test_the_cookie_is_secure_under_tls(app: Flask, services: Services, token_of) -> None:
    code = add_sign_in_code(services.database, token_of(Role.VIEWER))
    answer = app.test_client().post("/auth/exchange", json={"code": code}, base_url="https://localhost")
    assert "; Secure" in answer.headers["Set-Cookie"]


def test_a_code_works_once(app: Flask, services: Services, token_of) -> None:
    code = add_sign_in_code(services.database, token_of(Role.VIEWER))
    first, second = (app.test_client().post("/auth/exchange", json={"code": code}) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 401)
    assert "Set-Cookie" not in second.headers


def test_of_many_exchanges_at_once_one_wins(services: Services, token_of) -> None:
    code = add_sign_in_code(services.database, token_of(Role.VIEWER))
    assert code is not None
    with ThreadPoolExecutor(8) as pool:
        sessions = list(pool.map(lambda _: exchange_code(services.database, code), range(8)))
    assert sum(session is not None for session in sessions) == 1


def test_a_code_is_valid_for_ten_minutes(app: Flask, services: Services, token_of) -> None:
    code = add_sign_in_code(services.database, token_of(Role.VIEWER))
    services.database.execute("UPDATE sign_in_codes SET expires_at = expires_at - interval '10 minutes'")
    assert app.test_client().post("/auth/exchange", json={"code": code}).status_code == 401


def test_a_token_can_be_exchanged_too(app: Flask, token_of) -> None:
    client = app.test_client()
    assert client.post("/auth/exchange", json={"token": token_of(Role.VIEWER)}).status_code == 200
    assert client.get("/auth/me").status_code == 200


@pytest.mark.parametrize("body", [{}, {"code": "a", "token": "b"}, {"code": ""}, {"other": "x"}, {"code": 5}])
def test_an_exchange_of_something_else_is_400(anonymous: FlaskClient, body: dict[str, object]) -> None:
    assert anonymous.post("/auth/exchange", json=body).status_code == 400


def test_the_holder_of_a_token_can_make_a_code(app: Flask, operator: FlaskClient) -> None:
    made = operator.post("/auth/code").json
    assert made is not None
    assert made["expires_in_s"] == 600
    client = app.test_client()
    assert client.post("/auth/exchange", json={"code": made["code"]}).status_code == 200
    assert client.get("/auth/me").json["role"] == "operator"  # type: ignore[index]


def test_a_session_cannot_make_codes(sign_in: SignIn) -> None:
    answer = sign_in(Role.ADMIN).post("/auth/code", headers={"Origin": "http://localhost:8400"})
    assert answer.status_code == 400
    assert answer.json["code"] == "token_needed"  # type: ignore[index]


def test_signing_out_ends_the_session(app: Flask, sign_in: SignIn) -> None:
    client = sign_in(Role.VIEWER)
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    assert client.post("/auth/sign-out", headers={"Origin": "http://localhost:8400"}).status_code == 200
    assert client.get_cookie(COOKIE) is None
    kept = app.test_client()
    kept.set_cookie(COOKIE, cookie.value)
    assert kept.get("/auth/me").status_code == 401


def test_deleting_a_token_ends_its_sessions(app: Flask, admin: FlaskClient) -> None:
    secret = admin.post("/auth/tokens", json={"name": "anna", "role": "operator"}).json["token"]  # type: ignore[index]
    client = app.test_client()
    client.post("/auth/exchange", json={"token": secret})
    assert client.get("/auth/me").json["name"] == "anna"  # type: ignore[index]

    assert admin.delete("/auth/tokens/anna").status_code == 200

    assert client.get("/auth/me").status_code == 401
    assert client.get("/auth/me", headers={"Authorization": f"Bearer {secret}"}).status_code == 401
    assert admin.delete("/auth/tokens/anna").status_code == 404


def test_a_token_is_shown_once_and_its_name_is_taken(admin: FlaskClient) -> None:
    made = admin.post("/auth/tokens", json={"name": "ci", "user_name": "CI", "role": "viewer", "days": 1})
    assert made.status_code == 201
    listed = admin.get("/auth/tokens")
    assert made.json is not None
    assert made.json["token"] not in listed.text
    row = next(token for token in listed.json["tokens"] if token["name"] == "ci")  # type: ignore[index]
    assert (row["user_name"], row["role"]) == ("CI", "viewer")
    assert row["expires_at"] is not None
    assert admin.post("/auth/tokens", json={"name": "ci"}).status_code == 409


def test_a_role_that_changes_changes_for_open_sessions(services: Services, sign_in: SignIn) -> None:
    client = sign_in(Role.ADMIN)
    services.database.execute("UPDATE tokens SET role = 'viewer'")
    assert client.get("/audit").status_code == 403


def test_a_used_token_is_marked_coarsely(services: Services, viewer: FlaskClient) -> None:
    viewer.get("/auth/me")
    first = services.database.call("SELECT last_used_at FROM tokens WHERE user_name = 'viewer'")
    viewer.get("/auth/me")
    assert first is not None
    assert services.database.call("SELECT last_used_at FROM tokens WHERE user_name = 'viewer'") == first
