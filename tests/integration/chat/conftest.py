"""Chats over one fleet of real workers, which the tests of a module share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.chat import ChatFleet
from tests.support.chat_engine import Talk
from tests.support.engine import TestClock, broken_invariants
from tests.support.model_peer import ModelServer
from tests.support.model_server import KEY


@pytest.fixture(scope="module")
def model_server() -> Iterator[ModelServer]:
    """The stand-in model server."""
    with ModelServer() as server:
        yield server


@pytest.fixture(scope="module")
def chatting(
    module_database_url: str,
    module_redis_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    model_server: ModelServer,
) -> Iterator[ChatFleet]:
    """A worker that answers."""
    directory = tmp_path_factory.mktemp("chatting")
    settings = {"secret_standin": KEY}
    with ChatFleet(module_database_url, module_redis_url, directory, model_server, **settings) as fleet:
        fleet.worker("chat", "interactive")
        yield fleet


@pytest.fixture
def talk(database_url: str) -> Iterator[Talk]:
    """Chats on a database of one test, without workers: its steps are worked on by the test itself."""
    talk = Talk(database_url)
    yield talk
    assert broken_invariants(talk.database) == {}
    talk.close()


@pytest.fixture
def clock(talk: Talk) -> TestClock:
    """Moves the database's time."""
    return TestClock(talk.database)
