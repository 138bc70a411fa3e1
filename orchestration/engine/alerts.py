"""Alerts as rows: judged by the janitor, seen and resolved by people, kept for 90 days after they are over."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from orchestration.core.alert_states import Known, Move
from orchestration.errors import IllegalControl, UnknownAlert
from orchestration.ports import EventSink
from orchestration.store.database import Database, as_jsonb
from schemas.alerts import RULES, RuleNumbers
from schemas.events import ALERTS, AlertEvent
from schemas.json import JsonObject

log = logging.getLogger("perdure.alerts")

MAX_PAGE = 200
MAX_MESSAGE = 500
# What was resolved by hand and holds on comes back after a day.
QUIET_S = 86_400.0
TRIMMED = 500
_FIRST = 9_223_372_036_854_775_807

Change = Literal["opened", "acknowledged", "resolved"]


@dataclass(frozen=True)
class Board:
    """The alerts that are not over, at `now_s` of the database's clock."""

    now_s: float
    known: Sequence[Known]
    is_untold: bool


@dataclass(frozen=True)
class Page:
    """A page of alerts, open ones first. `following` is the cursor of the next one."""

    alerts: list[JsonObject]
    counts: JsonObject
    following: str | None


class Alerts:
    """The alerts of one database. All methods raise StoreUnavailable.

    `events` hears of each change once it is committed. That is news, not the channels: those are told by runs.
    """

    def __init__(self, database: Database, events: EventSink) -> None:
        self.database = database
        self.events = events

    def board(self) -> Board:
        """What is not over."""
        now_s, known, is_untold = self.database.rows("SELECT * FROM alert_board()")[0]
        return Board(now_s, [Known(**row) for row in known], is_untold)

    def make(self, moves: Sequence[Move], numbers: Mapping[str, RuleNumbers]) -> Sequence[JsonObject]:
        """Make the moves that nobody was quicker with; answers the alerts that opened or are over now."""
        if not moves:
            return []
        rows = [_row(move, numbers) for move in moves]
        changed: Sequence[JsonObject] = self.database.call("SELECT move_alerts(%s)", as_jsonb(rows))
        for alert in changed:
            level = logging.WARNING if alert["status"] == "open" else logging.INFO
            extra = {"alert": alert["id"], "rule": alert["rule"], "subject": alert["subject"]}
            log.log(level, "alert %s: %s", alert["status"], alert["message"], extra=extra)
        self._publish(*(_event("opened" if alert["status"] == "open" else "resolved", alert) for alert in changed))
        return changed

    def untold(self, limit: int) -> Sequence[JsonObject]:
        """Changes that the channels are still to be told, the oldest first."""
        changes: Sequence[JsonObject] = self.database.call("SELECT untold_alerts(%s)", limit)
        return changes

    def told(self, alert: int, number: int, run_id: str | None) -> None:
        """The channels are told of a change by this run; None: none wants to know."""
        self.database.call("SELECT alert_told(%s, %s, %s)", alert, number, run_id)

    def page(self, *, status: str | None = None, cursor: str | None = None, limit: int = 50) -> Page:
        """A page. `status` open or resolved; unset: both. Raises: ValueError for a cursor that is none."""
        part, before = _read_cursor(cursor, status)
        parts = [each for each in ("open", "resolved") if status in (None, each)]
        found: list[JsonObject] = []
        for each in parts[parts.index(part) :]:
            wanted = min(limit, MAX_PAGE) + 1 - len(found)
            found += self.database.call("SELECT list_alerts(%s, %s, %s)", each == "open", before, wanted)
            before = _FIRST
            if len(found) > limit:
                break
        counts = self.database.call("SELECT count_alerts()")
        last = found[limit - 1] if len(found) > limit else None
        return Page(found[:limit], counts, None if last is None else f"{last['status']}-{last['id']}")

    def one(self, alert: int) -> JsonObject:
        """An alert with what became of it. Raises: UnknownAlert."""
        found: JsonObject | None = self.database.call("SELECT one_alert(%s)", alert)
        if found is None:
            raise _unknown(alert)
        return found

    def acknowledge(self, alert: int, *, by: str, note: str | None = None) -> JsonObject:
        """A person has seen it; once more changes nothing. Answers the alert, as `one` does.

        Raises: UnknownAlert; IllegalControl when it is over.
        """
        self._check(alert, self.database.call("SELECT acknowledge_alert(%s, %s, %s)", alert, by, note))
        return self._changed("acknowledged", alert)

    def resolve(self, alert: int, *, by: str, note: str | None = None) -> JsonObject:
        """A person takes it for over; it comes back when it was gone meanwhile, or after a day. Answers the alert.

        Raises: UnknownAlert.
        """
        self._check(alert, self.database.call("SELECT resolve_alert(%s, %s, %s, %s)", alert, by, note, QUIET_S))
        return self._changed("resolved", alert)

    def trim(self) -> bool:
        """Forget what was over 90 days ago; whether there may be more."""
        return int(self.database.call("SELECT trim_alerts(%s)", TRIMMED)) >= TRIMMED

    def _changed(self, change: Change, alert: int) -> JsonObject:
        found = self.one(alert)
        self._publish(_event(change, found))
        return found

    def _publish(self, *events: AlertEvent) -> None:
        if events:
            self.events.publish(ALERTS, events)

    def _check(self, alert: int, answer: str) -> None:
        if answer == "unknown":
            raise _unknown(alert)
        if answer == "resolved":
            raise IllegalControl(f"alert {alert} is over", where="/alert_id", mend="only open ones are acknowledged")


def _event(change: Change, alert: JsonObject) -> AlertEvent:
    return AlertEvent(id=alert["id"], change=change, severity=alert["severity"], rule=alert["rule"])


def _row(move: Move, numbers: Mapping[str, RuleNumbers]) -> JsonObject:
    row: dict[str, Any] = {
        "kind": move.kind,
        "rule": move.rule,
        "subject": move.subject,
        "is_open": move.is_open,
        "below_s": move.below_s,
    }
    if move.rule in RULES:
        row |= {"severity": RULES[move.rule].severity, "threshold": numbers[move.rule].threshold}
    if move.known is not None:
        row |= {"id": move.known.id, "version": move.known.version}
    if move.reading is not None:
        reading = move.reading
        row |= {"value": reading.value, "message": reading.message[:MAX_MESSAGE], "details": reading.details}
    return row


def _read_cursor(cursor: str | None, status: str | None) -> tuple[str, int]:
    if cursor is None:
        return status or "open", _FIRST
    part, _, number = cursor.partition("-")
    if part not in ("open", "resolved") or status not in (None, part) or not number.isdecimal() or len(number) > 18:
        raise ValueError("the cursor is none that an earlier page gave")
    return part, int(number)


def _unknown(alert: int) -> UnknownAlert:
    return UnknownAlert(f"there is no alert {alert}", where="/alert_id", mend="GET /api/orchestration/alerts")
