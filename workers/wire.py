"""What a worker's processes and its keeper say to each other: lines of JSON over a private socket."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

Message = dict[str, Any]

# Kept, since `json.dumps` makes a new encoder for each call that wants anything but the defaults.
_encode = json.JSONEncoder(separators=(",", ":")).encode


def encode(message: Message) -> bytes:
    """One line."""
    return _encode(message).encode() + b"\n"


class LineBuffer:
    """Cuts a stream into messages."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that `data` completes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield json.loads(line)


def connect(path: str) -> socket.socket:
    """A connection to the keeper's socket. Raises: OSError when there is no keeper."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(path)
    return connection
