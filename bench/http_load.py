"""A load client in a process of its own: `python -m bench.http_load`, a job as JSON on stdin, its figures on stdout.

Plain sockets and as little Python for each request as it can do with, so that it is not what is measured; its own use
of the processor is among the figures.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

HEAD_END = b"\r\n\r\n"
READ_BYTES = 1 << 18


@dataclass(frozen=True)
class Job:
    """What to ask, of whom and for how long.

    `requests` are whole requests as text, taken in turn. A job ends after `seconds`, or after `count` answers.
    """

    port: int
    requests: list[str]
    connections: int = 1
    seconds: float = 60.0
    count: int | None = None
    warm_up: int = 20


@dataclass
class Figures:
    """What came of it. Latencies in ms; `busy` is this client's share of a core."""

    answers: int = 0
    seconds: float = 0.0
    busy: float = 0.0
    statuses: dict[str, int] = field(default_factory=dict)
    answer_bytes: int = 0
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return self.answers / self.seconds


class Connection:
    """One keep-alive connection with at most one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self._data = b""

    def send(self, request: bytes) -> None:
        self._data = b""
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> tuple[int, int] | None:
        """Status and size of the answer once all of it is here. Raises: ConnectionError when the server hung up."""
        piece = self.socket.recv(READ_BYTES)
        if not piece:
            raise ConnectionError("the server closed the connection")
        data = self._data = self._data + piece if self._data else piece
        end = data.find(HEAD_END)
        if end < 0:
            return None
        status = int(data[9:12])
        body = 0 if status in (204, 304) else _content_length(data[:end])
        return (status, len(data)) if len(data) >= end + len(HEAD_END) + body else None


def run(job: Job) -> Figures:
    """Do a job."""
    requests = [request.encode() for request in job.requests]
    connections = [Connection(job.port) for _ in range(job.connections)]
    asked = 0

    def send(connection: Connection) -> None:
        nonlocal asked
        connection.send(requests[asked % len(requests)])
        asked += 1

    for _ in range(job.warm_up):
        for connection in connections:
            connection.send(requests[0])
            while connection.receive() is None:
                pass
    figures, statuses = Figures(), Counter[int]()
    cpu, began = time.process_time(), time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            send(connection)
        open_ = len(connections)
        while open_:
            for key, _ in selector.select():
                connection = key.data
                answer = connection.receive()
                if answer is None:
                    continue
                now = time.perf_counter()
                figures.latencies.append((now - connection.sent_at) * 1000)
                statuses[answer[0]] += 1
                figures.answer_bytes += answer[1]
                if now - began < job.seconds and (job.count is None or asked < job.count):
                    send(connection)
                else:
                    open_ -= 1
    figures.seconds = time.perf_counter() - began
    figures.busy = (time.process_time() - cpu) / figures.seconds
    figures.answers = len(figures.latencies)
    figures.statuses = {str(status): count for status, count in statuses.items()}
    return figures


def request_text(
    method: str, path: str, *, token: str = "", body: Any = None, headers: dict[str, str] | None = None
) -> str:
    """A whole HTTP request."""
    sent = dict(headers or {})
    if token:
        sent["Authorization"] = f"Bearer {token}"
    text = "" if body is None else json.dumps(body)
    if body is not None:
        sent |= {"Content-Type": "application/json", "Content-Length": str(len(text.encode()))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}\r\n{text}"


def _content_length(head: bytes) -> int:
    lower = head.lower()
    start = lower.index(b"content-length:") + len(b"content-length:")
    end = lower.find(b"\r\n", start)
    return int(lower[start : end if end >= 0 else len(lower)])


if __name__ == "__main__":
    json.dump(asdict(run(Job(**json.load(sys.stdin)))), sys.stdout)
