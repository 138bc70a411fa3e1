"""What a janitor remembers when something else fails at the same time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import redis

from messaging.breakers import ValkeyBreakers
from orchestration.engine.breaker_orders import BreakerOrders
from orchestration.engine.hosts import Hosts
from orchestration.errors import StoreUnavailable
from orchestration.gates.breaker import BreakerState
from orchestration.gates.load import Load, LoadSample
from settings import Settings
from tests.support.engine import Harness, TestClock
from workers.janitor import COUNT_EVERY_S, ORDERS_EVERY_S, PURGE_EVERY_S, Janitor


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


def test_the_janitor_forces_again_what_a_wipe_or_an_old_copy_lost(
    engine: Harness, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    janitor = Janitor(Settings(database_url=database_url, redis_url=redis_url, data_dir=tmp_path))
    janitor.sweep_once()
    BreakerOrders(engine.database).give("openai", "open", actor="ann")
    breakers = ValkeyBreakers(redis_url)
    with redis.Redis.from_url(redis_url) as broker:
        broker.flushdb()
        janitor.sweep_once()
        assert [(status.name, status.forced) for status in breakers.all()] == [("openai", BreakerState.OPEN)]
        broker.delete("perdure:breaker:openai")
    janitor._obeyed_at -= ORDERS_EVERY_S
    janitor.sweep_once()
    status = breakers.one("openai")
    assert status is not None
    assert status.forced is BreakerState.OPEN


def test_steps_that_wait_long_for_busy_workers_cost_a_bounded_number_of_messages_and_none_is_lost(
    engine: Harness, database_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("messaging.dispatcher.LONG_LINE", 20)
    clock = TestClock(engine.database)
    janitor = Janitor(Settings(database_url=database_url, redis_url=redis_url, data_dir=tmp_path))
    runs = [engine.start({"key": "a"}) for _ in range(50)]
    with redis.Redis.from_url(redis_url) as broker:
        for _ in range(30):
            janitor.sweep_once()
            clock.advance(20)
        # Each has aged through the four lines of the queue; it was sent once to each of them.
        in_lines = sum(broker.llen(key) for key in broker.keys("default*"))
        assert in_lines <= 4 * len(runs)
        janitor.sweep_once()
        broker.delete(*broker.keys("default*"))
        janitor.sweep_once()
        (told,) = broker.keys("default*")
        named = {json.loads(json.loads(text)["body"])[0][0] for text in broker.lrange(told, 0, -1)}
    assert named == {run.run_id for run in runs}, (
        "their messages are lost: all are sent again as soon as the line is seen to be short"
    )


def test_what_ended_is_counted_every_few_seconds(
    engine: Harness, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    clock = TestClock(engine.database)
    janitor = Janitor(Settings(database_url=database_url, redis_url=redis_url, data_dir=tmp_path))
    counted = "SELECT coalesce(sum(ended), 0)::integer FROM metrics_counts WHERE span = 'ever' AND kind = 'total'"
    engine.finish(engine.claim(engine.start({"key": "a"}), 0))
    clock.advance(2)
    janitor.sweep_once()
    assert engine.database.call(counted) == 1
    engine.finish(engine.claim(engine.start({"key": "b"}), 0))
    clock.advance(2)
    janitor.sweep_once()
    assert engine.database.call(counted) == 1, "not at each sweep"
    janitor._counted_at -= COUNT_EVERY_S
    janitor.sweep_once()
    assert engine.database.call(counted) == 2


def test_a_host_that_is_silent_is_forgotten_whatever_is_kept_of_runs(
    engine: Harness, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    clock, hosts = TestClock(engine.database), Hosts(engine.database)
    settings = Settings(database_url=database_url, redis_url=redis_url, data_dir=tmp_path, retention_days=0)
    hosts.report("gone", LoadSample(0.5, 0.5, 0.5, 1.0, 2.0, 1 << 30, 1 << 29, 1 << 30), Load())
    Janitor(settings).sweep_once()
    assert [host["host"] for host in hosts.all()] == ["gone"]
    clock.advance(3700)
    Janitor(settings).sweep_once()
    assert hosts.all() == []


def test_where_runs_are_kept_for_ever_results_that_are_too_old_go(
    engine: Harness, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    settings = Settings(database_url=database_url, redis_url=redis_url, data_dir=tmp_path, retention_days=0)
    engine.database.execute(
        "INSERT INTO cached_results (key, result, at) VALUES (sha256('k'), '1', now() - interval '5 years')"
    )
    janitor = Janitor(settings)
    janitor._purged_at -= PURGE_EVERY_S
    janitor.sweep_once()
    assert engine.database.call("SELECT count(*) FROM cached_results") == 0


def _away() -> int:
    raise StoreUnavailable("away")
