"""`demo.*`: steps to try the engine with."""

from __future__ import annotations

import time
from typing import Any

from pydantic import Field

from orchestration.actions.context import ActionContext
from orchestration.actions.declaration import ActionParams
from orchestration.actions.outcomes import Permanent, Retryable
from orchestration.actions.registry import action

PROGRESS_EVERY_S = 0.25


class SleepParams(ActionParams):
    """How long to sleep."""

    seconds: float = Field(ge=0, le=86_400)


class FailParams(ActionParams):
    """How to fail."""

    times: int = Field(1, ge=0, le=1000, description="attempts that fail before one succeeds")
    permanent: bool = Field(False, description="fail so that no retry follows")
    after_s: float | None = Field(None, ge=0, le=3600, description="least delay before the retry")
    message: str = Field("failed on purpose", max_length=500)


@action("demo.sleep", idempotent=True)
def sleep(ctx: ActionContext, params: SleepParams) -> dict[str, Any]:
    """Sleep, showing how far it is; stops at once when asked to."""
    started = time.monotonic()
    while (slept := time.monotonic() - started) < params.seconds:
        ctx.progress(percent=min(100.0, 100 * slept / params.seconds), message=f"{slept:.1f} of {params.seconds:g} s")
        ctx.cancelled.wait(min(PROGRESS_EVERY_S, params.seconds - slept))
        ctx.raise_if_cancelled()
    ctx.progress(percent=100, message=f"slept {params.seconds:g} s")
    return {"slept_s": params.seconds}


@action("demo.fail", idempotent=True)
def fail(ctx: ActionContext, params: FailParams) -> dict[str, Any]:
    """Fail in the first attempts, then succeed. Lost and waiting attempts count as well."""
    if ctx.attempt > params.times:
        return {"attempts": ctx.attempt}
    reason = f"{params.message} (attempt {ctx.attempt} of {params.times} that fail)"
    if params.permanent:
        raise Permanent(reason)
    raise Retryable(reason, after=params.after_s)
