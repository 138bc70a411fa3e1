"""From a claimed step to an outcome: resolve its parameters, pass the gates, run the action, judge what came of it."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from orchestration.actions.context import ActionContext, CancelToken
from orchestration.actions.declaration import ActionDeclaration
from orchestration.actions.outcomes import ActionCancelled, Expand, Permanent, Result, Retryable, WaitUntil
from orchestration.core.conditions import parse_condition
from orchestration.core.decide import (
    Cancelled,
    Failed,
    HandedBack,
    Outcome,
    Skipped,
    Snoozed,
    StepError,
    StepPolicy,
    Succeeded,
)
from orchestration.core.fallbacks import unfold_fallbacks
from orchestration.core.references import resolve
from orchestration.core.storable import storable
from orchestration.engine.attempts import RESULT_BYTES
from orchestration.engine.leases import Lease
from orchestration.engine.planning import Actions, check_action, plan_unfolded
from orchestration.errors import InvalidParameters, PerdureError, StoreUnavailable
from schemas.json import Json, JsonObject
from schemas.retry import CODE_PATTERN
from schemas.statuses import Role, WaitReason
from workers.emitter import Emitter
from workers.gating import Gating, Parked

log = logging.getLogger("perdure.runner")

DETAILS_BYTES = 16 * 1024
LONGEST_DELAY_S = 7 * 86_400.0

T = TypeVar("T")


class Results(Mapping[str, Any]):
    """Results of earlier steps by key; those the step refers to came with the claim, others are read when asked for."""

    def __init__(self, known: JsonObject, load: Callable[[str], Json]) -> None:
        self._known = {key: entry["result"] for key, entry in known.items()}
        self._load = load

    def __getitem__(self, key: str) -> Any:
        if key not in self._known:
            self._known[key] = self._load(key)
        return self._known[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


@dataclass(frozen=True)
class Acting:
    """Runs actions. `action_settings` are the plain values that actions may read."""

    actions: Actions
    gating: Gating
    action_settings: Mapping[str, Any]

    def outcome(
        self, lease: Lease, token: CancelToken, emitter: Emitter, limit: Callable[[float], None] = lambda _seconds: None
    ) -> Outcome | Parked:
        """What comes of the attempt; never raises. `Parked`: it has ended at a gate already.

        `limit` is told in how many seconds the attempt must be over, where that is sooner than its lease says.
        """
        return judged(lambda: self._attempt(lease, token, emitter, limit))

    def _attempt(
        self, lease: Lease, token: CancelToken, emitter: Emitter, limit: Callable[[float], None]
    ) -> Outcome | Parked:
        scope = {
            "params": lease.run_params,
            "steps": lease.reads,
            "run": {"id": lease.run_id, "name": lease.run_name},
        }
        if lease.when is not None and not parse_condition(lease.when).evaluate(scope):
            return Skipped(f"its condition is false: {lease.when}")
        declared = self.actions.get(lease.action)
        if declared is None:
            raise Permanent(f"this worker knows no action {lease.action!r}; start it with the module that declares it")
        params = _parameters(declared, resolve(lease.params, scope))
        ends = [lease.taken_at + lease.timeout_s]

        def limited(seconds: float) -> None:
            ends.append(time.monotonic() + seconds)
            limit(seconds)

        def act() -> Outcome:
            deadline = lease.claimed_at + timedelta(seconds=min(ends) - lease.taken_at)
            context = self._context(lease, token, emitter, declared, deadline)
            return self._succeeded(lease, declared.function(context, params))

        # A failure that our own request to stop brought about must not count against what the action depends on.
        def heeding() -> Outcome:
            return heed(token, lease.policy, judged(act))

        return self.gating.outcome(
            lease,
            declared,
            params,
            scope,
            token,
            emitter.redactor,
            heeding,
            emitter.depends_on,
            limited,
            lambda text: emitter.log(text, "warning"),
        )

    def _context(
        self, lease: Lease, token: CancelToken, emitter: Emitter, declared: ActionDeclaration, deadline: datetime
    ) -> ActionContext:
        return ActionContext(
            run_id=lease.run_id,
            step_key=lease.key,
            attempt=lease.attempt,
            params=lease.run_params,
            results=Results(lease.reads, emitter.result),
            restored=lease.checkpoint,
            written=lease.written,
            written_until=lease.written_until,
            kept=lease.kept,
            deadline=deadline,
            host=lease.host if declared.needs_host else None,
            settings=self.action_settings,
            services=emitter,
            token=token,
            signal=lease.signal,
        )

    def _succeeded(self, lease: Lease, returned: Any) -> Outcome:
        match returned:
            case Expand():
                result: Json = {"message": returned.message, "details": returned.details}
                return Succeeded(storable(result, max_bytes=RESULT_BYTES), self._expansion(lease, returned))
            case Result(message, details, prose):
                kept = storable({"message": message, "details": details}, max_bytes=RESULT_BYTES)
                return Succeeded(kept, prose=prose)
            case _:
                return Succeeded(storable(returned, max_bytes=RESULT_BYTES))

    def _expansion(self, lease: Lease, returned: Expand) -> JsonObject | None:
        """The rows of added steps, checked against the rights of the run's creator."""
        role = Role(lease.created_role)
        unfolded = unfold_fallbacks(returned.steps, where="/expand")
        for step, place in zip(unfolded.steps, unfolded.places, strict=True):
            declared = check_action(step, place, self.actions, role)
            if declared.needs_host and lease.host is None:
                raise Permanent(f"added step {step.key!r} works on a host, but the run has none")
            if not step.enabled:
                raise Permanent(f"added step {step.key!r} is disabled; leave it out instead")
        if not returned.steps:
            return None
        rows = plan_unfolded(unfolded, self.actions, 0.0, lease.kind)
        return {"steps": rows, "leaves": [row["position"] for row in rows if not row["dependents"]]}


def judged(work: Callable[[], Outcome | T]) -> Outcome | T:
    """The outcome that `work` answers, or what the exception it raises means. Never raises."""
    try:
        return work()
    except Permanent as error:
        return _failed(_code(error.code, "permanent"), error.reason, error.details, permanent=True)
    except Retryable as error:
        return _failed(_code(error.code, "retryable"), error.reason, error.details, after_s=error.after)
    except WaitUntil as error:
        return _snoozed(error)
    except ActionCancelled:
        return _failed("gave_up", "the action gave up without being asked to", permanent=True)
    except PerdureError as error:
        return _failed(error.code, error.message, permanent=not isinstance(error, StoreUnavailable))
    except BaseException as error:  # the one broad catch around a running action, which may raise anything, an exit too
        log.exception("action raised")
        return _failed("exception", f"{type(error).__name__}: {error}")


def heed(token: CancelToken, policy: StepPolicy, outcome: Outcome) -> Outcome:
    """What an action that was asked to stop ends with, whatever it raised on its way out. A success stays one."""
    if not (isinstance(outcome, Failed) and token.event.is_set()):
        return outcome
    match token.reason:
        case "stop":
            return Cancelled()
        case "drain" if policy.on_lost == "retry":
            return HandedBack()
        case "drain":
            return _failed(
                "outcome_unknown",
                "the worker shut down during the attempt and the action may not be repeated by itself; "
                "check what it did, then retry or skip the step",
                permanent=True,
            )
        case "timeout":
            return _failed("timeout", "the attempt took longer than its time limit")
        case _:
            return outcome


def _parameters(declared: ActionDeclaration, resolved: Json) -> BaseModel:
    try:
        return declared.params.model_validate(resolved)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidParameters(f"parameter {place}: {first['msg']}") from error


def _snoozed(error: WaitUntil) -> Outcome:
    if error.reason not in set(WaitReason):
        return _failed("permanent", f"there is no reason to wait called {error.reason!r}", permanent=True)
    reason, until = WaitReason(error.reason), error.until
    if until is None and reason is not WaitReason.SIGNAL:
        return _failed(
            "permanent", "the action waits for a time, but names none: nothing would wake it", permanent=True
        )
    if until is not None and until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return Snoozed(reason, until)


def _code(given: str, otherwise: str) -> str:
    # It is stored, shown and compared, and an action may have made it from anything.
    return given if isinstance(given, str) and re.fullmatch(CODE_PATTERN, given) else otherwise


def _failed(
    code: str,
    message: str,
    details: JsonObject | None = None,
    *,
    permanent: bool = False,
    after_s: float | None = None,
) -> Failed:
    try:
        kept: JsonObject = storable(details or {}, max_bytes=DETAILS_BYTES)
    except PerdureError:
        kept = {"cut": "details were too large"}
    # Not a number, or not a time that a calendar has: whoever named it may be another system.
    after_s = min(after_s, LONGEST_DELAY_S) if after_s is not None and after_s >= 0 else None
    return Failed(StepError(code, message, kept), permanent, after_s)
