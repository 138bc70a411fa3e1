"""The JSON that clients are sent, the same over Socket.IO and server-sent events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

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


@dataclass(frozen=True)
class Wire:
    """How a stream is told over Socket.IO: the names of its events and what they carry."""

    event: str
    truncated: str
    event_text: Callable[[Entry], str]
    place_text: Callable[[Position], str]


def run_wire(run_id: str) -> Wire:
    """The stream of a run."""
    return Wire("workflow_event", "truncated", partial(event_text, run_id), partial(place_text, run_id))


def _alert_text(entry: Entry) -> str:
    return f'{{"position":"{entry.position}","alert":{entry.text}}}'


def _alerts_place(position: Position) -> str:
    return f'{{"position":"{position}"}}'


ALERTS_WIRE = Wire("alert", "alerts_truncated", _alert_text, _alerts_place)
