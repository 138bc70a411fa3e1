"""The protocol of gates. A step that has to wait becomes a waiting row, so that its worker is free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from orchestration.core.decide import Outcome
from schemas.statuses import WaitReason


@dataclass(frozen=True)
class GateRequest:
    """The attempt that wants to pass.

    target: what it depends on, whose circuit breaker guards it; None for nothing.
    timeout_s: how long it may take at most.
    """

    target: str | None
    failure_threshold: int
    recovery_s: float
    timeout_s: float


@dataclass(frozen=True)
class Admit:
    """The step may run. `settle` is called with its outcome, so that a gate can learn from it or give back."""

    settle: Callable[[Outcome], None]


@dataclass(frozen=True)
class Wait:
    """The step has to wait, for about that many seconds."""

    reason: WaitReason
    seconds: float


Verdict = Admit | Wait


class Gate(Protocol):
    """One gate. It never raises: a gate whose own store is away admits."""

    def admit(self, request: GateRequest) -> Verdict:
        """Whether the step may run now."""
