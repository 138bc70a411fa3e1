"""Limits, with Valkey and without."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.app import create_app
from api.auth.rights import requires
from api.limits import Limiter, limited
from api.refusal import Refusal
from api.services import build_services
from schemas.statuses import Role
from settings import Settings

NOWHERE = "redis://127.0.0.1:1/0"


def hits_until_refused(limiter: Limiter, most: int) -> tuple[int, Refusal]:
    for count in range(most):
        try:
            limiter.hit("start", "anna")
        except Refusal as refusal:
            return count, refusal
    raise AssertionError("never refused")


def test_the_limit_is_shared_by_all_processes(redis_url: str) -> None:
    one, other = (Limiter(redis_url, {"start": "4/minute"}) for _ in range(2))
    for limiter in (one, other, one, other):
        limiter.hit("start", "anna")
    with pytest.raises(Refusal) as refused:
        other.hit("start", "anna")
    assert refused.value.status == 429
    assert 1 <= int(refused.value.headers["Retry-After"]) <= 61
    other.hit("start", "bert")


def test_without_valkey_each_process_counts_for_itself() -> None:
    limiter = Limiter(NOWHERE, {"start": "4/minute"})
    count, refusal = hits_until_refused(limiter, 10)
    assert (count, refusal.status) == (4, 429)


def test_the_limit_survives_the_death_of_valkey(private_valkey) -> None:
    limiter = Limiter(private_valkey.url, {"start": "4/minute"})
    limiter.hit("start", "anna")
    private_valkey.stop()
    count, _ = hits_until_refused(limiter, 10)
    assert count == 4


def test_sign_in_attempts_are_limited(app: Flask) -> None:
    client = app.test_client()
    answers = [client.post("/auth/exchange", json={"code": "wrong"}) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert answers[-1].json["code"] == "rate_limited"  # type: ignore[index]


def test_guessing_tokens_is_limited_and_valid_ones_still_work(app: Flask, viewer: FlaskClient) -> None:
    client = app.test_client()
    wrong = [client.get("/auth/me", headers={"Authorization": f"Bearer {n}"}).status_code for n in range(12)]
    assert wrong == [401] * 10 + [429] * 2
    assert viewer.get("/auth/me").status_code == 200


def test_a_limited_view_counts_each_user_apart(settings: Settings, client_of, token_of) -> None:
    app = create_app(build_services(settings.model_copy(update={"start_rate_limit": "2/minute"})))
    app.add_url_rule("/try", "try", requires(Role.VIEWER)(limited("start")(lambda: "done")))
    headers = [{"Authorization": f"Bearer {token_of(role)}"} for role in (Role.VIEWER, Role.VIEWER, Role.ADMIN)]
    statuses = [app.test_client().get("/try", headers=who).status_code for who in (*headers, *headers)]
    # Both viewers' tokens are of one user.
    assert statuses == [200, 200, 200, 429, 429, 200]


def test_failed_sign_ins_are_logged_with_the_address_and_without_the_secret(
    anonymous: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    assert anonymous.post("/auth/exchange", json={"code": "wrong-secret"}).status_code == 401
    assert anonymous.get("/workflow/runs", headers={"Authorization": "Bearer wrong-secret"}).status_code == 401
    while anonymous.post("/auth/exchange", json={"token": "wrong-secret"}).status_code != 429:
        pass
    lines = [record.getMessage() for record in caplog.records if record.name == "api.refusal_log"]
    assert lines[:2] == [
        "signing in was refused to 127.0.0.1",
        "a token that is not valid was refused to 127.0.0.1",
    ]
    assert lines[-1] == "sign_in, over its limit, refused to 127.0.0.1"
    assert "wrong-secret" not in caplog.text
