"""The clients where durable runs are switched off: what the provider sends is handed on."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest
from openai import OpenAI

from orchestration.store.accounts import add_token
from orchestration.store.database import Database
from schemas.statuses import Role
from tests.conftest import Eventually
from tests.integration.openai.conftest import OPERATOR, start_relay
from tests.support.model_peer import ModelServer
from tests.support.model_server import answer_text

pytestmark = pytest.mark.integration

HELLO = [{"role": "user", "content": "Good morning"}]


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture(scope="module")
def client(
    module_database_url: str,
    module_redis_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    server: ModelServer,
    eventually: Eventually,
) -> Iterator[OpenAI]:
    database = Database(module_database_url, size=1)
    add_token(database, name="api", user_name="api", role=Role.OPERATOR, secret=OPERATOR)
    database.close()
    directory = tmp_path_factory.mktemp("plain")
    relay = start_relay(
        module_database_url, module_redis_url, directory, server, ENABLE_SERVER_SIDE_ORCHESTRATION="false"
    )
    try:
        eventually(relay.is_up, timeout_s=60)
        yield OpenAI(api_key=OPERATOR, base_url=f"{relay.url}/v1", timeout=60, max_retries=0)
    finally:
        relay.stop()


def test_a_completion_is_handed_on(client):
    answer = client.chat.completions.create(model="plain/words?tokens=20", messages=HELLO)
    assert answer.choices[0].message.content == answer_text(HELLO, 20)
    assert answer.usage.completion_tokens == 20


def test_chunks_are_handed_on_as_they_come(client):
    stream = client.chat.completions.create(
        model="plain/words?tokens=20&per_s=50", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == answer_text(HELLO, 20)
    assert chunks[-1].usage.completion_tokens == 20
    assert len(chunks) >= 20


def test_a_client_that_goes_ends_it_at_the_provider(client, server, eventually):
    stream = client.chat.completions.create(model="plain/left?tokens=1000&per_s=50", messages=HELLO, stream=True)
    next(iter(stream))
    stream.close()
    eventually(lambda: server.seen("left?tokens=1000&per_s=50")[-1].ended == "left")


def test_others_are_answered_while_a_provider_thinks(client, server, eventually):
    stream = client.chat.completions.create(model="plain/slow?tokens=3&first_token_s=0.5", messages=HELLO, stream=True)
    assert client.models.list().data
    assert "".join(c.choices[0].delta.content or "" for c in stream) == answer_text(HELLO, 3)


def test_a_provider_that_refuses_is_an_error(client):
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="refusing/no?fail=400", messages=HELLO)
    assert caught.value.code.startswith("model.")


def test_what_needs_runs_is_refused(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.responses.create(model="demo/fast", input="Good morning")
    assert caught.value.code == "not_kept"
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="mixture/pair", messages=HELLO)
