"""What is answered of actions, and by one that is done on a host."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from schemas.answers.parts import Answer, Part
from schemas.json import JsonObject
from schemas.retry import RetryPolicy
from schemas.state import ErrorShown, WireRunStatus
from schemas.statuses import Role


class ActionShown(Part):
    """An action that steps may name. `parameters` is a JSON schema."""

    name: str
    summary: str
    queue: str
    idempotent: bool
    killable: bool
    needs_host: bool
    accepts_signal: bool
    role: Role
    timeout_s: float
    retry: RetryPolicy
    parameters: dict[str, Any]
    preset: list[str] = Field(description="parameters that the server's settings fill in where a step leaves them out")


class ActionsAnswer(Answer):
    """The actions there are."""

    actions: list[ActionShown]


class SshActionAnswer(Part):
    """How one action on a host went; `success` is the action's."""

    success: bool
    message: str
    workflow_id: str
    status: WireRunStatus
    details: JsonObject | None = None
    result: JsonObject | None = None
    error: ErrorShown | None = None
