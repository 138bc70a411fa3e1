"""What a circuit breaker does, in plain Python over a list of all calls; the script is held against it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from schemas.flow import BreakerSpec


@dataclass(eq=False)
class Call:
    """A call that was let through. `lease_until` is None where it is no probe."""

    begun_in: int
    lease_until: float | None = None


@dataclass
class BreakerModel:
    spec: BreakerSpec
    state: str = "closed"
    forced: str | None = None
    open_until: float = 0.0
    openings: int = 0
    in_a_row: int = 0
    good_probes: int = 0
    rejected: int = 0
    calls: int = 0
    failures: int = 0
    probing: list[Call] = field(default_factory=list)
    counted: list[tuple[float, bool]] = field(default_factory=list)

    @property
    def shown(self) -> str:
        return self.forced or self.state

    def acquire(self, now: float, probe_s: float) -> Call | float:
        """The call, or for how long it is refused."""
        if self.shown == "closed":
            return Call(self.openings)
        self.rejected += 1
        if self.forced:
            return self.spec.recovery_s
        if self.state == "open":
            if now < self.open_until:
                return self.open_until - now
            self.state, self.good_probes = "half_open", 0
        self.probing = [call for call in self.probing if call.lease_until is not None and call.lease_until > now]
        if self.probing and len(self.probing) + self.good_probes >= self.spec.probes:
            return min(self.spec.recovery_s, min(call.lease_until or 0 for call in self.probing) - now)
        self.rejected -= 1
        self.probing.append(Call(self.openings, now + probe_s))
        return self.probing[-1]

    def report(self, now: float, call: Call, report: str) -> None:
        probe = call in self.probing
        self.probing = [other for other in self.probing if other is not call]
        if report == "unknown":
            return
        self.calls += 1
        self.failures += report == "failed"
        if probe and self.state == "half_open" and not self.forced:
            self._probed(now, report)
        elif self.state == "closed" and call.lease_until is None and call.begun_in == self.openings:
            self._counted(now, report)

    def reset(self) -> None:
        self.openings += 1
        self.forced = None
        self._close()

    def _probed(self, now: float, report: str) -> None:
        if report == "failed":
            self.in_a_row += 1
            self._open(now)
        else:
            self.good_probes += 1
            if self.good_probes >= self.spec.probes:
                self._close()

    def _counted(self, now: float, report: str) -> None:
        self.in_a_row = self.in_a_row + 1 if report == "failed" else 0
        if self.forced:
            return
        if self.in_a_row >= self.spec.failure_threshold:
            self._open(now)
        elif self.spec.failure_rate is not None:
            self.counted.append((now, report == "failed"))
            width = self.spec.window_s / 10
            since = [failed for at, failed in self.counted if math.floor(at / width) * width > now - self.spec.window_s]
            if len(since) >= self.spec.minimum_calls and sum(since) >= self.spec.failure_rate * len(since):
                self._open(now)

    def _open(self, now: float) -> None:
        self.openings += self.state == "closed"
        self.state, self.open_until, self.good_probes, self.counted = "open", now + self.spec.recovery_s, 0, []

    def _close(self) -> None:
        self.state, self.in_a_row, self.good_probes, self.probing, self.counted = "closed", 0, 0, [], []
