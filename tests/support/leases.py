"""Leases for tests that need no database, and where an attempt's writes and events go in them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from orchestration.core.decide import StepPolicy
from orchestration.engine.attempts import Attempts
from orchestration.engine.leases import Lease
from orchestration.errors import StoreUnavailable
from orchestration.redaction import Redactor
from orchestration.secrets import SecretStore
from schemas.events import Event, LogEvent
from schemas.json import JsonObject
from schemas.statuses import RunKind
from workers.emitter import Emitter, Flusher


def make_lease(**changes: Any) -> Lease:
    """A claimed attempt, idempotent or not by its policy."""
    fields: dict[str, Any] = {
        "run": 1,
        "run_id": "run-1",
        "position": 0,
        "attempt": 1,
        "owner": "w1",
        "key": "a",
        "action": "work",
        "label": "a",
        "params": {},
        "policy": StepPolicy(on_lost="retry"),
        "timeout_s": 60.0,
        "when": None,
        "failures": 0,
        "losses": 0,
        "claimed_at": datetime(2030, 1, 1, tzinfo=UTC),
        "version": 2,
        "run_name": "run",
        "run_params": {},
        "created_by": "alice",
        "created_role": "operator",
        "host": None,
        "checkpoint": None,
        "written": "",
        "signal": None,
        "reads": {},
        "priority": 5,
        "kind": RunKind.WORKFLOW,
        "concurrency": None,
        "flow": None,
        "run_locks": None,
        "waited_on": None,
        "came_from": None,
        "began_at": datetime(2030, 1, 1, tzinfo=UTC),
    }
    return Lease(**fields | changes)


class Store:
    """Takes what an emitter writes. `away`: PostgreSQL cannot be reached; `limit`: characters of log it takes."""

    def __init__(self, *, limit: int = 10**9) -> None:
        self.away = False
        self.limit = limit
        self.progress: list[JsonObject] = []
        self.log: list[tuple[int, str, str]] = []
        self.text = ""
        self.edition = 0
        self.writes = 0
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Event()

    def save_progress(self, _lease: Lease, document: JsonObject) -> None:
        self._enter()
        self.progress.append(document)

    def save_text(self, _lease: Lease, offset: int, text: str, *, edition: int = 0) -> None:
        self._enter()
        self.edition = edition
        assert offset <= len(self.text)
        self.text = self.text[:offset] + text

    def save_log(self, _lease: Lease, pieces: Sequence[tuple[int, str, str]]) -> bool:
        self._enter()
        if sum(len(text) for _, _, text in [*self.log, *pieces]) > self.limit:
            return False
        self.log.extend(pieces)
        return True

    @property
    def log_text(self) -> str:
        return "".join(text for _, _, text in self.log)

    def _enter(self) -> None:
        self.entered.set()
        self.open.wait(10)
        self.writes += 1
        if self.away:
            raise StoreUnavailable("PostgreSQL cannot be reached")


class Events:
    """An EventSink that keeps what was published."""

    def __init__(self) -> None:
        self.published: list[Event] = []

    def publish(self, run_id: str, events: Sequence[Event], *, final: bool = False) -> None:
        del run_id, final
        self.published.extend(events)

    @property
    def log_text(self) -> str:
        return "".join(event.text for event in self.published if isinstance(event, LogEvent))


class Marks:
    """Where a flusher would be told that there is something to write."""

    def __init__(self) -> None:
        self.marked = 0

    def mark(self, emitter: Emitter) -> None:
        del emitter
        self.marked += 1


def make_emitter(
    store: Store | None = None, events: Events | None = None, redactor: Redactor | None = None, **lease: Any
) -> Emitter:
    """An emitter that writes when it is told to."""
    return Emitter(
        make_lease(**lease),
        cast(Attempts, store or Store()),
        events or Events(),
        cast(Flusher, Marks()),
        SecretStore(None, {}),
        redactor or Redactor(),
    )
