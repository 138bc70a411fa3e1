from __future__ import annotations

import socket
from contextlib import closing

import pytest

from api.relay.frames import event_frames, text_frame
from bench.relay_clients import Client


def client_of(end: socket.socket) -> Client:
    """A client as it is after its handshake."""
    client = Client.__new__(Client)
    client.run_id, client.subscribed = "r", False
    client.socket, client._token, client._data = end, "t", b""
    return client


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 10**6])
def test_every_event_is_counted_once_however_its_bytes_come(size: int) -> None:
    events = [f'{{"text":"at={number} {"x" * length}"}}' for number, length in enumerate((0, 70, 200, 70_000, 5))]
    sent = event_frames("workflow_event", events[:3]) + text_frame(b"2") + event_frames("workflow_event", events[3:])
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        client, stamps = client_of(ours), []
        for begin in range(0, len(sent), size):
            piece = sent[begin : begin + size]
            while piece:
                piece = piece[theirs.send(piece) :]
                stamps += client.receive()
        while len(stamps) < len(events):
            stamps += client.receive()
        assert stamps == [0, 1, 2, 3, 4]
        assert theirs.recv(100) == bytes([0x81, 0x81, 0, 0, 0, 0]) + b"3"  # the ping was answered
