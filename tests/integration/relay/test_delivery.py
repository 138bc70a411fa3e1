from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import gevent
import pytest

from api.relay.channel import BATCH_EVENTS, Channel, Cursor
from api.relay.delivery import Delivery
from api.relay.frames import Frames
from api.relay.wire import run_wire
from messaging.reading import Batch
from schemas.events import Position
from tests.integration.relay.test_channel import EPOCH, batch, place


class Line:
    """The way to a client that takes what it is sent, or does not."""

    def __init__(self) -> None:
        self.keeps_up = True
        self.sent: list[bytes] = []

    def offer(self, frames: Frames) -> bool:
        if self.keeps_up:
            self.sent.append(frames)
        return self.keeps_up

    def send(self, frames: Frames) -> None:
        self.sent.append(frames)

    @property
    def seqs(self) -> list[int]:
        """The events it was sent, with -1 for `truncated`."""
        found = []
        for frames in self.sent:
            found += [-1] if b'"truncated"' in frames else [int(part.split(b",")[0]) for part in _seqs(frames)]
        return found


def _seqs(frames: bytes) -> list[bytes]:
    return frames.split(b'"seq":')[1:]


class World:
    """A run's channel and stream, and its clients."""

    def __init__(self) -> None:
        self.channel = Channel("r")
        self.channel.begin(place(0))
        self.lines: dict[str, Line] = {}
        self.stream: list[Batch] = []
        self.settled: list[str] = []
        self.disconnected: list[str] = []
        self.watchers = 0
        self.reads = 0
        self.fell_behind = 0
        self.delivery = Delivery("r", run_wire("r"), self, self, self.settled.append)  # type: ignore[arg-type]

    @contextmanager
    def watch(self, _run_id: str) -> Iterator[Channel]:
        self.watchers += 1
        try:
            yield self.channel
        finally:
            self.watchers -= 1

    def cursor(self, channel: Channel, after: Position | None) -> Cursor:
        return Cursor(channel, self._read, after)

    def _read(self, _run_id: str, _after: Position, _count: int) -> Batch:
        self.reads += 1
        return self.stream.pop(0)

    def line(self, sid: str) -> Line | None:
        return self.lines.get(sid)

    def disconnect(self, sid: str) -> None:
        self.disconnected.append(sid)

    def add(self, sid: str, after: Position | None = None) -> Line:
        line = self.lines[sid] = Line()
        self.delivery.add(sid, after)
        return line


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.delivery.stop()
    assert world.watchers == 0


def until(condition, timeout_s: float = 5.0) -> None:
    with gevent.Timeout(timeout_s):
        while not condition():
            gevent.sleep(0.001)


def follows(world: World, sid: str) -> bool:
    return sid in world.delivery._followers


def test_all_who_follow_are_sent_the_same_bytes_made_once(world):
    lines = [world.add(f"c{number}") for number in range(3)]
    until(lambda: all(follows(world, sid) for sid in world.lines))
    world.channel.extend(batch(1, 3))
    until(lambda: all(line.seqs == [1, 2, 3] for line in lines))
    assert len({id(frames) for line in lines for frames in line.sent}) == 1


def test_who_comes_later_catches_up_and_then_follows_without_gap_or_repetition(world):
    first = world.add("first")
    world.channel.extend(batch(1, 5))
    until(lambda: first.seqs == [1, 2, 3, 4, 5])
    second = world.add("second", place(2))
    world.channel.extend(batch(6, 8))
    until(lambda: second.seqs == [3, 4, 5, 6, 7, 8] and follows(world, "second"))
    world.channel.extend(batch(9, 9))
    until(lambda: first.seqs == list(range(1, 10)) and second.seqs == list(range(3, 10)))
    assert world.reads == 0


def test_a_client_that_is_slow_holds_up_nobody_and_misses_nothing(world):
    slow, quick = world.add("slow"), world.add("quick")
    until(lambda: follows(world, "slow") and follows(world, "quick"))
    slow.keeps_up = False
    for first in range(1, 2 * BATCH_EVENTS, 50):
        world.channel.extend(batch(first, first + 49))
        until(lambda last=first + 49: quick.seqs[-1:] == [last])
    assert slow.sent == []
    assert not follows(world, "slow")
    slow.keeps_up = True
    until(lambda: follows(world, "slow"))
    assert slow.seqs == quick.seqs == list(range(1, 201))
    assert "slow" in world.settled


def test_a_client_that_read_ahead_gets_nothing_twice(world):
    """It read the stream itself, which was ahead of what the relay's own loop had read."""
    follower = world.add("follower")
    until(lambda: follows(world, "follower"))
    world.stream = [batch(1, 4)]
    world.channel.begin(place(2))
    until(lambda: follower.seqs == [1, 2, 3, 4])
    ahead = world.add("ahead", place(6))
    until(lambda: follows(world, "ahead"))
    world.channel.extend(batch(3, 8))
    until(lambda: follower.seqs == [1, 2, 3, 4, 5, 6, 7, 8])
    until(lambda: ahead.seqs == [7, 8])
    world.channel.extend(batch(9, 9))
    until(lambda: follower.seqs[-1] == ahead.seqs[-1] == 9)


def test_a_new_epoch_is_told_to_each_once_even_to_the_slow(world):
    one, slow = world.add("one"), world.add("slow")
    until(lambda: follows(world, "one") and follows(world, "slow"))
    slow.keeps_up = False
    lost = Batch((), place(2, EPOCH + 1), truncated=True)
    world.stream = [lost]
    world.channel.extend(lost)
    until(lambda: one.seqs == slow.seqs == [-1])
    world.channel.extend(batch(3, 3, epoch=EPOCH + 1))
    slow.keeps_up = True
    until(lambda: one.seqs == slow.seqs == [-1, 3])


def test_a_client_of_another_epoch_is_told_so_and_not_left_among_those_who_follow(world):
    world.stream = [Batch((), place(0), truncated=True)]
    client = world.add("client", place(7, EPOCH - 1))
    until(lambda: client.seqs == [-1] and follows(world, "client"))
    world.channel.extend(batch(1, 1))
    until(lambda: client.seqs == [-1, 1])


def test_who_was_removed_is_sent_nothing_more(world):
    gone, stays = world.add("gone"), world.add("stays")
    until(lambda: follows(world, "gone") and follows(world, "stays"))
    world.delivery.remove("gone")
    behind = world.add("behind", place(0))
    world.delivery.remove("behind")
    world.channel.extend(batch(1, 2))
    until(lambda: stays.seqs == [1, 2])
    assert gone.sent == []
    assert behind.sent == []


def test_a_failure_while_one_catches_up_ends_its_connection_and_no_other(world):
    stays = world.add("stays")
    until(lambda: follows(world, "stays"))
    for first in range(1, 1500, 50):
        world.channel.extend(batch(first, first + 49))
        until(lambda last=first + 49: stays.seqs[-1:] == [last])
    world.add("fails", place(3))  # so early that it must be read, and there is no stream
    until(lambda: world.disconnected)
    world.channel.extend(batch(1501, 1501))
    until(lambda: stays.seqs[-1] == 1501)
    assert world.disconnected == ["fails"]
