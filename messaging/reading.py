"""Reads runs' event streams. Replay and live are one thing: what comes after a position."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from messaging.circuit import Circuit, ServerAway
from orchestration.errors import StreamUnavailable
from schemas.events import Position

T = TypeVar("T")

START = Position(epoch=0, seq=0)
CHUNK = 500
CHUNK_LIVE = 100
LARGEST = 2**63 - 1
LONGEST_BLOCK_S = 4.0
TIMEOUT_S = 1.0


def stream_key(run_id: str) -> str:
    """Where the events of a run are kept."""
    return f"perdure:events:{run_id}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One event as it stands in the stream: its place and its JSON text."""

    position: Position
    text: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What comes after a position, in order and without gaps, up to `position`.

    `truncated`: what came after the position asked for is lost, in part or whole; there are no entries, the reader
    should read the state and go on from `position`.
    """

    entries: tuple[Entry, ...]
    position: Position
    truncated: bool = False


@dataclass(slots=True)
class Waker:
    """A stream of its own through which a blocking read is told to look again."""

    key: str = field(default_factory=lambda: f"perdure:waker:{token_hex(8)}")
    last_id: str = "0-0"


class StreamReader:
    """Reads over connections of its own. Safe to share between threads; opens nothing until the first call."""

    def __init__(self, redis_url: str, *, name: str = "perdure-reader") -> None:
        self._calls = connect(redis_url, timeout_s=TIMEOUT_S, name=name)
        # A blocking read must outlast its block; redis-py's own limit would end it as an error.
        self._waits = connect(redis_url, timeout_s=LONGEST_BLOCK_S + 3, name=f"{name}-wait")
        self._circuit = Circuit(failures=(redis.ConnectionError, redis.TimeoutError, OSError))

    def position(self, run_id: str) -> Position:
        """The last position of a run's stream; `0-0` when it has none (yet, or any more). Raises: StreamUnavailable."""
        return self.positions([run_id])[0]

    def positions(self, run_ids: Sequence[str]) -> list[Position]:
        """The last position of each run's stream. Raises: StreamUnavailable."""

        def ask() -> list[Any]:
            with self._calls.pipeline(transaction=False) as pipe:
                for run_id in run_ids:
                    pipe.xrevrange(stream_key(run_id), count=1)
                return pipe.execute()

        answers = self._guarded(lambda: self._circuit.call(ask)) if run_ids else []
        return [Position.parse(entries[0][0]) if entries else START for entries in answers]

    def read(self, run_id: str, after: Position, count: int = CHUNK) -> Batch:
        """At most `count` events after `after`, without waiting. Raises: StreamUnavailable."""
        if max(after.epoch, after.seq) > LARGEST:  # no stream was ever there, and the server would refuse the id
            return Batch((), self.position(run_id), truncated=True)
        key = stream_key(run_id)

        def ask() -> list[Any]:
            # One transaction: the end, the beginning and what lies between must be of one moment.
            with self._calls.pipeline(transaction=True) as pipe:
                pipe.xrevrange(key, count=1)
                pipe.xrange(key, count=1)
                pipe.xrange(key, min=f"({after}", count=count)
                return pipe.execute()

        last, first, found = self._guarded(lambda: self._circuit.call(ask))
        end = Position.parse(last[0][0]) if last else START
        begin = Position.parse(first[0][0]) if first else START
        if after == end:
            return Batch((), end)
        known = after == START or (after.epoch == end.epoch and after.seq <= end.seq)
        if not known or begin.seq > after.seq + 1:
            return Batch((), end, truncated=True)
        entries = _entries(found)
        return Batch(entries, entries[-1].position)

    def tail_back(self, run_id: str, before: Position | None, count: int) -> tuple[Entry, ...]:
        """At most `count` events before a place, the newest first; None: from the end. Raises: StreamUnavailable."""
        top = "+" if before is None else f"({before}"

        def ask() -> Any:
            return self._calls.xrevrange(stream_key(run_id), max=top, count=count)

        return _entries(self._guarded(lambda: self._circuit.call(ask)))

    def wait(
        self, places: Mapping[str, Position], *, block_s: float = LONGEST_BLOCK_S, waker: Waker | None = None
    ) -> dict[str, Batch]:
        """What comes after each run's place: at once if something is there, else as soon as something comes.

        Answers only the runs that have something; none after `block_s` (at most 4 s), or when `waker` was rung.
        Raises: StreamUnavailable.
        """
        streams: dict[Any, Any] = {stream_key(run_id): str(place) for run_id, place in places.items()}
        if waker is not None:
            streams[waker.key] = waker.last_id
        block_ms = max(1, int(min(block_s, LONGEST_BLOCK_S) * 1000))
        answer: Any = self._guarded(lambda: self._waits.xread(streams, count=CHUNK_LIVE, block=block_ms))
        batches = {}
        for key, found in answer or ():  # few of those that were asked for
            if waker is not None and key == waker.key:
                waker.last_id = found[-1][0]
            else:
                run_id = key.removeprefix(stream_key(""))
                batches[run_id] = _follow(places[run_id], _entries(found))
        return batches

    def find_lost(self, places: Mapping[str, Position]) -> dict[str, Batch]:
        """The runs whose stream no longer holds their place: gone, begun anew, or cut back by a restart.

        A blocking read does not notice a stream whose ids are lower than before. Raises: StreamUnavailable.
        """
        lost = {}
        for (run_id, place), end in zip(places.items(), self.positions(list(places)), strict=True):
            if place != START and (end.epoch != place.epoch or end.seq < place.seq):
                lost[run_id] = Batch((), end, truncated=True)
        return lost

    def tail(self, run_id: str, after: Position, *, going: Callable[[], bool] = lambda: True) -> Iterator[Batch]:
        """All that comes after `after`, for as long as `going()`; asked at least every 4 s.

        Raises: StreamUnavailable; call again with the position of the last batch.
        """
        batch = self.read(run_id, after)
        while True:
            if batch.entries or batch.truncated:
                yield batch
            if not going():
                return
            places = {run_id: batch.position}
            found = self.wait(places) or self.find_lost(places)
            batch = found.get(run_id) or Batch((), batch.position)

    def ring(self, waker: Waker) -> None:
        """Let the blocking read that has `waker` return. Raises: StreamUnavailable."""

        def add() -> None:
            with self._calls.pipeline(transaction=False) as pipe:
                pipe.xadd(waker.key, {"w": "1"}, maxlen=1, approximate=False)
                pipe.expire(waker.key, 60)
                pipe.execute()

        self._guarded(lambda: self._circuit.call(add))

    def close(self) -> None:
        """Close all connections."""
        self._calls.close()
        self._waits.close()

    def _guarded(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except (redis.RedisError, OSError, ServerAway) as error:
            raise StreamUnavailable(f"Valkey cannot be reached: {error}") from error


def connect(url: str, *, timeout_s: float, name: str) -> redis.Redis:
    """A client that waits at most `timeout_s` for an answer and never tries again by itself."""
    client: redis.Redis = redis.Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=min(timeout_s, TIMEOUT_S),
        socket_keepalive=True,
        health_check_interval=10,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
        protocol=2,
        client_name=name,
    )
    return client


def _entries(found: Sequence[Any]) -> tuple[Entry, ...]:
    return tuple(Entry(Position.parse(entry_id), fields["e"]) for entry_id, fields in found)


def _follow(place: Position, entries: tuple[Entry, ...]) -> Batch:
    first, last = entries[0].position, entries[-1].position
    follows = first.seq == place.seq + 1 and (first.epoch == place.epoch or place == START)
    if follows and last.epoch == first.epoch:
        return Batch(entries, last)
    return Batch((), last, truncated=True)
