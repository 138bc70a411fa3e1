"""Valkey and PostgreSQL killed and wiped, messages lost and doubled: seconds are lost, no work."""

from __future__ import annotations

import signal
import time

import pytest
import redis

from cli.servers import EmbeddedPostgres, EmbeddedValkey
from tests.support.engine import ALICE
from tests.support.workers import Fleet

pytestmark = pytest.mark.fault


def chain(action: str = "t.work", seconds: float = 0.3, count: int = 6) -> list[dict[str, object]]:
    return [{"key": f"s{n}", "action": action, "params": {"seconds": seconds}} for n in range(count)]


def test_valkey_killed_in_the_middle_of_a_run(private_fleet: Fleet, private_valkey: EmbeddedValkey) -> None:
    private_fleet.worker("io", "threads")
    run = private_fleet.start(*chain())
    private_fleet.wait_for_line("s1", "begin")
    private_valkey.kill()
    private_fleet.wait_for_line("s1", "effect")
    private_valkey.start()
    private_fleet.wait_for(run, "completed")
    assert set(private_fleet.effects().values()) == {1}
    private_fleet.check(run)


def test_valkey_restarted_before_a_worker_notices(private_fleet: Fleet, private_valkey: EmbeddedValkey) -> None:
    worker = private_fleet.worker("io", "threads")
    run = private_fleet.start(*chain(count=4))
    private_fleet.wait_for_line("s1", "begin")
    worker.process.send_signal(signal.SIGSTOP)
    private_valkey.kill()
    private_valkey.start()
    worker.process.send_signal(signal.SIGCONT)
    assert private_fleet.wait_for(run, "completed") < 3 * 3 + 2
    private_fleet.check(run)


def test_valkey_wiped_with_messages_waiting_in_it(private_fleet: Fleet, private_valkey: EmbeddedValkey) -> None:
    runs = [private_fleet.start(*chain(seconds=0.05, count=3)) for _ in range(20)]
    private_valkey.wipe()
    private_fleet.worker("io", "threads")
    for run in runs:
        private_fleet.wait_for(run, "completed")
    private_fleet.check(*runs)


def test_a_run_is_accepted_stopped_and_finished_with_valkey_down(
    private_fleet: Fleet, private_valkey: EmbeddedValkey
) -> None:
    private_fleet.worker("io", "threads")
    running = private_fleet.start({"key": "long", "action": "t.work", "params": {"seconds": 60}})
    private_fleet.wait_for_line("long", "begin")
    private_valkey.kill()
    accepted = private_fleet.start(*chain(seconds=0.01, count=2))
    private_fleet.runs.stop(running.run_id, ALICE)
    assert private_fleet.wait_for(running, "cancelled") < 3
    private_valkey.start()
    assert private_fleet.wait_for(accepted, "completed") < 3 * 3 + 1
    private_fleet.check(accepted, running)


def test_postgresql_killed_in_the_middle_of_a_run(private_fleet: Fleet, private_postgres: EmbeddedPostgres) -> None:
    private_fleet.worker("io", "threads")
    run = private_fleet.start(*chain())
    private_fleet.wait_for_line("s1", "begin")
    private_postgres.kill()
    private_fleet.wait_for_line("s1", "effect")
    private_postgres.start()
    private_fleet.wait_for(run, "completed")
    # The action ended while the database was away; its result waited for it.
    assert set(private_fleet.effects().values()) == {1}
    private_fleet.check(run)


def test_postgresql_down_for_two_leases_repeats_no_attempt(
    private_postgres: EmbeddedPostgres, private_valkey: EmbeddedValkey, tmp_path: object
) -> None:
    from pathlib import Path

    settings = {"lease_s": "1.5", "heartbeat_s": "0.3"}
    with Fleet(private_postgres.url, private_valkey.url, Path(str(tmp_path)), **settings) as fleet:
        for name in ("w1", "w2"):
            fleet.worker(name, "threads")
        run = fleet.start({"key": "a", "action": "t.work", "params": {"seconds": 5}})
        fleet.wait_for_line("a", "begin")
        private_postgres.kill()
        down_since = time.monotonic()
        while time.monotonic() - down_since < 3:
            time.sleep(0.1)  # the outage itself is the condition
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
