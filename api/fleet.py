"""What is known of the whole fleet just now, from PostgreSQL and from Valkey, for those who look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from messaging.breakers import ValkeyBreakers
from messaging.process_figures import Kind, ProcessFigures
from messaging.queues import QueueLengths
from messaging.rate_limits import ValkeyRateLimits
from orchestration.engine.queries_workers import WorkersOverview, read_workers
from orchestration.errors import StreamUnavailable
from orchestration.gates.breaker import BreakerStatus
from orchestration.gates.rate_limit import RateLimitStatus
from orchestration.store.database import Database
from schemas.json import JsonObject

SHOWN = 200


@dataclass(frozen=True)
class News:
    """What Valkey knows; none of it lasts."""

    breakers: list[BreakerStatus]
    limits: list[RateLimitStatus]
    relays: list[JsonObject]
    worker_processes: list[JsonObject]


@dataclass(frozen=True)
class Fleet:
    """Workers and queues, and what Valkey knows: `messages` and `news` are None while it is away."""

    overview: WorkersOverview
    messages: dict[str, int] | None
    news: News | None

    @property
    def alive(self) -> list[JsonObject]:
        """The workers that are heard from."""
        return [worker for worker in self.overview.workers if not worker["lost"]]

    @property
    def queue_names(self) -> list[str]:
        """Queues that somebody consumes, or that hold something."""
        return sorted({*self.overview.queues, *(q for worker in self.alive for q in worker["queues"] or ())})

    def consumers(self, queue: str) -> int:
        """How many live workers consume a queue."""
        return sum(queue in (worker["queues"] or ()) for worker in self.alive)

    def queues(self) -> list[JsonObject]:
        """Each queue with its steps, messages and consumers."""
        found = []
        for name in self.queue_names:
            known = self.overview.queues.get(name, {})
            found.append(
                {
                    "name": name,
                    "ready": known.get("ready", 0),
                    "in_progress": known.get("in_progress", 0),
                    "oldest_ms": _ms(known.get("oldest_s")),
                    "messages": None if self.messages is None else self.messages.get(name, 0),
                    "workers": self.consumers(name),
                }
            )
        return found

    def waiting(self) -> list[JsonObject]:
        """How many steps wait for what."""
        return [{"reason": reason, "steps": steps} for reason, steps in sorted(self.overview.waiting.items())]


def look_at_fleet(database: Database, redis_url: str, *, resend_s: float) -> Fleet:
    """All of it. Raises: StoreUnavailable."""
    return with_news(read_workers(database, resend_s=resend_s), redis_url)


def with_news(overview: WorkersOverview, redis_url: str) -> Fleet:
    """The same, where PostgreSQL was asked already."""
    names = {*overview.queues, *(queue for worker in overview.workers for queue in worker["queues"] or ())}
    # Asked first: it knows of a server that was away a moment ago, and costs nothing then.
    messages = lengths_of(redis_url).ask(sorted(names))
    if messages is None:
        return Fleet(overview, None, None)
    return Fleet(overview, dict(messages), look_at_news(redis_url))


def look_at_news(redis_url: str) -> News | None:
    """What Valkey knows; None while it is away."""
    try:
        return News(
            breakers_of(redis_url).all(SHOWN),
            limits_of(redis_url).all(SHOWN),
            figures_of(redis_url, "relay").all(),
            figures_of(redis_url, "worker").all(),
        )
    except StreamUnavailable:
        return None


def breakers_shown(breakers: Sequence[BreakerStatus]) -> list[JsonObject]:
    """Breakers as they are answered."""
    return [_plain(breaker) for breaker in breakers]


def limits_shown(limits: Sequence[RateLimitStatus]) -> list[JsonObject]:
    """Rate limits as they are answered."""
    found = [_plain(limit) for limit in limits]
    return [limit | {"per_ms": _ms(limit.pop("per_s"))} for limit in found]


@cache
def lengths_of(redis_url: str) -> QueueLengths:
    """The lengths of queues on a server."""
    return QueueLengths(redis_url, name="perdure-web-queues")


@cache
def breakers_of(redis_url: str) -> ValkeyBreakers:
    """The breakers on a server."""
    return ValkeyBreakers(redis_url)


@cache
def limits_of(redis_url: str) -> ValkeyRateLimits:
    """The rate limits on a server."""
    return ValkeyRateLimits(redis_url)


@cache
def figures_of(redis_url: str, kind: Kind) -> ProcessFigures:
    """What the processes of a kind say on a server."""
    return ProcessFigures(redis_url, kind)


def _plain(status: Any) -> JsonObject:
    values: JsonObject = asdict(status)
    return values


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
