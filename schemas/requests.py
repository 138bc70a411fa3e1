"""What clients send to `/workflow/*`, `/ssh/*`, and ask for by query."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from schemas.json import JsonObject
from schemas.workflow import MAX_STEPS, PublicId

MAX_ID = 2**62
MAX_WAIT_S = 120
MAX_RUNS = 1000
MAX_CONTROLLED = 100
MAX_TEXT = 1024**2
Moment = Annotated[datetime, AfterValidator(lambda time: time if time.tzinfo else time.replace(tzinfo=UTC))]
StepName = Annotated[str, Field(min_length=1, max_length=64)] | Annotated[int, Field(ge=0, le=MAX_ID)]


class Body(BaseModel):
    """Base of bodies of existing clients: what is not known is let through, see each use."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class StartRequest(BaseModel):
    """A workflow to start, in one of two forms; `steps` or `template_id` is needed.

    The new form is a workflow (name, steps with `key` and `action`, params, ssh, ...) and refuses unknown fields. The
    old form has `ssh_connection`, or steps with `index`: a plain list that runs in order, in which unknown fields are
    ignored and parameters may be missing.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    workflow_id: PublicId | None = Field(None, description="makes the start idempotent; unset: the server's choice")
    steps: list[JsonObject] | None = Field(None, description="see the schema of a step in docs/http-api.md")
    template_id: str | None = Field(None, max_length=128, description="the workflow, where `steps` is left out")
    ssh: str | JsonObject | None = Field(
        None, description="'ssh -p 22 user@host', or an object of host, user, port, key"
    )
    ssh_connection: str | JsonObject | None = Field(None, description="the host, in the old form")
    step_delay: float | None = Field(None, ge=0, le=86_400, description="seconds between steps, in the old form")
    metadata: JsonObject = Field(default_factory=dict, description="kept with the run; may say `initiated_from`")

    def sent(self) -> JsonObject:
        """The body as it was sent."""
        return self.model_dump(exclude_unset=True)


class StartManyRequest(BaseModel):
    """Many workflows to start, all or none of them; each as the body of a start of one."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    runs: list[JsonObject] = Field(min_length=1, max_length=MAX_RUNS, description="bodies of POST /workflow/start")


class ReadRequest(BaseModel):
    """A workflow as people write it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    text: str = Field(max_length=MAX_TEXT, description="YAML or JSON: a workflow, or the list of its steps")


class ControlRequest(Body):
    """Which run; unset: the caller's current one."""

    workflow_id: PublicId | None = None


class StepRequest(ControlRequest):
    """Which step of a run, by key or index."""

    step: StepName | None = Field(None, description="key or index; what unset means, see each control")


class ManyControlRequest(BaseModel):
    """A control of many runs, each for itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    control: Literal["stop", "pause", "resume", "retry"]
    workflow_ids: list[PublicId] = Field(min_length=1, max_length=MAX_CONTROLLED)


class SignalRequest(StepRequest):
    """An input for a step that waits for it."""

    payload: JsonObject = Field(default_factory=dict)


class RestartRequest(ControlRequest):
    """Start the same workflow again as a new run."""

    new_workflow_id: PublicId | None = None


class ForkRequest(RestartRequest):
    """A new run that keeps the results before a step, which runs again with other parameters."""

    step: StepName
    params: JsonObject | None = Field(None, description="replaces the parameters of the step")


class SshRequest(BaseModel):
    """A host, and parameters of the action in `params` or beside it."""

    model_config = ConfigDict(frozen=True, extra="allow")
    ssh_connection: str | JsonObject | None = None
    ssh: str | JsonObject | None = None
    params: JsonObject = Field(default_factory=dict)
    workflow_id: PublicId | None = None
    wait: float = Field(MAX_WAIT_S, ge=0, le=MAX_WAIT_S, description="seconds to wait for the result")


class Query(BaseModel):
    """Base of queries: what is not known is let through."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The schema, made once: flask-openapi asks for it with every request, which took longer than the request."""
        return super().model_json_schema(*args, **kwargs) if args or kwargs else _schema_of(cls)


@cache
def _schema_of(query: type[Query]) -> dict[str, Any]:
    # Any argument keeps the method above from asking here again.
    return query.model_json_schema(by_alias=True)


class RunQuery(Query):
    """Which run; unset: the caller's current one."""

    workflow_id: PublicId | None = None


class StateQuery(RunQuery):
    """`since` is the ETag a client has; `wait` is for the relay under the same path, this process answers at once."""

    since: str | None = Field(None, max_length=100)
    wait: float | None = Field(None, ge=0)


class RunsQuery(Query):
    """Which runs, and which page of them."""

    status: list[Literal["pending", "running", "paused", "completed", "failed", "cancelled", "active", "finished"]] = (
        Field(default_factory=list, max_length=8, description="may be given several times")
    )
    q: str | None = Field(None, min_length=1, max_length=200, description="text in id, name, host or template")
    template_id: str | None = Field(None, max_length=128)
    created_by: str | None = Field(None, max_length=100)
    host: str | None = Field(None, max_length=300, description="a host's name, or user@host:port")
    started_after: Moment | None = Field(None, description="runs that started then or later; without a zone: UTC")
    started_before: Moment | None = Field(None, description="runs that started earlier; without a zone: UTC")
    cursor: int | None = Field(None, ge=0, le=MAX_ID, description="`next` of the page before")
    limit: int | None = Field(None, ge=1, le=200)


class StepsQuery(RunQuery):
    """Which steps. With `step`, one of them with all that is kept of it."""

    step: str | None = Field(None, min_length=1, max_length=64)
    cursor: int = Field(0, ge=0, le=MAX_STEPS * 100)
    limit: int = Field(50, ge=1, le=200)
    attempts: bool = Field(False, description="with the newest attempts of each step")


class LogsQuery(RunQuery):
    """Which piece of which log. Offsets count characters of the attempt's log."""

    step: str | None = Field(None, min_length=1, max_length=64, description="unset: the step in hand")
    attempt: int | None = Field(None, ge=0, le=2**31 - 1, description="unset: the latest")
    after: int = Field(0, ge=0, le=2**31 - 1)
    limit: int = Field(65_536, ge=1, le=1024 * 1024, description="bytes; at least one piece is given")
    download: bool = Field(False, description="the whole log as a text file")


class TraceQuery(RunQuery):
    """Which page of the record."""

    after: int = Field(0, ge=0, le=MAX_ID, description="`seq` of the last entry that is known")
    limit: int = Field(200, ge=1, le=1000)


class TemplatesQuery(Query):
    """Which page of the templates."""

    cursor: str | None = Field(None, max_length=128, description="`next` of the page before")
    limit: int = Field(50, ge=1, le=200)


class TemplatePath(BaseModel):
    """Which template."""

    template_id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$")


class TemplateRequest(BaseModel):
    """A workflow to keep, in the new form of a start without `workflow_id`."""

    model_config = ConfigDict(frozen=True, extra="allow")
    name: str | None = Field(None, min_length=1, max_length=200)
    steps: list[JsonObject]

    def sent(self) -> dict[str, Any]:
        """The body as it was sent."""
        return self.model_dump(exclude_unset=True)


class ActionPath(BaseModel):
    """Which action, with hyphens or underscores."""

    action: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")
