"""Passes an attempt through the gates, cheapest first: those that ask memory, then Valkey, then PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import blake2b
from typing import Any

from pydantic import BaseModel, ValidationError

from orchestration.actions.context import CancelToken
from orchestration.actions.declaration import ActionDeclaration
from orchestration.core.decide import Cancelled, Failed, Outcome, Snoozed
from orchestration.core.references import resolve
from orchestration.engine.attempts import Finished
from orchestration.engine.leases import Lease
from orchestration.engine.locks import Held, InLine, Locks
from orchestration.errors import InvalidParameters, StoreUnavailable
from orchestration.gates.gate import Admit, Gate, GateRequest, Refuse, Wait
from orchestration.redaction import Redactor
from schemas.flow import KIND_PREFIX, BreakerSpec, ConcurrencySpec, FlowSpec, LockSpec, RateLimitSpec
from schemas.json import JsonObject
from schemas.statuses import RunKind, WaitReason

_NOTHING = FlowSpec()
UNASKED = "Valkey does not answer, so limits and breakers could not be asked; the step goes on without them\n"
_LOCK_PAUSES_S = (0.1, 0.2, 0.5, 1.0)
# Each success of a step that stood in line lets so many more go on that wait on its breaker: 1, 2, 4, 8 and so on.
WAVE = 2


@dataclass(frozen=True)
class Parked:
    """The attempt has ended at a gate, and its end is committed."""

    finished: Finished


@dataclass(frozen=True)
class FlowDefaults:
    """What settings say of limits that steps name without numbers, and of kinds of runs."""

    rate_limits: Mapping[str, RateLimitSpec] = field(default_factory=dict)
    breakers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    kind_places: Mapping[RunKind, int] = field(default_factory=dict)
    kind_rates: Mapping[RunKind, RateLimitSpec] = field(default_factory=dict)


@dataclass(frozen=True)
class Gating:
    """The gates in the order they are asked in; `locks` come last, since what they give has to be given back.

    wake: lets the next steps go on that wait on the same; the first argument names what.
    """

    gates: Sequence[Gate] = ()
    locks: Locks | None = None
    defaults: FlowDefaults = FlowDefaults()
    wake: Callable[[str, int], None] = lambda _on, _count: None

    def outcome(
        self,
        lease: Lease,
        declared: ActionDeclaration,
        params: BaseModel,
        scope: Mapping[str, Any],
        token: CancelToken,
        redactor: Redactor,
        act: Callable[[], Outcome],
        depends_on: Callable[[str], None] = lambda _name: None,
        limit: Callable[[float], None] = lambda _seconds: None,
        tell: Callable[[str], None] = lambda _text: None,
    ) -> Outcome | Parked:
        """The outcome of `act` if every gate admits it; the gates that did learn how it went.

        `depends_on` is told the name of the breaker that the step goes by, if it has one; `limit` in how many seconds
        from now the attempt must be over, where that is sooner than it knows; `tell` once, and before the next gate is
        asked, that gates do not answer: people see the step standing still for as long as each of them is waited for.
        """
        if self._is_free(lease, declared):
            return act()
        request = shown_safely(gate_request(lease, declared, params, scope, self.defaults), redactor)
        if request.call_s < request.timeout_s:
            # Before the breaker is asked: from then on it counts with the call being over by this time.
            limit(request.call_s)
        passed: list[Admit] = []
        outcome: Outcome | Parked = Cancelled()
        began = False
        try:
            for gate in self.gates:
                verdict = gate.admit(request)
                if isinstance(verdict, Admit):
                    if verdict.unasked and not any(one.unasked for one in passed):
                        tell(UNASKED)
                    passed.append(verdict)
                else:
                    outcome = _kept_out(verdict, lease)
                    return outcome
            if self.locks is not None and (request.locks or request.concurrency):
                kept_out = self._lock(self.locks, lease, request, token)
                if kept_out is not None:
                    outcome = kept_out
                    return outcome
            began = True
            if request.breaker is not None:
                depends_on(request.breaker.name)
            outcome = act()
            return outcome
        finally:
            # What was refused has not called what it depends on: there is nothing to learn, and something to give back.
            refused = isinstance(outcome, Failed) and not began
            settled = Snoozed(WaitReason.LOCK, None) if refused or isinstance(outcome, Parked) else outcome
            for verdict in passed:
                verdict.settle(settled)
            for on in {verdict.wakes for verdict in passed if began and verdict.wakes is not None}:
                self.wake(on, 1)

    def _is_free(self, lease: Lease, declared: ActionDeclaration) -> bool:
        """Whether nothing was asked for: most steps need not be looked at."""
        return (
            lease.flow is None
            and lease.concurrency is None
            and lease.run_locks is None
            and declared.flow is None
            and not lease.kind.is_background
            and lease.waited_on is None
        )

    def _lock(self, locks: Locks, lease: Lease, request: GateRequest, token: CancelToken) -> Outcome | Parked | None:
        """None when all was granted. While PostgreSQL is away nobody gets a lock, and the step is held anyway."""
        pause, tries = threading.Event(), 0
        while True:
            try:
                match locks.acquire(lease, request):
                    case Held():
                        return None
                    case InLine(finished):
                        return Parked(finished)
                    case Refuse() as refused:
                        return _kept_out(refused, lease)
                    case Cancelled() as stopping:
                        return stopping
            except StoreUnavailable:
                if token.event.is_set():
                    return Cancelled()
                pause.wait(_LOCK_PAUSES_S[min(tries, len(_LOCK_PAUSES_S) - 1)])
                tries += 1


def gate_request(
    lease: Lease, declared: ActionDeclaration, params: BaseModel, scope: Mapping[str, Any], defaults: FlowDefaults
) -> GateRequest:
    """What the step, its action, its run and its kind ask for, with names resolved and numbers filled in.

    Raises: InvalidParameters when a reference brought what is no name.
    """
    own = _own(lease.flow, scope) if lease.flow else _NOTHING
    of_action = (declared.flow(params, lease.host) if declared.flow else None) or _NOTHING
    breaker = own.breaker or of_action.breaker
    places = [spec for spec in (own.concurrency, of_action.concurrency, lease.concurrency) if spec is not None]
    rates = [filled_in(rate, defaults) for rate in (*own.rate_limits, *of_action.rate_limits)]
    if lease.kind in defaults.kind_places:
        # Unchecked, since nobody else may name such a key.
        key = f"{KIND_PREFIX}{lease.kind}"
        places.append(ConcurrencySpec.model_construct(key=key, limit=defaults.kind_places[lease.kind]))
    if lease.kind in defaults.kind_rates:
        rates.append(defaults.kind_rates[lease.kind])
    unique: dict[str, RateLimitSpec] = {}
    for rate in rates:  # the first of a name holds, which is the step's own
        unique.setdefault(rate.name, rate)
    breaker = _with_settings(breaker, defaults) if breaker else None
    return GateRequest(
        asker=f"{lease.run_id}/{lease.position}",
        priority=lease.priority,
        timeout_s=lease.timeout_s,
        kind=lease.kind,
        came_from=lease.came_from,
        failures=lease.failures,
        retry=lease.policy.retry,
        breaker=breaker,
        rate_limits=tuple(unique.values()),
        locks=(*own.locks, *of_action.locks, *_of_run(lease)),
        concurrency=tuple(places),
        lock_wait_s=own.lock_wait_s if own.lock_wait_s is not None else of_action.lock_wait_s,
    )


def shown_safely(request: GateRequest, redactor: Redactor) -> GateRequest:
    """The request with names that anybody may see: they stand in rows, traces, logs and on pages.

    What was taken out of a name leaves a short hash behind, so that two that differ in it stay two.
    """

    def safe(name: str) -> str:
        clean = redactor.text(name)
        return name if clean == name else f"{clean}#{blake2b(name.encode(), digest_size=3).hexdigest()}"

    breaker = request.breaker
    return replace(
        request,
        breaker=breaker and breaker.model_copy(update={"name": safe(breaker.name)}),
        rate_limits=tuple(rate.model_copy(update={"name": safe(rate.name)}) for rate in request.rate_limits),
        locks=tuple(lock.model_copy(update={"name": safe(lock.name)}) for lock in request.locks),
        concurrency=tuple(place.model_copy(update={"key": safe(place.key)}) for place in request.concurrency),
    )


def _own(flow: JsonObject, scope: Mapping[str, Any]) -> FlowSpec:
    try:
        return FlowSpec.model_validate(resolve(flow, scope))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidParameters(f"{place}: {first['msg']}") from error


def _of_run(lease: Lease) -> list[LockSpec]:
    """What a run that was retried held for its whole length before it ended."""
    return [
        LockSpec(name=key.removeprefix("lock:"), shared=mode == "shared", hold="run")
        for key, mode in (lease.run_locks or {}).items()
    ]


def filled_in(rate: RateLimitSpec, defaults: FlowDefaults) -> RateLimitSpec:
    """The limit with the numbers of the settings, where it brings none."""
    return rate if rate.limit is not None else defaults.rate_limits.get(rate.name, rate)


def _with_settings(breaker: BreakerSpec, defaults: FlowDefaults) -> BreakerSpec:
    """Settings hold where the step says nothing."""
    known = defaults.breakers.get(breaker.name)
    if not known:
        return breaker
    return BreakerSpec.model_validate({**known, **breaker.model_dump(include=breaker.model_fields_set)})


def _kept_out(verdict: Wait | Refuse, lease: Lease) -> Outcome:
    match verdict:
        case Wait(reason, seconds, on, spacing_s, message):
            return Snoozed(reason, lease.claimed_at + timedelta(seconds=seconds), on, spacing_s, message)
        case Refuse(error, permanent):
            return Failed(error, permanent)
