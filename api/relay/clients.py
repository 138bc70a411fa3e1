"""The connected Socket.IO clients, as the relay sends to them."""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic
from typing import Any

import gevent

from api.relay.frames import Frames, FramesPacket, event_frames

# A client with this many packets unsent is behind: it gets no more until it has taken them. One holds up to 128 KiB.
PACKETS_BEHIND = 20


class Line:
    """The way to one client. What is sent here goes out in order with all else that the client is sent."""

    __slots__ = ("_socket", "_websocket")

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._websocket = socket.relay_websocket

    @property
    def keeps_up(self) -> bool:
        """Whether the client takes what it is sent."""
        return not self._socket.closed and bool(self._socket.queue.qsize() < PACKETS_BEHIND)

    def offer(self, frames: Frames) -> bool:
        """Send frames in one piece; False, and nothing is sent, when the client does not keep up or is gone."""
        if not self.keeps_up:
            return False
        self.send(frames)
        return True

    def send(self, frames: Frames) -> None:
        """Send frames in one piece, whatever else waits. A client that is gone gets nothing."""
        if self._socket.closed:
            return
        queue = self._socket.queue
        if queue.empty():  # else its writer has something to send before, and would send these too
            sent = self._websocket.send_now(frames)
            if sent == len(frames):
                return
            if sent:
                frames = Frames()  # enough to wake the writer, which begins with what is left
        queue.put(FramesPacket(frames))


class Clients:
    """Sends events, each encoded once however many clients get it."""

    def __init__(self, server: Any) -> None:
        self._server = server
        # Since the start: connections that were ended from here, and times a client fell behind.
        self.dropped = 0
        self.fell_behind = 0

    def send(self, event: str, text: str, sids: Iterable[str]) -> None:
        """Send an event, its data given as JSON text. Clients that are gone get nothing."""
        frames = event_frames(event, (text,))
        for sid in sids:
            line = self.line(sid)
            if line is not None:
                line.send(frames)

    def line(self, sid: str) -> Line | None:
        """The way to a client; None when it is gone."""
        socket = self._socket(sid)
        return None if socket is None or socket.closed else Line(socket)

    def keeps_up(self, sid: str) -> bool:
        """Whether a client takes what it is sent."""
        line = self.line(sid)
        return line is not None and line.keeps_up

    def disconnect(self, sid: str) -> None:
        """End a client's connection, without waiting for the client."""
        self.dropped += 1
        gevent.spawn(self._disconnect, sid)

    def drop_strangers(self, known_since: dict[str, float], longest_s: float) -> None:
        """End connections that have not signed in after `longest_s`; `known_since` is kept between calls."""
        now = monotonic()
        strangers = [sid for sid in self._server.eio.sockets if self._server.manager.sid_from_eio_sid(sid, "/") is None]
        for gone in known_since.keys() - set(strangers):
            del known_since[gone]
        for engine_sid in strangers:
            if now - known_since.setdefault(engine_sid, now) > longest_s:
                self.dropped += 1
                gevent.spawn(self._server.eio.disconnect, engine_sid)

    def _disconnect(self, sid: str) -> None:
        engine_sid = self._server.manager.eio_sid_from_sid(sid, "/")
        self._server.disconnect(sid)
        if engine_sid is not None:
            self._server.eio.disconnect(engine_sid)

    def _socket(self, sid: str) -> Any:
        engine_sid = self._server.manager.eio_sid_from_sid(sid, "/")
        return self._server.eio.sockets.get(engine_sid)
