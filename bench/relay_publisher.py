"""Appends events to runs' streams evenly: `python -m bench.relay_publisher`, a job as JSON on stdin.

With the script that workers append with, but at once: workers gather what follows closely for some milliseconds, and
what is measured is the relay.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from importlib.resources import files

import redis

from messaging.reading import stream_key
from messaging.stream import FINAL_TTL_S, OPEN_TTL_S
from schemas.events import LogEvent

WARM_UP_S = 1.0
MAX_LENGTH = 10_000


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
    """Publish; each event carries the time at which it is sent."""
    script = files("messaging").joinpath("append.lua").read_text()
    with redis.Redis.from_url(job.redis_url) as client:
        sha = client.script_load(script)
        cpu, began, sent = time.process_time(), time.monotonic(), 0
        while (past := time.monotonic() - began) < job.seconds + WARM_UP_S:
            due = int(past * job.events_per_s) - sent
            if due <= 0:
                time.sleep(min(0.01, (sent + 1) / job.events_per_s - past))  # the pace of the load, nothing is awaited
                continue
            with client.pipeline(transaction=False) as pipe:
                for number in range(sent, sent + due):
                    key = stream_key(job.runs[number % len(job.runs)])
                    pipe.evalsha(sha, 1, key, "more", 0, MAX_LENGTH, FINAL_TTL_S, OPEN_TTL_S, _event(number))
                pipe.execute()
            sent += due
        seconds = time.monotonic() - began
    return Published(sent, seconds, (time.process_time() - cpu) / seconds)


def _event(number: int) -> str:
    text = f"at={time.monotonic_ns()} a line of a log as it comes from a host, of eighty characters or so"
    return LogEvent(index=0, key="s0", attempt=1, offset=number * 100, level="info", text=text).model_dump_json()


if __name__ == "__main__":
    json.dump(asdict(publish(Publication(**json.load(sys.stdin)))), sys.stdout)
