"""Reads runs' event streams: what comes after a position. What is appended from then on is told by `live.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
LARGEST = 2**63 - 1
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


class StreamReader:
    """Reads without waiting, over connections of its own: none until the first call. Threads may share it."""

    def __init__(self, redis_url: str, *, name: str = "perdure-reader") -> None:
        self._calls = connect(redis_url, timeout_s=TIMEOUT_S, name=name)
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
        """At most `count` events after `after`. Raises: StreamUnavailable."""
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

    def close(self) -> None:
        """Close all connections."""
        self._calls.close()

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
