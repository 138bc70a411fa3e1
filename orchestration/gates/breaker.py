"""The circuit breaker: what keeps failing is left alone for a while, then probed by a few steps at a time.

Source: Nygard, Release It!, 2nd ed., ch. 5 ("Circuit Breaker").
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol

from orchestration.core.decide import Failed, Outcome, StepError, Succeeded
from orchestration.gates.gate import Admit, GateRequest, Refuse, Verdict, Wait
from schemas.flow import BreakerSpec
from schemas.statuses import WaitReason

log = logging.getLogger(__name__)

Report = Literal["ok", "failed", "unknown"]
BREAKER_OPEN = "breaker_open"
# On top of what an attempt at its time limit has for stopping: to report, and to be killed.
REPORT_S = 5.0
# These speak of our own house, whatever the attempt had done by then.
NO_NEWS = frozenset({"outcome_unknown", "store_unavailable", "lease_lost", "worker_lost", "lock_timeout", BREAKER_OPEN})


class BreakerState(StrEnum):
    """Where a breaker stands: calls pass, calls are refused, or a few probes pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True)
class Change:
    """A breaker's state changed."""

    name: str
    before: BreakerState
    after: BreakerState
    at: datetime
    why: str


@dataclass(frozen=True)
class Passed:
    """A call may go through. `token` is told when it is reported; `probe`: it decides whether the breaker closes.

    Without a token nobody was asked, since the store is away.
    """

    token: str
    probe: bool = False
    change: Change | None = None


@dataclass(frozen=True)
class Refused:
    """The breaker is open, or enough others are probing; worth asking again after `seconds`."""

    seconds: float
    change: Change | None = None


@dataclass(frozen=True)
class BreakerStatus:
    """A breaker as shown to people. Counts are since it was first used, or since nobody used it for 7 days.

    forced: set by hand, whatever the calls say.
    calls, failures: that were reported, those begun before it opened included.
    opened_at: when it last opened, also while it is closed again.
    next_probe_at: when it may be probed next; None unless it is open by itself.
    """

    name: str
    state: BreakerState
    forced: BreakerState | None
    calls: int
    failures: int
    rejected: int
    consecutive_failures: int
    probes_in_flight: int
    changed_at: datetime | None
    opened_at: datetime | None
    next_probe_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None


class BreakerStore(Protocol):
    """The breakers' state, shared by all workers. Raises nothing: when it is away, every call passes."""

    def acquire(self, spec: BreakerSpec, *, probe_s: float) -> Passed | Refused:
        """Ask to make a call. A probe is leased for `probe_s`, so that one that dies blocks nobody for ever."""

    def report(self, spec: BreakerSpec, token: str, report: Report, *, code: str = "") -> Change | None:
        """Say how the call went, `code` names the error. `unknown` gives a probe back and counts for nothing."""


class BreakerGate:
    """Guards what steps depend on.

    on_change: told of every change that a call of this gate brought about.
    stop_grace_s: how long an attempt that ran into its time limit has before it is ended.
    wake: lets the next steps go on that wait on the same, the argument names what. Called for each answer of the
        dependency that a step got who had stood in line somewhere, and when the breaker closes.
    """

    def __init__(
        self,
        store: BreakerStore,
        on_change: Callable[[Change], None] = lambda _change: None,
        wake: Callable[[str], None] = lambda _on: None,
        *,
        stop_grace_s: float = 0.0,
    ) -> None:
        self.store = store
        self.on_change = on_change
        self.wake = wake
        self._stop_grace_s = stop_grace_s

    def admit(self, request: GateRequest) -> Verdict:
        """Admit; or, while the breaker is open, wait until it may be probed or refuse, as the step says."""
        spec = request.breaker
        if spec is None:
            return Admit()
        # No sooner than the call is over, whatever it does: there shall not be one probe more than the breaker says.
        answer = self.store.acquire(spec, probe_s=request.call_s + self._stop_grace_s + REPORT_S)
        self._tell(answer.change)
        if isinstance(answer, Refused):
            return _kept_out(spec, answer.seconds)

        def settle(outcome: Outcome) -> None:
            report = judge(outcome, spec.counts)
            if report == "unknown" and not answer.probe:
                return  # there is nothing to give back, nor to learn
            code = outcome.error.code if isinstance(outcome, Failed) else ""
            change = self.store.report(spec, answer.token, report, code=code)
            self._tell(change)
            has_closed = change is not None and change.after is BreakerState.CLOSED
            if has_closed or (report == "ok" and request.came_from is not None):
                self._wake(f"breaker:{spec.name}")

        return Admit(settle, unasked=not answer.token)

    def _wake(self, on: str) -> None:
        try:
            self.wake(on)
        except Exception:  # the sweep wakes them as well
            log.exception("nobody woken", extra={"on": on})

    def _tell(self, change: Change | None) -> None:
        if change is None:
            return
        log.info("breaker %s is %s: %s", change.name, change.after, change.why)
        try:
            self.on_change(change)
        except Exception:  # history is news, not work: a step must not fail for it
            log.exception("change of a breaker not told", extra={"breaker": change.name})


def judge(outcome: Outcome, counts: tuple[str, ...] = ()) -> Report:
    """What an outcome says of the dependency: an answer, even one that refuses for good, means that it is there.

    `counts`: the codes of the errors that count; none: all that may be retried. An error that may be retried and does
    not count says nothing.
    """
    match outcome:
        case Succeeded():
            return "ok"
        case Failed(error) if error.code in counts:
            return "failed"
        case Failed(error) if error.code in NO_NEWS:
            return "unknown"
        case Failed(permanent=True):
            return "ok"
        case Failed() if not counts:
            return "failed"
        case _:
            return "unknown"


def _kept_out(spec: BreakerSpec, seconds: float) -> Verdict:
    message = f"the circuit breaker of {spec.name} is open; it may be probed in {seconds:.1f} s"
    if spec.on_open == "wait":
        spacing_s = spec.recovery_s / spec.probes
        return Wait(WaitReason.BREAKER, seconds, on=f"breaker:{spec.name}", spacing_s=spacing_s, message=message)
    error = StepError(BREAKER_OPEN, message, {"breaker": spec.name, "seconds": round(seconds, 1)})
    return Refuse(error, permanent=True)
