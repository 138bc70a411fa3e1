"""A process that publishes: `python -m tests.integration.messaging.publisher URL RUN NAME COUNT`."""

from __future__ import annotations

import sys
from threading import Thread

from messaging.stream import EventStream
from schemas.events import LogEvent


def log_event(name: str, number: int) -> LogEvent:
    return LogEvent(index=0, key=name, attempt=1, offset=number, level="info", text="x")


def publish(stream: EventStream, run_id: str, name: str, count: int) -> None:
    for number in range(count):
        stream.publish(run_id, [log_event(name, number)])


if __name__ == "__main__":
    url, run_id, name, count = sys.argv[1:]
    streams = [EventStream(url), EventStream(url)]
    threads = [
        Thread(target=publish, args=(stream, run_id, f"{name}-{number}", int(count)))
        for number, stream in enumerate(streams)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not all(stream.flush(20) for stream in streams):
        sys.exit("not all was sent")
