"""Whether Flower can be reached from this host."""

from __future__ import annotations

import socket

TIMEOUT_S = 0.2


def flower_port(port: int) -> int | None:
    """The port, when something listens there on this host's loopback; it answers or refuses at once."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S):
            return port
    except OSError:
        return None
