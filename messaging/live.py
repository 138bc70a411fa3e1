"""Events as they are appended to the streams of runs: the server pushes them over one connection."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis

from messaging.reading import START, Batch, Entry, connect, stream_key
from orchestration.errors import StreamUnavailable
from schemas.events import Position

# Who follows asks the server at least as often whether it is there; so much longer it may take to answer.
ASK_EVERY_S = 4.0
ANSWER_WITHIN_S = 3.0
_CHANNEL = stream_key("")


@dataclass(frozen=True, slots=True)
class Followed:
    """From now on all that is appended to this run's stream is told."""

    run_id: str


@dataclass(frozen=True, slots=True)
class News:
    """What was appended to a run's stream just now, in order and without gaps."""

    run_id: str
    entries: tuple[Entry, ...]

    def behind(self, place: Position) -> Batch | None:
        """What of it follows a place; empty where none does. None: what comes before it is missing."""
        first, last = self.entries[0].position, self.entries[-1].position
        if first.epoch == place.epoch or (place == START and first.seq == 1):
            known = place.seq - first.seq + 1
            if known < 0:
                return None
            return Batch(self.entries[known:], last) if known < len(self.entries) else Batch((), place)
        if place == START or first.epoch < place.epoch:  # the second is late news of a stream that was begun anew since
            return None
        # Begun anew: what the reader had is no part of it.
        return Batch((), last, truncated=True)


class LiveEvents:
    """The runs that are followed. One thread or greenlet hears, any may follow and leave.

    What was appended while the connection was away is not told afterwards: whoever reconnects has to read.
    """

    def __init__(self, redis_url: str, *, name: str = "perdure-live") -> None:
        self._pool = connect(redis_url, timeout_s=ASK_EVERY_S + ANSWER_WITHIN_S, name=name).connection_pool
        self._connection: Any = None
        self._writing = threading.Lock()

    def open(self) -> None:
        """Connect anew; nothing is followed then. Raises: StreamUnavailable."""
        self.close()
        try:
            connection: Any = self._pool.make_connection()
            connection.connect()
        except (redis.RedisError, OSError) as error:
            raise StreamUnavailable(f"Valkey cannot be reached: {error}") from error
        self._connection = connection

    def follow(self, run_ids: Sequence[str]) -> None:
        """Be told of these runs, from `Followed` on. Raises: StreamUnavailable."""
        if run_ids:
            self._send("SUBSCRIBE", *(stream_key(run_id) for run_id in run_ids))

    def leave(self, run_id: str) -> None:
        """Be told no more of this run. Raises: StreamUnavailable."""
        self._send("UNSUBSCRIBE", stream_key(run_id))

    def ask(self) -> None:
        """Have the server say something: a connection that is dead shows by its silence. Raises: StreamUnavailable."""
        self._send("PING")

    def next(self) -> Followed | News | None:
        """What the server says next; None for what means nothing here. Raises: StreamUnavailable."""
        connection = self._connection
        try:
            if connection is None:
                raise redis.ConnectionError("closed")
            said = connection.read_response(disconnect_on_error=False)
        except (redis.RedisError, OSError) as error:
            raise StreamUnavailable(f"Valkey cannot be heard: {error}") from error
        match said:
            case ["message", channel, text]:
                run_id = channel.removeprefix(_CHANNEL)
                try:
                    return _news(run_id, text)
                except ValueError:  # not ours: the stream says what there is
                    return Followed(run_id)
            case ["subscribe", channel, _]:
                return Followed(channel.removeprefix(_CHANNEL))
        return None

    def close(self) -> None:
        """Close the connection; who hears it is told."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()

    def _send(self, *words: str) -> None:
        with self._writing:
            connection = self._connection
            try:
                # redis-py would connect again by itself, and follow nothing.
                if connection is None or not connection.is_connected:
                    raise redis.ConnectionError("closed")
                connection.send_command(*words, check_health=False)
            except (redis.RedisError, OSError) as error:
                raise StreamUnavailable(f"Valkey cannot be reached: {error}") from error


def _news(run_id: str, text: str) -> News:
    first, *events = text.split("\n")
    place = Position.parse(first)
    if not events:
        raise ValueError("a place without events")
    return News(run_id, tuple(Entry(Position(place.epoch, seq), event) for seq, event in enumerate(events, place.seq)))
