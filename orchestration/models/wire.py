"""The connections of providers: kept for the next request, cut from any thread, and ended by a deadline that moves.

`httpcore2` holds the pool and speaks HTTP; here are the sockets below it. Imported by the first request only.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore2
import httpx2
from httpcore2 import SOCKET_OPTION, ConnectError, ConnectTimeout, NetworkBackend, NetworkStream, ReadError, ReadTimeout

KEPT_CONNECTIONS = 100
KEPT_S = 30.0
CUT_LOOK_S = 0.05

# What goes out: nothing that the client adds of itself, about this machine or from variables meant for one provider.
SENT_HEADERS = frozenset(
    b"host connection user-agent authorization accept accept-encoding content-type content-length".split()
)

_current = threading.local()


class Wire:
    """What one request goes over. `reused`: the connection served another request before."""

    def __init__(self) -> None:
        # Re-entrant: a stop may arrive as a signal, on the thread that holds it.
        self._lock = threading.RLock()
        self._socket: socket.socket | None = None
        self._ends_at = float("inf")
        self.is_cut = False
        self.reused = False
        self.deadline = float("inf")

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Requests of this thread go over this wire."""
        _current.wire = self
        try:
            yield
        finally:
            _current.wire = None

    def end_within(self, seconds: float | None) -> None:
        """The latest end of the request, whatever the deadlines set later say."""
        self._ends_at = float("inf") if seconds is None else time.monotonic() + seconds

    def expect_within(self, seconds: float) -> None:
        """From now on wait so long for more."""
        self.deadline = min(time.monotonic() + seconds, self._ends_at)

    @property
    def is_over(self) -> bool:
        """Whether the latest end has come."""
        return time.monotonic() >= self._ends_at

    def take(self, taken: socket.socket) -> None:
        """Remember the socket; shut it if the wire was cut before."""
        with self._lock:
            self._socket = taken
            if self.is_cut:
                _shut(taken)

    def let_go(self) -> None:
        """The socket is no longer this request's: a cut must not hit the next one's."""
        with self._lock:
            self._socket = None

    def cut(self) -> None:
        """End the request at once, from any thread: what reads or writes fails."""
        with self._lock:
            self.is_cut = True
            if self._socket is not None:
                _shut(self._socket)

    def left_s(self, at_most: float | None = None) -> float:
        """Seconds until the deadline, above zero: zero would mean not to wait at all."""
        left = max(self.deadline - time.monotonic(), 0.001)
        return left if at_most is None else min(left, at_most)


class Transport(httpx2.BaseTransport):
    """A pool of connections for one provider; each request goes over the wire of its thread."""

    def __init__(self) -> None:
        self._pool = httpcore2.ConnectionPool(
            ssl_context=httpx2.create_ssl_context(),
            max_connections=None,
            max_keepalive_connections=KEPT_CONNECTIONS,
            keepalive_expiry=KEPT_S,
            network_backend=_Backend(),
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send, and answer with a body that is read as it comes. Raises: what httpcore2 raises."""
        url = request.url
        target = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        sent = httpcore2.Request(
            request.method,
            target,
            headers=[header for header in request.headers.raw if header[0].lower() in SENT_HEADERS],
            content=request.stream,
            extensions=request.extensions,
        )
        answer = self._pool.handle_request(sent)
        return httpx2.Response(
            answer.status, headers=answer.headers, stream=_Body(answer.stream), extensions=answer.extensions
        )

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


class _Body(httpx2.SyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._stream)

    def close(self) -> None:
        self._stream.close()


class _Backend(NetworkBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> NetworkStream:
        wire: Wire = _current.wire
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise ConnectError(f"the name cannot be resolved: {error.strerror}") from None
        until = time.monotonic() + wire.left_s(timeout)
        for left, (family, kind, protocol, _, address) in zip(
            range(len(addresses) - 1, -1, -1), addresses, strict=True
        ):
            connection = socket.socket(family, kind, protocol)
            try:
                _connect(connection, address, wire, until)
            except (OSError, ConnectTimeout) as error:
                connection.close()
                if not left or wire.is_cut or isinstance(error, ConnectTimeout):
                    raise error if isinstance(error, ConnectTimeout) else ConnectError(error.strerror) from None
            else:
                return _Stream(connection, wire)
        raise ConnectError("the name has no address")


def _connect(connection: socket.socket, address: Any, wire: Wire, until: float) -> None:
    """Connect, looking every now and then whether the wire was cut meanwhile."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setblocking(False)
    connection.connect_ex(address)
    while not select.select((), (connection,), (), CUT_LOOK_S)[1]:
        if wire.is_cut:
            raise ConnectError("cut")
        if time.monotonic() > until:
            raise ConnectTimeout("no connection in time")
    failure = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if failure:
        raise OSError(failure, os.strerror(failure))


class _Stream(NetworkStream):
    """A connection. Who writes to it holds it, until its answer was read."""

    def __init__(self, connection: socket.socket, wire: Wire) -> None:
        self._socket = connection
        self._wire = wire
        self._answered = False
        self._limit_s = 0.0
        wire.take(connection)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            # Setting a limit is a system call, which gives the interpreter away to 200 other threads: so it is set for
            # many reads, which may then wait a tenth longer.
            left_s = self._wire.left_s()
            if not left_s <= self._limit_s <= left_s * 1.1:
                self._limit_s = left_s * 1.05
                self._socket.settimeout(self._limit_s)
            data = self._socket.recv(max_bytes)
        except TimeoutError as error:
            raise ReadTimeout(str(error)) from None
        except OSError as error:
            raise ReadError(str(error)) from None
        self._answered = True
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        wire: Wire = _current.wire
        if wire is not self._wire:
            self._wire = wire
            wire.take(self._socket)
            wire.reused = self._answered
        try:
            self._limit_s = wire.left_s()
            self._socket.settimeout(self._limit_s)
            self._socket.sendall(buffer)
        except TimeoutError as error:
            raise httpcore2.WriteTimeout(str(error)) from None
        except OSError as error:
            raise httpcore2.WriteError(str(error)) from None

    def close(self) -> None:
        self._wire.let_go()
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> NetworkStream:
        # Wrapping moves the descriptor to another object, in the midst of which it could not be cut; a copy can.
        copy = self._socket.dup()
        self._wire.take(copy)
        try:
            self._socket.settimeout(self._wire.left_s(timeout))
            return _Stream(ssl_context.wrap_socket(self._socket, server_hostname=server_hostname), self._wire)
        except TimeoutError as error:
            self.close()
            raise ConnectTimeout(str(error)) from None
        except OSError as error:  # an ssl.SSLError is one
            self.close()
            raise ConnectError(str(error)) from None
        finally:
            copy.close()

    def get_extra_info(self, info: str) -> Any:
        match info:
            case "socket":
                return self._socket
            case "is_readable":
                return _readable(self._socket)
            case "ssl_object":
                return self._socket if isinstance(self._socket, ssl.SSLSocket) else None
        return None


def _readable(connection: socket.socket) -> bool:
    """Whether something came on an idle connection: its end, as nothing else can come."""
    if connection.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def _shut(connection: socket.socket) -> None:
    try:
        # On the plain socket: the TLS layer of another thread must not be touched, only its reads ended.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
    except OSError:
        return
