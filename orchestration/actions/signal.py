"""`wait_for_signal`: waits for an approval, an answer, any outside input. Holds no worker while it waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import Field, model_validator

from orchestration.actions.context import ActionContext
from orchestration.actions.declaration import ActionParams
from orchestration.actions.outcomes import Permanent, WaitUntil
from orchestration.actions.registry import action
from orchestration.core.references import find_references
from schemas.form import Form
from schemas.json import JsonObject

# The step becomes due by the database's clock and is judged by the worker's; they may differ by this much.
CLOCK_TOLERANCE = timedelta(seconds=30)


class SignalParams(ActionParams):
    """What is waited for."""

    name: str = Field("approval", min_length=1, max_length=100, description="what the signal means, for people")
    prompt: str = Field("", max_length=1000, description="the question to show")
    timeout_s: float | None = Field(None, gt=0, le=31_536_000, description="longest wait; unset: as long as it takes")
    fields: Form | None = Field(None, description="what is asked for; unset: whether it is approved, and a comment")

    @model_validator(mode="before")
    @classmethod
    def _asks_plainly(cls, values: Any) -> Any:
        # A signal may come before the step does, when no reference can be resolved yet.
        if isinstance(values, dict) and find_references(values.get("fields")):
            raise ValueError("'fields' may hold no references; 'prompt' may")
        return values


def signal_form(params: JsonObject) -> Form | None:
    """What a step with these parameters asks for; None: anything will do."""
    fields = params.get("fields")
    return None if fields is None else Form.model_validate(fields)


@action("wait_for_signal", idempotent=True, accepts_signal=True, signal_form=signal_form)
def wait_for_signal(ctx: ActionContext, params: SignalParams) -> dict[str, Any]:
    """Wait until the step is sent a signal, and answer what it carries; fail when none came in time."""
    if ctx.signal is not None:
        return ctx.signal
    until = None
    if params.timeout_s is not None:
        timeout = timedelta(seconds=params.timeout_s)
        until = _until(ctx, timeout)
        if datetime.now(UTC) >= until - min(CLOCK_TOLERANCE, timeout / 2):
            # A retry by hand then waits anew.
            ctx.checkpoint(None)
            raise Permanent(f"no signal {params.name!r} came within {params.timeout_s:g} s")
    ctx.progress(message=params.prompt or f"waiting for {params.name}")
    raise WaitUntil("signal", until)


def _until(ctx: ActionContext, timeout: timedelta) -> datetime:
    """When the wait ends. The first attempt fixed it, so that a lost worker does not prolong it."""
    if isinstance(ctx.restored, dict) and isinstance(ctx.restored.get("until"), str):
        return datetime.fromisoformat(ctx.restored["until"])
    until = datetime.now(UTC) + timeout
    ctx.checkpoint({"until": until.isoformat()})
    return until
