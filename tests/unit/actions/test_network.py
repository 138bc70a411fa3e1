"""What the kernel counts on a connection, with real sockets on loopback."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator

import pytest

from orchestration.actions.network import Tap, carried_by, counted
from orchestration.actions.testing import Recorder, make_context

pytestmark = pytest.mark.skipif(sys.platform not in ("linux", "darwin"), reason="the kernel does not tell")
# The kernel may count the end of a stream as one byte, as the protocol does.
ENDS = 1


@pytest.fixture
def link() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname(), timeout=10)
        theirs, _ = server.accept()
        theirs.settimeout(10)
    with ours, theirs:
        yield ours, theirs


def talk(ours: socket.socket, theirs: socket.socket, *, out: int, back: int) -> None:
    """Send so many bytes in each direction, and see them arrive."""
    for sender, receiver, size in ((ours, theirs, out), (theirs, ours, back)):
        sending = threading.Thread(target=sender.sendall, args=(b"x" * size,))
        sending.start()
        left = size
        while left:
            left -= len(receiver.recv(min(left, 65536)))
        sending.join()


def test_both_directions_are_counted_to_the_byte(link: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = link
    assert carried_by(ours) == (0, 0)
    talk(ours, theirs, out=300_000, back=7)
    found = carried_by(ours)
    assert found is not None
    assert found.sent >= 300_000  # more where something had to be sent again
    assert found.sent < 600_000
    assert found.received == 7
    assert carried_by(theirs) == (7, 300_000)


def test_a_connection_is_counted_after_it_was_closed_and_only_once(link: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = link
    tap = Tap(ours)
    talk(ours, theirs, out=1000, back=2000)
    ours.close()
    found = tap.count()
    assert found is not None
    assert (found.sent, found.received) == (1000, 2000)
    assert theirs.recv(1) == b""  # it has let go, so that the other side sees the end
    assert tap.count() is None


def test_a_block_counts_for_the_attempt_also_when_it_fails(link: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = link
    recorder = Recorder()

    def break_off() -> None:
        with counted(make_context(recorder), ours):
            talk(ours, theirs, out=10, back=20)
            theirs.close()
            ours.close()
            raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        break_off()
    ((sent, received),) = recorder.network
    assert sent == 10
    assert 20 <= received <= 20 + ENDS


def test_what_is_no_connection_over_the_network_counts_nothing() -> None:
    one, other = socket.socketpair()
    recorder = Recorder()
    with one, other, counted(make_context(recorder), one):
        one.sendall(b"x")
    assert recorder.network == []
    assert carried_by(one) is None
    with counted(make_context(recorder), one):
        pass
    assert recorder.network == []
