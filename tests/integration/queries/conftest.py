from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestration.engine.queries import Queries
from tests.support.engine import Harness, TestClock


@pytest.fixture
def engine(database_url: str) -> Iterator[Harness]:
    harness = Harness(database_url)
    yield harness
    harness.close()


@pytest.fixture
def clock(engine: Harness) -> TestClock:
    return TestClock(engine.database)


@pytest.fixture
def queries(engine: Harness) -> Queries:
    return Queries(engine.database)
