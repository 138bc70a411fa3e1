"""Reads the streams of the runs that somebody watches, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gevent.lock import BoundedSemaphore

from api.relay.channel import Channel, Cursor
from api.relay.listener import Listener
from messaging.live import LiveEvents
from messaging.reading import Batch, Entry, StreamReader
from schemas.events import ALERTS, Position

READS_AT_ONCE = 16


class Hub:
    """The channels of all watched runs."""

    def __init__(self, reader: StreamReader, live: LiveEvents) -> None:
        self._reader = reader
        self._listener = Listener(reader, live)
        # Many clients that come back at once must not become as many connections.
        self._reads = BoundedSemaphore(READS_AT_ONCE)
        self._channels: dict[str, Channel] = {}

    @contextmanager
    def watch(self, run_id: str) -> Iterator[Channel]:
        """The channel of a run, read for as long as anyone watches it."""
        channel = self._channels.get(run_id)
        if channel is None:
            channel = self._channels[run_id] = Channel(run_id)
        channel.watchers += 1
        try:
            if channel.watchers == 1:
                self._listener.add(channel)
            yield channel
        finally:
            channel.watchers -= 1
            if not channel.watchers and self._channels.get(run_id) is channel:
                del self._channels[run_id]
                self._listener.remove(channel)

    def read(self, run_id: str, after: Position, count: int) -> Batch:
        """What comes after a position, from the stream itself. Raises: StreamUnavailable."""
        with self._reads:
            return self._reader.read(run_id, after, count)

    def tail_back(self, run_id: str, before: Position | None, count: int) -> tuple[Entry, ...]:
        """What comes before a place, the newest first; None: the end of the stream. Raises: StreamUnavailable."""
        with self._reads:
            return self._reader.tail_back(run_id, before, count)

    def cursor(self, channel: Channel, after: Position | None) -> Cursor:
        """A reader's place in a channel."""
        return Cursor(channel, self.read, after)

    @property
    def watched(self) -> int:
        """How many runs are watched."""
        return len(self._channels.keys() - {ALERTS})
