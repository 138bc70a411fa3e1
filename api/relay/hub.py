"""Reads the streams of the runs that somebody watches, and no others."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore

from api.relay.channel import Channel, Cursor
from api.relay.greenlets import spawn_vital
from messaging.reading import Batch, Entry, StreamReader, Waker
from orchestration.errors import StreamUnavailable
from schemas.events import ALERTS, Position

log = logging.getLogger(__name__)

# Each blocking read names all its streams, so that its cost grows with their number.
RUNS_PER_LOOP = 100
READS_AT_ONCE = 16
RETRY_S = 0.5
CHECK_S = 4.0


class Hub:
    """The channels of all watched runs, spread over as many reader loops as they need."""

    def __init__(self, reader: StreamReader) -> None:
        self._reader = reader
        # Many clients that come back at once must not become as many connections.
        self._reads = BoundedSemaphore(READS_AT_ONCE)
        self._channels: dict[str, Channel] = {}
        self._loops: list[StreamLoop] = []

    @contextmanager
    def watch(self, run_id: str) -> Iterator[Channel]:
        """The channel of a run, read for as long as anyone watches it."""
        channel = self._channels.get(run_id)
        if channel is None:
            channel = self._channels[run_id] = Channel(run_id)
            self._free_loop().add(channel)
        channel.watchers += 1
        try:
            yield channel
        finally:
            channel.watchers -= 1
            if not channel.watchers and self._channels.get(run_id) is channel:
                del self._channels[run_id]
                for loop in self._loops:
                    loop.remove(channel)

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

    def _free_loop(self) -> StreamLoop:
        for loop in self._loops:
            if loop.size < RUNS_PER_LOOP:
                return loop
        self._loops.append(StreamLoop(self._reader))
        return self._loops[-1]


class StreamLoop:
    """One greenlet with one blocking read over the streams of its channels."""

    def __init__(self, reader: StreamReader) -> None:
        self._reader = reader
        self._channels: dict[str, Channel] = {}
        self._waker = Waker()
        self._has_work = Event()
        self._ringing = False
        self._away = False
        self._checked_at = 0.0
        spawn_vital(self._run)

    @property
    def size(self) -> int:
        """How many channels this loop reads."""
        return len(self._channels)

    def add(self, channel: Channel) -> None:
        """Read this channel's stream from now on."""
        self._channels[channel.run_id] = channel
        self._has_work.set()
        if not self._ringing:
            self._ringing = True
            gevent.spawn(self._ring)

    def remove(self, channel: Channel) -> None:
        """Forget a channel, if it is one of this loop's."""
        if self._channels.get(channel.run_id) is channel:
            del self._channels[channel.run_id]

    def _ring(self) -> None:
        self._ringing = False
        with suppress(StreamUnavailable):  # then the loop is not in a read, and finds the channel when it tries again
            self._reader.ring(self._waker)

    def _run(self) -> None:
        while True:
            if not self._channels:
                self._has_work.clear()
                self._has_work.wait()
            try:
                self._find_new()
                self._read()
            except StreamUnavailable as error:
                if not self._away:
                    log.warning("events cannot be read, clients see states only: %s", error)
                self._away = True
                self._set_read(False)
                gevent.sleep(RETRY_S)
            else:
                if self._away:
                    log.info("events can be read again")
                    self._set_read(True)
                self._away = False

    def _set_read(self, is_read: bool) -> None:
        for channel in list(self._channels.values()):
            channel.set_read(is_read and channel.head is not None)

    def _find_new(self) -> None:
        new = [channel for channel in self._channels.values() if channel.head is None]
        places = self._reader.positions([channel.run_id for channel in new])
        for channel, place in zip(new, places, strict=True):
            channel.begin(place)

    def _read(self) -> None:
        asked = {run_id: (channel, channel.head) for run_id, channel in self._channels.items() if channel.head}
        places = {run_id: head for run_id, (_, head) in asked.items() if head is not None}
        if self._away or monotonic() - self._checked_at > CHECK_S:
            found = self._reader.find_lost(places)
            self._checked_at = monotonic()
        else:
            found = {}
        found = found or self._reader.wait(places, waker=self._waker)
        for run_id, batch in found.items():
            asked[run_id][0].extend(batch)
