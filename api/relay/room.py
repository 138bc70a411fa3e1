"""The Socket.IO clients of one run, and the state documents they are all sent beside its events."""

from __future__ import annotations

import logging
from time import monotonic

import gevent

from api.refusal import Refusal
from api.relay.clients import Clients
from api.relay.delivery import Delivery
from api.relay.hub import Hub
from api.relay.states import States
from api.relay.wire import run_wire
from orchestration.errors import StoreUnavailable
from schemas.events import Position

log = logging.getLogger(__name__)

PROGRESS_EVERY_S = 0.5


class Room:
    """Sends events as they come, and `workflow_progress` when the state has changed, at most twice a second.

    A member that is behind is left out and gets the newest document when it has caught up.
    """

    def __init__(self, run_id: str, clients: Clients, hub: Hub, states: States) -> None:
        self.run_id = run_id
        self.members: set[str] = set()
        self.owed: set[str] = set()
        self._clients = clients
        self._states = states
        self._latest: str | None = None
        self._delivery = Delivery(run_id, run_wire(run_id, states.answer_of), hub, clients, self._settle)
        self._greenlet = gevent.spawn(self._run)

    def join(self, sid: str, after: Position | None) -> None:
        """Send this client what comes after a position, the state now, and again whenever it changes."""
        self.members.add(sid)
        self.owed.add(sid)
        self._delivery.add(sid, after)

    def leave(self, sid: str) -> None:
        """Send it no more."""
        self.members.discard(sid)
        self.owed.discard(sid)
        self._delivery.remove(sid)

    @property
    def behind(self) -> int:
        """How many members catch up."""
        return self._delivery.behind

    def stop(self) -> None:
        """Look no more."""
        self._greenlet.kill(block=False)
        self._delivery.stop()

    def _run(self) -> None:
        with self._states.watch(self.run_id) as feed:
            sent: str | None = None
            while True:
                changed = feed.changed
                tag = feed.etag
                if tag is None or tag == sent:
                    changed.wait()
                    continue
                started = monotonic()
                try:
                    # What is read now is the state of this tag or a newer one.
                    self._send(feed.progress())
                    sent = tag
                except (StoreUnavailable, Refusal) as error:
                    log.info("state not sent: %s", error, extra={"run_id": self.run_id})
                gevent.sleep(max(0.0, started + PROGRESS_EVERY_S - monotonic()))

    def _send(self, document: str) -> None:
        self._latest = document
        behind = {sid for sid in self.members if not self._clients.keeps_up(sid)}
        self._clients.send("workflow_progress", document, self.members - behind)
        self.owed = behind
        for sid in behind:
            self._delivery.fall_behind(sid)

    def _settle(self, sid: str) -> None:
        """Send a client the document it is owed, if there is one and the client has caught up."""
        if sid in self.owed and self._latest is not None and self._clients.keeps_up(sid):
            self.owed.discard(sid)
            self._clients.send("workflow_progress", self._latest, (sid,))
