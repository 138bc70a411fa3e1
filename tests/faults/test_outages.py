"""Valkey and PostgreSQL killed and wiped, messages lost and doubled: seconds are lost, no work."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
import redis

from cli.servers import EmbeddedPostgres, EmbeddedValkey
from tests.support.engine import ALICE
from tests.support.workers import Fleet

pytestmark = pytest.mark.fault


def chain(action: str = "t.work", seconds: float = 0.3, count: int = 6) -> list[dict[str, object]]:
    return [{"key": f"s{n}", "action": action, "params": {"seconds": seconds}} for n in range(count)]


def test_valkey_killed_in_the_middle_of_a_run(valkey_fleet: Fleet, private_valkey: EmbeddedValkey) -> None:
    valkey_fleet.worker("io", "threads")
    run = valkey_fleet.start(*chain())
    valkey_fleet.wait_for_line("s1", "begin")
    private_valkey.kill()
    valkey_fleet.wait_for_line("s1", "effect")
    private_valkey.start()
    valkey_fleet.wait_for(run, "completed")
    assert set(valkey_fleet.effects().values()) == {1}
    valkey_fleet.check(run)


def test_valkey_restarted_before_a_worker_notices(valkey_fleet: Fleet, private_valkey: EmbeddedValkey) -> None:
    worker = valkey_fleet.worker("io", "threads")
    run = valkey_fleet.start(*chain(count=4))
    valkey_fleet.wait_for_line("s1", "begin")
    worker.process.send_signal(signal.SIGSTOP)
    private_valkey.kill()
    private_valkey.start()
    worker.process.send_signal(signal.SIGCONT)
    assert valkey_fleet.wait_for(run, "completed") < 3 * 3 + 2
    valkey_fleet.check(run)


def test_valkey_wiped_with_messages_waiting_in_it(valkey_fleet: Fleet, private_valkey: EmbeddedValkey) -> None:
    runs = [valkey_fleet.start(*chain(seconds=0.05, count=3)) for _ in range(20)]
    private_valkey.wipe()
    valkey_fleet.worker("io", "threads")
    for run in runs:
        valkey_fleet.wait_for(run, "completed")
    valkey_fleet.check(*runs)


def test_a_run_is_accepted_stopped_and_finished_with_valkey_down(
    valkey_fleet: Fleet, private_valkey: EmbeddedValkey
) -> None:
    valkey_fleet.worker("io", "threads")
    running = valkey_fleet.start({"key": "long", "action": "t.work", "params": {"seconds": 60}})
    valkey_fleet.wait_for_line("long", "begin")
    private_valkey.kill()
    accepted = valkey_fleet.start(*chain(seconds=0.01, count=2))
    valkey_fleet.runs.stop(running.run_id, ALICE)
    assert valkey_fleet.wait_for(running, "cancelled") < 3 * 3
    private_valkey.start()
    assert valkey_fleet.wait_for(accepted, "completed") < 3 * 3 + 1
    valkey_fleet.check(accepted, running)


def test_postgresql_killed_in_the_middle_of_a_run(postgres_fleet: Fleet, private_postgres: EmbeddedPostgres) -> None:
    postgres_fleet.worker("io", "threads")
    run = postgres_fleet.start(*chain())
    postgres_fleet.wait_for_line("s1", "begin")
    private_postgres.kill()
    postgres_fleet.wait_for_line("s1", "effect")
    private_postgres.start()
    postgres_fleet.wait_for(run, "completed")
    # The action ended while the database was away; its result waited for it.
    assert set(postgres_fleet.effects().values()) == {1}
    postgres_fleet.check(run)


def test_postgresql_down_for_two_leases_repeats_no_attempt(
    private_postgres: EmbeddedPostgres, redis_url: str, tmp_path: Path
) -> None:
    settings = {"lease_s": "1.5", "heartbeat_s": "0.3"}
    with Fleet(private_postgres.url, redis_url, tmp_path, **settings) as fleet:
        fleet.start_workers({"w1": "threads", "w2": "threads"})
        run = fleet.start({"key": "a", "action": "t.work", "params": {"seconds": 5}})
        fleet.wait_for_line("a", "begin")
        private_postgres.kill()
        time.sleep(2 * 1.5)  # the outage itself is the condition
        private_postgres.start()
        fleet.wait_for(run, "completed")
        assert fleet.effects("begin")["a"] == 1
        fleet.check(run)


def test_doubled_and_foreign_messages_run_nothing_twice(fleet: Fleet, redis_url: str) -> None:
    fleet.worker("io", "threads")
    run = fleet.start(*chain(seconds=0.05, count=4))
    for position in range(4):
        for _ in range(10):
            fleet.app.send_task("t.work", args=[run.run_id, position], queue="default")
    fleet.app.send_task("t.work", args=["no-such-run", 0], queue="default")
    fleet.wait_for(run, "completed")
    assert set(fleet.effects().values()) == {1}
    fleet.check(run)


def test_lost_messages_are_sent_again(fleet: Fleet, redis_url: str) -> None:
    runs = [fleet.start(*chain(seconds=0.01, count=2)) for _ in range(10)]
    with redis.Redis.from_url(redis_url) as broker:
        broker.flushdb()
    fleet.worker("io", "threads")
    for run in runs:
        fleet.wait_for(run, "completed")
    fleet.check(*runs)
