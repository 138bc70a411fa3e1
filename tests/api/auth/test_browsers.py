"""What keeps foreign pages out of a signed-in browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.app import create_app
from api.services import Services, build_services
from orchestration.store.accounts import add_sign_in_code
from schemas.statuses import Role
from settings import Settings, load_settings

SignIn = Callable[[Role], FlaskClient]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://localhost:8400"},
        {"Origin": "http://127.0.0.1:8400"},
        {"Origin": "http://[::1]:8400"},
        {"Origin": "http://localhost:8401"},
        {"Origin": "https://localhost:8400"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
    ],
)
def test_own_pages_may_change_things(sign_in: SignIn, headers: dict[str, str]) -> None:
    assert sign_in(Role.VIEWER).post("/auth/sign-out", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "http://localhost:8400.evil.example"},
        {"Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://evil.example", "X-Forwarded-Host": "evil.example"},
    ],
)
def test_foreign_pages_may_not(sign_in: SignIn, headers: dict[str, str]) -> None:
    client = sign_in(Role.ADMIN)
    for method, where in (("POST", "/auth/sign-out"), ("POST", "/auth/tokens"), ("DELETE", "/auth/tokens/x")):
        answer = client.open(where, method=method, headers=headers)
        assert answer.status_code == 403, where
        assert answer.json["code"] == "foreign_origin"  # type: ignore[index]
    assert client.get("/auth/me").status_code == 200


def test_a_bearer_token_needs_no_origin(operator: FlaskClient) -> None:
    assert operator.post("/auth/code", headers={"Origin": "http://evil.example"}).status_code == 200


def test_a_wrong_bearer_token_is_not_made_up_for_by_a_cookie(sign_in: SignIn) -> None:
    answer = sign_in(Role.ADMIN).get("/auth/me", headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == 401


def test_a_foreign_page_cannot_sign_a_browser_in(app: Flask, services: Services, token_of) -> None:
    code = add_sign_in_code(services.database, token_of(Role.VIEWER))
    client = app.test_client()
    foreign = client.post("/auth/exchange", json={"code": code}, headers={"Origin": "http://evil.example"})
    assert foreign.status_code == 403
    # The code was not used up by the attempt.
    assert client.post("/auth/exchange", json={"code": code}).status_code == 200


def test_changes_take_json_only(sign_in: SignIn) -> None:
    client = sign_in(Role.ADMIN)
    form = client.post("/auth/tokens", data={"name": "x"}, headers={"Origin": "http://localhost:8400"})
    text = client.post(
        "/auth/tokens", data='{"name": "x"}', content_type="text/plain", headers={"Origin": "http://localhost:8400"}
    )
    assert (form.status_code, text.status_code) == (415, 415)


def test_an_origin_of_the_settings_is_let_in(settings: Settings, token_of) -> None:
    listed = settings.model_copy(update={"allowed_origins": ("https://ops.example/",)})
    app = create_app(build_services(listed))
    answer = app.test_client().options("/auth/me", headers={"Origin": "https://ops.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "https://ops.example"
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Idempotency-Key" in answer.headers["Access-Control-Allow-Headers"]


def test_a_foreign_preflight_is_204_and_allows_nothing(anonymous: FlaskClient) -> None:
    answer = anonymous.options("/auth/tokens", headers={"Origin": "http://evil.example"})
    assert answer.status_code == 204
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_every_answer_carries_the_security_headers(anonymous: FlaskClient, viewer: FlaskClient) -> None:
    pages = [
        anonymous.get("/sign-in"),
        anonymous.get("/missing"),
        viewer.get("/"),
        viewer.get("/api"),
        viewer.get("/auth/me"),
    ]
    for answer in [*pages, anonymous.get("/static/sign_in.js")]:
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'self'")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] in ("no-store", "no-cache")


@pytest.mark.parametrize("where", ["/sign-in", "/", "/api", "/reference"])
def test_pages_hold_no_inline_script_and_nothing_from_elsewhere(viewer: FlaskClient, where: str) -> None:
    page = viewer.get(where).text
    assert "<script>" not in page
    assert "style=" not in page
    assert "onclick" not in page
    assert 'src="http' not in page
    assert 'href="http' not in page


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "seen"),
    [
        ("", "203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.0/8", "203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.0/8", "10.1.2.3", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.0/8", "10.1.2.3", "6.6.6.6, 198.51.100.1, 10.9.9.9", "198.51.100.1"),
        ("10.0.0.0/8", "10.1.2.3", "<script>", "10.1.2.3"),
        ("10.0.0.0/8", "10.1.2.3", "", "10.1.2.3"),
    ],
)
def test_forwarded_addresses_count_only_from_trusted_proxies(
    database_url: str, redis_url: str, tmp_path, token_of, trusted: str, peer: str, forwarded: str, seen: str
) -> None:
    settings = load_settings(
        attach=False, database_url=database_url, redis_url=redis_url, data_dir=tmp_path, trusted_proxies=trusted
    )
    client = create_app(build_services(settings)).test_client()
    client.post(
        "/auth/code",
        headers={"Authorization": f"Bearer {token_of(Role.ADMIN)}", "X-Forwarded-For": forwarded},
        environ_overrides={"REMOTE_ADDR": peer},
    )
    answer = client.get("/audit", headers={"Authorization": f"Bearer {token_of(Role.ADMIN)}"})
    assert answer.json["records"][0]["address"] == seen  # type: ignore[index]
