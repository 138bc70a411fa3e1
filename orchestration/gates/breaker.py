"""The circuit breaker: what keeps failing is left alone for a while, then probed by one step at a time.

Source: Nygard, Release It!, 2nd ed., ch. 5 ("Circuit Breaker").
"""

from __future__ import annotations

from dataclasses import dataclass
from random import random
from typing import Literal, Protocol

from orchestration.core.decide import Failed, Outcome, Succeeded
from orchestration.gates.gate import Admit, GateRequest, Verdict, Wait
from schemas.statuses import WaitReason

Report = Literal["ok", "failed", "unknown"]


@dataclass(frozen=True)
class Passed:
    """A call may go through; `token` is set when it is the one probe of a half-open breaker."""

    token: str


@dataclass(frozen=True)
class Refused:
    """The breaker is open, or another call is probing; worth asking again after `seconds`."""

    seconds: float


class BreakerStore(Protocol):
    """The breakers' state, shared by all workers. Raises nothing: when it is away, every call passes."""

    def acquire(self, target: str, *, recovery_s: float, probe_s: float) -> Passed | Refused:
        """Ask to call `target`. A probe is leased for `probe_s`, so that a prober that dies blocks nobody for ever."""

    def report(self, target: str, token: str, report: Report, *, threshold: int, recovery_s: float) -> None:
        """Say how the call went. `unknown` gives a probe back and counts for nothing."""


class BreakerGate:
    """Guards the targets that actions name by their `breaker`."""

    def __init__(self, store: BreakerStore) -> None:
        self.store = store

    def admit(self, request: GateRequest) -> Verdict:
        """Admit, or wait until the breaker may be probed."""
        target = request.target
        if target is None:
            return Admit(lambda _outcome: None)
        answer = self.store.acquire(target, recovery_s=request.recovery_s, probe_s=request.timeout_s)
        if isinstance(answer, Refused):
            # Spread, or all that wait for one target would ask again in the same instant.
            return Wait(WaitReason.BREAKER, answer.seconds * (1 + 0.1 * random()))

        def settle(outcome: Outcome) -> None:
            self.store.report(
                target,
                answer.token,
                judge(outcome),
                threshold=request.failure_threshold,
                recovery_s=request.recovery_s,
            )

        return Admit(settle)


def judge(outcome: Outcome) -> Report:
    """What an outcome says of the target: an answer, even a refusal, means that it is there."""
    match outcome:
        case Succeeded() | Failed(permanent=True):
            return "ok"
        case Failed():
            return "failed"
        case _:
            return "unknown"
