"""The WebSocket under Socket.IO, with five things put right for many clients and slow ones."""

from __future__ import annotations

import os
from typing import Any

from engineio.async_drivers import gevent as engineio_gevent
from gevent import socket as gevent_socket
from gevent.lock import BoundedSemaphore

from api.relay.frames import Frames, text_frame

# Longer than Engine.IO waits for the answer to a ping: a client that takes nothing for so long is gone.
SILENT_S = 60


class WholeSends:
    """A socket whose `send` sends everything, one message at a time.

    simple-websocket calls `send` once for a frame. Under gevent that may take only a part of it when the client is
    slow, and the next frame would begin in the middle of the last.
    Source: https://github.com/miguelgrinberg/simple-websocket/issues/45
    """

    def __init__(self, socket: Any) -> None:
        socket.settimeout(SILENT_S)
        self._socket = socket
        self._lock = BoundedSemaphore()
        # What `send_now` could not send of a message; nothing else may go before it.
        self._rest = b""
        # What TLS sends does not go to the file descriptor as it is.
        self._is_plain = type(socket) is gevent_socket.socket

    def send(self, data: bytes) -> int:
        """Send all of `data`, after what others began to send."""
        with self._lock:
            if self._rest:
                self._socket.sendall(self._rest)
                self._rest = b""
            # Nearly always all of it goes at once; `sendall` would first ask for the size of the buffer, each time.
            sent = self._socket.send(data) if data else 0
            if sent < len(data):
                self._socket.sendall(memoryview(data)[sent:])
        return len(data)

    def send_now(self, data: bytes) -> int:
        """Send what goes without waiting and say how much it was; the next `send` begins with the rest.

        Either something is sent or nothing is kept: 0 when others are sending, or nothing goes.
        """
        if self._rest or not self._is_plain or self._lock.locked():
            return 0
        try:
            sent = os.write(self._socket.fileno(), data)
        except OSError:  # the buffer is full, or the client is gone, which the next `send` finds out
            return 0
        if 0 < sent < len(data):
            self._rest = data[sent:]
        return sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


class RelayWebSocket(engineio_gevent.WebSocketWSGI):  # type: ignore[misc]  # engineio has no types
    """Sends frames whole, refuses long messages before they are in memory, and does not compress.

    Compression would keep a few hundred kilobytes for each client, to save little on events of a few hundred bytes.
    """

    def __init__(self, handler: Any, server: Any) -> None:
        super().__init__(handler, server)
        self.server_args["max_message_size"] = server.max_http_buffer_size
        # The handler is a method of the client's Engine.IO socket, by which `Clients` finds this.
        handler.__self__.relay_websocket = self

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
        environ["gunicorn.socket"] = WholeSends(environ["gunicorn.socket"])
        return super().__call__(environ, start_response)

    def send(self, message: Any) -> Any:
        """Send a message; frames go out as they are, because making them anew for each client costs most of all."""
        if isinstance(message, bytes) and not isinstance(message, Frames):
            return super().send(message)
        if not self.ws.connected:
            raise OSError("the client is gone")
        return self.ws.sock.send(message if isinstance(message, Frames) else text_frame(message.encode()))

    def send_now(self, frames: Frames) -> int:
        """Send what of these frames goes without waiting, and say how many bytes; `send` sends the rest."""
        return int(self.ws.sock.send_now(frames)) if self.ws.connected else 0


def use_relay_websocket(engineio_server: Any) -> None:
    """Let this Engine.IO server make its WebSockets of the class above."""
    engineio_server._async = engineio_server._async | {"websocket": RelayWebSocket}
