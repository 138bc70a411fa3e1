"""The relay as clients of OpenAI's interface see it: real workers behind it, and a stand-in provider."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from openai import OpenAI

from orchestration.store.accounts import add_token
from schemas.statuses import Role
from tests.conftest import Eventually
from tests.integration.relay.conftest import Relay
from tests.support.chat import ChatFleet, providers
from tests.support.model_peer import ModelServer

OPERATOR, VIEWER = "operator-token-of-the-tests", "viewer-token-of-the-tests"

PAIR = {"proposers": ["demo/fast", "plain/words"], "aggregator": "demo/fast"}


@dataclass
class Stack:
    """All of it."""

    fleet: ChatFleet
    relay: Relay
    server: ModelServer

    @property
    def base_url(self) -> str:
        return f"{self.relay.url}/v1"

    def client(self, token: str = OPERATOR, max_retries: int = 0) -> OpenAI:
        return OpenAI(api_key=token, base_url=self.base_url, timeout=60, max_retries=max_retries)


@pytest.fixture(scope="module")
def stack(
    module_database_url: str,
    module_redis_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    eventually: Eventually,
) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("openai")
    with ModelServer() as server, ChatFleet(module_database_url, module_redis_url, directory, server) as fleet:
        for name, role, secret in (("api", Role.OPERATOR, OPERATOR), ("eye", Role.VIEWER, VIEWER)):
            add_token(fleet.database, name=name, user_name=name, role=role, secret=secret)
        relay = start_relay(module_database_url, module_redis_url, directory, server)
        try:
            fleet.worker("chat", "interactive")
            eventually(relay.is_up, timeout_s=60)
            yield Stack(fleet, relay, server)
        finally:
            relay.stop()


def start_relay(database_url: str, redis_url: str, directory: Path, server: ModelServer, **environment: str) -> Relay:
    settings = {
        "PERDURE_MODEL_PROVIDERS": json.dumps(providers(server)),
        "PERDURE_MIXTURES": json.dumps(
            {"pair": {"proposers": ["demo/fast", "plain/words"], "aggregator": "demo/fast"}}
        ),
        "PERDURE_CHAT_RATE_LIMIT": "100000/minute",
    }
    world = SimpleNamespace(database_url=database_url, redis_url=redis_url)
    return Relay(world, directory, **(settings | environment))  # type: ignore[arg-type]
