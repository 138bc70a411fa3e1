"""What `/api/orchestration/*` answers, in the style of that interface: camelCase, times in milliseconds."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from schemas.statuses import WaitReason

BreakerWord = Literal["closed", "open", "half_open"]


class CamelPart(BaseModel):
    """Base of what is inside answers."""

    model_config = ConfigDict(frozen=True, extra="allow", alias_generator=to_camel, populate_by_name=True)


class CamelAnswer(CamelPart):
    """Base of answers. Problems carry `success: false`."""

    success: Literal[True] = True


class Quantiles(CamelPart):
    """Durations of attempts that completed or failed; null without any."""

    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class Used(CamelPart):
    """What attempts used, as far as it was measured: of the network what actions count, such as `http.request`."""

    cpu_ms: float = Field(description="of all together")
    peak_memory_bytes: int | None = Field(description="of the attempt with most; null where none was measured")
    sent_bytes: int = Field(description="over the network, of all together")
    received_bytes: int
    prompt_tokens: int = Field(description="that models read, of all together")
    completion_tokens: int = Field(description="that models wrote")


class AgentFigures(Used):
    """What attempts used that depend on the same agent, by the name of its breaker."""

    name: str
    measured: int = Field(description="attempts; those of a few milliseconds are not measured")


class StepFigures(Quantiles, Used):
    """Attempts that ended in the window, by what came of them.

    `failed`: the step failed with it. `retried`: failed, and is tried again. `fallbacks`: failed, and something else
    stood in. `waiting`: a gate, a signal or a delay sent the step to wait. `lost`: the worker was gone, whatever came
    of it.
    """

    ended: int
    completed: int
    failed: int
    retried: int
    fallbacks: int
    skipped: int
    cancelled: int
    waiting: int
    lost: int
    handed_back: int
    completion_rate: float | None = Field(description="of the steps that completed or failed; 0 to 1")
    failure_rate: float | None
    per_minute: float = Field(description="steps that completed or failed, a minute")
    average_ms: float | None


class NamedFigures(StepFigures):
    """The figures of one action, or of the runs of one kind."""

    name: str


class Trend(CamelPart):
    """A figure of this window against the one before; `change` 0.1 is a tenth more."""

    name: Literal["per_minute", "completion_rate", "failure_rate", "average_ms", "p50_ms", "p95_ms", "retried", "lost"]
    now: float | None
    before: float | None
    change: float | None
    verdict: Literal["better", "steady", "worse"]


class Point(Quantiles):
    """One minute or hour of the window. The last one goes on still."""

    at: datetime
    completed: int
    failed: int
    retried: int
    lost: int
    waiting: int
    fallbacks: int
    per_minute: float


class HealthCause(CamelPart):
    """What takes points from the score."""

    code: str
    points: int
    message: str


class HealthShown(CamelPart):
    """How well the system does, 0 to 100, and what takes from it, the heaviest first."""

    score: int
    status: Literal["ok", "degraded", "bad"]
    causes: list[HealthCause]


class WaitingSteps(CamelPart):
    """Steps that wait now, by what for."""

    reason: WaitReason
    steps: int


class Current(CamelPart):
    """What is so now. None counts beyond `at_most`."""

    ready: int
    in_progress: int
    waiting: list[WaitingSteps]
    at_most: int


class QueueFigures(CamelPart):
    """A queue now, and what ended of it. `messages` is null with Valkey away; `workers`: live ones that consume it."""

    name: str
    ready: int
    in_progress: int
    oldest_ms: float | None
    messages: int | None
    workers: int
    figures: StepFigures | None


class HostFigures(CamelPart):
    """A host as it reports itself (null where it does not), and what ended on it. Shares are 0 to 1."""

    host: str
    workers: int
    reported_at: datetime | None
    stale: bool
    level: Literal["ok", "high", "critical"] | None
    reason: str | None
    cpu: float | None
    memory: float | None
    disk: float | None
    load_per_core: float | None
    cores: float | None
    memory_total_bytes: int | None
    memory_available_bytes: int | None
    disk_free_bytes: int | None
    figures: StepFigures | None


class WorkerCounts(CamelPart):
    """Workers that live, and that are not heard from."""

    alive: int
    lost: int


class WaitCount(CamelPart):
    """How often attempts were sent to wait, in the window and in the one before."""

    name: str
    count: int
    count_before: int


class RateLimitShown(CamelPart):
    """A rate limit. `limit` is null where it only obeys its dependency; counts are since it was first used."""

    name: str
    limit: int | None
    per_ms: float | None
    burst: int
    used: int
    waiting: int
    next_free_at: datetime
    blocked_until: datetime | None
    admitted: int
    hits: int = Field(description="attempts that we sent to wait")
    refused: int = Field(description="attempts that the dependency refused")


class RateLimits(CamelPart):
    """Hits in the window, and the limits now; null with Valkey away."""

    hits: int
    hits_before: int
    limits: list[RateLimitShown] | None


class LockKey(CamelPart):
    """How often and how long was waited for one lock."""

    key: str
    waits: int
    timeouts: int
    waited_ms: float
    average_ms: float | None


class LockContention(CamelPart):
    """How often and how long was waited for locks: from the hour `since`, which may begin before the window."""

    since: datetime
    waits: int
    timeouts: int
    waited_ms: float
    average_ms: float | None
    keys: list[LockKey]


class BreakerShown(CamelPart):
    """A circuit breaker. `forced`: set by hand, whatever the calls say; counts are since it was first used."""

    name: str
    state: BreakerWord
    forced: BreakerWord | None
    calls: int
    failures: int
    rejected: int
    consecutive_failures: int
    probes_in_flight: int
    changed_at: datetime | None
    opened_at: datetime | None
    next_probe_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None


class Breakers(CamelPart):
    """The breakers now, null with Valkey away, and how often one changed in the window."""

    changes: int
    breakers: list[BreakerShown] | None


class RelayFigures(CamelPart):
    """One relay process. `behind`: clients that catch up just now; `fell_behind` and `dropped`: since it started."""

    name: str
    started_at: datetime
    connections: int
    sockets: int
    subscriptions: int
    runs_watched: int
    behind: int
    fell_behind: int
    dropped: int


class LiveChannel(CamelPart):
    """The live connections over all relays; null with Valkey away."""

    connections: int
    sockets: int
    subscriptions: int
    behind: int
    fell_behind: int
    dropped: int
    relays: list[RelayFigures]


class ErrorPattern(CamelPart):
    """An error code of an action, how often, and the last time it came. The sample's run may have been purged."""

    code: str
    action: str
    count: int
    count_before: int
    message: str
    last_at: datetime
    workflow_id: str | None
    step: str | None


class MetricsAnswer(CamelAnswer):
    """All of it. What ended is counted up to `until`, some seconds ago; windows begin on a whole unit."""

    window: Literal["5m", "1h", "24h", "7d"]
    now: datetime
    since: datetime
    until: datetime
    length_ms: float
    behind_ms: float
    health: HealthShown
    current: Current
    steps: StepFigures
    before: StepFigures = Field(description="of the window before")
    trends: list[Trend]
    points: list[Point]
    runs: list[NamedFigures] = Field(description="runs that ended, by what they are for")
    actions: list[NamedFigures]
    agents: list[AgentFigures]
    queues: list[QueueFigures]
    hosts: list[HostFigures]
    workers: WorkerCounts
    waits: list[WaitCount] = Field(description="by reason")
    waits_on: list[WaitCount] = Field(description="by what was waited on: `rate:`, `breaker:`, `throttle:`")
    rate_limits: RateLimits
    locks: LockContention
    breakers: Breakers
    live: LiveChannel | None
    errors: list[ErrorPattern]


class BreakersAnswer(CamelAnswer):
    """The breakers that were used of late, forced ones first."""

    breakers: list[BreakerShown]


class BreakerAnswer(CamelAnswer):
    """One breaker."""

    breaker: BreakerShown


class BreakerChangeShown(CamelPart):
    """A change of a breaker; `actor`: who made it by hand."""

    id: int
    name: str
    before: BreakerWord
    after: BreakerWord
    at: datetime
    why: str
    actor: str | None


class BreakerChangesAnswer(CamelAnswer):
    """A page of changes, newest first; `next` is the `cursor` of the one after."""

    changes: list[BreakerChangeShown]
    next: int | None


class BreakersResetAnswer(CamelAnswer):
    """Breakers were changed by hand; `changed` names those whose state is another now, `woken` counts steps."""

    message: str
    changed: list[str]
    woken: int


class LockHolder(CamelPart):
    """Who holds a lock, or stands in line for it."""

    workflow_id: str
    step: str
    since: datetime
    for_run: bool


class LockShown(CamelPart):
    """A lock or a place that is held or waited for; holders and waiters are the first ones of all."""

    key: str
    mode: Literal["exclusive", "shared", "place"]
    capacity: int | None
    held: int
    waiting: int
    holders: list[LockHolder]
    waiters: list[LockHolder]


class WaitedOn(CamelPart):
    """What steps wait on. `oldest_since`: when the first of them was begun; `next_due_at`: when the next comes back."""

    waiting_on: str
    reason: WaitReason
    steps: int
    oldest_since: datetime | None
    next_due_at: datetime | None


class FlowAnswer(CamelAnswer):
    """What holds steps back just now. Counts stop at `at_most`; limits and breakers are null with Valkey away."""

    at: datetime
    waiting: list[WaitingSteps]
    waiting_on: list[WaitedOn]
    locks: list[LockShown]
    rate_limits: list[RateLimitShown] | None
    breakers: list[BreakerShown] | None
    at_most: int
