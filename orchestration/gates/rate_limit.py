"""Rate limits across the fleet: so many attempts in so much time, and a line of those who wait.

Source: the generic cell rate algorithm, ITU-T I.371 (2004), annex A.1, "virtual scheduling": a token bucket kept as the
one time at which the next attempt is due, without anything that refills it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from orchestration.core.decide import Failed, Outcome, Snoozed
from orchestration.gates.gate import Admit, GateRequest, Verdict, Wait
from schemas.flow import KIND_PREFIX, RateLimitSpec
from schemas.statuses import WaitReason

# What a full bucket may add to the attempts of `WINDOW_S`, as a share of them.
EXCESS = 0.02
WINDOW_S = 60.0
# What a priority of 1 is worth: critical work (20) goes before what came up to ten minutes earlier, and nobody starves.
PRIORITY_S = 30.0
# Longest time that all are kept off because a dependency said so; then one asks again.
LONGEST_BLOCK_S = 3600.0
# Those who waited for the end of a block of a limit without numbers come back one after the other.
UNLIMITED_SPACING_S = 0.05
TOO_MANY_REQUESTS = 429
# An attempt that waits for these did not begin; one that waits for a time or a signal has run so far.
GATE_REASONS = frozenset({WaitReason.LOCK, WaitReason.RATE_LIMIT, WaitReason.BREAKER, WaitReason.THROTTLED})


@dataclass(frozen=True)
class Pace:
    """The numbers that the limiter reckons with, in seconds.

    interval_s: between two attempts; 0: not limited.
    ahead_s: how far attempts may run ahead of their times after a pause, which makes bursts of
        1 + ahead_s / interval_s.
    catch_up_s: how much of the time that waiters came late is made good, on top of `ahead_s`.
    spec: where it came from, for people.
    """

    interval_s: float
    ahead_s: float = 0.0
    catch_up_s: float = 0.0
    spec: RateLimitSpec | None = None

    @property
    def burst(self) -> int:
        """Attempts at once after a pause."""
        # The times come from divisions: 0.9 / 0.1 must not be 8.
        return 1 + int(self.ahead_s / self.interval_s + 1e-6) if self.interval_s else 0


@dataclass(frozen=True)
class Taken:
    """All limits have room and were charged. The attempt may begin in `seconds`.

    rank: its place in line; None: nothing was charged, since the store is away.
    """

    seconds: float
    rank: float | None


@dataclass(frozen=True)
class InLine:
    """The attempt has to wait; by its place in line its turn at the limit `name` comes in `seconds`."""

    seconds: float
    name: str


@dataclass(frozen=True)
class RateLimitStatus:
    """A limit as shown to people, by the numbers that were used last. Counts begin anew once nobody used it for a day.

    limit, per_s: None where the limit has no numbers.
    burst: attempts at once after a pause, see `pace_of`; `used`: of these, taken just now.
    waiting: steps in line, those that are late not counted.
    next_free_at: when a newcomer would be let through.
    blocked_until: set while the dependency has asked for a pause.
    admitted: attempts; hits: refusals by ourselves; refused: by the dependency.
    """

    name: str
    limit: int | None
    per_s: float | None
    burst: int
    used: int
    waiting: int
    next_free_at: datetime
    blocked_until: datetime | None
    admitted: int
    hits: int
    refused: int


class RateLimitStore(Protocol):
    """The limits' state, shared by all workers. Raises nothing: when it is away, every attempt passes."""

    def take(self, asker: str, priority: int, paces: Sequence[tuple[str, Pace]]) -> Taken | InLine:
        """Charge all the named limits or none; an asker that has to wait keeps its place until it is let through."""

    def give_back(self, asker: str, rank: float, paces: Sequence[tuple[str, Pace]]) -> None:
        """The attempt did not begin after all; it asks again later, and from the same place in line."""

    def block(self, name: str, pace: Pace, seconds: float) -> None:
        """Let nobody through for so long, then begin slowly: the dependency has asked for it."""

    def report_hit(self, name: str, pace: Pace) -> None:
        """Count a refusal by the dependency that named no time."""


class RateLimitGate:
    """Holds steps to the rates they name.

    The first limit of a request is that of what the step calls; that of the run's kind never is: what one server asks
    of its callers is no news for all others of the kind.
    """

    def __init__(self, store: RateLimitStore, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.store = store
        self._sleep = sleep

    def admit(self, request: GateRequest) -> Verdict:
        """Admit when all of the step's limits have room; otherwise wait until its turn comes."""
        paces = [(spec.name, pace_of(spec)) for spec in request.rate_limits]
        if not paces:
            return Admit()
        answer = self.store.take(request.asker, request.priority, paces)
        if isinstance(answer, InLine):
            unlimited = dict(paces)[answer.name].interval_s == 0
            spacing_s = UNLIMITED_SPACING_S if unlimited else 0.0
            return Wait(
                WaitReason.RATE_LIMIT,
                answer.seconds,
                on=f"rate:{answer.name}",
                spacing_s=spacing_s,
                message=f"its turn at the rate limit {answer.name} comes in {answer.seconds:.1f} s",
            )
        if answer.seconds > 0:
            self._sleep(answer.seconds)

        called = next((pace for pace in paces if not pace[0].startswith(KIND_PREFIX)), None)

        def settle(outcome: Outcome) -> None:
            match outcome:
                case Snoozed(reason) if reason in GATE_REASONS and answer.rank is not None:
                    self.store.give_back(request.asker, answer.rank, paces)
                case Failed(after_s=float() | int() as after_s) if called is not None:
                    self.store.block(*called, min(after_s, LONGEST_BLOCK_S))
                case Failed(error) if called is not None and error.details.get("status") == TOO_MANY_REQUESTS:
                    self.store.report_hit(*called)
                case _:
                    pass

        return Admit(settle, unasked=answer.rank is None)


def pace_of(spec: RateLimitSpec) -> Pace:
    """The pace of a limit.

    A bucket as large as the limit lets a whole limit more through in the first window: 100 in 60 s would let 200 pass
    in a minute. So it holds at most what is 2 % of the attempts in a minute, or in `per_s` where that is longer, and
    one at least: 10 a second may come ten at once, 100 a minute two at once, 5,000 an hour a hundred. What the bucket
    leaves of the 2 % makes good the time that waiters come late; a tenth of an interval at least.
    """
    if spec.limit is None:
        return Pace(0.0, spec=spec)
    interval_s = spec.per_s / spec.limit
    spare_s = max(0.0, EXCESS * max(WINDOW_S, spec.per_s) - interval_s)
    ahead_s = min((spec.limit - 1) * interval_s, spare_s)
    return Pace(interval_s, ahead_s, max(spare_s - ahead_s, min(interval_s / 10, 1.0)), spec)
