"""From a workflow as sent to rows: checks actions, rights, parameters and references before anything is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from orchestration.actions.declaration import ActionDeclaration
from orchestration.core.conditions import parse_condition
from orchestration.core.dag import PlannedStep, plan_steps
from orchestration.core.fallbacks import Unfolded, unfold_fallbacks
from orchestration.core.references import find_references, referenced_steps
from orchestration.errors import InvalidWorkflow, NotAllowed, PerdureError, TooLarge
from schemas.flow import FlowSpec
from schemas.json import JsonObject
from schemas.retry import FallbackPolicy, RetryPolicy
from schemas.statuses import Role, RunKind
from schemas.workflow import StepSpec, WorkflowSpec

MAX_PARAMS_BYTES = 256 * 1024
MAX_RUN_PARAMS_BYTES = 256 * 1024
MAX_METADATA_BYTES = 16 * 1024
# Where steps of interactive runs wait, by where others do: the queues of the bundled workers. Those that an action
# names by itself may be for special hosts.
INTERACTIVE_QUEUES = {
    "default": "interactive",
    "ssh": "interactive",
    "http": "interactive",
    "killable": "killable-interactive",
}
FLOW_FIELDS = frozenset(FlowSpec.model_fields)
Actions = Mapping[str, ActionDeclaration]


def plan_workflow(workflow: WorkflowSpec, actions: Actions, role: Role) -> list[JsonObject]:
    """The rows of a workflow's steps.

    Raises: InvalidWorkflow with the place and the mend; NotAllowed when `role` may not start one of the actions.
    """
    if not any(step.enabled for step in workflow.steps):
        raise InvalidWorkflow("no step is enabled", where="/steps", mend="enable at least one step")
    unfolded = unfold_fallbacks(workflow.steps)
    if len(unfolded.steps) > workflow.max_steps:
        raise InvalidWorkflow(
            f"{len(unfolded.steps)} steps, but max_steps is {workflow.max_steps}", where="/max_steps", mend="raise it"
        )
    for step, place in zip(unfolded.steps, unfolded.places, strict=True):
        declared = check_action(step, place, actions, role)
        if declared.needs_host and step.enabled and workflow.ssh is None:
            raise InvalidWorkflow(
                f"step {step.key!r} works on a host, but the run has none",
                where="/ssh",
                mend="give the run an SSH connection, such as 'ssh -p 22 root@host'",
            )
    return plan_unfolded(unfolded, actions, workflow.step_delay_s, workflow.kind)


def check_size(workflow: WorkflowSpec) -> None:
    """Raises: TooLarge when the run brings more data than a row should hold."""
    for name, value, limit in (
        ("params", workflow.params, MAX_RUN_PARAMS_BYTES),
        ("metadata", workflow.metadata, MAX_METADATA_BYTES),
    ):
        size = len(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        if size > limit:
            raise TooLarge(f"{name} are {size} bytes, the limit is {limit}", where=f"/{name}", mend="send less")


def plan_rows(
    steps: Sequence[StepSpec], actions: Actions, step_delay_s: float, kind: RunKind = RunKind.WORKFLOW
) -> list[JsonObject]:
    """The rows of steps whose actions, those of their fallbacks too, were checked; positions count from 0.

    Raises: InvalidWorkflow for what is wrong with the graph, a chain of fallbacks or a reference.
    """
    return plan_unfolded(unfold_fallbacks(steps), actions, step_delay_s, kind)


def plan_unfolded(unfolded: Unfolded, actions: Actions, step_delay_s: float, kind: RunKind) -> list[JsonObject]:
    """As `plan_rows`, once the chains of fallbacks are steps."""
    steps, places = unfolded.steps, unfolded.places
    reads = {step.key: _reads(step, place) for step, place in zip(steps, places, strict=True)}
    planned = plan_steps(steps, references=lambda step: reads[step.key], places=places)
    return [step_row(step, actions[step.spec.action], step_delay_s, reads[step.spec.key], kind) for step in planned]


def check_action(step: StepSpec, where: str, actions: Actions, role: Role) -> ActionDeclaration:
    """The declaration of a step's action, once its parameters and the caller's right to it are checked."""
    declared = actions.get(step.action)
    if declared is None:
        raise InvalidWorkflow(
            f"step {step.key!r}: there is no action {step.action!r}",
            where=f"{where}/action",
            mend="GET /workflow/actions lists the actions there are",
        )
    if not role.includes(declared.role):
        raise NotAllowed(
            f"step {step.key!r}: action {step.action!r} needs the role {declared.role}",
            where=f"{where}/action",
            mend=f"ask someone with the role {declared.role}",
        )
    _check_parameters(step, declared, where)
    return declared


def step_row(
    planned: PlannedStep, declared: ActionDeclaration, step_delay_s: float, reads: set[str], kind: RunKind
) -> JsonObject:
    """One row as the SQL function `insert_steps` takes it, with the action's defaults filled in.

    `reads` are the steps that its parameters and its own condition read.
    """
    step = planned.spec
    delay_s = step.delay_s if step.delay_s is not None else (step_delay_s if planned.needs else 0.0)
    status = "waiting" if planned.status == "ready" and delay_s > 0 else str(planned.status)
    policy: JsonObject = {
        "retry": _retry(step.retry or declared.retry),
        "on_failure": step.on_failure if isinstance(step.on_failure, str) else _as_sent(step.on_failure),
        "on_lost": step.on_lost or ("retry" if declared.idempotent else "fail"),
        "timeout_s": step.timeout_s or declared.timeout_s,
    }
    if planned.when:
        policy["when"] = planned.when
    flow = flow_of(step)
    if flow:
        policy["flow"] = flow
    notice = declared.failure_notice(step.params) if declared.failure_notice is not None else None
    if notice is not None:
        policy["notice"] = notice
    return {
        "position": planned.position,
        "key": step.key,
        "action": step.action,
        "queue": queue_of(declared, kind),
        "label": step.label or step.key,
        "status": status,
        "disabled": not step.enabled,
        "blocked_by": planned.blocked_by,
        "delay_s": delay_s,
        "needs": planned.needs,
        "dependents": planned.dependents,
        "params": step.params,
        "policy": policy,
        # The condition of a fallback step is longer than what was sent.
        "reads": sorted(reads if planned.when == step.when else reads | parse_condition(planned.when or "").steps),
    }


def queue_of(declared: ActionDeclaration, kind: RunKind) -> str:
    """Where a step waits for a worker: what somebody sits in front of never stands behind what nobody waits for."""
    return INTERACTIVE_QUEUES.get(declared.queue, declared.queue) if kind is RunKind.INTERACTIVE else declared.queue


def fingerprint(document: Any) -> str:
    """SHA-256 of a canonical JSON form; equal bodies have equal fingerprints."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@lru_cache(maxsize=256)
def _retry(policy: RetryPolicy) -> JsonObject:
    """Most steps have the policy of their action. Nobody changes the answer."""
    return policy.stored()


def _as_sent(policy: FallbackPolicy) -> JsonObject:
    return policy.model_dump(mode="json", exclude_unset=True)


def flow_of(step: StepSpec) -> JsonObject:
    """What the step says of the resources it needs, as stored; empty for most."""
    named = step.model_fields_set & FLOW_FIELDS
    return step.model_dump(mode="json", include=set(named), exclude_defaults=True) if named else {}


def _reads(step: StepSpec, where: str) -> set[str]:
    flow = flow_of(step)
    if not step.params and not step.when and not flow:
        return set()
    place = f"{where}/params"
    try:
        wanted = referenced_steps(step.params)
        if flow:
            place = where
            wanted |= referenced_steps(flow)
        place = f"{where}/when"
        return wanted | parse_condition(step.when).steps if step.when else wanted
    except PerdureError as error:
        raise InvalidWorkflow(
            f"step {step.key!r}: {error.message}", where=f"{place}{error.where or ''}", mend=error.mend
        ) from error


def _check_parameters(step: StepSpec, declared: ActionDeclaration, where: str) -> None:
    size = len(json.dumps(step.params, ensure_ascii=False).encode("utf-8", "surrogatepass")) if step.params else 0
    if size > MAX_PARAMS_BYTES:
        raise TooLarge(
            f"step {step.key!r}: parameters are {size} bytes, the limit is {MAX_PARAMS_BYTES}",
            where=f"{where}/params",
            mend="pass large data by reference, such as a URL or a path",
        )
    if not step.enabled:
        # It never runs, and clients send their unused steps as they are.
        return
    try:
        declared.params.model_validate(step.params)
    except ValidationError as error:
        # What a reference will bring is checked when the step runs.
        problems = [
            e for e in error.errors(include_url=False, include_input=False) if not _templated(step.params, e["loc"])
        ]
        if problems:
            first = problems[0]
            place = "/".join(str(part) for part in first["loc"])
            raise InvalidWorkflow(
                f"step {step.key!r}: parameter {place or 'params'}: {first['msg']}",
                where=f"{where}/params/{place}",
                mend=f"GET /workflow/actions has the schema of {declared.name}",
            ) from error


def _templated(params: Any, location: Sequence[str | int]) -> bool:
    value = params
    for part in location:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            break
    return value is not params and bool(find_references(value))
