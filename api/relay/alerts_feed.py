"""News of alerts for pages that are open: one stream, read only while somebody listens."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import gevent

from api.relay.channel import Channel
from api.relay.clients import Clients
from api.relay.delivery import Delivery
from api.relay.hub import Hub
from api.relay.wire import ALERTS_WIRE
from orchestration.errors import StreamUnavailable
from schemas.events import ALERTS, Position
from schemas.json import JsonObject

FIND_STREAM_S = 1.0


class AlertsFeed:
    """Sends `alert` to those who subscribed, and `alerts_live` when the stream cannot be read, or can again.

    What one missed that the stream no longer has is told by `alerts_truncated`. Whoever hears any of them reads the
    alerts: what comes here is news, the rows are the truth.
    """

    def __init__(self, clients: Clients, hub: Hub) -> None:
        self._clients = clients
        self._hub = hub
        self._members: set[str] = set()
        self._room: _Room | None = None

    def subscribe(self, sid: str, after: Position | None, check: Callable[[], None]) -> JsonObject:
        """Send a client what comes after a position (None: from now on), in place of what it was sent before.

        `check` is called once the stream is found, which may take a while. Raises what `check` raises.
        """
        with self._hub.watch(ALERTS) as channel:
            if channel.head is None:
                channel.changed.wait(FIND_STREAM_S)
            position = channel.head
            truncated = self._is_lost(after, position)
            check()
            if self._room is None:
                self._room = _Room(self._clients, self._hub, self._members)
            self._members.add(sid)
            self._room.delivery.add(sid, position if after is None else after)
            # Read last: of changes from here on the client is told.
            is_live = channel.is_read
        place = str(position) if position is not None else None
        return {"success": True, "position": place, "truncated": truncated, "live": is_live}

    def unsubscribe(self, sid: str) -> None:
        """Send it nothing more."""
        if sid not in self._members or self._room is None:
            return
        self._members.discard(sid)
        self._room.delivery.remove(sid)
        if not self._members:
            self._room.stop()
            self._room = None

    @property
    def behind(self) -> int:
        """How many clients catch up."""
        return self._room.delivery.behind if self._room is not None else 0

    def _is_lost(self, after: Position | None, head: Position | None) -> bool:
        if after is None or after == head:
            return False
        try:
            return self._hub.read(ALERTS, after, 1).truncated
        except StreamUnavailable:
            return False  # the delivery finds out, and says so


class _Room:
    """What is there while anybody listens."""

    def __init__(self, clients: Clients, hub: Hub, members: set[str]) -> None:
        self._clients = clients
        self._members = members
        self._watching = ExitStack()
        self._channel = self._watching.enter_context(hub.watch(ALERTS))
        self.delivery = Delivery(ALERTS, ALERTS_WIRE, hub, clients, lambda sid: None)
        self._greenlet = gevent.spawn(self._tell, self._channel)

    def stop(self) -> None:
        """Read no more."""
        self._greenlet.kill(block=False)
        self.delivery.stop()
        self._watching.close()

    def _tell(self, channel: Channel) -> None:
        told = channel.is_read
        while True:
            changed = channel.changed
            if channel.is_read is told:
                changed.wait()
                continue
            told = channel.is_read
            self._clients.send("alerts_live", f'{{"live":{"true" if told else "false"}}}', list(self._members))
