"""Retries must not be what keeps a dependency down: over all workers they are held to a share of the traffic.

Each first attempt at a step that names a dependency allows `RATIO` of a retry, and `RESERVE` retries a minute are
allowed anyway, so that a quiet dependency is tried again too. A retry that finds nothing left waits twice as long as
its policy says, or longer; it is never lost.
Source: Beyer et al., Site Reliability Engineering, ch. 21 ("Handling Overload", "Deciding to Retry") and ch. 22
("Addressing Cascading Failures", "Retries"); Twitter Finagle, `RetryBudget`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import random
from typing import Protocol

from orchestration.core.backoff import backoff_s
from orchestration.core.decide import Outcome, Snoozed
from orchestration.gates.gate import Admit, GateRequest, Verdict, Wait
from orchestration.gates.rate_limit import GATE_REASONS
from schemas.flow import KIND_PREFIX
from schemas.retry import RetryPolicy
from schemas.statuses import WaitReason

RATIO = 0.2
RESERVE = 10
# What is counted over; the reserve is for so long.
WINDOW_S = 60.0


@dataclass(frozen=True)
class Granted:
    """The retry may be made."""


@dataclass(frozen=True)
class Spent:
    """Nothing is left. There will be something in `seconds`, and with the traffic of now again every `spacing_s`."""

    seconds: float
    spacing_s: float


class RetryBudgetStore(Protocol):
    """The budgets, shared by all workers. Raises nothing: when it is away, every retry passes."""

    def note_first(self, name: str) -> None:
        """Count a first attempt."""

    def withdraw(self, name: str) -> Granted | Spent:
        """Ask for a retry."""

    def give_back(self, name: str) -> None:
        """A retry that was granted was not made."""


class RetryBudgetGate:
    """Holds the retries of steps that name a dependency, by a breaker or a rate limit, to a share of the traffic."""

    def __init__(self, store: RetryBudgetStore, *, chance: Callable[[], float] = random) -> None:
        self.store = store
        self._chance = chance

    def admit(self, request: GateRequest) -> Verdict:
        """Admit first attempts, and retries that the budget has room for."""
        name = dependency(request)
        if name is None:
            return Admit()
        if request.failures == 0:
            return Admit(lambda outcome: self._settle_first(name, outcome))
        answer = self.store.withdraw(name)
        if isinstance(answer, Spent):
            delay = 2 * backoff_s(request.retry or RetryPolicy(), request.failures, self._chance())
            return Wait(WaitReason.RETRY, max(answer.seconds, delay), on=f"budget:{name}", spacing_s=answer.spacing_s)
        return Admit(lambda outcome: self._settle_retry(name, outcome))

    def _settle_first(self, name: str, outcome: Outcome) -> None:
        # One that a later gate kept out comes again.
        if not _was_kept_out(outcome):
            self.store.note_first(name)

    def _settle_retry(self, name: str, outcome: Outcome) -> None:
        if _was_kept_out(outcome):
            self.store.give_back(name)


def _was_kept_out(outcome: Outcome) -> bool:
    return isinstance(outcome, Snoozed) and outcome.reason in GATE_REASONS


def dependency(request: GateRequest) -> str | None:
    """What the step depends on: its breaker's name, or that of its first rate limit, those of kinds of runs aside."""
    if request.breaker is not None:
        return request.breaker.name
    return next((rate.name for rate in request.rate_limits if not rate.name.startswith(KIND_PREFIX)), None)
