"""Publishes events evenly, as a worker does: `python -m bench.relay_publisher`, a job as JSON on stdin."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass

from messaging.stream import EventStream
from schemas.events import LogEvent

WARM_UP_S = 1.0


@dataclass(frozen=True)
class Publication:
    """So many events a second over these runs in turn, for some seconds."""

    redis_url: str
    runs: list[str]
    events_per_s: float
    seconds: float


@dataclass(frozen=True)
class Published:
    """What was really published; `busy` is this process's share of a core."""

    events: int
    seconds: float
    busy: float


def publish(job: Publication) -> Published:
    """Publish; each event carries the time of its publication."""
    stream = EventStream(job.redis_url)
    cpu, began, sent = time.process_time(), time.monotonic(), 0
    while (past := time.monotonic() - began) < job.seconds + WARM_UP_S:
        if sent > past * job.events_per_s:
            time.sleep(min(0.01, (sent / job.events_per_s) - past))  # the pace of the load, nothing is awaited
            continue
        text = f"at={time.monotonic_ns()} a line of a log as it comes from a host, of eighty characters or so"
        event = LogEvent(index=0, key="s0", attempt=1, offset=sent * 100, level="info", text=text)
        stream.publish(job.runs[sent % len(job.runs)], [event])
        sent += 1
    seconds = time.monotonic() - began
    stream.flush(5)
    stream.close()
    return Published(sent, seconds, (time.process_time() - cpu) / seconds)


if __name__ == "__main__":
    json.dump(asdict(publish(Publication(**json.load(sys.stdin)))), sys.stdout)
