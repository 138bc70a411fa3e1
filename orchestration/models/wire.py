"""The connections of providers: kept for the next request, cut from any thread, and ended by a deadline that moves.

`httpcore2` holds the pool and speaks HTTP; here are the sockets below it, and the bodies: an answer comes in hundreds
of chunks, which would cost more to be taken apart by `h11` than to be understood. Imported by the first request only.
"""

from __future__ import annotations

import _socket
import errno
import os
import re
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlsplit

import httpcore2
from httpcore2 import (
    SOCKET_OPTION,
    ConnectError,
    ConnectTimeout,
    NetworkBackend,
    NetworkStream,
    ReadError,
    ReadTimeout,
    RemoteProtocolError,
)

from orchestration.models.chunks import BadChunk, ChunkReader

KEPT_CONNECTIONS = 100
KEPT_S = 30.0
CUT_LOOK_S = 0.05
READ_BYTES = 16 * 1024
LAST_CHUNK = b"0\r\n\r\n"
_HEAD_END = re.compile(rb"\n\r?\n")

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


class Connections:
    """A pool of connections to one provider; each request goes over the wire of its thread."""

    def __init__(self, base_url: str, connect_s: float) -> None:
        """`connect_s`: seconds until a connection stands."""
        parts = urlsplit(base_url)
        host = parts.hostname or ""
        address = host.encode() if host.isascii() else host.encode("idna")
        self._origin = parts.scheme.encode(), address, parts.port
        self._path = quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=~")
        name = b"[%s]" % address if b":" in address else address
        self._named = name if parts.port is None else b"%s:%d" % (name, parts.port)
        self._connect_s = connect_s
        self._pool = httpcore2.ConnectionPool(
            ssl_context=httpcore2.default_ssl_context(),
            max_connections=None,
            max_keepalive_connections=KEPT_CONNECTIONS,
            keepalive_expiry=KEPT_S,
            network_backend=_Backend(),
        )

    def post(self, path: str, body: bytes, authorization: str) -> Answer:
        """Send a JSON document, and answer when the head of what comes has come. Raises: what httpcore2 raises."""
        scheme, host, port = self._origin
        headers = [
            (b"Host", self._named),
            (b"User-Agent", b"perdure"),
            (b"Accept", b"text/event-stream, application/json"),
            (b"Accept-Encoding", b"identity"),  # each piece is to be read as it comes
            (b"Content-Type", b"application/json"),
            (b"Content-Length", b"%d" % len(body)),
        ]
        if authorization:
            headers.append((b"Authorization", authorization.encode()))
        url = httpcore2.URL(scheme=scheme, host=host, port=port, target=(self._path + path).encode())
        limits = {"timeout": {"connect": self._connect_s}}
        request = httpcore2.Request(b"POST", url, headers=headers, content=body, extensions=limits)
        answer = self._pool.handle_request(request)
        if answer.status == 101:
            answer.close()
            raise RemoteProtocolError("it changes to a protocol that nobody asked for")
        return Answer(answer)

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


class Answer:
    """What a provider answers. `headers`: by their names in lower case; of several with one name the last."""

    def __init__(self, answer: httpcore2.Response) -> None:
        self.status = answer.status
        self.headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
        self._answer = answer
        connection = answer.extensions["network_stream"]
        assert isinstance(connection, _Stream)
        self._connection = connection
        connection.end_head()
        codings = [value.strip().lower() for name, value in answer.headers if name.lower() == b"transfer-encoding"]
        self._is_chunked = codings == [b"chunked"]

    def pieces(self) -> Iterator[bytes]:
        """The body, as it comes. Raises: what httpcore2 raises."""
        return self._chunks() if self._is_chunked else self._rest()

    def beginning(self, most: int) -> bytes:
        """So much of the body, at least where there is so much. Raises: what httpcore2 raises."""
        found = b""
        for piece in self.pieces():
            found += piece
            if len(found) >= most:
                break
        return found

    def close(self) -> None:
        """Keep the connection if all was read, else close it."""
        self._answer.close()

    def _chunks(self) -> Iterator[bytes]:
        """Read past httpcore2, to which it is told as an empty one once it has ended: so it keeps the connection."""
        reader = ChunkReader()
        while not reader.is_ended:
            came = self._connection.read(READ_BYTES)
            if not came:
                raise RemoteProtocolError("the connection was closed before the body had ended")
            try:
                data = reader.feed(came)
            except BadChunk as error:
                raise RemoteProtocolError(str(error)) from None
            if data:
                yield data
        if not reader.rest:  # what comes unasked would be taken for the next answer: that connection is not kept
            self._connection.put_back(LAST_CHUNK)
            yield from self._rest()

    def _rest(self) -> Iterator[bytes]:
        assert isinstance(self._answer.stream, Iterable)
        yield from self._answer.stream


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
            try:
                connection = socket.socket(family, kind, protocol)
                try:
                    _connect(connection, address, wire, until)
                except BaseException:
                    connection.close()
                    raise
            except OSError as error:
                if not left or wire.is_cut:
                    raise ConnectError(error.strerror) from None
            else:
                return _Stream(connection, wire)
        raise ConnectError("the name has no address")


def _connect(connection: socket.socket, address: Any, wire: Wire, until: float) -> None:
    """Connect, looking every now and then whether the wire was cut meanwhile."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setblocking(False)
    code = connection.connect_ex(address)
    if code not in (0, errno.EINPROGRESS):
        raise OSError(code, os.strerror(code))
    poll = select.poll()
    poll.register(connection, select.POLLOUT)
    while not poll.poll(CUT_LOOK_S * 1000):
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
        # What is to be read before the socket is, and how far a head has come: what follows it is not given with it.
        self._ahead = b""
        self._head: bytes | None = None
        wire.take(connection)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data, self._ahead = self._ahead or self._received(max_bytes), b""
        if self._head is None:
            return data
        known = len(self._head)
        self._head += data
        end = _HEAD_END.search(self._head, max(0, known - 2))
        if end is None:
            return data
        # Another may follow one that only informs.
        self._head, self._ahead = b"", self._head[end.end() :]
        return data[: len(data) - len(self._ahead)]

    def end_head(self) -> None:
        """What comes now is a body."""
        self._head = None

    def put_back(self, data: bytes) -> None:
        """Have this read next."""
        self._ahead = data + self._ahead

    def _received(self, max_bytes: int) -> bytes:
        if self._wire.is_over:  # there may always be something to read
            raise ReadTimeout("the latest end has come")
        try:
            # Setting a limit is a system call, which gives the interpreter away to 200 other threads: so it is set for
            # many reads, which may then wait a tenth longer.
            left_s = self._wire.left_s()
            if not left_s <= self._limit_s <= left_s * 1.1:
                self._limit_s = left_s * 1.05
                _limit(self._socket, self._limit_s)
            data = self._socket.recv(max_bytes)
        except (TimeoutError, BlockingIOError) as error:
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
        self._head = b""
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
        try:
            copy = self._socket.dup()
        except OSError as error:
            self.close()
            raise ConnectError(error.strerror) from None
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


def _limit(connection: socket.socket, seconds: float) -> None:
    """Let reads end with an error after a time."""
    if type(connection) is socket.socket and issubclass(socket.socket, _socket.socket):
        # By the kernel: Python's own limit costs another system call, and another turn at the interpreter, a read.
        connection.settimeout(None)
        whole_s = int(seconds)
        limit = struct.pack("@ll", whole_s, int((seconds - whole_s) * 1e6))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    else:  # with TLS, or where greenlets take the place of threads
        connection.settimeout(seconds)


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
