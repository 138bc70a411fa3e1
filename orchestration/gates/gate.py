"""The protocol of gates. A step that has to wait becomes a waiting row, so that its worker is free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from orchestration.core.decide import Outcome, StepError
from schemas.flow import BreakerSpec, ConcurrencySpec, LockSpec, RateLimitSpec
from schemas.retry import RetryPolicy
from schemas.statuses import RunKind, WaitReason


@dataclass(frozen=True)
class GateRequest:
    """The attempt that wants to pass. Names are resolved, and what was left to settings is filled in.

    asker: names the step, the same for all of its attempts.
    timeout_s: how long the attempt may take at most.
    came_from: the line of a breaker or a host that the step stood in and has not run since, such as `breaker:openai`.
    failures: those of earlier attempts; more than none means that this one is a retry.
    retry: how the step is retried, for a gate that makes a retry wait longer.
    """

    asker: str
    priority: int
    timeout_s: float
    kind: RunKind = RunKind.WORKFLOW
    came_from: str | None = None
    failures: int = 0
    retry: RetryPolicy | None = None
    breaker: BreakerSpec | None = None
    rate_limits: tuple[RateLimitSpec, ...] = ()
    locks: tuple[LockSpec, ...] = ()
    concurrency: tuple[ConcurrencySpec, ...] = ()
    lock_wait_s: float | None = None

    @property
    def call_s(self) -> float:
        """How long the call may take at most from now on: the sooner of the attempt's limit and its breaker's."""
        of_breaker = self.breaker.timeout_s if self.breaker is not None else None
        return min(self.timeout_s, of_breaker if of_breaker is not None else self.timeout_s)


def _nothing(_outcome: Outcome) -> None:
    """What most gates do with an outcome."""


@dataclass(frozen=True)
class Admit:
    """The step may run. `settle` is called with its outcome, so that a gate can learn from it or give back.

    Where a later gate made the step wait, the outcome is a `Snoozed`.
    wakes: a line of which the next may go on once the step has run; None: nobody waits for its end.
    unasked: the gate's own store did not answer, which may have taken a moment, so the step passes.
    """

    settle: Callable[[Outcome], None] = field(default=_nothing)
    wakes: str | None = None
    unasked: bool = False


@dataclass(frozen=True)
class Wait:
    """The step has to wait for about `seconds`.

    on: what for, such as `breaker:openai`; those who wait for the same stand in one line.
    spacing_s: each that waits in that line already adds so much, so that they do not all come back at once.
    message: why, in words, for people.
    """

    reason: WaitReason
    seconds: float
    on: str
    spacing_s: float = 0.0
    message: str = ""


@dataclass(frozen=True)
class Refuse:
    """The attempt fails. `permanent`: a later one would be refused as well."""

    error: StepError
    permanent: bool = False


Verdict = Admit | Wait | Refuse


class Gate(Protocol):
    """One gate. It never raises: a gate whose own store is away admits."""

    def admit(self, request: GateRequest) -> Verdict:
        """Whether the step may run now."""
