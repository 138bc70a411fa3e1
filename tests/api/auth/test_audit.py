"""Who did what."""

from __future__ import annotations

from collections.abc import Callable

from flask.testing import FlaskClient

from api.services import Services
from schemas.statuses import Role

OWN = {"Origin": "http://localhost:8400"}


def records(admin: FlaskClient) -> list[dict[str, object]]:
    answer = admin.get("/audit").json
    assert answer is not None
    return list(answer["records"])


def test_an_action_is_recorded_with_who_what_where_and_outcome(admin: FlaskClient) -> None:
    admin.post("/auth/tokens", json={"name": "ci"})
    admin.post("/auth/tokens", json={"name": "ci"})
    again, first = records(admin)
    assert first["actor"] == "admin"
    assert first["role"] == "admin"
    assert (first["action"], first["target"], first["outcome"]) == ("token.create", "ci", "done")
    assert first["address"] == "127.0.0.1"
    assert first["at"]
    assert (again["outcome"], again["detail"]) == ("refused", {"status": 409, "code": "token_exists"})


def test_what_was_not_allowed_is_recorded_too(viewer: FlaskClient, admin: FlaskClient) -> None:
    assert viewer.post("/auth/tokens", json={"name": "mine", "role": "admin"}).status_code == 403
    record = records(admin)[0]
    assert (record["actor"], record["action"], record["outcome"]) == ("viewer", "token.create", "refused")


def test_signing_in_and_out_is_recorded(sign_in: Callable[[Role], FlaskClient], admin: FlaskClient) -> None:
    sign_in(Role.OPERATOR).post("/auth/sign-out", headers=OWN)
    assert [(record["actor"], record["action"]) for record in records(admin)] == [
        ("operator", "auth.sign_out"),
        ("operator", "auth.sign_in"),
    ]


def test_nobody_fills_the_record_without_signing_in(anonymous: FlaskClient, admin: FlaskClient) -> None:
    anonymous.post("/auth/tokens", json={"name": "x"})
    anonymous.post("/auth/exchange", json={"code": "wrong"})
    assert records(admin) == []


def test_the_record_is_read_in_pages(admin: FlaskClient) -> None:
    for number in range(5):
        admin.post("/auth/tokens", json={"name": f"t{number}"})
    first = admin.get("/audit?limit=3").json
    assert first is not None
    second = admin.get(f"/audit?limit=3&cursor={first['next']}").json
    assert second is not None
    assert [record["target"] for record in first["records"] + second["records"]] == ["t4", "t3", "t2", "t1", "t0"]
    assert second["next"] is None


def test_a_record_that_cannot_be_written_does_not_undo_the_answer(services: Services, admin, caplog) -> None:
    services.database.execute("ALTER TABLE audit ADD COLUMN blocker integer NOT NULL")
    assert admin.post("/auth/tokens", json={"name": "ci"}).status_code == 201
    assert "the audit record of token.create" in caplog.text
