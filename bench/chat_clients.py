"""Readers of answers in a process of their own: `python -m bench.chat_clients`, a job as JSON on stdin.

Each asks `/v1/chat/completions` for a stream, as existing clients do, and asks again as soon as it has read an answer,
so that there are always as many at once. The stand-in provider's tokens are `<number>:<time it was sent at> `, on the
clock that all processes share. Says its figures as JSON at the end.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import sys
import time
from dataclasses import asdict, dataclass, field

ERROR = re.compile(rb'"error":\{.*?"code":"([^"]+)"')
STAMP = re.compile(rb"(\d+):(\d+) ")


@dataclass(frozen=True)
class Reading:
    """So many answers at once of so many tokens, for some seconds once all are being written.

    `ramp_s`: over which the first ones begin; 0: all at the same moment, and none after them.
    """

    port: int
    token: str
    model: str
    answers: int
    tokens: int
    ramp_s: float
    seconds: float


@dataclass
class Read:
    """Latencies in ms from the provider to the reader: of first tokens, and of all. `busy`: share of a core."""

    first: list[float] = field(default_factory=list)
    every: list[float] = field(default_factory=list)
    begun_ms: list[float] = field(default_factory=list)
    answers: int = 0
    tokens: int = 0
    lost: int = 0
    doubled: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    busy: float = 0.0


class Reader:
    """One answer."""

    def __init__(self, job: Reading) -> None:
        self._rest = b""
        self._in_body = False
        self.next = 0
        self.is_done = False
        self.error = ""
        self.asked_at = time.monotonic()
        self.socket = socket.create_connection(("127.0.0.1", job.port), timeout=60)
        body = json.dumps(
            {"model": job.model, "stream": True, "messages": [{"role": "user", "content": "Tell me a story."}]}
        )
        self.socket.sendall(
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{job.port}\r\nConnection: close\r\n"
            f"Authorization: Bearer {job.token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        self.socket.setblocking(False)

    def receive(self) -> list[tuple[int, int]]:
        """Numbers and times of the tokens that have come."""
        try:
            piece = self.socket.recv(1 << 16)
        except BlockingIOError:
            return []
        data = self._rest + piece
        if not self._in_body:
            _, end, body = data.partition(b"\r\n\r\n")
            if not end:
                self._rest, self.is_done = data, not piece
                return []
            self._in_body, data = True, body
        whole = data.rfind(b"\n") + 1
        self._rest = data[whole:]
        self.is_done = not piece or b"data: [DONE]" in data
        if not piece and not self.error:
            self.error = "closed"
        if b'"error":' in data and (said := ERROR.search(data)) is not None:
            self.error = said[1].decode()
        return [(int(number), int(at)) for number, at in STAMP.findall(data, 0, whole)]


def read(job: Reading) -> Read:
    """Ask, read and count."""
    found = Read()
    began = time.monotonic()
    measured_from = began + job.ramp_s
    until = measured_from + job.seconds if job.ramp_s else began
    cpu = 0.0
    begun = 0
    with selectors.DefaultSelector() as selector:

        def ask() -> None:
            reader = Reader(job)
            selector.register(reader.socket, selectors.EVENT_READ, reader)

        while True:
            now = time.monotonic()
            due = job.answers if not job.ramp_s else min(job.answers, int((now - began) / job.ramp_s * job.answers) + 1)
            for _ in range(min(due - begun, 20)):
                ask()
                begun += 1
            if begun == job.answers and not selector.get_map():
                break
            for key, _ in selector.select(0.02)[:16]:  # a few at a time, so that the time they are seen at is right
                reader: Reader = key.data
                tokens = reader.receive()
                now_ns = time.monotonic_ns()
                is_measured = not job.ramp_s or measured_from <= reader.asked_at < until
                for number, at in tokens:
                    found.lost += max(0, number - reader.next)
                    found.doubled += number < reader.next
                    if is_measured:
                        found.every.append((now_ns - at) / 1e6)
                        if number == 0:
                            found.first.append((now_ns - at) / 1e6)
                            found.begun_ms.append((now_ns / 1e9 - reader.asked_at) * 1000)
                    reader.next = max(reader.next, number + 1)
                found.tokens += len(tokens)
                if reader.is_done:
                    selector.unregister(reader.socket)
                    reader.socket.close()
                    found.answers += 1
                    if reader.error:
                        found.failed[reader.error] = found.failed.get(reader.error, 0) + 1
                    found.lost += max(0, job.tokens - reader.next)
                    if job.ramp_s and time.monotonic() < until:
                        ask()
            if not cpu and time.monotonic() >= measured_from:
                cpu, started = time.process_time(), time.monotonic()
    found.seconds = time.monotonic() - began
    found.busy = (time.process_time() - cpu) / max(0.001, time.monotonic() - started)
    return found


if __name__ == "__main__":
    json.dump(asdict(read(Reading(**json.load(sys.stdin)))), sys.stdout)
