"""What is answered of workers and queues."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from schemas.answers.parts import Answer, Part


class WorkIn(Part):
    """A step that a worker has in hand."""

    workflow_id: str
    index: int
    key: str
    label: str
    action: str
    attempt: int
    since: datetime


class WorkerShown(Part):
    """A worker's main process. What it did not tell is null; `lost`: it gave no sign for a lease."""

    name: str
    host: str
    pid: int
    started_at: datetime
    pool: str | None
    concurrency: int | None
    queues: list[str] | None
    lost: bool
    steps: list[WorkIn]


class QueueShown(Part):
    """A queue. `ready` steps wait for a worker, the oldest for `oldest_s`; `messages` is null with Valkey away."""

    name: str
    ready: int
    in_progress: int
    oldest_s: float | None
    messages: int | None


class WorkersAnswer(Answer):
    """Who works on what, and what waits. `ready` and `in_progress` count at most `at_most`."""

    workers: list[WorkerShown]
    queues: list[QueueShown]
    waiting: dict[str, int] = Field(description="waiting steps by what they wait for")
    at_most: int
    flower_port: int | None = Field(description="Flower on the server's own loopback; `perdure open flower` signs in")
