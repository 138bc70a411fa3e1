"""What workers tell of themselves as processes."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.fleet_figures import WORKER_COUNTERS, WORKER_GAUGES
from messaging.process_figures import ProcessFigures
from tests.conftest import Eventually
from tests.support.workers import Fleet

pytestmark = [pytest.mark.integration, pytest.mark.slow(20)]


@pytest.fixture
def fleet(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Fleet]:
    with Fleet(database_url, redis_url, tmp_path) as fleet:
        yield fleet


@pytest.mark.parametrize("pool", ["threads", "prefork"])
def test_a_worker_tells_how_it_stands_until_it_is_gone(
    fleet: Fleet, redis_url: str, eventually: Eventually, pool: str
) -> None:
    told = ProcessFigures(redis_url, "worker")
    worker = fleet.worker("w", pool, restart=False)
    (figures,) = eventually(told.all)
    assert figures.keys() == {"name", *WORKER_GAUGES, *WORKER_COUNTERS}
    assert figures["name"].startswith("w@")
    assert figures["memory_bytes"] > 20 * 1024**2
    # Its keeper, and in a pool of processes the children.
    assert figures["processes"] >= (2 if pool == "threads" else 3)
    assert min(figures["threads"], figures["open_files"]) > 1
    worker.signal_all(signal.SIGKILL)
    eventually(lambda: not told.all(), timeout_s=60)
