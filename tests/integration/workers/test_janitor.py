"""What a janitor remembers when something else fails at the same time."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from orchestration.errors import StoreUnavailable
from settings import Settings
from tests.support.engine import Harness
from workers.janitor import Janitor


def test_a_wiped_broker_is_made_up_for_although_postgresql_is_away_at_that_moment(
    engine: Harness, database_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    janitor = Janitor(Settings(database_url=database_url, redis_url=redis_url, data_dir=tmp_path))
    janitor.sweep_once()
    run = engine.start({"key": "a"})
    with redis.Redis.from_url(redis_url) as broker:
        broker.flushdb()
    with monkeypatch.context() as patched:
        patched.setattr(janitor.sweep, "resend_all", _away)
        with pytest.raises(StoreUnavailable):
            janitor.sweep_once()
    janitor.sweep_once()
    assert engine.step(run, 0)["sends"] == 1


def _away() -> int:
    raise StoreUnavailable("away")
