"""The JSON that clients are sent, the same over Socket.IO and server-sent events."""

from __future__ import annotations

from messaging.reading import Entry
from schemas.events import Position


def event_text(run_id: str, entry: Entry) -> str:
    """A `workflow_event`. The event goes in as it came from the stream; ids of runs need no escaping."""
    place = entry.position
    return (
        f'{{"workflow_id":"{run_id}","seq":{place.seq},"epoch":{place.epoch},"position":"{place}",'
        f'"event":{entry.text}}}'
    )


def place_text(run_id: str, position: Position) -> str:
    """A place in a run's stream, for `truncated` and `subscribed`."""
    return f'{{"workflow_id":"{run_id}","position":"{position}"}}'
