"""What alerts are judged by: figures of one moment, as PostgreSQL and Valkey gave them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ActionEnds:
    """Steps of an action that ended in the window. `name` None: of all actions."""

    name: str | None
    succeeded: int
    failed: int


@dataclass(frozen=True)
class Streak:
    """Failures since the last success, of `action` or `template`; `error` is the last one, as far as it is known."""

    kind: str
    name: str
    failures: int
    error: str | None = None


@dataclass(frozen=True)
class QueueSigns:
    """A queue: steps that are ready, since when the oldest at least, live consumers, and those of them with room."""

    name: str
    ready: int
    oldest_s: float
    consumers: int
    with_room: int


@dataclass(frozen=True)
class HostSigns:
    """A host that reported of late."""

    name: str
    level: str
    reason: str | None
    disk: float
    disk_free_bytes: int


@dataclass(frozen=True)
class Waiters:
    """Steps that wait for one thing, and how long the one that came first has."""

    name: str
    steps: int
    oldest_s: float
    held_by: str | None = None


@dataclass(frozen=True)
class Count:
    """How often something happened in the window."""

    name: str
    count: int


@dataclass(frozen=True)
class BreakerSigns:
    """A breaker. `opened`: it did, within the last minute, whatever it is now."""

    name: str
    state: str
    forced: bool = False
    opened: bool = False
    last_error: str | None = None


@dataclass(frozen=True)
class Awaited:
    """A run that waits for a person."""

    run_id: str
    step: str
    waited_s: float


@dataclass(frozen=True)
class AlertSigns:
    """All of it. `breakers` is None while Valkey is away."""

    ends: tuple[ActionEnds, ...] = ()
    streaks: tuple[Streak, ...] = ()
    queues: tuple[QueueSigns, ...] = ()
    workers_lost: tuple[str, ...] = ()
    hosts: tuple[HostSigns, ...] = ()
    throttled: tuple[Waiters, ...] = ()
    hits: tuple[Count, ...] = ()
    refusals: tuple[Count, ...] = ()
    breakers: tuple[BreakerSigns, ...] | None = ()
    locks: tuple[Waiters, ...] = ()
    awaited: tuple[Awaited, ...] = ()
    valkey_away: bool = False
