"""Actions for the tests of traces."""

from __future__ import annotations

from opentelemetry import trace
from pydantic import BaseModel

from orchestration.actions import ActionContext, Retryable, SecretRef, action
from schemas.retry import RetryPolicy

QUICK = RetryPolicy(max_attempts=2, base_delay_s=0.05, max_delay_s=0.1)


class Door(BaseModel):
    key: SecretRef


@action("t.flaky", idempotent=True, retry=QUICK)
def flaky(ctx: ActionContext, params: Door) -> dict[str, object]:
    """Fails at first, and says too much; traces what it does."""
    key = ctx.secret(params.key.secret)
    with trace.get_tracer("test").start_as_current_span("opens the door") as span:
        span.set_attribute("tried", f"with {key}")
        if ctx.attempt == 1:
            raise Retryable(f"the door does not open with {key}")
    return {}


@action("t.flaky_killable", idempotent=True, killable=True, retry=QUICK)
def flaky_killable(ctx: ActionContext, params: Door) -> dict[str, object]:
    """The same in the prefork pool."""
    return flaky(ctx, params)
