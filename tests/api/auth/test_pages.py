"""Health, the pages and the OpenAPI document."""

from __future__ import annotations

import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.app import create_app
from api.services import build_services
from orchestration.store.readiness import is_migrated, keeps_session_locks
from settings import Settings


def test_healthz_and_readyz_say_a_word(anonymous: FlaskClient) -> None:
    assert anonymous.get("/healthz").json == {"status": "ok"}
    answer = anonymous.get("/readyz")
    assert (answer.status_code, answer.json) == (200, {"status": "ready"})


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"redis_url": "redis://:secret@127.0.0.1:1/0"}, 200, "degraded"),
        ({"database_url": "postgresql://u:secret@127.0.0.1:1/x"}, 503, "unavailable"),
    ],
)
def test_readyz_says_what_is_away_and_nothing_of_where(
    settings: Settings, change: dict[str, str], status: int, word: str, caplog
) -> None:
    app = create_app(build_services(settings.model_copy(update=change)))
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json) == (status, {"status": word})
    assert "secret" not in caplog.text


def test_readyz_without_migrations(settings: Settings, services) -> None:
    services.database.execute("DROP TABLE sessions, sign_in_codes, tokens")
    answer = create_app(services).test_client().get("/readyz")
    assert (answer.status_code, answer.json) == (503, {"status": "not_migrated"})


def test_session_locks_are_kept_by_a_direct_connection(database_url: str) -> None:
    def connect() -> psycopg2.extensions.connection:
        connection = psycopg2.connect(database_url)
        connection.autocommit = True
        return connection

    assert keeps_session_locks(connect)
    assert connect().get_dsn_parameters()["dbname"]


def test_two_connections_over_one_session_are_told_from_two_sessions(database_url: str) -> None:
    """As behind a transaction pooler, which serves both clients with one server connection."""
    server = psycopg2.connect(database_url)
    server.autocommit = True

    class Pooled:
        cursor = server.cursor

        def close(self) -> None:
            """The pooler keeps its server connection."""

    assert not keeps_session_locks(Pooled)  # type: ignore[arg-type]
    with server.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
        assert cursor.fetchone() == (0,)
    assert is_migrated(Pooled)  # type: ignore[arg-type]
    server.close()


def test_the_openapi_document_tells_rights_and_problems(app: Flask, viewer: FlaskClient) -> None:
    document = viewer.get("/openapi.json").json
    assert document is not None
    assert document["openapi"].startswith("3.")
    tokens = document["paths"]["/auth/tokens"]["post"]
    assert tokens["x-role"] == "admin"
    assert tokens["security"] == [{"token": []}, {"session": []}]
    assert "application/problem+json" in tokens["responses"]["400"]["content"]
    assert document["paths"]["/auth/exchange"]["post"]["security"] == []
    assert "Problem" in document["components"]["schemas"]
    # Every route of the API is described; pages, static files and what only names the relay are not part of it.
    pages = {"/", "/runs", "/runs/{place}", "/start", "/dashboard", "/alerts", "/workers", "/account"}
    pages |= {"/chat", "/chat/{place}"}
    pages |= {"/api", "/reference", "/sign-in"}
    files = {"/static/{filename}", "/static/app/assets/{name}"}
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    routes = {
        (method, rule.rule.replace("<path:", "<").replace("<int:", "<").replace("<", "{").replace(">", "}"))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    elsewhere = {"/v1/", "/v1/{path}"}
    assert {route for route in routes if route[1] not in pages | files | elsewhere} == described


def test_the_front_page_lists_every_endpoint(viewer: FlaskClient) -> None:
    page = viewer.get("/api").text
    document = viewer.get("/openapi.json").json
    assert document is not None
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert f">{path}</a>" in page
            assert operation["summary"], (method, path)
    assert "perdure open" in page


def test_pages_and_their_files_are_served(viewer: FlaskClient, anonymous: FlaskClient) -> None:
    assert "<form" in anonymous.get("/sign-in").text
    assert "reference.js" in viewer.get("/reference").text
    for name in ("perdure.css", "sign_in.js", "sign_out.js", "reference.js", "mark.svg"):
        assert anonymous.get(f"/static/{name}").status_code == 200
    assert anonymous.get("/static/../app.py").status_code == 404
