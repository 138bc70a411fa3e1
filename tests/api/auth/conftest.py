"""A browser that is signed in by a session cookie."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.services import Services
from orchestration.store.accounts import add_sign_in_code
from schemas.statuses import Role

OWN = {"Origin": "http://localhost:8400"}


@pytest.fixture
def sign_in(app: Flask, services: Services, token_of: Callable[[Role], str]) -> Callable[[Role], FlaskClient]:
    """A client with a session, as a browser gets one from a sign-in link."""

    def make(role: Role) -> FlaskClient:
        client = app.test_client()
        code = add_sign_in_code(services.database, token_of(role))
        answer = client.post("/auth/exchange", json={"code": code}, headers=OWN)
        assert answer.status_code == 200, answer.text
        return client

    return make
