"""What a rate limiter does, in plain Python over lists; the script is held against it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from orchestration.gates.rate_limit import Pace

LATE_S = 2.0


@dataclass
class Waiter:
    rank: float
    due: float
    late: bool = False


@dataclass
class Limit:
    tat: float = 0.0
    blocked_until: float | None = None
    admitted: int = 0
    hits: int = 0
    waiters: dict[str, Waiter] = field(default_factory=dict)

    def in_line(self) -> dict[str, Waiter]:
        return {asker: waiter for asker, waiter in self.waiters.items() if not waiter.late}

    def base(self, now: float, pace: Pace) -> float:
        tat = now - pace.catch_up_s if self.in_line() else now
        if pace.interval_s:
            tat = max(tat, self.tat)
        return tat if self.blocked_until is None else max(tat, self.blocked_until + pace.ahead_s)


class LimiterModel:
    def __init__(self) -> None:
        self.limits: dict[str, Limit] = defaultdict(Limit)

    def take(self, now: float, asker: str, priority: int, paces: list[tuple[str, Pace]]) -> tuple[str, float, float]:
        """`pass` and the rank, or `wait` and how long, with the position of the limit that it waits for."""
        limits = [self.limits[name] for name, _ in paces]
        for limit in limits:
            for waiter in limit.waiters.values():
                waiter.late = waiter.late or waiter.due < now - LATE_S
        ranks = [limit.waiters[asker].rank for limit in limits if asker in limit.waiters]
        rank = min(ranks, default=now - 30 * priority)
        free_at, by_rank = [], []
        for limit, (_, pace) in zip(limits, paces, strict=True):
            line = limit.in_line()
            others = {name: w for name, w in line.items() if name != asker}
            first = limit.base(now, pace) - pace.ahead_s
            due_before = sum(w.due <= now and w.rank < rank for w in others.values())
            # Who is in line keeps its place among those of its rank, and whoever else comes goes behind them.
            place = (rank, asker if asker in line else "~")
            before = sum((w.rank, name) < place for name, w in others.items())
            free_at.append(first + due_before * pace.interval_s)
            by_rank.append(first + before * pace.interval_s)
        if max(free_at) <= now:
            for limit, (_, pace) in zip(limits, paces, strict=True):
                limit.admitted += 1
                limit.tat = limit.base(now, pace) + pace.interval_s if pace.interval_s else limit.tat
            for limit in limits:
                limit.waiters.pop(asker, None)
            return "pass", rank, 0
        due = max(by_rank)
        position = max(index for index, turn in enumerate(by_rank) if turn == due)
        for index, limit in enumerate(limits):
            limit.waiters.pop(asker, None)
            if index == position or due - now <= LATE_S:
                limit.waiters[asker] = Waiter(rank, due)
        limits[position].hits += 1
        return "wait", due - now, position

    def give_back(self, now: float, asker: str, rank: float, paces: list[tuple[str, Pace]]) -> None:
        for name, pace in paces:
            limit = self.limits[name]
            for waiter in limit.waiters.values():
                waiter.late = waiter.late or waiter.due < now - LATE_S
            limit.admitted -= 1
            if pace.interval_s:
                limit.tat = limit.base(now, pace) - pace.interval_s
            limit.waiters[asker] = Waiter(rank, now, late=True)

    def block(self, now: float, name: str, seconds: float) -> None:
        limit = self.limits[name]
        limit.blocked_until = max(limit.blocked_until or 0, now + seconds)
