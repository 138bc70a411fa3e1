"""What a step that asks a model has to pass: its provider's breaker and rate limit, shared by all workers."""

from __future__ import annotations

from schemas.flow import BreakerSpec, FlowSpec, RateLimitSpec

BREAKS = ("model.unavailable", "model.timeout", "model.cut_off", "model.malformed")
"""Errors that say that a provider is unwell. One that limits the rate is not: it is asked later, by its Retry-After."""


def flow_of(model: str) -> FlowSpec:
    """The flow control of `provider/model`. Both are named `model:<provider>`, as settings may give them numbers."""
    name = f"model:{model.partition('/')[0]}"
    return FlowSpec(breaker=BreakerSpec(name=name, counts=BREAKS), rate_limits=(RateLimitSpec(name=name),))
