"""Puts together what `/api/orchestration/metrics` and `/flow` answer, from what the engine counted and the fleet is."""

from __future__ import annotations

from api.fleet import Fleet, News, breakers_shown, limits_shown
from orchestration.core.health import Signs, judge
from schemas.json import JsonObject

_NO_REPORT = dict.fromkeys(
    (
        "reported_at", "level", "reason", "cpu", "memory", "disk", "load_per_core", "cores", "memory_total_bytes",
        "memory_available_bytes", "disk_free_bytes",
    )
)  # fmt: skip
_LIVE = ("connections", "sockets", "subscriptions", "behind", "fell_behind", "dropped")


def metrics_answer(found: JsonObject, fleet: Fleet) -> JsonObject:
    """The values of a `MetricsAnswer`."""
    queues, news = fleet.queues(), fleet.news
    hits = next((wait for wait in found["waits"] if wait["name"] == "rate_limit"), {"count": 0, "count_before": 0})
    health = judge(signs_of(found, fleet))
    shown = {name: found[name] for name in _AS_COUNTED}
    return shown | {
        "length_ms": round(found["seconds"] * 1000, 3),
        "behind_ms": round(found["behind_s"] * 1000, 3),
        "health": {
            "score": health.score,
            "status": health.status,
            "causes": [{"code": c.code, "points": c.points, "message": c.message} for c in health.causes],
        },
        "current": {
            "ready": sum(queue["ready"] for queue in queues),
            "in_progress": sum(queue["in_progress"] for queue in queues),
            "waiting": fleet.waiting(),
            "at_most": fleet.overview.at_most,
        },
        "queues": _with_figures(queues, found["queues"]),
        "hosts": _hosts(found, fleet),
        "workers": {"alive": len(fleet.alive), "lost": len(fleet.overview.workers) - len(fleet.alive)},
        "rate_limits": {
            "hits": hits["count"],
            "hits_before": hits["count_before"],
            "limits": None if news is None else limits_shown(news.limits),
        },
        "breakers": {
            "changes": found["breaker_changes"],
            "breakers": None if news is None else breakers_shown(news.breakers),
        },
        "live": None if news is None else live(news),
    }


_AS_COUNTED = (
    "window", "now", "since", "until", "steps", "before", "trends", "points", "runs", "actions", "agents", "waits",
    "waits_on", "locks", "errors",
)  # fmt: skip


def flow_answer(found: JsonObject, news: News | None) -> JsonObject:
    """The values of a `FlowAnswer`."""
    return found | {
        "rate_limits": None if news is None else limits_shown(news.limits),
        "breakers": None if news is None else breakers_shown(news.breakers),
    }


def signs_of(found: JsonObject, fleet: Fleet) -> Signs:
    """What health is judged by."""
    steps, news = found["steps"], fleet.news
    return Signs(
        steps_ended=steps["completed"] + steps["fallbacks"] + steps["failed"],
        steps_failed=steps["failed"],
        attempts_ended=steps["ended"],
        attempts_lost=steps["lost"],
        oldest_ready_s=max((queue.get("oldest_s") or 0.0 for queue in fleet.overview.queues.values()), default=0.0),
        queues_without_worker=tuple(
            name
            for name, queue in sorted(fleet.overview.queues.items())
            if queue["ready"] and not fleet.consumers(name)
        ),
        workers_lost=len(fleet.overview.workers) - len(fleet.alive),
        breakers_open=tuple(each.name for each in (news.breakers if news else ()) if each.state != "closed"),
        hosts_loaded=tuple(host["host"] for host in found["hosts"] if host["level"] != "ok" and not host["stale"]),
        lock_timeouts=found["locks"]["timeouts"],
        valkey_away=news is None,
        clients_behind=sum(relay["behind"] for relay in news.relays) if news else 0,
        metrics_behind_s=found["behind_s"],
    )


def live(news: News) -> JsonObject:
    """The connections of all relays."""
    return {name: sum(relay[name] for relay in news.relays) for name in _LIVE} | {"relays": news.relays}


def _with_figures(queues: list[JsonObject], figures: list[JsonObject]) -> list[JsonObject]:
    known = _by_name(figures)
    idle = {"ready": 0, "in_progress": 0, "oldest_ms": None, "messages": None, "workers": 0}
    names = [queue["name"] for queue in queues]
    gone = [{"name": name} | idle for name in known if name not in names]
    return [queue | {"figures": known.get(queue["name"])} for queue in [*queues, *gone]]


def _by_name(figures: list[JsonObject]) -> dict[str, JsonObject]:
    return {each["name"]: {key: value for key, value in each.items() if key != "name"} for each in figures}


def _hosts(found: JsonObject, fleet: Fleet) -> list[JsonObject]:
    reports = {host["host"]: host for host in found["hosts"]}
    figures = _by_name(found["workers_by_host"])
    names = sorted({*reports, *figures, *(worker["host"] for worker in fleet.alive)})
    return [
        {"host": name, "stale": False}
        | _NO_REPORT
        | reports.get(name, {})
        | {"workers": sum(worker["host"] == name for worker in fleet.alive), "figures": figures.get(name)}
        for name in names
    ]
