"""What ended, how often and how long it took, over a window and the one before; kept up by the janitor."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from orchestration.core.durations import quantile_s
from orchestration.store.database import Database
from schemas.json import JsonObject

# What one call of `fold` counts at most, so that it holds up a sweep for some hundredths of a second.
FOLDED = 5000
TRIMMED = 5000

_COUNTS = (
    "ended", "completed", "failed", "retried", "fallbacks", "skipped", "cancelled", "waiting", "lost", "handed_back",
)  # fmt: skip


@dataclass(frozen=True)
class Window:
    """How far back is looked. It begins with a whole `span`, and has a point for each `point`."""

    span: str
    point: str
    length: timedelta


WINDOWS: Mapping[str, Window] = {
    "5m": Window("minute", "minute", timedelta(minutes=5)),
    "1h": Window("minute", "minute", timedelta(hours=1)),
    "24h": Window("hour", "hour", timedelta(hours=24)),
    "7d": Window("day", "hour", timedelta(days=7)),
}


class Metrics:
    """Counts of one database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def fold(self) -> bool:
        """Count what ended since the last call; whether there is more. Two at once count nothing twice."""
        return bool(self.database.call("SELECT more FROM fold_metrics(%s)", FOLDED))

    def trim(self) -> bool:
        """Remove what nobody asks for any more; whether there may be more."""
        return int(self.database.call("SELECT trim_metrics(%s)", TRIMMED)) >= TRIMMED

    def read(self, window: str) -> JsonObject:
        """What happened in a window of `WINDOWS` and in the one before, in one round trip.

        Durations are in milliseconds, rates a minute, shares from 0 to 1; both are None where there is nothing to
        divide by.
        """
        asked = WINDOWS[window]
        found = self.database.call("SELECT read_metrics(%s, %s, %s)", asked.span, asked.point, asked.length)
        return _shown(window, asked, found)

    def totals(self) -> JsonObject:
        """Counts since the beginning by kind and name, with how many took how long, and unfinished runs by status."""
        found: JsonObject = self.database.call("SELECT read_totals()")
        return found


class _Durations:
    """Counts by bucket, of each kind, name and window."""

    def __init__(self, rows: Iterable[tuple[str, str, bool, int, int]]) -> None:
        self._counts: defaultdict[tuple[str, str, bool], dict[int, int]] = defaultdict(dict)
        for kind, name, is_now, bucket, n in rows:
            self._counts[kind, name, is_now][bucket] = n

    def of(self, kind: str, name: str, is_now: bool = True) -> Mapping[int, int]:
        return self._counts.get((kind, name, is_now), {})


def _shown(window: str, asked: Window, found: JsonObject) -> JsonObject:
    durations = _Durations(found["durations"])
    counts: dict[tuple[str, str, bool], JsonObject] = {
        (row["kind"], row["name"], row["is_now"]): row for row in found["counts"]
    }
    seconds, before_s = found["seconds"], found["before_seconds"]

    def figures(kind: str, name: str, is_now: bool = True) -> JsonObject:
        row = counts.get((kind, name, is_now), {})
        return _figures(row, durations.of(kind, name, is_now), seconds if is_now else before_s)

    def named(kind: str) -> list[JsonObject]:
        names = [name for each, name, is_now in counts if each == kind and is_now]
        return [{"name": name} | figures(kind, name) for name in names]

    def waits(kind: str) -> list[JsonObject]:
        return [
            {
                "name": name,
                "count": counts.get((kind, name, True), {}).get("waiting", 0),
                "count_before": counts.get((kind, name, False), {}).get("waiting", 0),
            }
            for name in dict.fromkeys(name for each, name, _ in counts if each == kind)
        ]

    now, before = figures("total", ""), figures("total", "", False)
    locks = found["locks"]
    return {
        "window": window,
        "now": found["now"],
        "since": found["since"],
        "until": found["until"],
        "seconds": round(seconds, 3),
        "behind_s": max(0.0, found["behind_s"]),
        "steps": now,
        "before": before,
        "trends": [_trend(name, now[name], before[name] if before["ended"] else None) for name in _TRENDS],
        "runs": named("run"),
        "actions": named("action"),
        "agents": [
            {"name": name, "measured": row["ended"], **_used(row)}
            for (kind, name, is_now), row in counts.items()
            if kind == "agent" and is_now
        ],
        "queues": named("queue"),
        "workers_by_host": named("host"),
        "waits": waits("reason"),
        "waits_on": waits("on"),
        "points": [_point(*row, length_s=_length_s(asked.point)) for row in found["points"] or ()],
        "errors": found["errors"],
        "locks": {
            "since": locks["since"],
            "waits": locks["waits"],
            "timeouts": locks["timeouts"],
            "waited_ms": _ms(locks["waited_s"]),
            "average_ms": _ms(_share(locks["waited_s"], locks["waits"])),
            "keys": [
                {
                    "key": key["key"],
                    "waits": key["waits"],
                    "timeouts": key["timeouts"],
                    "waited_ms": _ms(key["waited_s"]),
                    "average_ms": _ms(_share(key["waited_s"], key["waits"])),
                }
                for key in locks["keys"]
            ],
        },
        "hosts": found["hosts"],
        "breaker_changes": found["breaker_changes"],
    }


def _figures(row: JsonObject, durations: Mapping[int, int], seconds: float) -> JsonObject:
    counts: dict[str, int] = {name: row.get(name, 0) for name in _COUNTS}
    done = counts["completed"] + counts["fallbacks"]
    judged = done + counts["failed"]
    return {
        **counts,
        "completion_rate": _share(done, judged),
        "failure_rate": _share(counts["failed"], judged),
        "per_minute": round(judged * 60 / seconds, 3) if seconds else 0.0,
        "average_ms": _ms(_share(row.get("duration_s", 0.0), row.get("timed", 0))),
        **_quantiles(durations),
        **_used(row),
    }


def _used(row: JsonObject) -> JsonObject:
    """What attempts used together, as far as it was measured; of memory, what the one with most had."""
    return {
        "cpu_ms": _ms(row.get("cpu_s", 0.0)),
        "peak_memory_bytes": row.get("peak_memory"),
        "sent_bytes": row.get("sent_bytes", 0),
        "received_bytes": row.get("received_bytes", 0),
        "prompt_tokens": row.get("prompt_tokens", 0),
        "completion_tokens": row.get("completion_tokens", 0),
    }


def _quantiles(durations: Mapping[int, int]) -> JsonObject:
    return {name: _ms(quantile_s(durations, share)) for name, share in _QUANTILES.items()}


_QUANTILES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
# Where more is better it says so; the others are better lower.
_TRENDS = {
    "per_minute": True, "completion_rate": True, "failure_rate": False, "average_ms": False, "p50_ms": False,
    "p95_ms": False, "retried": False, "lost": False,
}  # fmt: skip
# Below this a change is noise.
_STEADY = 0.1


def _trend(name: str, now: float | None, before: float | None) -> JsonObject:
    change = None if now is None or not before else round((now - before) / before, 4)
    verdict = "steady"
    if now is not None and before is not None and now != before and (change is None or abs(change) >= _STEADY):
        verdict = "better" if (now > before) is _TRENDS[name] else "worse"
    return {"name": name, "now": now, "before": before, "change": change, "verdict": verdict}


def _point(
    at: str,
    completed: int,
    failed: int,
    retried: int,
    lost: int,
    waiting: int,
    fallbacks: int,
    durations: Iterable[tuple[int, int]],
    *,
    length_s: float,
) -> JsonObject:
    return {
        "at": at,
        "completed": completed,
        "failed": failed,
        "retried": retried,
        "lost": lost,
        "waiting": waiting,
        "fallbacks": fallbacks,
        "per_minute": round((completed + fallbacks + failed) * 60 / length_s, 3),
        **_quantiles(dict(durations)),
    }


def _length_s(point: str) -> float:
    return 60.0 if point == "minute" else 3600.0


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 6) if whole else None


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
