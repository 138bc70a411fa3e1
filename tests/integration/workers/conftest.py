from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.engine import Harness, broken_invariants


@pytest.fixture
def engine(database_url: str) -> Iterator[Harness]:
    harness = Harness(database_url)
    yield harness
    assert broken_invariants(harness.database) == {}
    harness.close()
