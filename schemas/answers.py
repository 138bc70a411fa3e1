"""What `/workflow/*` and its neighbours answer.

They describe the OpenAPI document, from which the page's types are made; tests hold the answers against them. Fields
that a later version adds are let through.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from schemas.json import JsonObject
from schemas.retry import RetryPolicy
from schemas.state import Counts, ErrorShown, State, StepState, WireRunStatus, WireStepStatus
from schemas.statuses import AttemptOutcome, Role, WaitReason


class Part(BaseModel):
    """Base of what is inside answers."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Answer(Part):
    """Base of answers. Problems carry `success: false`."""

    success: Literal[True] = True


class Done(Answer):
    """Something was done."""

    message: str | None = None


class ArchivedAnswer(Done):
    """A run was archived; without an id: there was none to archive."""

    workflow_id: str | None = None


class StateAnswer(Answer):
    """The state; null when no run is meant."""

    active: bool
    state: State | None


class RunHead(Part):
    """One run as a line of a list."""

    workflow_id: str
    name: str
    status: WireRunStatus
    active: bool
    stopping: bool
    version: int
    total_steps: int
    counts: Counts
    percent: int
    priority: int
    host: str | None = Field(description="user@host:port")
    template_id: str | None
    started_by: str
    forked_from: str | None
    start_time: datetime
    last_update: datetime
    end_time: datetime | None
    duration_ms: int | None
    archived: bool
    error: ErrorShown | None


class StepInHand(Part):
    """The step a run is at, as a line of a list shows it."""

    index: int
    key: str
    label: str
    status: WireStepStatus
    waiting_for: WaitReason | None
    until: datetime | None
    percent: float | None


class RunShown(RunHead):
    """One run of the list, with the step in hand."""

    cursor: int = Field(description="its place in the list: a page asked for with it begins below this run")
    step: StepInHand | None = None


class RunsAnswer(Answer):
    """A page of runs, newest first. A searched page may be short and still have a `next`."""

    runs: list[RunShown]
    next: int | None


class RunCounts(Part):
    """How many runs have each status."""

    pending: int = 0
    running: int = 0
    paused: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0


class CountsAnswer(Answer):
    """Runs by status: the unfinished, and those that ended within `ended_within_s`; none counts beyond `at_most`."""

    counts: RunCounts
    ended_within_s: float
    at_most: int


class SummaryStep(StepState):
    """The step in hand."""


class Summary(RunHead):
    """The run without its steps."""

    current_step: int | None
    step: SummaryStep | None


class NoSummary(Part):
    """No run is meant."""

    active: Literal[False] = False


class SummaryAnswer(Answer):
    """The run without its steps but with the step in hand."""

    summary: Summary | NoSummary


class Resources(Part):
    """What an attempt used; memory is that of its whole process at its most.

    of: `process` where the attempt had one to itself (prefork); its processor time is with that of the programs it ran.
    `thread` where others ran beside it: the time is that of its thread alone, and the memory an estimate.
    """

    wall_s: float
    cpu_s: float
    peak_memory_bytes: int
    of: Literal["process", "thread"]
    estimated: bool


class AttemptShown(Part):
    """How one attempt went. Times in UTC; `worker` is who ran it. `resources`: null for one of a few milliseconds."""

    attempt: int
    outcome: AttemptOutcome
    worker: str | None
    start_time: datetime | None
    end_time: datetime
    duration_ms: int | None
    resources: Resources | None
    error: ErrorShown | None


class StepOfPage(StepState):
    """One step; with its newest ten attempts when they were asked for."""

    attempts: list[AttemptShown] | None = None


class StepsAnswer(Answer):
    """A page of a run's steps, in order."""

    workflow_id: str
    steps: list[StepOfPage]
    next: int | None


class WholeStep(StepState):
    """All that is kept of a step, with its newest hundred attempts."""

    params: JsonObject
    policy: JsonObject
    queue: str
    worker: str | None
    attempts: list[AttemptShown]


class StepAnswer(Answer):
    """One step."""

    workflow_id: str
    step: WholeStep


class LogPiece(Part):
    """A piece of a log. `offset` counts characters of the attempt's log before it."""

    offset: int
    level: str
    time: datetime
    text: str


class LogsAnswer(Answer):
    """Pieces of the log of one attempt; `next` is the offset behind them."""

    workflow_id: str
    step: str
    attempt: int
    pieces: list[LogPiece]
    next: int


class TraceEntry(Part):
    """One thing that happened to a run."""

    seq: int
    time: datetime
    kind: str
    index: int | None
    key: str | None
    attempt: int | None
    status: WireRunStatus | None
    detail: JsonObject | None
    omitted: int


class TraceAnswer(Answer):
    """A page of what happened, oldest first; `next` is the last `seq` given."""

    workflow_id: str
    trace: list[TraceEntry]
    omitted: int
    next: int | None


class DurationsAnswer(Answer):
    """How long steps took: medians over `samples` completed runs of the same template or name."""

    workflow_id: str
    samples: int
    run_ms: int | None
    steps: dict[str, int] = Field(description="milliseconds by the key of the step")


class DefinitionAnswer(Answer):
    """The workflow that a run was started with, in the new form of a start; secrets taken out."""

    workflow_id: str
    workflow: JsonObject


class StartedAnswer(Answer):
    """A run was started; `created` is false when it had been before."""

    message: str
    workflow_id: str
    status: WireRunStatus
    created: bool


class StartedRun(Part):
    """One of many runs that were started."""

    workflow_id: str
    status: WireRunStatus
    created: bool


class StartedManyAnswer(Answer):
    """Many runs were started."""

    message: str
    runs: list[StartedRun]


class ControlledAnswer(Answer):
    """A control took effect; the run as it is now."""

    message: str
    workflow_id: str
    status: WireRunStatus
    active: bool
    stopping: bool
    version: int


class ControlledRun(Part):
    """What a control did to one of many runs; `message` says why it did nothing when `success` is false."""

    workflow_id: str
    success: bool
    message: str
    code: str | None = None
    status: WireRunStatus | None = None


class ControlledManyAnswer(Answer):
    """A control of many runs: each for itself."""

    message: str
    runs: list[ControlledRun]


class TemplateHead(Part):
    """A template as a line of a list."""

    template_id: str
    name: str
    total_steps: int
    updated_by: str
    updated_at: datetime


class TemplatesAnswer(Answer):
    """A page of templates."""

    templates: list[TemplateHead]
    next: str | None


class TemplateShown(Part):
    """A template with its workflow."""

    template_id: str
    name: str
    workflow: JsonObject
    updated_by: str
    updated_at: datetime


class TemplateAnswer(Done):
    """One template."""

    template: TemplateShown


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


class StateBounds(Part):
    """What a state document holds at most."""

    max_bytes: int
    window_steps: int


class RelayShown(Part):
    """Where the live channel is; an empty `url`: under the same origin."""

    url: str
    port: int


class ConfigAnswer(Answer):
    """Settings of clients; times in seconds."""

    workflow_step_delay: float
    poll_interval: float
    max_history: int
    cleanup_delay: float
    max_steps: int
    schema_version: str
    state: StateBounds
    relay: RelayShown
    version: str


class HostKey(Part):
    """A host whose key is pinned."""

    host: str
    type: str
    fingerprint: str


class HostsAnswer(Answer):
    """The hosts whose keys are pinned."""

    hosts: list[HostKey]


class WorkIn(Part):
    """A step that a worker has in hand."""

    workflow_id: str
    index: int
    key: str
    label: str
    action: str
    attempt: int
    since: datetime


class WorkerShown(Part):
    """A worker's main process. What it did not tell is null; `lost`: it gave no sign for a lease."""

    name: str
    host: str
    pid: int
    started_at: datetime
    pool: str | None
    concurrency: int | None
    queues: list[str] | None
    lost: bool
    steps: list[WorkIn]


class QueueShown(Part):
    """A queue. `ready` steps wait for a worker, the oldest for `oldest_s`; `messages` is null with Valkey away."""

    name: str
    ready: int
    in_progress: int
    oldest_s: float | None
    messages: int | None


class WorkersAnswer(Answer):
    """Who works on what, and what waits. `ready` and `in_progress` count at most `at_most`."""

    workers: list[WorkerShown]
    queues: list[QueueShown]
    waiting: dict[str, int] = Field(description="waiting steps by what they wait for")
    at_most: int
    flower_port: int | None = Field(description="Flower on the server's own loopback; `perdure open flower` signs in")


class MeAnswer(Answer):
    """Who is signed in."""

    name: str
    role: Role


class CodeAnswer(Answer):
    """A sign-in code, for the fragment of `/sign-in#code=...`."""

    code: str
    expires_in_s: int


class TokenShown(Part):
    """A token, without its secret."""

    name: str
    user_name: str
    role: Role
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class TokensAnswer(Answer):
    """The tokens there are."""

    tokens: list[TokenShown]


class CreatedToken(Answer):
    """A token that was made."""

    name: str
    role: Role
    token: str = Field(description="the secret, shown this once")


class AuditEntry(Part):
    """Who did what, to what, from where, and what came of it."""

    id: int
    at: datetime
    actor: str
    role: Role
    action: str
    target: str
    address: str
    outcome: Literal["done", "refused", "failed"]
    detail: JsonObject


class AuditAnswer(Answer):
    """A page of the audit record, newest first; `next` is the `cursor` of the one after."""

    records: list[AuditEntry]
    next: int | None


class LivenessAnswer(Part):
    """The process lives."""

    status: Literal["ok"]


class ReadinessAnswer(Part):
    """Whether requests can be served; the reason is in the log."""

    status: Literal["ready", "degraded", "unavailable", "not_migrated", "no_session_locks"]


class SessionShown(Part):
    """A signed-in browser of this user."""

    id: str
    token: str = Field(description="the name of the token it was signed in with")
    user_name: str
    created_at: datetime
    expires_at: datetime
    user_agent: str | None
    address: str | None
    current: bool


class SessionsAnswer(Answer):
    """The sessions of this user; of everyone for an admin."""

    sessions: list[SessionShown]


class StepsOrStep(RootModel[StepsAnswer | StepAnswer]):
    """A page of steps, or one step where one was asked for."""
