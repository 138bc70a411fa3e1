"""A whole engine around real worker processes that can be killed, frozen and cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.servers import EmbeddedPostgres, EmbeddedValkey
from tests.support.workers import Fleet


@pytest.fixture(scope="module", params=["0", "60000"], ids=["a task a step", "handed over"])
def handover_ms(request: pytest.FixtureRequest) -> str:
    """Both ways from step to step. For a minute, so that steps of any length in these tests are handed over."""
    return str(request.param)


@pytest.fixture
def fleet(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Fleet]:
    """Workers against servers shared with other tests."""
    with Fleet(database_url, redis_url, tmp_path) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def shared_fleet(
    module_database_url: str, module_redis_url: str, tmp_path_factory: pytest.TempPathFactory, handover_ms: str
) -> Iterator[Fleet]:
    """Workers that the tests of a module kill one after the other; each finds them replaced."""
    directory = tmp_path_factory.mktemp("fleet")
    with Fleet(module_database_url, module_redis_url, directory, handover_ms=handover_ms) as fleet:
        yield fleet


@pytest.fixture
def valkey_fleet(
    database_url: str, private_valkey: EmbeddedValkey, tmp_path: Path, handover_ms: str
) -> Iterator[Fleet]:
    """Workers whose Valkey the test may kill."""
    with Fleet(database_url, private_valkey.url, tmp_path, handover_ms=handover_ms) as fleet:
        yield fleet


@pytest.fixture
def postgres_fleet(
    private_postgres: EmbeddedPostgres, redis_url: str, tmp_path: Path, handover_ms: str
) -> Iterator[Fleet]:
    """Workers whose PostgreSQL the test may kill."""
    with Fleet(private_postgres.url, redis_url, tmp_path, handover_ms=handover_ms) as fleet:
        yield fleet


@pytest.fixture
def make_fleet(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Callable[..., Fleet]]:
    """Workers with settings of the test's choice."""
    fleets: list[Fleet] = []

    def make(**settings: str) -> Fleet:
        fleets.append(Fleet(database_url, redis_url, tmp_path, **settings))
        return fleets[-1]

    yield make
    for fleet in fleets:
        fleet.close()
