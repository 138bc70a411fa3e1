"""Who is let in where."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from api.app import create_app
from api.auth.rights import guard, required_role
from api.services import Services
from schemas.statuses import Role

PUBLIC = {
    "/healthz", "/readyz", "/sign-in", "/auth/exchange", "/static/<path:filename>", "/static/app/assets/<name>",
}  # fmt: skip


def address(rule: Rule) -> str:
    """An address that matches a rule."""
    with_values = dict.fromkeys(rule.arguments, "1")
    built = rule.build(with_values, append_unknown=False)
    assert built is not None
    return built[1]


def calls(app: Flask) -> list[tuple[str, str, Rule]]:
    return [
        (method, address(rule), rule)
        for rule in app.url_map.iter_rules()
        for method in sorted(rule.methods or ())
        if method != "OPTIONS"
    ]


def test_everything_but_the_public_addresses_is_401_without_credentials(app: Flask, anonymous: FlaskClient) -> None:
    found = {
        (method, rule.rule): anonymous.open(where, method=method).status_code for method, where, rule in calls(app)
    }
    open_to_all = {rule for (_, rule), status in found.items() if status != 401}
    # A sign-in without a code is told so, but opens nothing.
    assert open_to_all == PUBLIC
    assert found["POST", "/auth/exchange"] == 400


def test_a_wrong_token_opens_nothing(app: Flask, anonymous: FlaskClient, services: Services) -> None:
    for method, where, rule in calls(app):
        if rule.rule not in PUBLIC:
            answer = anonymous.open(where, method=method, headers={"Authorization": "Bearer perdure_wrong"})
            assert answer.status_code in (401, 429), (method, where)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_a_role_does_only_what_it_may(app: Flask, client_of, role: Role) -> None:
    client = client_of(role)
    beyond = [
        (method, where)
        for method, where, rule in calls(app)
        if (needed := required_role(app, rule.endpoint)) and not role.includes(needed)
    ]
    assert ("GET", "/audit") in beyond
    for method, where in beyond:
        answer = client.open(where, method=method)
        assert answer.status_code == 403, (method, where)
        assert method == "HEAD" or answer.json["code"] == "not_allowed"


def test_an_app_with_an_unmarked_view_does_not_start(services: Services) -> None:
    app = create_app(services)
    app.add_url_rule("/forgotten", "forgotten", lambda: "open")
    with pytest.raises(LookupError, match="forgotten"):
        guard(app)


def test_rights_are_checked_before_the_body(anonymous: FlaskClient, viewer: FlaskClient) -> None:
    assert anonymous.post("/auth/tokens", data="{", content_type="application/json").status_code == 401
    assert viewer.post("/auth/tokens", data="{", content_type="application/json").status_code == 403


def test_a_401_says_how_to_mend_it(anonymous: FlaskClient) -> None:
    answer = anonymous.get("/auth/me")
    assert answer.content_type == "application/problem+json"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json is not None
    assert answer.json["success"] is False
    assert answer.json["message"] == answer.json["detail"]
    assert "perdure open" in answer.json["mend"]


def test_me_says_who_asks(viewer: FlaskClient) -> None:
    assert viewer.get("/auth/me").json == {"success": True, "name": "viewer", "role": "viewer"}


def test_options_is_204_for_everyone(app: Flask, anonymous: FlaskClient) -> None:
    for rule in app.url_map.iter_rules():
        answer = anonymous.options(address(rule))
        assert (answer.status_code, answer.data) == (204, b""), rule.rule


def test_a_browser_is_led_to_the_sign_in_page(anonymous: FlaskClient) -> None:
    answer = anonymous.get("/", headers={"Accept": "text/html,application/xhtml+xml"})
    assert (answer.status_code, answer.location) == (303, "/sign-in")


def test_an_expired_token_is_refused(app: Flask, services: Services) -> None:
    from datetime import timedelta

    from orchestration.store.accounts import add_token

    expired = timedelta(seconds=-1)
    add_token(services.database, name="old", user_name="old", role=Role.ADMIN, secret="old-secret", length=expired)
    answer = app.test_client().get("/auth/me", headers={"Authorization": "Bearer old-secret"})
    assert answer.status_code == 401


def test_tokens_are_stored_as_hashes_only(services: Services, token_of) -> None:
    secret = token_of(Role.ADMIN)
    for table in ("tokens", "sessions", "sign_in_codes"):
        assert secret not in str(services.database.rows(f"SELECT t::text FROM {table} t"))
    assert services.database.call("SELECT bool_and(octet_length(hash) = 32) FROM tokens")
