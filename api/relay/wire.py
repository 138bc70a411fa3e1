"""The JSON that clients are sent, the same over Socket.IO and server-sent events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from api.relay.old_names import AnswerOf, old_events
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
    """How a stream is told over Socket.IO: the names of its events and what they carry.

    `besides` answers names and JSON texts of what is told of some events under other names as well.
    """

    event: str
    truncated: str
    event_text: Callable[[Entry], str]
    place_text: Callable[[Position], str]
    besides: Callable[[Sequence[Entry]], list[tuple[str, str]]] = lambda _entries: []


def run_wire(run_id: str, answer_of: AnswerOf = lambda _run_id: None) -> Wire:
    """The stream of a run."""
    besides = partial(old_events, run_id, answer_of=answer_of)
    return Wire("workflow_event", "truncated", partial(event_text, run_id), partial(place_text, run_id), besides)


def _alert_text(entry: Entry) -> str:
    return f'{{"position":"{entry.position}","alert":{entry.text}}}'


def _alerts_place(position: Position) -> str:
    return f'{{"position":"{position}"}}'


ALERTS_WIRE = Wire("alert", "alerts_truncated", _alert_text, _alerts_place)
