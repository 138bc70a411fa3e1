"""What an action says of itself: name, queue, parameters, and what may be assumed of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from orchestration.actions.outcomes import ActionReturn
from schemas.flow import FlowSpec
from schemas.form import Form
from schemas.json import JsonObject
from schemas.retry import RetryPolicy
from schemas.statuses import Role
from schemas.workflow import SshTarget


class ActionParams(BaseModel):
    """Base for parameter models: unknown parameters are refused."""

    model_config = ConfigDict(extra="forbid")


class NoParams(ActionParams):
    """For actions without parameters."""


class SecretRef(BaseModel):
    """Names a secret, `{"secret": "civitai"}`; only parameters of this type may. The value is read by `ctx.secret`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    secret: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")


FlowOf = Callable[[Any, SshTarget | None], FlowSpec | None]
NoticeOf = Callable[[JsonObject], JsonObject | None]
SignalForm = Callable[[JsonObject], Form | None]


@dataclass(frozen=True)
class ActionDeclaration:
    """An action as registered.

    idempotent: an attempt lost after it began may be repeated.
    killable: runs in the prefork pool, where it can be terminated.
    role: the least role that may start it.
    needs_host: the run must have an SSH target.
    signal_form: what a step with given parameters, in which references are not resolved, asks of a signal.
    failure_notice: what to tell those who watch when a step with given parameters, in which references are not
        resolved, has failed for good: `{"notice", "message"}`, see `NoticeEvent`.
    flow: what an attempt with given parameters has to pass, such as the breaker of what it depends on. A step's own
        breaker goes before it; locks and rate limits are added to the step's own.
    """

    name: str
    function: Callable[[Any, Any], ActionReturn]
    params: type[BaseModel]
    queue: str = "default"
    idempotent: bool = False
    killable: bool = False
    needs_host: bool = False
    timeout_s: float = 3600.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    role: Role = Role.OPERATOR
    summary: str = ""
    accepts_signal: bool = False
    signal_form: SignalForm | None = None
    flow: FlowOf | None = None
    failure_notice: NoticeOf | None = None
