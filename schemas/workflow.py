"""A workflow as it is sent: steps with actions, parameters, dependencies and policies."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from schemas.base import ActionName, StepKey, Strict
from schemas.flow import ConcurrencySpec, FlowSpec
from schemas.json import JsonObject
from schemas.retry import OnFailure, RetryPolicy
from schemas.statuses import RunKind

MAX_STEPS = 10_000
ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"

PublicId = Annotated[str, StringConstraints(pattern=ID_PATTERN)]


class StepSpec(FlowSpec):
    """One step of a workflow. Without `needs` anywhere in the workflow each step needs the one before it."""

    key: StepKey
    action: ActionName
    label: str = Field("", max_length=200)
    params: JsonObject = Field(default_factory=dict)
    needs: tuple[StepKey, ...] | None = Field(None, max_length=MAX_STEPS)
    enabled: bool = True
    when: str | None = Field(None, max_length=500, description="condition on earlier results; false skips the step")
    timeout_s: float | None = Field(None, gt=0, le=604_800, description="limit for one attempt; unset: the action's")
    retry: RetryPolicy | None = Field(None, description="unset: the action's")
    on_failure: OnFailure = "fail"
    on_lost: Literal["retry", "fail"] | None = Field(
        None, description="an attempt whose worker died: unset: repeated only if the action is idempotent"
    )
    delay_s: float | None = Field(
        None, ge=0, le=604_800, description="wait before the step; unset: the run's step_delay"
    )


class SshTarget(Strict):
    """A remote host to work on; never holds a password. `key` names a file in the keys directory."""

    host: str = Field(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9\[][A-Za-z0-9.:\[\]_-]*$")
    user: str = Field("root", pattern=r"^[a-z_][a-z0-9_.-]{0,31}$")
    port: int = Field(22, ge=1, le=65535)
    key: str | None = Field(None, pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$")

    @property
    def address(self) -> str:
        """`user@host:port`, which is also the concurrency key of runs on this host."""
        return f"{self.user}@{self.host}:{self.port}"


class WorkflowSpec(Strict):
    """A workflow: what one run does."""

    name: str = Field("workflow", max_length=200)
    steps: tuple[StepSpec, ...] = Field(min_length=1, max_length=MAX_STEPS)
    params: JsonObject = Field(default_factory=dict, description="run parameters, readable as {{ params.name }}")
    ssh: SshTarget | None = None
    step_delay_s: float = Field(0, ge=0, le=86_400, description="wait between steps, seconds")
    priority: int = Field(5, ge=1, le=20, description="higher goes first")
    concurrency_key: str | None = Field(None, max_length=300, description="one unfinished run per key")
    concurrency: ConcurrencySpec | None = Field(
        None, description="at most so many steps of all runs that name this key"
    )
    kind: RunKind = Field(RunKind.WORKFLOW, description="what the run is for; background and agent runs give way")
    max_steps: int = Field(MAX_STEPS, ge=1, le=MAX_STEPS, description="bound on steps, expansions included")
    template_id: str | None = Field(None, max_length=128)
    metadata: JsonObject = Field(default_factory=dict)

    @field_validator("steps")
    @classmethod
    def _unique_keys(cls, steps: tuple[StepSpec, ...]) -> tuple[StepSpec, ...]:
        seen: set[str] = set()
        for index, step in enumerate(steps):
            if step.key in seen:
                raise ValueError(f"step {index}: key {step.key!r} is used twice; give each step its own key")
            seen.add(step.key)
        return steps


def is_public_id(text: str) -> bool:
    """Whether `text` may be the public id of a run."""
    return re.fullmatch(ID_PATTERN, text) is not None
