"""`noop`: does nothing, and answers what it was given."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from orchestration.actions.context import ActionContext
from orchestration.actions.registry import action
from schemas.json import Json


class NoopParams(BaseModel):
    """Anything small. Further parameters are answered as they are."""

    model_config = ConfigDict(extra="allow")
    result: Json = Field(None, description="what the step answers; a value that is no map is put under `result`")
    message: str = Field("", max_length=1000, description="shown as progress")


@action("noop", idempotent=True)
def noop(ctx: ActionContext, params: NoopParams) -> dict[str, Any]:
    """Do nothing; answer `result`, or the other parameters."""
    if params.message:
        ctx.progress(message=params.message)
    if "result" not in params.model_fields_set:
        return dict(params.model_extra or {})
    return params.result if isinstance(params.result, dict) else {"result": params.result}
