"""What a step says of the resources it needs: locks, places, rates, and what it depends on.

Names may hold references (`file:{{ params.path }}`); they are resolved when the step comes to run.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, field_validator, model_validator


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


# A reference may bring a number, such as a port.
ResourceName = Annotated[
    str,
    BeforeValidator(_as_text),
    StringConstraints(strip_whitespace=True, min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]+$"),
]

RATE_PATTERN = re.compile(r"(\d{1,7})\s*/\s*(\d*\.?\d*)\s*(s|second|minute|hour|day)s?")
_UNIT_S = {"s": 1.0, "second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0}
MAX_LOCKS = 16
KIND_PREFIX = "kind:"
MAX_RATE_LIMITS = 4


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LockSpec(_Strict):
    """A named lock, such as `file:/srv/db.sqlite` or `host:root@10.1.2.3:22`, held while the step's attempt runs."""

    name: ResourceName
    shared: bool = Field(False, description="held beside other shared holders, never beside an exclusive one")
    hold: Literal["step", "run"] = Field("step", description="`run`: from then on until the run has ended")


class ConcurrencySpec(_Strict):
    """At most `limit` steps at a time that name the same key, over all runs and workers."""

    key: ResourceName
    limit: int = Field(ge=1, le=100_000)

    @field_validator("key")
    @classmethod
    def _is_not_a_kinds(cls, key: str) -> str:
        if key.startswith(KIND_PREFIX):
            raise ValueError(f"keys that begin with {KIND_PREFIX!r} are those of the kinds of runs; choose another")
        return key


class RateLimitSpec(_Strict):
    """At most `limit` attempts in `per_s` seconds that name the same limit, over all workers.

    Without numbers those of the setting PERDURE_RATE_LIMITS hold; a name that is not there is not limited, but obeys
    what the dependency asks by `Retry-After`.
    """

    name: ResourceName
    limit: int | None = Field(None, ge=1, le=1_000_000, description="attempts")
    per_s: float = Field(1.0, gt=0, le=86_400, description="seconds that they are counted in")


class BreakerSpec(_Strict):
    """The circuit breaker of what a step depends on, shared by all workers.

    It opens after `failure_threshold` failures in a row, or when at least `minimum_calls` calls of the last `window_s`
    seconds failed at `failure_rate` or more; after `recovery_s` it lets `probes` calls through and closes when they
    succeed. Source: Nygard, Release It!, 2nd ed., ch. 5 ("Circuit Breaker").
    """

    name: ResourceName
    failure_threshold: int = Field(5, ge=1, le=10_000, description="failures in a row that open it")
    failure_rate: float | None = Field(None, gt=0, le=1, description="share of failed calls that opens it; unset: none")
    window_s: float = Field(60.0, gt=0, le=3600, description="seconds that the share is counted over")
    minimum_calls: int = Field(10, ge=1, le=100_000, description="calls below which a share says nothing")
    recovery_s: float = Field(60.0, gt=0, le=86_400, description="seconds it stays open before it is probed")
    probes: int = Field(1, ge=1, le=100, description="calls at once while it is half-open, which must all succeed")
    timeout_s: float | None = Field(
        None, gt=0, le=86_400, description="longest time for one call; the step's own limit holds as well"
    )
    on_open: Literal["wait", "fail"] = Field(
        "wait", description="what a step does while it is open: wait, or fail at once and go by its `on_failure`"
    )
    counts: tuple[str, ...] = Field(
        (), max_length=50, description="codes of the errors that count; unset: all that may be retried"
    )


class FlowSpec(_Strict):
    """What one step has to pass before its action runs."""

    locks: tuple[LockSpec, ...] = Field((), max_length=MAX_LOCKS, description="taken all together or not at all")
    lock_wait_s: float | None = Field(
        None, gt=0, le=604_800, description="longest wait for locks and places, then the step fails; unset: no limit"
    )
    concurrency: ConcurrencySpec | None = None
    rate_limits: tuple[RateLimitSpec, ...] = Field((), max_length=MAX_RATE_LIMITS)
    breaker: BreakerSpec | None = Field(None, description="unset: the action's")

    @model_validator(mode="after")
    def _each_lock_once(self) -> FlowSpec:
        names = [lock.name for lock in self.locks]
        if len(set(names)) < len(names):
            raise ValueError("a lock is named twice; name it once")
        return self


def read_rate(text: str, name: str = "rate") -> RateLimitSpec:
    """The limit that `10/second`, `100 / 5 minutes` or `10/2s` means. Raises: ValueError."""
    found = RATE_PATTERN.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no rate; write it as '10/second' or '100/5 minutes'")
    count, times, unit = found.groups()
    return RateLimitSpec(name=name, limit=int(count), per_s=float(times or 1) * _UNIT_S[unit])
