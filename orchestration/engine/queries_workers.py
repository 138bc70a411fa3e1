"""Who works on what, and what waits for a worker or for something else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestration.store.database import Database
from schemas.json import JsonObject

# Steps of a kind are counted up to this many.
COUNTED = 10_000


@dataclass(frozen=True)
class WorkersOverview:
    """Workers with the steps they hold, queues by name, waiting steps by reason; none counts beyond `at_most`."""

    workers: list[JsonObject]
    queues: Mapping[str, JsonObject]
    waiting: Mapping[str, int]
    at_most: int


def read_workers(database: Database, *, resend_s: float) -> WorkersOverview:
    """All of it, of one moment. `resend_s` is the engine's: how long a ready step waited is reckoned from it."""
    found = database.call("SELECT shown_workers(%s, %s)", COUNTED, resend_s)
    return WorkersOverview(found["workers"], found["queues"], found["waiting"], COUNTED)
