"""The connected Socket.IO clients, as the relay sends to them."""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic
from typing import Any

import gevent
from engineio.packet import MESSAGE
from engineio.packet import Packet as EnginePacket
from socketio.packet import EVENT

# A client with this many packets unsent is behind: it gets no more until it has taken them. One holds up to 128 KiB.
PACKETS_BEHIND = 20


class Frames(bytes):
    """WebSocket frames as they go over the wire; a server's are the same for every client."""


def event_frames(event: str, texts: Iterable[str]) -> Frames:
    """The frames of events with these data, given as JSON text."""
    return Frames(b"".join(_frame(f'{MESSAGE}{EVENT}["{event}",{text}]'.encode()) for text in texts))


def _frame(message: bytes) -> bytes:
    """A whole text message (RFC 6455, 5.2)."""
    size = len(message)
    if size < 126:
        return b"\x81" + bytes((size,)) + message
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + message
    return b"\x81\x7f" + size.to_bytes(8, "big") + message


class Clients:
    """Sends events, each encoded once however many clients get it."""

    def __init__(self, server: Any) -> None:
        self._server = server

    def send(self, event: str, text: str, sids: Iterable[str]) -> None:
        """Queue an event, its data given as JSON text. Clients that are gone get nothing."""
        self.send_frames(event_frames(event, (text,)), sids)

    def send_frames(self, frames: Frames, sids: Iterable[str]) -> None:
        """Queue frames, to be sent in one piece. Clients that are gone get nothing."""
        packet = EnginePacket(MESSAGE)
        # What Engine.IO hands to the WebSocket, see `RelayWebSocket.send`.
        packet.encode_cache = frames
        for sid in sids:
            socket = self._socket(sid)
            if socket is not None and not socket.closed:
                socket.send(packet)

    def keeps_up(self, sid: str) -> bool:
        """Whether a client takes what it is sent."""
        socket = self._socket(sid)
        return socket is not None and bool(socket.queue.qsize() < PACKETS_BEHIND)

    def is_connected(self, sid: str) -> bool:
        """Whether the client is there."""
        return self._socket(sid) is not None

    def disconnect(self, sid: str) -> None:
        """End a client's connection, without waiting for the client."""
        gevent.spawn(self._disconnect, sid)

    def drop_strangers(self, known_since: dict[str, float], longest_s: float) -> None:
        """End connections that have not signed in after `longest_s`; `known_since` is kept between calls."""
        now = monotonic()
        strangers = [sid for sid in self._server.eio.sockets if self._server.manager.sid_from_eio_sid(sid, "/") is None]
        for gone in known_since.keys() - set(strangers):
            del known_since[gone]
        for engine_sid in strangers:
            if now - known_since.setdefault(engine_sid, now) > longest_s:
                gevent.spawn(self._server.eio.disconnect, engine_sid)

    def _disconnect(self, sid: str) -> None:
        engine_sid = self._server.manager.eio_sid_from_sid(sid, "/")
        self._server.disconnect(sid)
        if engine_sid is not None:
            self._server.eio.disconnect(engine_sid)

    def _socket(self, sid: str) -> Any:
        engine_sid = self._server.manager.eio_sid_from_sid(sid, "/")
        return self._server.eio.sockets.get(engine_sid)
