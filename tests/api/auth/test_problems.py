"""What an error looks like."""

from __future__ import annotations

import logging

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.app import create_app
from api.auth.rights import requires
from api.errors import AWAY, STATUSES, problem_fields
from api.services import Services, build_services
from orchestration import errors
from schemas.statuses import Role
from settings import Settings, load_settings

SECRET = "hunter2-hunter2-hunter2"


def add_failing(app: Flask, error: Exception) -> None:
    """Add a view that fails, before the first request."""

    @requires(Role.VIEWER)
    @problem_fields(active=False, state=None)
    def fail() -> str:
        raise error

    app.add_url_rule("/fail", "fail", fail, methods=["GET", "POST"])


def test_a_500_tells_an_error_id_and_the_log_tells_the_rest(app: Flask, viewer: FlaskClient, caplog) -> None:
    add_failing(app, RuntimeError("the wheels came off"))
    answer = viewer.get("/fail")
    assert answer.status_code == 500
    body = answer.json
    assert body is not None
    assert body["success"] is False
    assert body["message"] == "something went wrong here; the error was recorded"
    assert (body["active"], body["state"]) == (False, None)
    assert "wheels" not in answer.text
    assert "Traceback" not in answer.text
    logged = [record.getMessage() for record in caplog.records if body["error_id"] in record.getMessage()]
    assert "the wheels came off" in logged[0]
    assert "Traceback" in logged[0]


@pytest.mark.parametrize("kind", STATUSES)
def test_every_domain_error_has_its_status(app: Flask, viewer: FlaskClient, kind: type[errors.PerdureError]) -> None:
    add_failing(app, kind("what went wrong", where="/steps/0", mend="mend it"))
    answer = viewer.get("/fail")
    assert answer.status_code == STATUSES[kind]
    assert answer.json is not None
    assert answer.json["code"] == kind.code
    assert answer.json["type"] == f"urn:perdure:{kind.code}"
    if kind in AWAY:
        assert "what went wrong" not in answer.text
        assert answer.headers["Retry-After"] == "2"
    else:
        assert (answer.json["message"], answer.json["where"]) == ("what went wrong", "/steps/0")
        assert answer.json["mend"] == "mend it"


def test_every_public_error_of_the_domain_is_mapped() -> None:
    known = {kind for kind in errors.PerdureError.__subclasses__() if kind.__module__ == errors.__name__}
    # These are the workers' business and never reach a view.
    assert known - set(STATUSES) == {errors.LeaseLost, errors.InvalidParameters}


@pytest.mark.parametrize(
    ("body", "status", "where"),
    [
        (b'{"name": "a",\n "role" "x"}', 400, "line 2, column 9"),
        (b"{", 400, "line 1, column 2"),
        (b'{"name": NaN}', 400, ""),
        (b'{"days": ' + b"9" * 5000 + b"}", 400, ""),
        (b"\xff\xfe", 400, ""),
        (b'"text"', 400, ""),
        (b"[" * 20_000, 400, None),
        (b'{"a":' * 70 + b"1" + b"}" * 70, 400, ""),
        (b'{"name": "a\\u0000b"}', 400, "/name"),
        (b'{"name": "a\\ud800b"}', 400, "/name"),
        (b'{"x": [{"y/z": "\\u0000"}]}', 400, "/x/0/y~1z"),
    ],
)
def test_malformed_bodies_are_400_with_the_place(
    admin: FlaskClient, body: bytes, status: int, where: str | None
) -> None:
    answer = admin.post("/auth/tokens", data=body, content_type="application/json")
    assert answer.status_code == status, answer.text
    assert answer.json is not None
    assert answer.json["code"] == "malformed_json"
    if where is not None:
        assert answer.json["where"] == where


def test_pairs_of_surrogates_are_ordinary_text(admin: FlaskClient) -> None:
    answer = admin.post(
        "/auth/tokens", data=rb'{"name":"a","user_name":"\ud83d\ude00"}', content_type="application/json"
    )
    assert answer.status_code == 201


def test_faults_are_named_by_pointer_and_never_quote_what_was_sent(admin: FlaskClient) -> None:
    answer = admin.post("/auth/tokens", json={"name": SECRET + "/", "role": SECRET, "days": SECRET, "colour": SECRET})
    assert answer.status_code == 400
    body = answer.json
    assert body is not None
    assert {fault["where"] for fault in body["errors"]} == {"/name", "/role", "/days", "/colour"}
    assert all(fault["mend"] for fault in body["errors"])
    assert SECRET not in answer.text


def test_a_missing_body_names_the_missing_field(admin: FlaskClient) -> None:
    answer = admin.post("/auth/tokens")
    assert answer.status_code == 400
    assert answer.json["where"] == "/name"  # type: ignore[index]


def test_a_bad_query_is_400(admin: FlaskClient) -> None:
    assert admin.get("/audit?limit=many").json["where"] == "/limit"  # type: ignore[index]
    assert admin.get("/audit?cursor=%00").status_code == 400
    assert admin.get("/audit?cursor=99999999999999999999999").status_code == 400


def test_bodies_have_a_limit(settings: Settings, token_of) -> None:
    app = create_app(build_services(settings.model_copy(update={"max_body_bytes": 2000})))
    headers = {"Authorization": f"Bearer {token_of(Role.ADMIN)}"}
    answer = app.test_client().post("/auth/tokens", json={"name": "x" * 3000}, headers=headers)
    assert answer.status_code == 413
    assert answer.json["code"] == "too_large"  # type: ignore[index]


def test_unknown_addresses_and_methods_are_problems(anonymous: FlaskClient) -> None:
    missing, wrong = anonymous.get("/nowhere"), anonymous.delete("/healthz")
    assert (missing.status_code, wrong.status_code) == (404, 405)
    assert "GET" in wrong.headers["Allow"]
    for answer in (missing, wrong):
        assert answer.content_type == "application/problem+json"
        assert answer.json["success"] is False  # type: ignore[index]


def test_secrets_are_neither_answered_nor_logged(database_url, redis_url, tmp_path, token_of, caplog) -> None:
    settings = load_settings(
        attach=False, database_url=database_url, redis_url=redis_url, data_dir=tmp_path, admin_token=SECRET
    )
    services: Services = build_services(settings)
    app = create_app(services)
    add_failing(app, errors.InvalidWorkflow(f"cannot use {SECRET}", mend=f"not {SECRET}"))
    app.add_url_rule("/crash", "crash", requires(Role.VIEWER)(lambda: str(int(SECRET))))
    headers = {"Authorization": f"Bearer {token_of(Role.VIEWER)}"}
    with caplog.at_level(logging.DEBUG):
        answers = [app.test_client().get(where, headers=headers) for where in ("/fail", "/crash")]
    assert [answer.status_code for answer in answers] == [400, 500]
    assert SECRET not in "".join(answer.text for answer in answers)
    assert SECRET not in caplog.text


def test_without_the_database_the_answer_is_503_and_says_when_to_try_again(settings: Settings) -> None:
    away = settings.model_copy(update={"database_url": "postgresql://u:secret@127.0.0.1:1/x"})
    answer = create_app(build_services(away)).test_client().get("/auth/me", headers={"Authorization": "Bearer x"})
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "2"
    assert answer.json is not None
    assert (answer.json["code"], answer.json["success"]) == ("store_unavailable", False)
    assert "127.0.0.1" not in answer.text
