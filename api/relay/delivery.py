"""A run's events on their way to its Socket.IO clients."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace

import gevent

from api.relay.channel import Cursor
from api.relay.clients import Clients, Line
from api.relay.frames import Frames, event_frames
from api.relay.hub import Hub
from api.relay.wire import Wire
from messaging.reading import Batch
from schemas.events import Position

LOOK_S = 5.0
BEHIND_S = 0.05
KEPT_BATCHES = 16
# After a round over many clients, what comes next is gathered for a while: a write to each costs more than the events.
GATHER_EACH_S = 0.0004
GATHER_MOST_S = 0.02
# So many clients in a row, then others may do something.
SENDS_IN_A_ROW = 100


@dataclass(slots=True)
class Follower:
    """A client that has been sent everything up to `position`, and to which the loop of all sends what comes next."""

    line: Line
    position: Position | None


class Delivery:
    """Sends the events of one stream: one loop for all clients that follow, and one for each client that is behind.

    A client begins behind, catches up by itself and then follows. One that does not take what it is sent falls behind
    again, where it holds up nobody.
    """

    def __init__(self, run_id: str, wire: Wire, hub: Hub, clients: Clients, settle: Callable[[str], None]) -> None:
        """`settle` is called for a client that keeps up again."""
        self._wire = wire
        self._hub = hub
        self._clients = clients
        self._settle = settle
        self._followers: dict[str, Follower] = {}
        self._behind: dict[str, gevent.Greenlet] = {}
        self._made: dict[tuple[Position, Position], Frames] = {}
        self._watching = ExitStack()
        self._channel = self._watching.enter_context(hub.watch(run_id))
        self._cursor = hub.cursor(self._channel, None)
        self._greenlet = gevent.spawn(self._run)
        self._greenlet.link_exception(lambda _: self._disconnect_all())

    def add(self, sid: str, after: Position | None) -> None:
        """Send a client what comes after a position; None: from now on."""
        self.remove(sid)
        self._catch_up_from(sid, self._hub.cursor(self._channel, after))

    def remove(self, sid: str) -> None:
        """Send a client nothing more."""
        self._followers.pop(sid, None)
        greenlet = self._behind.pop(sid, None)
        if greenlet is not None:
            greenlet.kill(block=False)

    def fall_behind(self, sid: str) -> None:
        """Let a client catch up by itself, and settle what it is owed."""
        follower = self._followers.pop(sid, None)
        if follower is not None:
            self._clients.fell_behind += 1
            self._catch_up_from(sid, self._hub.cursor(self._channel, follower.position))

    @property
    def behind(self) -> int:
        """How many clients catch up."""
        return len(self._behind)

    def stop(self) -> None:
        """Send nobody anything more."""
        self._greenlet.kill(block=False)
        for sid in [*self._followers, *self._behind]:
            self.remove(sid)
        self._watching.close()

    def _run(self) -> None:
        while True:
            before = self._cursor.position
            batch = self._cursor.next(LOOK_S)
            if batch is not None:
                self._pass_on(before, batch)
                gevent.sleep(min(GATHER_MOST_S, GATHER_EACH_S * len(self._followers)))

    def _pass_on(self, before: Position | None, batch: Batch) -> None:
        """Send what follows `before` to all who follow now; who comes meanwhile has it already."""
        frames = self._frames(batch)
        for count, (sid, follower) in enumerate(list(self._followers.items()), 1):
            if self._followers.get(sid) is not follower:  # it left while others did something
                continue
            due = frames
            if follower.position is not before and follower.position != before:  # it read ahead by itself
                beyond = _beyond(batch, follower.position)
                if beyond is None:
                    continue
                due = self._frames(beyond)
            if batch.truncated:  # told in any case: what comes next would not say so
                follower.line.send(due)
            elif not follower.line.offer(due):
                self.fall_behind(sid)
                continue
            follower.position = batch.position
            if count % SENDS_IN_A_ROW == 0:
                gevent.sleep(0)

    def _catch_up_from(self, sid: str, cursor: Cursor) -> None:
        greenlet = self._behind[sid] = gevent.spawn(self._catch_up, sid, cursor)
        greenlet.link_exception(lambda _: self._clients.disconnect(sid))

    def _catch_up(self, sid: str, cursor: Cursor) -> None:
        """Send what happened to one client, as fast as the client takes it, until it can follow with the others."""
        me = gevent.getcurrent()
        while (line := self._clients.line(sid)) is not None:
            if not line.keeps_up:
                gevent.sleep(BEHIND_S)
                continue
            if self._behind.get(sid) is not me:  # removed, and about to be killed
                return
            self._settle(sid)
            if self._has_reached_all(cursor.position):
                del self._behind[sid]
                self._followers[sid] = Follower(line, cursor.position)
                return
            batch = cursor.next(LOOK_S)
            frames = self._frames(batch) if batch is not None else None
            if frames is not None and self._behind.get(sid) is me:
                line.send(frames)
                gevent.sleep(0)  # the client's writer goes first

    def _has_reached_all(self, position: Position | None) -> bool:
        """Whether a reader here misses nothing that the loop of all has passed."""
        shared = self._cursor.position
        if position is None or shared is None or position.epoch != shared.epoch:
            return position == shared
        return position.seq >= shared.seq

    def _frames(self, batch: Batch) -> Frames:
        """A batch as it goes to a client. Those who catch up mostly get the same ones, shortly after one another."""
        if batch.truncated:
            return event_frames(self._wire.truncated, (self._wire.place_text(batch.position),))
        place = (batch.entries[0].position, batch.position)
        frames = self._made.get(place)
        if frames is None:
            frames = event_frames(self._wire.event, [self._wire.event_text(entry) for entry in batch.entries])
            for name, text in self._wire.besides(batch.entries):
                frames = Frames(frames + event_frames(name, (text,)))
            if len(self._made) >= KEPT_BATCHES:
                self._made.clear()
            self._made[place] = frames
        return frames

    def _disconnect_all(self) -> None:
        for sid in [*self._followers, *self._behind]:
            self._clients.disconnect(sid)


def _beyond(batch: Batch, position: Position | None) -> Batch | None:
    """The part of a batch that comes after a position, if any does."""
    if position is None or position.epoch != batch.position.epoch:
        return batch
    if position.seq >= batch.position.seq:
        return None
    return replace(batch, entries=tuple(entry for entry in batch.entries if entry.position.seq > position.seq))
