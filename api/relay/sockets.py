"""Socket.IO: clients subscribe to runs and are sent what happens in them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gevent
from flask import Flask, request
from flask_socketio import SocketIO
from socketio.exceptions import ConnectionRefusedError

from api.auth.identity import session_cookie_name
from api.refusal import Refusal
from api.relay import parameters
from api.relay.admission import Admission, Credentials, Member
from api.relay.alerts_feed import AlertsFeed
from api.relay.clients import Clients
from api.relay.greenlets import spawn_vital
from api.relay.hub import Hub
from api.relay.metrics_feed import FLOW, FLOW_S, WINDOWS_S, FiguresFeed, Sources, window_of
from api.relay.problems import problem_of
from api.relay.room import Room
from api.relay.states import States
from api.relay.websocket import use_relay_websocket
from api.security import allowed_origins
from orchestration.errors import StreamUnavailable
from schemas.events import Position
from schemas.json import JsonObject
from settings import Settings

SUBSCRIPTIONS = 50
MESSAGE_BYTES = 16 * 1024
FIND_STREAM_S = 1.0
SIGN_IN_S = 10.0


class Sockets:
    """The Socket.IO clients and what each has subscribed to."""

    def __init__(self, clients: Clients, admission: Admission, hub: Hub, states: States, sources: Sources) -> None:
        self._clients = clients
        self._metrics = FiguresFeed("metrics", WINDOWS_S, sources.metrics, clients)
        self._flow = FiguresFeed("flow", FLOW_S, sources.flow, clients)
        self._alerts = AlertsFeed(clients, hub)
        self._admission = admission
        self._hub = hub
        self._states = states
        self._members: dict[str, Member] = {}
        self._subscriptions: dict[str, set[str]] = {}
        self._rooms: dict[str, Room] = {}
        spawn_vital(self._drop_strangers)

    def connect(self, sid: str, credentials: Credentials) -> None:
        """Let a client in. Raises: Refusal; StoreUnavailable."""
        self._members[sid] = self._admission.enter(credentials, partial(self._clients.disconnect, sid))
        self._subscriptions[sid] = set()

    def disconnect(self, sid: str) -> None:
        """Forget a client."""
        member = self._members.pop(sid, None)
        if member is not None:
            self._admission.leave(member)
        for feed in (self._metrics, self._flow, self._alerts):
            feed.unsubscribe(sid)
        for run_id in list(self._subscriptions.get(sid, ())):
            self._end(sid, run_id)
        self._subscriptions.pop(sid, None)

    def subscribe(self, sid: str, data: Any) -> JsonObject:
        """Begin to send a run's events; a second subscription to the same run replaces the first.

        Raises: Refusal; StoreUnavailable.
        """
        asked = data if isinstance(data, dict) else {}
        run_id = parameters.workflow_id(asked.get("workflow_id"))
        after = parameters.position(asked.get("after"))
        self._check(sid)
        self._states.check_exists(run_id)
        self._check(sid)
        mine = self._subscriptions[sid]
        if run_id not in mine and len(mine) >= SUBSCRIPTIONS:
            raise Refusal(
                429,
                "too_many_subscriptions",
                f"this connection has {SUBSCRIPTIONS} subscriptions",
                mend="send unsubscribe_workflow for runs that are not shown any more",
            )
        self._end(sid, run_id)
        with self._hub.watch(run_id) as channel:
            if channel.head is None:
                channel.changed.wait(FIND_STREAM_S)
            position = channel.head
            truncated = self._is_lost(run_id, after, position)
            self._check(sid)
            mine.add(run_id)
            self._room(run_id).join(sid, position if after is None else after)
        place = str(position) if position is not None else None
        return {"success": True, "workflow_id": run_id, "position": place, "truncated": truncated}

    def unsubscribe(self, sid: str, data: Any) -> JsonObject:
        """Send a run's events no more. Raises: Refusal."""
        asked = data if isinstance(data, dict) else {}
        run_id = parameters.workflow_id(asked.get("workflow_id"))
        self._end(sid, run_id)
        return {"success": True, "workflow_id": run_id}

    def subscribe_metrics(self, sid: str, data: Any) -> JsonObject:
        """Begin to send figures of a window, now and every few seconds. Raises: Refusal; StoreUnavailable."""
        asked = data if isinstance(data, dict) else {}
        window = window_of(asked.get("window"))
        self._check(sid)
        self._metrics.subscribe(sid, window)
        return {"success": True, "window": window}

    def unsubscribe_metrics(self, sid: str, data: Any) -> JsonObject:
        """Send no figures any more."""
        del data
        self._metrics.unsubscribe(sid)
        return {"success": True}

    def subscribe_flow(self, sid: str, data: Any) -> JsonObject:
        """Begin to send what holds steps back, now and every few seconds. Raises: Refusal; StoreUnavailable."""
        del data
        self._check(sid)
        self._flow.subscribe(sid, FLOW)
        return {"success": True}

    def unsubscribe_flow(self, sid: str, data: Any) -> JsonObject:
        """Send it no more."""
        del data
        self._flow.unsubscribe(sid)
        return {"success": True}

    def subscribe_alerts(self, sid: str, data: Any) -> JsonObject:
        """Begin to tell of alerts that change; a second subscription replaces the first.

        Raises: Refusal; StoreUnavailable.
        """
        asked = data if isinstance(data, dict) else {}
        after = parameters.position(asked.get("after"))
        self._check(sid)
        return self._alerts.subscribe(sid, after, partial(self._check, sid))

    def unsubscribe_alerts(self, sid: str, data: Any) -> JsonObject:
        """Tell of them no more."""
        del data
        self._alerts.unsubscribe(sid)
        return {"success": True}

    def figures(self) -> dict[str, int]:
        """How many clients, subscriptions, clients behind; and since the start who fell behind or was dropped."""
        return {
            "sockets": len(self._members),
            "subscriptions": sum(map(len, self._subscriptions.values())),
            "behind": sum(room.behind for room in self._rooms.values()) + self._alerts.behind,
            "fell_behind": self._clients.fell_behind,
            "dropped": self._clients.dropped,
        }

    def _check(self, sid: str) -> None:
        """Raises: Refusal when the client is gone, or its credentials are; StoreUnavailable."""
        member = self._members.get(sid)
        if member is not None:
            self._admission.check(member)  # this may take a while, and the client leave meanwhile
        if sid not in self._members:
            raise Refusal(410, "disconnected", "the connection was closed")

    def _is_lost(self, run_id: str, after: Position | None, head: Position | None) -> bool:
        if after is None or after == head:
            return False
        try:
            return self._hub.read(run_id, after, 1).truncated
        except StreamUnavailable:
            return False  # the subscription finds out, and says so

    def _room(self, run_id: str) -> Room:
        room = self._rooms.get(run_id)
        if room is None:
            room = self._rooms[run_id] = Room(run_id, self._clients, self._hub, self._states)
        return room

    def _end(self, sid: str, run_id: str) -> None:
        mine = self._subscriptions.get(sid, set())
        if run_id not in mine:
            return
        mine.remove(run_id)
        room = self._rooms.get(run_id)
        if room is not None:
            room.leave(sid)
            if not room.members:
                del self._rooms[run_id]
                room.stop()

    def _drop_strangers(self) -> None:
        known_since: dict[str, float] = {}
        while True:
            gevent.sleep(SIGN_IN_S / 2)
            self._clients.drop_strangers(known_since, SIGN_IN_S)


def add_sockets(
    app: Flask, settings: Settings, admission: Admission, hub: Hub, states: States, sources: Sources
) -> Sockets:
    """Serve Socket.IO over WebSocket from this app."""
    socketio: Any = SocketIO(  # type: ignore[call-arg]  # the stubs leave out what goes on to Engine.IO
        app,
        async_mode="gevent",
        # With WebSocket alone any relay can serve any client, without sticky sessions.
        transports=["websocket"],
        # Explicit: without a list Flask-SocketIO would derive the origin from the Host header.
        cors_allowed_origins=sorted(allowed_origins(settings)),
        max_http_buffer_size=MESSAGE_BYTES,
        # One message of a client after the other, in order; a client that asks much waits by itself.
        async_handlers=False,
        manage_session=False,
        ping_interval=20,
        ping_timeout=20,
        cookie=None,
    )
    use_relay_websocket(socketio.server.eio)
    clients = Clients(socketio.server)
    sockets = Sockets(clients, admission, hub, states, sources)
    cookie = session_cookie_name(settings)

    @socketio.on("connect")
    def connect(auth: Any = None) -> None:
        token = auth.get("token") if isinstance(auth, dict) else None
        credentials = Credentials.of(
            authorization=request.headers.get("Authorization"),
            session=request.cookies.get(cookie),
            token=token if isinstance(token, str) else None,
        )
        try:
            sockets.connect(_sid(), credentials)
        except Exception as error:
            problem = problem_of(error)
            raise ConnectionRefusedError(problem["message"], problem) from error

    @socketio.on("disconnect")
    def disconnect(_reason: str | None = None) -> None:
        sockets.disconnect(_sid())

    for event, work in {
        "subscribe_workflow": sockets.subscribe,
        "unsubscribe_workflow": sockets.unsubscribe,
        "subscribe_metrics": sockets.subscribe_metrics,
        "unsubscribe_metrics": sockets.unsubscribe_metrics,
        "subscribe_flow": sockets.subscribe_flow,
        "unsubscribe_flow": sockets.unsubscribe_flow,
        "subscribe_alerts": sockets.subscribe_alerts,
        "unsubscribe_alerts": sockets.unsubscribe_alerts,
    }.items():
        socketio.on_event(event, _answering(work))

    return sockets


def _answering(work: Callable[[str, Any], JsonObject]) -> Callable[..., JsonObject]:
    """Acknowledge a client's event with the answer, or with a problem."""

    def answer(data: Any = None) -> JsonObject:
        try:
            return work(_sid(), data)
        except Exception as error:
            return problem_of(error)

    return answer


def _sid() -> str:
    sid: str = request.sid  # type: ignore[attr-defined]  # set by Flask-SocketIO
    return sid
