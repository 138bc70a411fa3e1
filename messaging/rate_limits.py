"""The shared state of rate limits in Valkey: one script call for all limits that a step names."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from messaging.scripts import SharedScript
from orchestration.gates.rate_limit import PRIORITY_S, InLine, Pace, RateLimitStatus, Taken, pace_of
from schemas.flow import RateLimitSpec

INDEX = "perdure:rates"
LISTED = 1000
LATE_S = 2.0


class ValkeyRateLimits:
    """Limits by name. When Valkey is away every attempt passes.

    clock: seconds in place of the server's clock, so that tests need not wait.
    """

    def __init__(self, redis_url: str, *, clock: Callable[[], float] | None = None) -> None:
        self._script = SharedScript(redis_url, "rate_limit.lua")
        self._clock = clock

    def take(self, asker: str, priority: int, paces: Sequence[tuple[str, Pace]]) -> Taken | InLine:
        """Charge all the named limits or none. Each limit may be named once."""
        answer = self._script.ask(*self._request("take", paces, asker=asker, rank_ahead=priority * PRIORITY_S))
        if answer is None:
            return Taken(0.0, None)
        verdict, seconds, place = answer
        if verdict == "wait":
            return InLine(float(seconds), paces[int(place) - 1][0])
        return Taken(float(seconds), float(place))

    def give_back(self, asker: str, rank: float, paces: Sequence[tuple[str, Pace]]) -> None:
        """Take back what was charged for an attempt that did not begin."""
        self._script.ask(*self._request("give_back", paces, asker=asker, rank=rank))

    def block(self, name: str, pace: Pace, seconds: float) -> None:
        """Let nobody through for `seconds`, and count a refusal by the dependency."""
        self._script.ask(*self._request("block", [(name, pace)], seconds=seconds))

    def report_hit(self, name: str, pace: Pace) -> None:
        """Count a refusal by the dependency that named no time."""
        self._script.ask(*self._request("hit", [(name, pace)]))

    def unblock(self, name: str) -> None:
        """Let steps through although the dependency asked for a pause; a person's order. Raises: StreamUnavailable."""
        known = self.one(name)
        if known is not None:
            spec = RateLimitSpec(name=name, limit=known.limit, per_s=known.per_s or 1.0)
            self._script.order(*self._request("unblock", [(name, pace_of(spec))]))

    def one(self, name: str) -> RateLimitStatus | None:
        """A limit; None when nobody has used it of late. Raises: StreamUnavailable."""
        return next(iter(self._read([name])), None)

    def all(self, limit: int = LISTED) -> list[RateLimitStatus]:
        """Those last used. Raises: StreamUnavailable."""
        client = self._script.client
        return self._read(
            self._script.reading(lambda: cast("list[str]", client.zrange(INDEX, 0, limit - 1, desc=True)))
        )

    def _read(self, names: Sequence[str]) -> list[RateLimitStatus]:
        if not names:
            return []
        now = self._clock() if self._clock else self._script.reading(self._server_time)
        found = self._script.reading(lambda: self._together(names, now))
        kept, waiting = found[::2], found[1::2]
        return [_status(*each, now) for each in zip(names, kept, waiting, strict=True) if each[1]]

    def _server_time(self) -> float:
        seconds, microseconds = self._script.client.time()
        return seconds + microseconds / 1e6

    def _together(self, names: Sequence[str], now: float) -> list[Any]:
        with self._script.client.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.hgetall(_keys(name)[0])
                pipe.zcount(_keys(name)[2], now - LATE_S, "+inf")
            return list(pipe.execute())

    def _request(self, operation: str, paces: Sequence[tuple[str, Pace]], **values: Any) -> tuple[list[str], str]:
        if self._clock is not None:
            values["now"] = self._clock()
        limits = [(name, pace.interval_s, pace.ahead_s, pace.catch_up_s, _numbers(pace)) for name, pace in paces]
        keys = [INDEX, *(key for name, _ in paces for key in _keys(name))]
        return keys, json.dumps({"op": operation, "limits": limits} | values)


def _keys(name: str) -> tuple[str, str, str, str]:
    """The hash, the line by rank, the line by when each comes back, and the ranks of those who did not."""
    return (
        f"perdure:rate:{name}",
        f"perdure:rate-line:{name}",
        f"perdure:rate-due:{name}",
        f"perdure:rate-late:{name}",
    )


def _numbers(pace: Pace) -> str:
    """What is kept for people, and for reckoning with the pace outside of the script."""
    spec = pace.spec
    return json.dumps([pace.interval_s, pace.ahead_s, spec and spec.limit, spec and spec.per_s])


def _status(name: str, kept: dict[str, str], waiting: int, now: float) -> RateLimitStatus:
    interval_s, ahead_s, limit, per_s = json.loads(kept["numbers"])
    burst = Pace(interval_s, ahead_s).burst
    blocked_until = float(kept.get("blocked_until", 0.0))
    tat = max(float(kept.get("tat", 0.0)) if interval_s else 0.0, now, blocked_until + ahead_s if blocked_until else 0)
    used = math.ceil((tat - now) / interval_s - 1e-6) if interval_s else 0
    return RateLimitStatus(
        name=name,
        limit=limit,
        per_s=per_s if limit is not None else None,
        burst=burst,
        used=min(used, burst),
        waiting=waiting,
        next_free_at=datetime.fromtimestamp(max(now, tat - ahead_s + waiting * interval_s), UTC),
        blocked_until=datetime.fromtimestamp(blocked_until, UTC) if blocked_until > now else None,
        admitted=int(kept.get("admitted", 0)),
        hits=int(kept.get("hits", 0)),
        refused=int(kept.get("refused", 0)),
    )
