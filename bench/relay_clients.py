"""Clients of the relay in a process of their own: `python -m bench.relay_clients`, a job as JSON on stdin.

Each holds one WebSocket and speaks just enough of Socket.IO to watch a run. Says `ready` when all are subscribed, and
its figures as JSON at the end. Events carry the time they were published at, on the clock that all processes share.
"""

from __future__ import annotations

import base64
import json
import os
import re
import selectors
import socket
import struct
import sys
import time
from dataclasses import asdict, dataclass, field

STAMP = re.compile(rb"at=([0-9]+)")
EVENT = b'42["workflow_event"'
CONNECTING_AT_ONCE = 50


@dataclass(frozen=True)
class Watch:
    """Clients that watch, spread evenly over the runs, for some seconds once all are there."""

    port: int
    token: str
    runs: list[str]
    clients: int
    seconds: float


@dataclass
class Seen:
    """Latencies in ms from publishing to the client; `busy` is this process's share of a core."""

    deliveries: int = 0
    seconds: float = 0.0
    busy: float = 0.0
    latencies: list[float] = field(default_factory=list)


class Client:
    """One WebSocket."""

    def __init__(self, port: int, token: str, run_id: str) -> None:
        self.run_id = run_id
        self.subscribed = False
        self._token = token
        self._data = b""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):  # no byte more: frames follow at once
            piece = self.socket.recv(1)
            if not piece:
                raise ConnectionError("the relay hung up")
            head += piece
        if not head.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(head[:200].decode(errors="replace"))

    def send(self, text: str) -> None:
        """One masked text frame."""
        data = text.encode()
        head = bytes([0x81, 0x80 | len(data)]) if len(data) < 126 else struct.pack("!BBH", 0x81, 0xFE, len(data))
        # A mask of zeros leaves the text as it is.
        self.socket.sendall(head + b"\0\0\0\0" + data)

    def receive(self) -> list[int]:
        """Read what has come; the times at which its events were published, in ns."""
        piece = self.socket.recv(1 << 18)
        if not piece:
            raise ConnectionError("the relay closed a connection")
        data = self._data + piece if self._data else piece
        end, at, whole = len(data), 0, 0
        others: list[bytes] = []
        while end - at >= 2:
            size, start = data[at + 1], at + 2
            if size == 126:
                size, start = data[at + 2] << 8 | data[at + 3] if end - at >= 4 else end, at + 4
            elif size == 127:
                size, start = int.from_bytes(data[at + 2 : at + 10], "big") if end - at >= 10 else end, at + 10
            at = start + size
            if at > end:
                break
            if not data.startswith(EVENT, start):
                others.append(data[start:at])
            whole = at
        self._data = data[whole:]
        for message in others:
            self._handle(message)
        # One search for all: to cut each event out first would cost more than all else here.
        return [int(stamp) for stamp in STAMP.findall(data, 0, whole)]

    def _handle(self, message: bytes) -> None:
        """Answer what is not an event."""
        if message.startswith(b"0"):
            self.send("40" + json.dumps({"token": self._token}))
        elif message.startswith(b"40"):
            self.send("420" + json.dumps(["subscribe_workflow", {"workflow_id": self.run_id}]))
        elif message.startswith(b"430"):
            self.subscribed = json.loads(message[3:])[0]["success"]
        elif message == b"2":
            self.send("3")
        elif message.startswith(b"44"):
            raise ConnectionError(message.decode())


def watch(job: Watch) -> Seen:
    """Connect, subscribe, say so, and count."""
    clients: list[Client] = []
    with selectors.DefaultSelector() as selector:
        while len(clients) < job.clients:
            fresh = [
                Client(job.port, job.token, job.runs[number % len(job.runs)])
                for number in range(len(clients), min(job.clients, len(clients) + CONNECTING_AT_ONCE))
            ]
            for client in fresh:
                selector.register(client.socket, selectors.EVENT_READ, client)
            clients += fresh
            while not all(client.subscribed for client in fresh):
                _take(selector, 5)
        print("ready", flush=True)
        seen = Seen()
        while not seen.deliveries:  # measured from the first event on
            _count(seen, _take(selector, 60))
        cpu, began = time.process_time(), time.monotonic()
        seen = Seen()
        while time.monotonic() - began < job.seconds:
            _count(seen, _take(selector, 0.2))
        seen.seconds = time.monotonic() - began
        seen.busy = (time.process_time() - cpu) / seen.seconds
    return seen


def _count(seen: Seen, stamps: list[int]) -> None:
    now = time.monotonic_ns()
    seen.latencies.extend((now - stamp) / 1e6 for stamp in stamps)
    seen.deliveries += len(stamps)


def _take(selector: selectors.BaseSelector, timeout_s: float) -> list[int]:
    """When the events were published that are there; waits for the first at most so long."""
    stamps: list[int] = []
    for key, _ in selector.select(timeout_s)[:16]:  # a few at a time, so that the time they are seen at is right
        client: Client = key.data
        stamps += client.receive()
    return stamps


if __name__ == "__main__":
    json.dump(asdict(watch(Watch(**json.load(sys.stdin)))), sys.stdout)
