"""A small model of a run, written from the design and not from the SQL: what every operation must lead to.

Time is a number of seconds. The engine is driven beside it by tests/integration/engine/test_model.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

LEASE_S, RESEND_S = 15, 2
ENDED = {"completed", "failed", "skipped", "cancelled"}
FINISHED = {"completed", "failed", "cancelled"}

# How an attempt may end, as the tests say it.
End = Literal[
    "succeed", "expand", "skip", "break", "flaky", "cancel", "delay", "signal", "lost", "killed", "hand_back"
]  # fmt: skip


class Refused(Exception):
    """The operation means nothing in this state."""


@dataclass
class Step:
    """One step, as the design describes it."""

    key: str
    needs: set[int] = field(default_factory=set)
    on_failure: Literal["fail", "continue", "value", "step"] = "fail"
    on_lost: Literal["retry", "fail"] = "retry"
    max_attempts: int = 3
    delay_s: int = 0
    takes_signal: bool = False
    disabled: bool = False
    made_by: int | None = None

    status: str = "pending"
    waiting_for: str | None = None
    attempt: int = 0
    failures: int = 0
    losses: int = 0
    sends: int = 0
    released: bool = False
    has_signal: bool = False
    stop_requested: bool = False
    due: int | None = None
    lease_until: int = 0

    def enter(self, status: str, *, due: int | None = None, waiting_for: str | None = None) -> None:
        self.status, self.due, self.waiting_for, self.stop_requested = status, due, waiting_for, False


class Run:
    """One run. Every operation takes the time; those that make steps ready answer which."""

    def __init__(self, steps: Sequence[Step], max_steps: int, now: int) -> None:
        self.steps: dict[int, Step] = dict(enumerate(steps))
        self.next_position = len(steps)
        self.max_steps = max_steps
        self.status = "running"
        self.ending: str | None = None
        self.commits = 0
        for step in steps:
            if step.disabled:
                step.status, step.released = "skipped", True
        self._free(self.steps, now)

    def claim(self, position: int, now: int) -> int | None:
        step = self.steps.get(position)
        if self.status != "running" or step is None or step.status != "ready":
            return None
        step.enter("in_progress")
        step.attempt += 1
        step.sends = 0
        step.lease_until = now + LEASE_S
        return step.attempt

    def holds(self, position: int, attempt: int) -> bool:
        step = self.steps.get(position)
        return step is not None and step.status == "in_progress" and step.attempt == attempt

    def is_held(self, position: int) -> bool:
        return position in self.steps and self.steps[position].status == "in_progress"

    def heartbeat(self, position: int, attempt: int, now: int) -> str:
        if not self.holds(position, attempt):
            return "lost"
        self.steps[position].lease_until = now + LEASE_S
        return "stop" if self.steps[position].stop_requested else "ok"

    def finish(self, position: int, end: End, now: int, added: Sequence[Step] = ()) -> set[int]:
        """The attempt that holds `position` ends. `needs` of what it adds count from 0 among the added."""
        step = self.steps[position]
        verb = self._decide(step, end)
        if verb == "expand" and (self.status == "cancelling" or not added):
            verb = "complete"
        if verb == "expand" and not self._may_add(added):
            step.failures += 1
            verb = self._give_up(step)
        # No outcome may do nothing: a run that is stopping takes no work back, and no step is cancelled alone.
        if self.status == "cancelling" and verb in ("retry", "wait", "hand_back"):
            verb = "cancel"
        elif self.status != "cancelling" and verb == "cancel":
            verb = "fail"
        self.commits += 1
        ready: set[int] = set()
        if verb == "expand":
            ready |= self._add(position, added, now)
        if verb in ("complete", "expand", "skip", "continue"):
            step.enter({"skip": "skipped", "continue": "failed"}.get(verb, "completed"))
            step.released = True
            ready |= self._free(self.dependents(position), now)
        elif verb == "hand_back" or (end == "signal" and verb == "wait" and step.has_signal):
            step.enter("ready", due=now + RESEND_S)
            ready.add(position)
        elif verb == "retry":
            step.enter("waiting", due=now + 2 ** (step.failures - 1), waiting_for="retry")
        elif verb == "wait" and end == "signal":
            step.enter("waiting", waiting_for="signal")
        elif verb == "wait":
            step.enter("waiting", due=now + 5, waiting_for="delay")
        else:
            step.enter("failed" if verb == "fail" else "cancelled")
            if verb == "fail" and self.ending is None:
                self._end("failed")
        self._settle()
        return ready if self.status == "running" else set()

    def stop(self) -> None:
        if self.status in FINISHED:
            raise Refused
        if self.status != "cancelling":
            self._end("cancelled")
            self._settle()

    def pause(self) -> None:
        if self.status != "running":
            raise Refused
        self.status = "paused"

    def resume(self, now: int) -> None:
        if self.status != "paused":
            raise Refused
        self.status = "running"
        for step in self.steps.values():
            step.sends = 0
            if step.status == "ready":
                step.due = now + RESEND_S

    def skip(self, position: int, now: int) -> None:
        step = self.steps[position]
        if self.status in ("failed", "cancelled") and not step.released:
            self._reset({position}, now, skipped=position)
        elif self.status in ("running", "paused") and step.status in ("pending", "ready", "waiting"):
            step.enter("skipped")
            step.released = True
            self._free(self.dependents(position), now)
            self._settle()
        else:
            raise Refused

    def signal(self, position: int, now: int) -> None:
        step = self.steps[position]
        if self.status not in ("running", "paused") or not step.takes_signal or step.status in ENDED or step.has_signal:
            raise Refused
        step.has_signal = True
        if step.waiting_for == "signal":
            step.enter("ready", due=now + RESEND_S)
            step.sends = 0

    def retry(self, position: int | None, now: int) -> None:
        if self.status not in FINISHED or (position is None and self.status == "completed"):
            raise Refused
        if position is not None and self.steps[position].disabled:
            raise Refused
        self._reset(set() if position is None else {position}, now)

    def sweep_due(self, now: int) -> set[int]:
        """Steps for which a message is sent: waits that are over, and what was sent long ago."""
        sent = set()
        for position, step in self.steps.items():
            if self.status != "running" or step.due is None or step.due > now:
                continue
            sent.add(position)
            if step.status == "waiting":
                step.enter("ready", due=now + RESEND_S)
                step.sends = 0
            else:
                step.sends += 1
                step.due = now + min(60, RESEND_S * 2**step.sends)
        return sent

    def sweep_expired(self, now: int) -> int:
        expired = [p for p, step in self.steps.items() if step.status == "in_progress" and step.lease_until < now]
        for position in expired:
            self.finish(position, "lost", now)
        return len(expired)

    def dependents(self, position: int) -> set[int]:
        return {other for other, step in self.steps.items() if position in step.needs}

    def ready(self) -> set[int]:
        """What may be claimed now."""
        return {p for p, step in self.steps.items() if step.status == "ready" and self.status == "running"}

    def _decide(self, step: Step, end: End) -> str:
        match end:
            case "succeed":
                return "complete"
            case "flaky" | "break":
                step.failures += 1
                tried = end == "break" or step.failures >= step.max_attempts
                return self._give_up(step) if tried else "retry"
            case "lost" | "killed":
                step.losses += end == "killed"
                again = step.on_lost == "retry" and (end == "lost" or step.losses < 3)
                return "hand_back" if again else self._give_up(step)
            case "delay" | "signal":
                return "wait"
            case _:
                return end

    def _give_up(self, step: Step) -> str:
        return {"fail": "fail", "continue": "continue", "value": "complete", "step": "continue"}[step.on_failure]

    def _may_add(self, added: Sequence[Step]) -> bool:
        keys = {step.key for step in self.steps.values()}
        return len(self.steps) + len(added) <= self.max_steps and not any(step.key in keys for step in added)

    def _add(self, maker: int, added: Sequence[Step], now: int) -> set[int]:
        base, waiting = self.next_position, self.dependents(maker)
        self.next_position += len(added)
        for offset, step in enumerate(added):
            step.made_by = maker
            step.needs = {base + need for need in step.needs}
            self.steps[base + offset] = step
        new = set(range(base, self.next_position))
        last = {position for position in new if not self.dependents(position)}
        for position in waiting:
            self.steps[position].needs |= last
        return self._free(new, now)

    def _free(self, positions: Iterable[int], now: int) -> set[int]:
        """Pending steps that have all their needs wait for their delay, or are ready. Answers the latter."""
        ready = set()
        for position in positions:
            step = self.steps[position]
            if step.status == "pending" and all(self.steps[need].released for need in step.needs):
                if step.delay_s:
                    step.enter("waiting", due=now + step.delay_s, waiting_for="delay")
                else:
                    step.enter("ready", due=now + RESEND_S)
                    ready.add(position)
        return ready

    def _end(self, ending: str) -> None:
        self.ending = ending
        self.status = "cancelling"
        for step in self.steps.values():
            if step.status in ("pending", "ready", "waiting"):
                step.enter("cancelled")
            step.stop_requested = step.status == "in_progress"

    def _settle(self) -> None:
        if all(step.status in ENDED for step in self.steps.values()):
            self.status = self.ending or "completed"

    def _reset(self, seeds: set[int], now: int, skipped: int | None = None) -> None:
        again = seeds | {position for position, step in self.steps.items() if not step.released}
        while more := {d for p in again for d in self.dependents(p) if not self.steps[d].disabled} - again:
            again |= more
        while gone := {position for position, step in self.steps.items() if step.made_by in again}:
            again |= gone
            for position in gone:
                del self.steps[position]
        self.status, self.ending = "running", None
        for position in again & set(self.steps):
            step = self.steps[position]
            step.enter("skipped" if position == skipped else "pending")
            step.released = position == skipped
            step.failures = step.losses = step.sends = 0
            step.has_signal = False
        for step in self.steps.values():
            step.needs &= set(self.steps)
        # What runs again begins without the delay that it had behind the step before it.
        for position in again & set(self.steps):
            step = self.steps[position]
            if step.status == "pending" and all(self.steps[need].released for need in step.needs):
                step.enter("ready", due=now + RESEND_S)
        self._settle()
