"""The path of a step: claim, prepare, act, finish, tell. Safe to run twice for the same message: one claims the row."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

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
    Succeeded,
)
from orchestration.core.references import resolve
from orchestration.core.storable import storable, storable_text
from orchestration.engine.attempts import Attempts, Lease
from orchestration.engine.planning import Actions, check_action, plan_rows
from orchestration.errors import LeaseLost, PerdureError, StoreUnavailable
from orchestration.redaction import Redactor
from orchestration.secrets import SecretStore
from schemas.json import Json, JsonObject
from schemas.statuses import Role, WaitReason
from workers.emitter import Emitter, Flusher
from workers.keeper_client import KeeperClient

log = logging.getLogger("perdure.runner")

RESULT_BYTES = 256 * 1024
MAX_MESSAGE = 2000
_RETRY_PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.0)

FaultHook = Callable[[str, str, str], None]


@dataclass(frozen=True)
class RunnerParts:
    """What the runner works with; made once per process."""

    attempts: Attempts
    keeper: KeeperClient
    actions: Actions
    flusher: Flusher
    secrets: SecretStore
    owner: str
    action_settings: Mapping[str, Any]
    fault_hook: FaultHook


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


class Runner:
    """Runs attempts in one process."""

    def __init__(self, parts: RunnerParts) -> None:
        self.parts = parts

    def attempt(self, run_id: str, position: int) -> None:
        """Try the step that a message named. Does nothing when there is nothing to claim."""
        keeper = self.parts.keeper
        if keeper.draining.is_set():
            return
        keeper.claiming(run_id, position)
        try:
            lease = self.parts.attempts.claim(run_id, position, self.parts.owner)
        except StoreUnavailable:
            # The claim may have been committed: the keeper looks, and hands back what it finds.
            keeper.unheard(run_id, position)
            log.warning("claim not answered", extra={"run_id": run_id, "position": position})
            return
        if lease is None:
            keeper.refused(run_id, position)
            return
        self._hold(lease)

    def _hold(self, lease: Lease) -> None:
        token = CancelToken()
        held = self.parts.keeper.hold(lease, token)
        try:
            self._fault("claimed", lease)
            redactor = Redactor()
            emitter = Emitter(
                lease,
                self.parts.attempts,
                self.parts.attempts.events,
                self.parts.flusher,
                self.parts.secrets,
                redactor,
            )
            outcome = redacted(self._outcome(lease, token, emitter), redactor)
            self._fault("acted", lease)
            emitter.close()
            self._finish(lease, token, outcome)
        finally:
            self.parts.keeper.drop(held)
        self._fault("before_ack", lease)

    def _outcome(self, lease: Lease, token: CancelToken, emitter: Emitter) -> Outcome:
        """Run the action; whatever it returns or raises becomes an outcome."""
        try:
            scope = {
                "params": lease.run_params,
                "steps": lease.reads,
                "run": {"id": lease.run_id, "name": lease.run_name},
            }
            if lease.when is not None and not parse_condition(lease.when).evaluate(scope):
                return Skipped(f"its condition is false: {lease.when}")
            declared = self._declaration(lease)
            params = declared.params.model_validate(resolve(lease.params, scope))
            context = self._context(lease, token, emitter, declared)
            returned = declared.function(context, params)
            return self._succeeded(lease, declared, returned)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            return _failed("invalid_parameters", f"parameter {place}: {first['msg']}", permanent=True)
        except Permanent as error:
            return self._unless_cancelled(token, _failed("permanent", error.reason, error.details, permanent=True))
        except Retryable as error:
            return self._unless_cancelled(token, _failed("retryable", error.reason, error.details, after=error.after))
        except WaitUntil as error:
            return Snoozed(WaitReason(error.reason), error.until)
        except ActionCancelled:
            return self._unless_cancelled(
                token, _failed("gave_up", "the action gave up without being asked to", permanent=True)
            )
        except PerdureError as error:
            transient = isinstance(error, StoreUnavailable)
            return self._unless_cancelled(token, _failed(error.code, error.message, permanent=not transient))
        except Exception as error:
            log.exception("action raised", extra={"run_id": lease.run_id, "step": lease.key})
            return self._unless_cancelled(token, _failed("exception", f"{type(error).__name__}: {error}"))

    def _unless_cancelled(self, token: CancelToken, otherwise: Failed) -> Outcome:
        """What an attempt that was asked to stop ends with, whatever it raised on its way out."""
        if not token.event.is_set():
            return otherwise
        match token.reason:
            case "stop":
                return Cancelled()
            case "drain":
                return HandedBack()
            case "timeout":
                return _failed("timeout", "the attempt took longer than its time limit")
            case _:
                return otherwise

    def _declaration(self, lease: Lease) -> ActionDeclaration:
        declared = self.parts.actions.get(lease.action)
        if declared is None:
            raise Permanent(f"this worker knows no action {lease.action!r}; start it with the module that declares it")
        return declared

    def _context(
        self, lease: Lease, token: CancelToken, emitter: Emitter, declared: ActionDeclaration
    ) -> ActionContext:
        return ActionContext(
            run_id=lease.run_id,
            step_key=lease.key,
            attempt=lease.attempt,
            params=lease.run_params,
            results=Results(lease.reads, emitter.result),
            restored=lease.checkpoint,
            deadline=lease.claimed_at + timedelta(seconds=lease.timeout_s),
            host=lease.host if declared.needs_host else None,
            settings=self.parts.action_settings,
            services=emitter,
            token=token,
            signal=lease.signal,
        )

    def _succeeded(self, lease: Lease, declared: ActionDeclaration, returned: Any) -> Outcome:
        if isinstance(returned, Expand):
            result: Json = {"message": returned.message, "details": returned.details}
            expand = self._expansion(lease, returned)
        else:
            expand = None
            result = (
                {"message": returned.message, "details": returned.details} if isinstance(returned, Result) else returned
            )
        return Succeeded(storable(result, max_bytes=RESULT_BYTES), expand)

    def _expansion(self, lease: Lease, returned: Expand) -> JsonObject | None:
        """The rows of added steps, checked against the rights of the run's creator."""
        role = Role(lease.created_role)
        for index, step in enumerate(returned.steps):
            declared = check_action(step, f"/expand/{index}", self.parts.actions, role)
            if declared.needs_host and lease.host is None:
                raise Permanent(f"added step {step.key!r} works on a host, but the run has none")
            if not step.enabled:
                raise Permanent(f"added step {step.key!r} is disabled; leave it out instead")
        if not returned.steps:
            return None
        rows = plan_rows(returned.steps, self.parts.actions, 0.0)
        return {"steps": rows, "leaves": [row["position"] for row in rows if not row["dependents"]]}

    def _finish(self, lease: Lease, token: CancelToken, outcome: Outcome) -> None:
        """Commit, as long as it takes: while PostgreSQL is away the work is done and only the commit is missing."""
        self._fault("before_commit", lease)
        pause, tries = threading.Event(), 0
        while True:
            try:
                finished = self.parts.attempts.commit(lease, outcome)
                break
            except LeaseLost as lost:
                log.info("%s", lost, extra={"run_id": lease.run_id, "step": lease.key})
                return
            except StoreUnavailable:
                if token.reason == "lost":
                    return
                pause.wait(_RETRY_PAUSES_S[min(tries, len(_RETRY_PAUSES_S) - 1)])
                tries += 1
        self._fault("committed", lease)
        self.parts.attempts.tell(finished)
        self._fault("dispatched", lease)

    def _fault(self, point: str, lease: Lease) -> None:
        self.parts.fault_hook(point, lease.run_id, lease.key)


def redacted(outcome: Outcome, redactor: Redactor) -> Outcome:
    """The outcome as it may be stored and shown."""
    match outcome:
        case Succeeded(result, expand):
            return Succeeded(redactor.json(result), expand)
        case Failed(error, permanent, after_s):
            clean = StepError(error.code, redactor.text(error.message), redactor.json(error.details))
            return Failed(clean, permanent, after_s)
        case _:
            return outcome


def _failed(
    code: str,
    message: str,
    details: JsonObject | None = None,
    *,
    permanent: bool = False,
    after: float | None = None,
) -> Failed:
    try:
        kept: JsonObject = storable(details or {}, max_bytes=16 * 1024)
    except PerdureError:
        kept = {"cut": "details were too large"}
    return Failed(StepError(code, storable_text(message, MAX_MESSAGE), kept), permanent, after)
