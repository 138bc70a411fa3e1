"""The fleet as Prometheus reads it, from one place for all workers: PostgreSQL and Valkey know what they did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from api.fleet import Fleet, News, look_at_fleet
from api.metrics_answer import signs_of
from api.services import Services
from orchestration.core.durations import upper_bound_s
from orchestration.core.health import judge
from orchestration.engine.metrics import Metrics
from orchestration.errors import StoreUnavailable
from schemas.json import JsonObject

# Every fourth bucket of ours: 1 ms, 4 ms, 16 ms ... 4.7 hours.
BUCKETS = tuple(range(0, 49, 4))
OUTCOMES = (
    "completed", "failed", "retried", "fallbacks", "skipped", "cancelled", "waiting", "lost", "handed_back",
)  # fmt: skip
_STATES = {"closed": 0, "half_open": 1, "open": 2}
# Of attempts at steps, by action, and by agent where they name one.
_USED = (
    ("cpu_s", "cpu_seconds", "CPU time of attempts"),
    ("sent_bytes", "sent_bytes", "Bytes that attempts sent, as far as they were counted"),
    ("received_bytes", "received_bytes", "Bytes that attempts received, as far as they were counted"),
    ("prompt_tokens", "prompt_tokens", "Tokens that models read"),
    ("completion_tokens", "completion_tokens", "Tokens that models wrote"),
)
# As workers/figures.py tells them.
WORKER_GAUGES = {
    "memory_bytes": "Resident memory of a worker's main process, its keeper and its pool children together",
    "processes": "Processes of a worker",
    "threads": "Threads of a worker's main process",
    "open_files": "Open files and sockets of a worker's main process",
}
WORKER_COUNTERS = {
    "messages_dropped": "Messages that its main process could not send, each sent again by the sweep",
    "events_dropped": "Events that its main process could not publish",
}
_HOST = ("cpu", "memory", "disk", "load_per_core")


class FleetFigures(Collector):
    """Asked anew by each scrape; takes some milliseconds whatever the history."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterable[Metric]:
        """All families; with PostgreSQL away only that."""
        services = self._services
        try:
            metrics = Metrics(services.database)
            totals, recent = metrics.totals(), metrics.read("5m")
            fleet = look_at_fleet(services.database, services.redis_url, resend_s=services.settings.resend_s)
        except StoreUnavailable:
            yield _gauge("perdure_database_up", "Whether PostgreSQL answers", [((), 0)])
            return
        yield _gauge("perdure_database_up", "Whether PostgreSQL answers", [((), 1)])
        yield _gauge("perdure_valkey_up", "Whether Valkey answers", [((), int(fleet.news is not None))])
        yield _gauge("perdure_health_score", "0 to 100, of the last 5 minutes", [((), _score(recent, fleet))])
        yield _gauge("perdure_metrics_behind_seconds", "Age of these counts", [((), recent["behind_s"])])
        yield from _of_totals(totals)
        yield from _of_fleet(fleet)
        yield from _of_hosts(recent["hosts"])
        if fleet.news is not None:
            yield from _of_news(fleet.news)


def _score(recent: JsonObject, fleet: Fleet) -> int:
    return judge(signs_of(recent, fleet)).score


def _of_totals(totals: JsonObject) -> Iterator[Metric]:
    rows = {(row["kind"], row["name"]): row for row in totals["counts"]}
    durations: dict[tuple[str, str], dict[int, int]] = {}
    for kind, name, bucket, n in totals["durations"]:
        durations.setdefault((kind, name), {})[bucket] = n
    for kind, word, label, outcomes in (
        ("action", "step", "action", OUTCOMES),
        ("run", "run", "kind", ("completed", "failed", "cancelled")),
    ):
        what = "Attempts at steps" if kind == "action" else "Runs"
        counts = CounterMetricFamily(
            f"perdure_{word}s", f"{what} that ended, by what came of them", labels=[label, "outcome"]
        )
        times = HistogramMetricFamily(
            f"perdure_{word}_duration_seconds", f"{what} that completed or failed", labels=[label]
        )
        for (each, name), row in rows.items():
            if each != kind:
                continue
            for outcome in outcomes:
                counts.add_metric([name, outcome], row[outcome])
            times.add_metric([name], _buckets(durations.get((kind, name), {})), row["duration_s"])
        yield counts
        yield times
    for field, suffix, text in _USED:
        for kind, word in (("action", "step"), ("agent", "agent")):
            used = CounterMetricFamily(f"perdure_{word}_{suffix}", text, labels=[kind])
            for (each, name), row in rows.items():
                if each == kind:
                    used.add_metric([name], row[field])
            yield used
    waits = CounterMetricFamily("perdure_waits", "Attempts that were sent to wait", labels=["reason"])
    for (kind, name), row in rows.items():
        if kind == "reason":
            waits.add_metric([name], row["waiting"])
    yield waits
    runs = [((status,), n) for status, n in totals["runs"].items()]
    yield _gauge("perdure_runs_unfinished", "Runs that go on, counted up to 10,000", runs, "status")


def _buckets(counts: dict[int, int]) -> list[tuple[str, float]]:
    found = [
        (f"{upper_bound_s(top):g}", float(sum(n for bucket, n in counts.items() if bucket <= top))) for top in BUCKETS
    ]
    return [*found, ("+Inf", float(sum(counts.values())))]


def _of_fleet(fleet: Fleet) -> Iterator[Metric]:
    alive = len(fleet.alive)
    workers = [(("alive",), alive), (("lost",), len(fleet.overview.workers) - alive)]
    yield _gauge("perdure_workers", "Workers by whether they are heard from", workers, "state")
    waiting = [((reason,), steps) for reason, steps in fleet.overview.waiting.items()]
    yield _gauge("perdure_steps_waiting", "Steps that wait, counted up to 10,000", waiting, "reason")
    queues = fleet.queues()
    for name, field, text, factor in (
        ("perdure_steps_ready", "ready", "Steps that wait for a worker", 1.0),
        ("perdure_steps_in_progress", "in_progress", "Steps that run", 1.0),
        ("perdure_queue_length", "messages", "Messages in the broker", 1.0),
        ("perdure_queue_workers", "workers", "Live workers that consume it", 1.0),
        ("perdure_queue_oldest_seconds", "oldest_ms", "For how long the oldest ready step waits", 0.001),
    ):
        values = [((q["name"],), q[field] * factor) for q in queues if q[field] is not None]
        yield _gauge(name, text, values, "queue")


def _of_hosts(hosts: list[JsonObject]) -> Iterator[Metric]:
    for field in _HOST:
        values = [((host["host"],), host[field]) for host in hosts if not host["stale"]]
        text = "Load of a host over a minute, by core" if field == "load_per_core" else "Share of a host that is used"
        yield _gauge(f"perdure_host_{field}", text, values, "host")


def _of_news(news: News) -> Iterator[Metric]:
    states = [((b.name,), _STATES[b.state]) for b in news.breakers]
    yield _gauge("perdure_breaker_state", "0 closed, 1 half-open, 2 open", states, "breaker")
    for field, text in (("calls", "Calls reported"), ("failures", "Calls that failed"), ("rejected", "Calls refused")):
        family = CounterMetricFamily(f"perdure_breaker_{field}", text, labels=["breaker"])
        for breaker in news.breakers:
            family.add_metric([breaker.name], getattr(breaker, field))
        yield family
    for field, text in (("admitted", "Attempts let through"), ("hits", "Attempts sent to wait"),
                        ("refused", "Refusals by the dependency")):  # fmt: skip
        family = CounterMetricFamily(f"perdure_rate_limit_{field}", text, labels=["limit"])
        for limit in news.limits:
            family.add_metric([limit.name], getattr(limit, field))
        yield family
    in_line = [((limit.name,), limit.waiting) for limit in news.limits]
    yield _gauge("perdure_rate_limit_waiting", "Steps in line", in_line, "limit")
    for field, text in (("connections", "Open connections"), ("subscriptions", "Runs subscribed to, over all clients"),
                        ("behind", "Clients that catch up")):  # fmt: skip
        values = [((relay["name"],), relay[field]) for relay in news.relays]
        yield _gauge(f"perdure_relay_{field}", text, values, "relay")
    for field, text in WORKER_GAUGES.items():
        values = [((worker["name"],), worker[field]) for worker in news.worker_processes]
        yield _gauge(f"perdure_worker_{field}", text, values, "worker")
    for field, text in WORKER_COUNTERS.items():
        family = CounterMetricFamily(f"perdure_worker_{field}", text, labels=["worker"])
        for worker in news.worker_processes:
            family.add_metric([worker["name"]], worker[field])
        yield family
    for field, text in (("dropped", "Connections ended by the relay"), ("fell_behind", "Clients that fell behind")):
        family = CounterMetricFamily(f"perdure_relay_{field}", text, labels=["relay"])
        for relay in news.relays:
            family.add_metric([relay["name"]], relay[field])
        yield family


def _gauge(name: str, text: str, values: Iterable[tuple[tuple[str, ...], float]], *labels: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for names, value in values:
        family.add_metric(list(names), value)
    return family
