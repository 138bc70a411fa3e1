"""What the domain needs from outside. messaging/ provides these over Celery and Valkey; tests provide recorders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.events import Event, Position
from schemas.statuses import Role


@dataclass(frozen=True)
class Actor:
    """Who asks: the token's named user, with the role of now, and where from (for the audit)."""

    name: str
    role: Role
    address: str = ""


@dataclass(frozen=True)
class ReadyStep:
    """A step that a message should be sent for. The message itself names only the run and the position.

    `sent_as`: the priority of the message that was sent for it before, which may be lost or may still wait its turn.
    None: none was sent since it became ready.
    """

    run_id: str
    position: int
    action: str
    queue: str
    priority: int
    sent_as: int | None = None


class Dispatcher(Protocol):
    """Sends the message that says a step may be ready."""

    def send(self, steps: Sequence[ReadyStep]) -> None:
        """Send; never raises. A message that is lost here is found by the sweep."""


class EventSink(Protocol):
    """Publishes what happens in a run, and to alerts (as `ALERTS`), to whoever watches."""

    def publish(self, run_id: str, events: Sequence[Event], *, final: bool = False) -> None:
        """Append to the run's stream; never raises, drops and counts when the broker is away.

        `final`: the run has ended and its stream may expire.
        """


class StreamEntry(Protocol):
    """One event: its place and its JSON text."""

    @property
    def position(self) -> Position:
        """Its place in the stream."""

    @property
    def text(self) -> str:
        """The event as JSON."""


class StreamTail(Protocol):
    """The end of a run's event stream."""

    def tail_back(self, run_id: str, before: Position | None, count: int) -> Sequence[StreamEntry]:
        """At most `count` events before a place, the newest first; None: from the end. Raises: StreamUnavailable."""
