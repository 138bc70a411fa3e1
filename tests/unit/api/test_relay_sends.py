from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest
from gevent import socket

from api.relay.websocket import WholeSends

LARGE = bytes(range(256)) * 40_000


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def read(end: socket.socket, size: int) -> bytes:
    found = b""
    with gevent.Timeout(10):
        while len(found) < size:
            found += end.recv(1 << 20)
    return found


def test_what_fits_goes_at_once(pair):
    ours, theirs = pair
    assert WholeSends(ours).send_now(b"message") == 7
    assert read(theirs, 7) == b"message"


def test_the_rest_of_a_message_goes_before_whatever_is_sent_next(pair):
    ours, theirs = pair
    sends = WholeSends(ours)
    sent = sends.send_now(LARGE)
    assert 0 < sent < len(LARGE)
    read_before = theirs.recv(1 << 17)  # there is room again
    assert sends.send_now(b"later") == 0
    sending = gevent.spawn(sends.send, b"next")
    assert read_before + read(theirs, len(LARGE) + 4 - len(read_before)) == LARGE + b"next"
    sending.get(timeout=10)
    assert sends.send_now(b"later") == 5


def test_nothing_goes_into_the_middle_of_what_another_sends(pair):
    ours, theirs = pair
    sends = WholeSends(ours)
    sending = gevent.spawn(sends.send, LARGE)
    gevent.sleep(0)  # it has begun, and waits for the reader
    read_before = theirs.recv(1 << 17)  # there is room again, and it has not noticed yet
    assert sends.send_now(b"x") == 0
    assert read_before + read(theirs, len(LARGE) - len(read_before)) == LARGE
    sending.get(timeout=10)


def test_a_client_that_is_gone_is_sent_nothing(pair):
    ours, theirs = pair
    sends = WholeSends(ours)
    theirs.close()
    assert sends.send_now(b"x") == 0
    ours.close()
    assert sends.send_now(b"x") == 0
