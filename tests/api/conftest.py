"""The web app on real servers, and clients with each role."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.app import create_app
from api.services import Services, build_services
from orchestration.store.accounts import add_token, new_secret
from schemas.statuses import Role
from settings import Settings, load_settings

ClientOf = Callable[[Role], FlaskClient]


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    """Settings of one test: its own database, its own Valkey database, its own directory."""
    return load_settings(attach=False, database_url=database_url, redis_url=redis_url, data_dir=tmp_path / "data")


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    built = build_services(settings)
    yield built
    built.database.close()


@pytest.fixture
def app(services: Services) -> Flask:
    return create_app(services)


@pytest.fixture
def anonymous(app: Flask) -> FlaskClient:
    """A client without token or session."""
    return app.test_client(use_cookies=False)


@pytest.fixture
def token_of(services: Services) -> Callable[[Role], str]:
    """A new token of a role; its user is named like the role."""

    def make(role: Role) -> str:
        secret = new_secret("perdure_")
        assert add_token(services.database, name=new_secret()[:20], user_name=role, role=role, secret=secret)
        return secret

    return make


@pytest.fixture
def client_of(app: Flask, token_of: Callable[[Role], str]) -> ClientOf:
    """A client that sends a token of this role with every request."""

    def make(role: Role) -> FlaskClient:
        client = app.test_client(use_cookies=False)
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token_of(role)}"
        return client

    return make


@pytest.fixture
def viewer(client_of: ClientOf) -> FlaskClient:
    return client_of(Role.VIEWER)


@pytest.fixture
def operator(client_of: ClientOf) -> FlaskClient:
    return client_of(Role.OPERATOR)


@pytest.fixture
def admin(client_of: ClientOf) -> FlaskClient:
    return client_of(Role.ADMIN)
