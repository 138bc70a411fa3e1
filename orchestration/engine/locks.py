"""Locks and places in PostgreSQL: an attempt gets all it asks for, or its step waits in line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from orchestration.core.decide import Cancelled, Decision, StepError, Verb
from orchestration.engine.attempts import Attempts, Finished
from orchestration.engine.leases import Lease
from orchestration.engine.telling import ready_steps
from orchestration.errors import LeaseLost
from orchestration.gates.gate import GateRequest, Refuse
from orchestration.store.database import as_jsonb
from schemas.flow import ConcurrencySpec, LockSpec
from schemas.json import JsonObject
from schemas.statuses import AttemptOutcome, WaitReason

# How many seconds earlier a level of priority stands in line.
HEAD_START_S = 30.0


@dataclass(frozen=True)
class Held:
    """All was granted; the end of the attempt releases it. `waited`: for how long the step stood in line."""

    waited: timedelta


@dataclass(frozen=True)
class InLine:
    """The attempt has ended, and its step waits in line."""

    finished: Finished


class Locks:
    """Asks for locks and places on behalf of attempts."""

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts

    def acquire(self, lease: Lease, request: GateRequest) -> Held | InLine | Refuse | Cancelled:
        """Get all that `request` names, or end the attempt and stand in line, in one round trip.

        Asked again it answers the same, so it may be repeated when an answer was lost. Refused when the step has
        waited for longer than it may, or when runs wait for one another in a circle.

        Raises: LeaseLost, StoreUnavailable.
        """
        attempts = self._attempts
        answer: JsonObject = attempts.database.call(
            "SELECT acquire_locks(%s, %s, %s, %s, %s, %s, %s)",
            lease.run,
            lease.position,
            lease.attempt,
            as_jsonb(_rows(request.locks, request.concurrency)),
            request.lock_wait_s,
            HEAD_START_S,
            attempts.resend_s,
        )
        match answer["status"]:
            case "held":
                return Held(timedelta(seconds=answer["waited_s"]))
            case "stopping":
                return Cancelled()
            case "timeout":
                return Refuse(_timeout(answer, request.lock_wait_s or 0.0), permanent=True)
            case "deadlock":
                return Refuse(_deadlock(answer))
            case "waiting":
                decision = Decision(Verb.WAIT, AttemptOutcome.WAITING, reason=WaitReason.LOCK, on=answer["on"])
                ready = ready_steps(lease.run_id, answer["ready"], lease.priority)
                return InLine(Finished(lease, decision, answer, ready))
            case _:
                raise LeaseLost(f"attempt {lease.attempt} at step {lease.key!r} was taken over before it had its locks")


def _rows(locks: Sequence[LockSpec], places: Sequence[ConcurrencySpec]) -> list[JsonObject]:
    """One a key. Of two places with the same key the smaller number holds."""
    rows: dict[str, JsonObject] = {}
    for lock in locks:
        key = f"lock:{lock.name}"
        before = rows.get(key, {})
        shared = lock.shared and before.get("mode") != "exclusive"
        for_run = lock.hold == "run" or before.get("for_run", False)
        rows[key] = {"key": key, "mode": "shared" if shared else "exclusive", "for_run": for_run}
    for place in places:
        key = f"place:{place.key}"
        capacity = min(place.limit, rows.get(key, {}).get("capacity", place.limit))
        rows[key] = {"key": key, "mode": "place", "capacity": capacity}
    return list(rows.values())


def _timeout(answer: JsonObject, wait_s: float) -> StepError:
    return StepError(
        "lock_timeout",
        f"waited {wait_s:g} s for {answer['on']}, which is held by {_names(answer['holders'])}",
        {"on": answer["on"], "holders": answer["holders"]},
    )


def _deadlock(answer: JsonObject) -> StepError:
    return StepError(
        "deadlock",
        f"waiting for {answer['on']} would never end: {answer['circle']}",
        {"on": answer["on"], "circle": answer["circle"]},
    )


def _names(holders: Sequence[JsonObject]) -> str:
    return ", ".join(f"{holder['workflow_id']} (step {holder['step']})" for holder in holders) or "others in line"
