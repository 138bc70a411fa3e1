"""What is alerted on, from when on, and who is told: the rules with their numbers, and the channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, TypeAdapter

from schemas.base import Strict

Severity = Literal["warning", "critical"]
# So far under its threshold a value has to be before an alert is taken for over, unless the rule is of yes or no.
CLEAR_SHARE = 0.8

ChannelName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
SecretName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
Address = Annotated[str, StringConstraints(pattern=r"^[^@\s<>,;]{1,64}@[^@\s<>,;]{1,255}$")]


class RuleNumbers(Strict):
    """When a rule fires and when it is over; durations are seconds."""

    threshold: float = Field(gt=0, description="the value from which on it holds")
    window_s: float = Field(300.0, ge=60, le=21_600, description="what is counted over; rules of now do not count")
    for_s: float = Field(0.0, ge=0, le=86_400, description="how long it must have held; 0: at once")
    clear_s: float = Field(60.0, ge=0, le=86_400, description="how long it must have been well below to be over")
    minimum: int = Field(1, ge=1, description="of fewer steps a share says nothing")
    enabled: bool = True


@dataclass(frozen=True)
class Rule:
    """A rule. `unit` is that of its value and threshold; a subject is what one alert is about."""

    about: str
    severity: Severity
    unit: Literal["share", "count", "seconds", "yes"]
    numbers: RuleNumbers
    subject: str


def _rule(about: str, severity: Severity, unit: Any, subject: str, threshold: float = 1.0, **numbers: Any) -> Rule:
    return Rule(about, severity, unit, RuleNumbers(threshold=threshold, **numbers), subject)


RULES: Mapping[str, Rule] = MappingProxyType({
    "failure_rate": _rule(
        "share of the steps that ended which failed", "critical", "share", "an action, or `all`", 0.5,
        window_s=600, for_s=60, clear_s=120, minimum=20,
    ),
    "failures_in_a_row": _rule(
        "attempts of an action, or runs of a template, that failed since one last succeeded", "critical", "count",
        "`action:` or `template:` and its name", 5, window_s=3600,
    ),
    "queue_length": _rule("steps that are ready", "warning", "count", "a queue", 1000, for_s=60),
    "queue_deaf": _rule(
        "how long a step has been ready although a worker that consumes its queue is alive and has room", "critical",
        "seconds", "a queue", 60, for_s=20,
    ),
    "queue_without_worker": _rule(
        "steps are ready and no live worker consumes their queue", "critical", "yes", "a queue", for_s=30
    ),
    "worker_lost": _rule("a worker is not heard from, and none took its place", "warning", "yes", "a worker", for_s=20),
    "host_critical": _rule("a host is used up, so that background steps wait", "warning", "yes", "a host", for_s=300),
    "throttled_long": _rule(
        "how long a background step has waited for room on a host", "warning", "seconds", "a host", 900
    ),
    "disk_nearly_full": _rule(
        "share of a host's disk in use, where less than 20 GiB are left", "critical", "share", "a host", 0.9, for_s=60
    ),
    "rate_limit_hits": _rule("attempts that a rate limit of ours sent to wait", "warning", "count", "a limit", 200),
    "rate_limit_refusals": _rule("answers 429 by what an action calls", "warning", "count", "an action", 5),
    "breaker_open": _rule("a circuit breaker opened", "critical", "yes", "a breaker"),
    "lock_wait": _rule("how long a step has stood in line for a lock", "warning", "seconds", "a lock", 600),
    "person_awaited": _rule(
        "how long a run has waited for a person's answer", "warning", "seconds", "a run and its step", 900, clear_s=0
    ),
    "valkey_away": _rule("Valkey cannot be reached: no news, no limits, no breakers", "critical", "yes", "`valkey`",
                         for_s=20),
})  # fmt: skip
"""The rules with their defaults, by name."""


def numbers_of(name: str, changed: Mapping[str, Mapping[str, Any]]) -> RuleNumbers:
    """The numbers of a rule, with what a setting changes. Raises: ValueError for what may not be."""
    own = RULES[name].numbers.model_dump() | dict(changed.get(name, {}))
    return RuleNumbers.model_validate(own)


def check_rules(changed: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises: ValueError for a rule there is not, or numbers it may not have."""
    for name in changed:
        if name not in RULES:
            raise ValueError(f"there is no rule {name!r}; there are {', '.join(RULES)}")
        numbers_of(name, changed)


class _Channel(Strict):
    least: Severity = Field("warning", description="`critical`: tells of nothing less")


class WebhookChannel(_Channel):
    """Posts JSON, signed where there is a secret."""

    type: Literal["webhook"]
    url: str = Field(max_length=4096, pattern=r"^[Hh][Tt][Tt][Pp][Ss]?://")
    secret: SecretName | None = Field(None, description="name of the secret that signs")


class EmailChannel(_Channel):
    """Sends mail by SMTP."""

    type: Literal["email"]
    host: str = Field(min_length=1, max_length=255)
    port: int = Field(587, ge=1, le=65_535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: Address
    to: tuple[Address, ...] = Field(min_length=1, max_length=20)
    username: str | None = Field(None, max_length=200)
    secret: SecretName | None = Field(None, description="name of the secret that is the password")


Channel = Annotated[WebhookChannel | EmailChannel, Field(discriminator="type")]
_CHANNELS: TypeAdapter[dict[str, WebhookChannel | EmailChannel]] = TypeAdapter(dict[ChannelName, Channel])


def read_channels(value: Mapping[str, Any]) -> dict[str, WebhookChannel | EmailChannel]:
    """The channels of a setting, by name. Raises: ValueError."""
    return _CHANNELS.validate_python(dict(value))
