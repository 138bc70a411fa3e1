from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import redis

from messaging.reading import Batch, stream_key
from messaging.stream import FINAL_TTL_S, OPEN_TTL_S, EventStream
from orchestration.errors import StreamUnavailable
from schemas.events import LogEvent, Position, ProgressEvent, RunEvent, StepEvent
from schemas.statuses import RunStatus, StepStatus
from settings import ROOT

pytestmark = pytest.mark.integration

START = Position(epoch=0, seq=0)


def step(version: int, status: StepStatus = StepStatus.READY) -> StepEvent:
    return StepEvent(version=version, index=0, key="a", status=status, attempt=1)


def progress(percent: int) -> ProgressEvent:
    return ProgressEvent(index=0, key="a", attempt=1, progress={"percent": percent})


def log_line(number: int) -> LogEvent:
    return LogEvent(index=0, key="a", attempt=1, offset=number, level="info", text=str(number))


def finished(version: int) -> RunEvent:
    return RunEvent(version=version, status=RunStatus.COMPLETED, total=1, completed=1, failed=0, skipped=0)


def read_all(stream: EventStream, run_id: str, after: Position = START) -> list[tuple[Position, dict[str, Any]]]:
    found: list[tuple[Position, dict[str, Any]]] = []
    while True:
        batch = stream.read(run_id, after)
        assert not batch.truncated
        if not batch.entries:
            return found
        found += [(entry.position, json.loads(entry.text)) for entry in batch.entries]
        after = batch.position


@pytest.fixture
def stream(redis_url: str) -> Iterator[EventStream]:
    stream = EventStream(redis_url)
    yield stream
    stream.close()


@pytest.fixture
def valkey(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def test_publishers_in_many_processes_make_one_sequence_without_gaps(stream, redis_url):
    command = [sys.executable, "-m", "tests.integration.messaging.publisher", redis_url, "r"]
    processes = [subprocess.Popen([*command, f"p{number}", "300"], cwd=ROOT) for number in range(4)]
    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
    found = read_all(stream, "r")
    assert [position.seq for position, _ in found] == list(range(1, 2401))
    assert len({position.epoch for position, _ in found}) == 1
    offsets = defaultdict(list)
    for _, event in found:
        offsets[event["key"]].append(event["offset"])
    assert len(offsets) == 8
    assert all(of_one == list(range(300)) for of_one in offsets.values()), "a publisher's events keep their order"


def test_an_emptied_server_begins_a_new_epoch_and_readers_are_told(stream, valkey):
    stream.publish("r", [step(1), step(2)])
    assert stream.flush(5)
    before = stream.position("r")
    valkey.flushdb()
    assert stream.read("r", before) == Batch((), START, truncated=True)
    stream.publish("r", [step(3)])
    assert stream.flush(5)
    after = stream.position("r")
    assert after.epoch > before.epoch
    assert after.seq == 1
    assert stream.read("r", before) == Batch((), after, truncated=True)


def test_a_restarted_server_begins_a_new_epoch_since_it_may_have_lost_the_end(private_valkey, eventually):
    stream = EventStream(private_valkey.url)
    stream.publish("r", [step(1)])
    assert stream.flush(5)
    before = stream.position("r")
    private_valkey.kill()
    private_valkey.restart()
    stream.publish("r", [step(2)])
    assert stream.flush(20)

    def new_end() -> Position:
        try:
            return stream.position("r")
        except StreamUnavailable:
            return before

    after = eventually(lambda: end if (end := new_end()) != before else None)
    assert after.epoch > before.epoch
    assert after.seq == 1
    assert stream.read("r", before).truncated
    stream.close()


def test_a_reader_whose_next_event_was_trimmed_is_told_and_goes_on_from_the_end(redis_url):
    stream = EventStream(redis_url, max_length=100)
    stream.publish("r", [log_line(number) for number in range(400)])
    assert stream.flush(5)
    end = stream.position("r")
    assert end.seq == 400
    assert stream.read("r", START) == Batch((), end, truncated=True)
    assert stream.read("r", Position(epoch=end.epoch, seq=1)) == Batch((), end, truncated=True)
    kept = stream.read("r", Position(epoch=end.epoch, seq=end.seq - 50))
    assert [entry.position.seq for entry in kept.entries] == list(range(351, 401))
    stream.close()


def test_a_position_that_never_was_is_answered_with_truncated(stream):
    stream.publish("r", [step(1)])
    assert stream.flush(5)
    end = stream.position("r")
    assert stream.read("r", Position(epoch=end.epoch, seq=9)).truncated
    assert stream.read("r", Position(epoch=10**30, seq=10**30)) == Batch((), end, truncated=True)


def test_a_stream_that_does_not_exist_yet_is_at_its_beginning(stream):
    assert stream.position("r") == START
    assert stream.read("r", START) == Batch((), START)


def test_a_finished_run_expires_and_one_that_goes_on_does_not(stream, valkey):
    def publish(*events, final=False) -> int:
        stream.publish("r", events, final=final)
        assert stream.flush(5)
        return int(valkey.ttl(stream_key("r")))

    assert publish(step(1)) == pytest.approx(OPEN_TTL_S, abs=5)
    assert publish(step(2, StepStatus.COMPLETED), finished(3), final=True) == pytest.approx(FINAL_TTL_S, abs=5)
    assert publish(progress(100)) == pytest.approx(FINAL_TTL_S, abs=5), "a late report keeps no stream alive"
    assert publish(step(4)) == pytest.approx(OPEN_TTL_S, abs=5), "a retried run does"


def test_progress_is_replaced_while_it_waits_and_steps_are_not(private_valkey):
    stream = EventStream(private_valkey.url)
    private_valkey.kill()
    for percent in range(100):
        stream.publish("r", [progress(percent)])
    stream.publish("r", [step(2), step(3)])
    private_valkey.restart()
    assert stream.flush(20)
    events = [event for _, event in read_all(stream, "r")]
    assert [event["progress"]["percent"] for event in events if event["type"] == "progress"] == [99]
    assert [event["version"] for event in events if event["type"] == "step"] == [2, 3]
    assert stream.coalesced == 99
    assert stream.dropped == 0
    stream.close()


def test_publishing_neither_raises_nor_waits_while_the_server_is_killed(private_valkey):
    stream = EventStream(private_valkey.url)
    longest = 0.0
    for number in range(3000):
        if number == 1000:
            private_valkey.kill()
        if number == 2000:
            private_valkey.restart()
        began = time.perf_counter()
        stream.publish("r", [log_line(number)])
        longest = max(longest, time.perf_counter() - began)
    assert longest < 0.15, "three times the promise"
    assert stream.flush(20)
    offsets = [event["offset"] for _, event in read_all(stream, "r")]
    assert offsets[-1] == 2999
    assert all(later > earlier for earlier, later in pairwise(offsets))
    assert set(range(1000, 3000)) <= set(offsets), "what could not be sent at once was sent later"
    stream.close()


def test_a_frozen_server_costs_the_caller_nothing(private_valkey):
    stream = EventStream(private_valkey.url)
    stream.publish("r", [step(1)])
    assert stream.flush(5)
    os.kill(private_valkey.pid, 19)
    try:
        began = time.perf_counter()
        for number in range(1000):
            stream.publish("r", [log_line(number)])
        assert time.perf_counter() - began < 1.0
    finally:
        os.kill(private_valkey.pid, 18)
    assert stream.flush(20)
    stream.close()


def test_events_that_had_to_be_dropped_are_never_passed_over_in_silence(private_valkey):
    stream = EventStream(private_valkey.url)
    stream.publish("r", [step(1)])
    assert stream.flush(5)
    before = stream.position("r")
    private_valkey.kill()
    stream.publish("r", [log_line(number) for number in range(15_000)])
    private_valkey.restart()
    assert stream.flush(20)
    assert stream.dropped > 4000
    assert stream.read("r", before).truncated
    stream.close()


def test_a_forked_child_publishes_on_its_own_and_leaves_the_parents_events_to_it(stream):
    stream.publish("r", [log_line(1)])
    child = os.fork()
    if child == 0:
        stream.publish("r", [log_line(2)])
        os._exit(0 if stream.flush(10) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    stream.publish("r", [log_line(3)])
    assert stream.flush(10)
    assert sorted(event["offset"] for _, event in read_all(stream, "r")) == [1, 2, 3]


def test_an_event_that_cannot_be_written_is_dropped_and_counted(stream):
    stream.publish("r", [ProgressEvent(index=0, key="a", attempt=1, progress={"text": "half \ud800 a pair"})])
    stream.publish("r", [step(1)])
    assert stream.flush(5)
    assert stream.dropped == 1
    assert stream.appended == 1


def test_a_full_server_refuses_events_and_nothing_else_happens(private_valkey):
    stream = EventStream(private_valkey.url)
    with redis.Redis.from_url(private_valkey.url) as client:
        client.config_set("maxmemory", "1")
        stream.publish("r", [log_line(1)])
        assert stream.flush(10)
        assert stream.dropped == 1
        client.config_set("maxmemory", "0")
        stream.publish("r", [log_line(2)])
        assert stream.flush(10)
    assert [event["offset"] for _, event in read_all(stream, "r")] == [2]
    stream.close()


def test_reading_from_a_server_that_is_away_fails_fast_after_the_first_time(private_valkey):
    stream = EventStream(private_valkey.url)
    private_valkey.kill()
    with pytest.raises(StreamUnavailable):
        stream.position("r")
    began = time.perf_counter()
    for _ in range(100):
        with pytest.raises(StreamUnavailable):
            stream.position("r")
    assert time.perf_counter() - began < 0.5
    private_valkey.restart()
    stream.close()
