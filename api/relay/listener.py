"""Keeps the channels of watched runs at the ends of their streams: told by the server, mended by reading."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic

import gevent
from gevent.event import Event

from api.relay.channel import Channel
from api.relay.greenlets import spawn_vital
from messaging.live import ASK_EVERY_S, Followed, LiveEvents, News
from messaging.reading import LARGEST, START, Batch, StreamReader
from orchestration.errors import StreamUnavailable
from schemas.events import Position

log = logging.getLogger(__name__)

RETRY_S = 0.5
BEYOND_ALL = Position(LARGEST, LARGEST)


class Listener:
    """Two greenlets. One hears what is appended and takes it where it follows what is known. The other reads where it
    does not: streams that were not looked at yet, and those of which something was not heard. It also looks at all ends
    every few seconds, since a stream that was wiped says nothing.
    """

    def __init__(self, reader: StreamReader, live: LiveEvents) -> None:
        self._reader = reader
        self._live = live
        self._channels: dict[str, Channel] = {}
        # Runs of which something is to be read, and how far they were told of meanwhile.
        self._behind: dict[str, Position] = {}
        self._has_work = Event()
        self._away = False
        self._is_heard = False
        self._looked_at = monotonic()
        spawn_vital(self._hear)
        spawn_vital(self._mend)

    def add(self, channel: Channel) -> None:
        """Keep this channel from now on."""
        self._channels[channel.run_id] = channel
        with suppress(StreamUnavailable):  # then it is followed with all others once there is a connection
            self._live.follow([channel.run_id])

    def remove(self, channel: Channel) -> None:
        """Forget a channel."""
        if self._channels.get(channel.run_id) is channel:
            del self._channels[channel.run_id]
            self._behind.pop(channel.run_id, None)
            with suppress(StreamUnavailable):
                self._live.leave(channel.run_id)

    def _hear(self) -> None:
        while True:
            try:
                self._live.open()
                self._is_heard = True
                self._live.follow(list(self._channels))
                while True:
                    match self._live.next():
                        case News() as news:
                            self._take(news)
                        case Followed(run_id=run_id):
                            # Beyond all that a read which is under way can find: what was missed before is read anew.
                            self._fall_behind(run_id, BEYOND_ALL)
            except StreamUnavailable as error:
                self._is_heard = False
                self._set_away(error)
                self._live.close()
                gevent.sleep(RETRY_S)

    def _take(self, news: News) -> None:
        channel = self._channels.get(news.run_id)
        if channel is None:
            return
        head = channel.head
        found = news.behind(head) if head is not None and news.run_id not in self._behind else None
        if found is None:
            self._fall_behind(news.run_id, news.entries[-1].position)
        elif found.entries or found.truncated:
            channel.extend(found)

    def _fall_behind(self, run_id: str, told: Position = START) -> None:
        if run_id in self._channels:
            self._behind[run_id] = told
            self._has_work.set()

    def _mend(self) -> None:
        while True:
            self._has_work.wait(max(0.0, self._looked_at + ASK_EVERY_S - monotonic()))
            self._has_work.clear()
            try:
                if monotonic() - self._looked_at >= ASK_EVERY_S:
                    self._look()
                while self._behind and self._is_heard:
                    self._read()
            except StreamUnavailable as error:
                self._set_away(error)
                gevent.sleep(RETRY_S)
                self._has_work.set()

    def _look(self) -> None:
        """Find the streams that are not where they are thought to be."""
        self._looked_at = monotonic()
        places = {run_id: channel.head for run_id, channel in self._channels.items() if channel.head}
        with suppress(StreamUnavailable):
            self._live.ask()
        for run_id, channel in self._channels.items():
            if channel.head is None:
                self._fall_behind(run_id)
        for run_id, end in self._ends(list(places)).items():
            found = self._channels.get(run_id)
            # Where it moved meanwhile it is well.
            if found is not None and found.head == places[run_id] and end != found.head:
                self._fall_behind(run_id)

    def _read(self) -> None:
        """Bring all that are behind to the ends of their streams."""
        # What was told until now is in the streams; what is told while they are read is noted anew.
        self._behind = dict.fromkeys(self._behind, START)
        for run_id, end in self._ends(list(self._behind)).items():
            channel = self._channels.get(run_id)
            if channel is None or run_id not in self._behind:
                continue
            self._advance(channel, end)
            if self._channels.get(run_id) is not channel:  # another has taken its place, and is behind itself
                continue
            if not self._is_heard:  # what comes now is not told
                return
            channel.set_read(True)
            if not _is_beyond(self._behind.get(run_id, START), channel.head):
                self._behind.pop(run_id, None)
        if self._away:
            log.info("events can be read again")
            self._away = False

    def _ends(self, run_ids: list[str]) -> Mapping[str, Position]:
        return dict(zip(run_ids, self._reader.positions(run_ids), strict=True))

    def _advance(self, channel: Channel, end: Position) -> None:
        head = channel.head
        if head is None:
            channel.begin(end)
        elif head != START and (end.epoch != head.epoch or end.seq < head.seq):
            # Gone, begun anew, or cut back by a restart.
            channel.extend(Batch((), end, truncated=True))
        else:
            while channel.head is not None and _is_beyond(end, channel.head):
                batch = self._reader.read(channel.run_id, channel.head)
                if not batch.entries and not batch.truncated:
                    return
                channel.extend(batch)

    def _set_away(self, error: StreamUnavailable) -> None:
        if not self._away:
            log.warning("events cannot be read, clients see states only: %s", error)
        self._away = True
        for run_id, channel in self._channels.items():
            self._behind.setdefault(run_id, START)
            channel.set_read(False)


def _is_beyond(one: Position, other: Position | None) -> bool:
    """Whether a place is one that a reader at the other has yet to come to."""
    return other is None or (one.epoch, one.seq) > (other.epoch, other.seq)
