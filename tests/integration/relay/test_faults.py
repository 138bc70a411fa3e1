"""Relays side by side, slow clients, and Valkey, PostgreSQL or a relay killed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from schemas.events import LogEvent
from tests.conftest import Eventually
from tests.integration.relay.conftest import RawSocket, Relay, Watcher, World, position_of

pytestmark = [pytest.mark.integration, pytest.mark.fault]


@pytest.fixture
def start_relay(tmp_path: Path, eventually: Eventually) -> Iterator[Callable[[World], Relay]]:
    """Start relays, which are stopped at the end."""
    relays: list[Relay] = []

    def start(world: World) -> Relay:
        relays.append(Relay(world, tmp_path))
        eventually(relays[-1].is_up, timeout_s=60)
        return relays[-1]

    try:
        yield start
    finally:
        for relay in relays:
            relay.stop()


def test_relays_side_by_side_tell_each_event_once(world, relay, start_relay, watch, eventually):
    other = start_relay(world)
    run_id = world.start()
    watchers = [watch(one, run_id) for one in (relay, other, relay, other)]
    world.do_step(run_id, 0)
    world.do_step(run_id, 1)
    end = position_of(world, run_id)
    for watcher in watchers:
        eventually(lambda: watcher.seqs[-1:] == [end.seq])
        assert watcher.seqs == list(range(1, end.seq + 1))


def test_a_client_of_a_killed_relay_goes_on_at_another(world, start_relay, watch, eventually):
    first, second = start_relay(world), start_relay(world)
    run_id = world.start()
    before: Watcher = watch(first, run_id)
    world.do_step(run_id, 0)
    eventually(lambda: len(before.events) >= 4)
    for process in psutil.Process(first.process.pid).children():
        process.kill()
    first.process.kill()
    world.do_step(run_id, 1)
    after: Watcher = watch(second, run_id, after=before.events[-1]["position"])
    end = position_of(world, run_id)
    eventually(lambda: after.seqs[-1:] == [end.seq])
    assert before.seqs + after.seqs == list(range(1, end.seq + 1))


def test_clients_are_told_when_valkey_came_back_with_another_history(
    database_url, private_valkey, start_relay, watch, eventually
):
    world = World(database_url, private_valkey.url)
    relay = start_relay(world)
    run_id, quiet = world.start(), world.start()
    watcher, other = watch(relay, run_id), watch(relay, quiet)
    world.log(run_id, 0)
    world.log(quiet, 0)
    eventually(lambda: watcher.events and other.events)
    epoch = watcher.events[-1]["epoch"]
    private_valkey.kill()
    world.do_step(run_id, 0)  # commits, and is shown although no event can be told
    eventually(lambda: watcher.states and watcher.states[-1]["steps"][0]["status"] == "completed")
    private_valkey.wipe()  # and starts again, empty
    eventually(lambda: watcher.truncated and other.truncated, timeout_s=15)
    seen = len(watcher.events)
    world.do_step(run_id, 1)
    eventually(lambda: watcher.states[-1]["status"] == "completed")
    end = position_of(world, run_id)
    eventually(lambda: watcher.seqs[-1:] == [end.seq])
    assert end.epoch > epoch
    assert all(event["epoch"] == end.epoch for event in watcher.events[seen:])
    world.close()


def test_a_relay_lives_on_while_the_database_is_away(private_postgres, redis_url, start_relay, watch, eventually):
    world = World(private_postgres.url, redis_url)
    relay = start_relay(world)
    run_id = world.start()
    watcher = watch(relay, run_id)
    eventually(lambda: watcher.states)
    etag = relay.get(f"/workflow/state?workflow_id={run_id}").headers["ETag"]
    private_postgres.kill()
    answer = relay.get(f"/workflow/state?workflow_id={run_id}")
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert answer.headers["Retry-After"]
    world.log(run_id, 0)
    eventually(lambda: watcher.events and watcher.events[-1]["event"]["type"] == "log")
    private_postgres.restart()
    eventually(lambda: relay.get(f"/workflow/state?workflow_id={run_id}").status_code == 200)
    assert relay.get(f"/workflow/state?workflow_id={run_id}").headers["ETag"] == etag
    world.database.close()
    world.do_step(run_id, 0)
    eventually(lambda: watcher.states[-1]["steps"][0]["status"] == "completed")
    assert watcher.client.connected
    world.close()


def test_a_client_that_does_not_read_costs_little_and_is_told_what_it_missed(world, relay, watch, eventually):
    run_id = world.start()
    [worker] = psutil.Process(relay.process.pid).children()
    before = worker.memory_info().rss
    with closing(RawSocket(relay)) as client:
        client.subscribe(run_id)
        for begin in range(0, 40_000, 1000):
            lines = [
                LogEvent(index=0, key="s0", attempt=1, offset=number, level="info", text="x" * 1000)
                for number in range(begin, begin + 1000)
            ]
            world.stream.publish(run_id, lines)
            assert world.stream.flush(10)
        reader: Watcher = watch(relay, run_id, after=None)
        eventually(lambda: reader.acks)
        world.log(run_id, 40_000)
        eventually(lambda: reader.events, timeout_s=2)  # others are not held up
        assert worker.memory_info().rss - before < 60 * 1024 * 1024
        end = position_of(world, run_id)
        last, missed, deadline = 0, 0, time.monotonic() + 30
        while last < end.seq and time.monotonic() < deadline:
            event, data = client.read_event()
            if event == "truncated":
                missed += 1
                last = int(data["position"].partition("-")[2])
            elif event == "workflow_event":
                assert data["seq"] == last + 1
                last = data["seq"]
        assert last == end.seq
        assert missed >= 1


def test_a_frame_larger_than_the_sockets_buffer_arrives_whole(world, relay, watch, eventually):
    run_id = world.start()
    text = "".join(chr(97 + number % 26) for number in range(2_000_000))
    with closing(RawSocket(relay)) as client:
        client.subscribe(run_id)
        for offset in range(3):
            event = LogEvent(index=0, key="s0", attempt=1, offset=offset, level="info", text=text)
            world.stream.publish(run_id, [event])
        position_of(world, run_id)
        texts: list[str] = []
        while len(texts) < 3:
            name, data = client.read_event()
            if name == "workflow_event" and data["event"]["type"] == "log":
                texts.append(data["event"]["text"])
        assert texts == [text] * 3


def test_many_clients_of_one_run_all_hear_everything(world, relay, watch, eventually):
    run_id = world.start()
    with ThreadPoolExecutor(20) as threads:
        watchers = list(threads.map(lambda _: watch(relay, run_id), range(150)))
    for number in range(100):
        world.log(run_id, number)
    end = position_of(world, run_id)
    eventually(lambda: all(watcher.seqs[-1:] == [end.seq] for watcher in watchers), timeout_s=30)
    assert all(watcher.seqs == list(range(1, end.seq + 1)) for watcher in watchers)
