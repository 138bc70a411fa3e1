"""An HTTP session that connects only to addresses it is given, and that can be cut off from another thread."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager

from orchestration.actions.context import ActionContext
from orchestration.actions.network import Tap, count


class Wire:
    """The open sockets of one request. `cut` makes a read or write that blocks on one of them fail at once."""

    def __init__(self) -> None:
        # Re-entrant: a stop may arrive as a signal, on the thread that holds it.
        self._lock = threading.RLock()
        self._sockets: list[socket.socket] = []
        self._taps: list[Tap] = []
        self.is_cut = False

    def add(self, opened: socket.socket) -> None:
        """Remember a socket; cut it if the wire was cut before."""
        with self._lock:
            self._sockets.append(opened)
            self._taps.append(Tap(opened))
            if self.is_cut:
                _shut(opened)

    def cut(self) -> None:
        """Shut all sockets down, from any thread."""
        with self._lock:
            self.is_cut = True
            for opened in self._sockets:
                _shut(opened)

    def count(self, ctx: ActionContext) -> None:
        """Add what the sockets carried to what the attempt used. At the end: their connections end with it."""
        with self._lock:
            taps, self._taps = self._taps, []
        for tap in taps:
            count(ctx, tap)


class PinnedAdapter(HTTPAdapter):
    """Connects to `address` whatever the host's name resolves to; the name still goes into the TLS handshake.

    The certificate is checked against the name. The caller sets the Host header, which urllib3 would take from the
    address.
    """

    def __init__(self, address: str, wire: Wire) -> None:
        self._address = address
        self._wire = wire
        super().__init__(max_retries=0, pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make pools whose connections report their sockets."""
        super().init_poolmanager(*args, **kwargs)
        _report_sockets(self.poolmanager, self._wire)

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        """The same for connections through a proxy."""
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        _report_sockets(manager, self._wire)
        return manager

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        """The pool to use: that of the checked address, with the host's name for TLS."""
        where: Any
        how: Any
        where, how = super().build_connection_pool_key_attributes(request, verify, cert)
        where["host"] = self._address
        name = urlsplit(str(request.url)).hostname or ""
        if where["scheme"] == "https" and not _is_address(name):
            how["server_hostname"] = how["assert_hostname"] = name
        return where, how


def _report_sockets(manager: PoolManager, wire: Wire) -> None:
    class Connection(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            wire.add(self.sock)

    class SecureConnection(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            wire.add(self.sock)

    class Pool(HTTPConnectionPool):
        ConnectionCls = Connection

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = SecureConnection

    manager.pool_classes_by_scheme = {"http": Pool, "https": SecurePool}


def _shut(opened: socket.socket) -> None:
    try:
        # On the plain socket: the TLS layer of another thread must not be touched, only its reads ended.
        socket.socket.shutdown(opened, socket.SHUT_RDWR)
    except OSError:
        return


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class Watch:
    """Cuts the wire when the time is over or the attempt is cancelled; a context manager."""

    def __init__(self, wire: Wire, seconds: float, remember: Callable[[Callable[[], None]], None]) -> None:
        self._wire = wire
        self._timer = threading.Timer(seconds, self._time_over)
        self._timer.daemon = True
        self.timed_out = False
        remember(wire.cut)

    def _time_over(self) -> None:
        self.timed_out = True
        self._wire.cut()

    def __enter__(self) -> Watch:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
