"""Free ports on loopback, and who holds a port that is not free."""

from __future__ import annotations

import secrets
import socket

import psutil

LOOPBACK = "127.0.0.1"
PORTS = range(15_000, 32_000)
TRIES = 50


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """True when a server could listen on the port now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(host: str = LOOPBACK) -> int:
    """A port that was free a moment ago, of those that systems do not give to outgoing connections.

    One of these might be taken by any connection before a server listens there. Source: ip(7), `ip_local_port_range`;
    RFC 6335, section 6.
    """
    for _ in range(TRIES):
        port = secrets.choice(PORTS)
        if is_free(port, host):
            return port
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def free_port_pair(host: str = LOOPBACK) -> int:
    """A port P such that P and P + 1 were free a moment ago (the web's, and the relay's next to it)."""
    while True:
        port = free_port(host)
        if port < 65535 and is_free(port + 1, host):
            return port


def port_holder(port: int) -> str:
    """Who listens on the port, as `name (pid N)`; "another process" when that may not be known."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            listening = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
            if listening and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:  # macOS tells this to root only
        pass
    return "another process"
