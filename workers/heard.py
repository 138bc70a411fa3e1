"""Reads what was heard of a text that is taken up, from the events of its run. Bounded in events and in time."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator

from orchestration.core.heard import heard_text
from orchestration.engine.leases import Lease
from orchestration.errors import StreamUnavailable
from orchestration.ports import StreamTail
from schemas.events import EventType
from schemas.json import JsonObject

log = logging.getLogger("perdure.texts")

PAGE = 500
# All that the agents of a mixture write while PostgreSQL is away for a minute.
MOST_EVENTS = 5_000
LONGEST_S = 2.0
_BEGINS = f'{{"type":"{EventType.TEXT}"'


def read_heard(tail: StreamTail, lease: Lease) -> str:
    """What was stored before this attempt, with what readers heard besides; without Valkey, what was stored."""
    if lease.written_by is None:
        return lease.written
    try:
        return heard_text(lease.written, lease.written_by, lease.key, _texts_back(tail, lease.run_id))
    except StreamUnavailable as error:
        log.info("goes on from what is stored: %s", error, extra={"run_id": lease.run_id, "step": lease.key})
        return lease.written


def _texts_back(tail: StreamTail, run_id: str) -> Iterator[JsonObject]:
    seen, gives_up = 0, time.monotonic() + LONGEST_S
    page = tail.tail_back(run_id, None, PAGE)
    while page:
        yield from (json.loads(entry.text) for entry in page if entry.text.startswith(_BEGINS))
        seen += len(page)
        if seen >= MOST_EVENTS or time.monotonic() > gives_up:
            return
        page = tail.tail_back(run_id, page[-1].position, PAGE)
