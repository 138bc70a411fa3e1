"""What a connection carried, as the kernel counted it: the payload of TCP, with what TLS or SSH add to it.

Nothing is counted for other kinds of sockets, nor on a system whose kernel does not tell.

Source: tcp(7), TCP_INFO, and `struct tcp_info` of Linux (include/uapi/linux/tcp.h); `struct tcp_connection_info` of
macOS (bsd/netinet/tcp.h).
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from orchestration.actions.context import ActionContext


class Carried(NamedTuple):
    """Bytes that went out, those that had to be sent again among them, and bytes that came in."""

    sent: int
    received: int


@dataclass(frozen=True)
class _Layout:
    """The option that asks the kernel, and where the two counts lie in what it answers."""

    option: int
    sent_at: int
    received_at: int


_LAYOUTS = {
    "linux": _Layout(option=11, sent_at=200, received_at=128),
    "darwin": _Layout(option=0x106, sent_at=64, received_at=88),
}
_MOST = 512


def carried_by(opened: socket.socket) -> Carried | None:
    """What an open connection has carried so far; None where the system does not tell."""
    layout = _LAYOUTS.get(sys.platform)
    if layout is None:
        return None
    try:
        # On the plain socket: a TLS socket may be in use by another thread.
        found = socket.socket.getsockopt(opened, socket.IPPROTO_TCP, layout.option, _MOST)
        return Carried(_number(found, layout.sent_at), _number(found, layout.received_at))
    except (OSError, struct.error):
        # Not TCP, closed by now, or a kernel from before it counted (Linux 4.19).
        return None


class Tap:
    """A second handle on a connection, so that it can be counted after whoever used it has closed it.

    The connection ends when both are closed: call `count` as soon as it is not needed any more. Any thread may.
    """

    def __init__(self, opened: socket.socket) -> None:
        self._lock = threading.Lock()
        self._handle: socket.socket | None = None
        if sys.platform in _LAYOUTS:
            try:
                self._handle = socket.socket(fileno=os.dup(opened.fileno()))
            except OSError:
                return  # it is closed already, or there are too many files: not worth failing for

    def count(self) -> Carried | None:
        """What it carried, once; None after that, and where it is not known. Lets go of the connection."""
        with self._lock:
            handle, self._handle = self._handle, None
        if handle is None:
            return None
        with handle:
            return carried_by(handle)


@contextmanager
def counted(ctx: ActionContext, opened: socket.socket) -> Iterator[None]:
    """Count what a connection carries for the time of the block, also when that closes it.

    What it carried before is counted with it: enter the block right after connecting.
    """
    tap = Tap(opened)
    try:
        yield
    finally:
        count(ctx, tap)


def count(ctx: ActionContext, tap: Tap) -> None:
    """Add what a connection carried to what the attempt used."""
    if (carried := tap.count()) is not None:
        ctx.count_network(sent=carried.sent, received=carried.received)


def _number(found: bytes, at: int) -> int:
    value: int = struct.unpack_from("=Q", found, at)[0]
    return value
