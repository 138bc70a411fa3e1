"""Start and control runs. Each control is one transition in PostgreSQL; messages and events follow its commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg2.errors

from orchestration.core.fallbacks import unfold_fallbacks
from orchestration.engine import journal
from orchestration.engine.forking import keys_behind
from orchestration.engine.planning import Actions, check_action, plan_workflow
from orchestration.engine.signals import fitted_signal
from orchestration.engine.starts import AuditNote, OnStarted, StartedRun, Starts, new_run_id
from orchestration.engine.telling import ready_steps, run_event
from orchestration.errors import (
    IllegalControl,
    RunActive,
    UnknownRun,
    UnknownStep,
)
from orchestration.ports import Actor, Dispatcher, EventSink
from orchestration.store.database import Database, as_jsonb
from schemas.json import Json, JsonObject
from schemas.statuses import RunStatus
from schemas.workflow import WorkflowSpec

__all__ = ["Controlled", "Runs", "StartedRun", "new_run_id"]


@dataclass(frozen=True)
class Controlled:
    """A run as a control left it."""

    run_id: str
    status: RunStatus
    version: int


class Runs:
    """The use cases of runs against one database."""

    def __init__(
        self,
        database: Database,
        dispatcher: Dispatcher,
        events: EventSink,
        actions: Actions,
        *,
        resend_s: float,
        on_started: OnStarted | None = None,
    ) -> None:
        self.database = database
        self.dispatcher = dispatcher
        self.events = events
        self.actions = actions
        self.resend_s = resend_s
        self.starts = Starts(database, dispatcher, actions, resend_s=resend_s, on_started=on_started)

    def start(
        self,
        workflow: WorkflowSpec,
        actor: Actor,
        *,
        run_id: str | None = None,
        idempotency_key: str | None = None,
        forked_from: str | None = None,
        preset: Mapping[str, Json] | None = None,
        body: JsonObject | None = None,
        audit: AuditNote | None = None,
    ) -> StartedRun:
        """Accept a run and send its first steps. The same id or key with the same body answers the same run.

        `preset` gives results to steps that need not run again (a fork). `body` is what the client sent, by which two
        requests are the same, whatever defaults were filled in since; unset: the workflow itself. `audit` is recorded
        with a run that is created.
        Raises: InvalidWorkflow, NotAllowed, TooLarge; RunExists when the id or key was used with another body;
        RunActive when the concurrency key is held by another run.
        """
        planned = self.starts.plan(workflow, actor, run_id=run_id, forked_from=forked_from, preset=preset, body=body)
        return self.starts.start([planned], actor, idempotency_key=idempotency_key, audit=audit)[0]

    def stop(self, run_id: str, actor: Actor) -> Controlled:
        """Ask a run to stop; `cancelling` until the work in progress is confirmed stopped."""
        return self._control(run_id, actor, "stop", "SELECT stop_run(%s, %s)", run_id, _by(actor))

    def pause(self, run_id: str, actor: Actor) -> Controlled:
        """Let steps in flight finish and claim nothing new."""
        return self._control(run_id, actor, "pause", "SELECT pause_run(%s, %s)", run_id, _by(actor))

    def resume(self, run_id: str, actor: Actor) -> Controlled:
        """Go on with a paused run."""
        return self._control(
            run_id, actor, "resume", "SELECT resume_run(%s, %s, %s)", run_id, _by(actor), self.resend_s
        )

    def retry(self, run_id: str, actor: Actor, *, step: str | None = None) -> Controlled:
        """Run a finished run again from `step`, or from all that failed; what depends on it is reset too.

        Raises: UnknownRun, UnknownStep, IllegalControl, NotAllowed; RunActive when its host is in use by now.
        """
        self._check_rights(run_id, actor)
        sql = "SELECT retry_run(%s, %s, %s, %s)"
        return self._control(run_id, actor, "retry", sql, run_id, step, _by(actor), self.resend_s, step=step)

    def skip(self, run_id: str, actor: Actor, *, step: str) -> Controlled:
        """Skip a step that has not begun, or the failed step of a finished run, which then goes on behind it."""
        self._check_rights(run_id, actor)
        sql = "SELECT skip_step(%s, %s, %s, %s)"
        return self._control(run_id, actor, "skip", sql, run_id, step, _by(actor), self.resend_s, step=step)

    def signal(self, run_id: str, actor: Actor, *, step: str, payload: JsonObject) -> Controlled:
        """Give a waiting step its input, once. One that comes early is kept for the step.

        Raises: UnknownRun, UnknownStep; IllegalControl when the step takes no signal, has ended or already has one;
        InvalidSignal when the payload is not what the step asks for.
        """
        rows = self.database.rows(
            "SELECT s.action, d.params FROM steps s JOIN runs r ON r.id = s.run_id "
            "JOIN step_documents d ON d.run_id = s.run_id AND d.position = s.position "
            "WHERE r.public_id = %s AND s.key = %s",
            run_id,
            step,
        )
        if rows:
            payload = fitted_signal(self.actions.get(rows[0][0]), rows[0][1], payload, step=step)
        sql = "SELECT signal_step(%s, %s, %s, %s, %s)"
        values = (run_id, step, as_jsonb(payload), actor.name, self.resend_s)
        return self._control(run_id, actor, "signal", sql, *values, step=step)

    def restart(self, run_id: str, actor: Actor, *, new_id: str | None = None) -> StartedRun:
        """Start the same workflow again from the beginning, as a new run."""
        return self.start(self.workflow(run_id), actor, run_id=new_id, forked_from=run_id)

    def fork(
        self, run_id: str, actor: Actor, *, step: str, params: JsonObject | None = None, new_id: str | None = None
    ) -> StartedRun:
        """A new run that keeps the results before `step` and runs it, and what depends on it, again.

        `params` replaces the parameters of that step.
        Raises: UnknownRun, UnknownStep, and what `start` raises.
        """
        workflow = self.workflow(run_id)
        if step not in {spec.key for spec in workflow.steps}:
            raise UnknownStep(f"the run's workflow has no step {step!r}", where="/step", mend="name one of its steps")
        steps = tuple(
            spec.model_copy(update={"params": params}) if spec.key == step and params is not None else spec
            for spec in workflow.steps
        )
        # Rebuilt by validation, so that what was set is known again and defaults stay defaults.
        changed = workflow.model_copy(update={"steps": steps}).model_dump(mode="json", exclude_unset=True)
        if params is not None:
            for spec in changed["steps"]:
                if spec["key"] == step:
                    spec["params"] = params
        rows = self.database.rows(
            "SELECT s.key, a.result FROM steps s JOIN runs r ON r.id = s.run_id "
            "LEFT JOIN attempts a ON a.run_id = s.run_id AND a.position = s.position AND a.attempt = s.attempt "
            "WHERE r.public_id = %s AND s.status = 'completed' AND s.made_by IS NULL",
            run_id,
        )
        again = keys_behind(plan_workflow(workflow, self.actions, actor.role), step)
        preset = {key: result for key, result in rows if key not in again}
        forked = WorkflowSpec.model_validate(changed)
        return self.start(forked, actor, run_id=new_id, forked_from=run_id, preset=preset)

    def workflow(self, run_id: str) -> WorkflowSpec:
        """The workflow that a run was started with. Raises: UnknownRun."""
        document = self.database.call(
            "SELECT d.workflow FROM run_documents d JOIN runs r ON r.id = d.run_id WHERE r.public_id = %s", run_id
        )
        if document is None:
            raise _unknown(run_id)
        return WorkflowSpec.model_validate(document)

    def archive(self, run_id: str) -> None:
        """Detach a finished run, so that it is nobody's current run; nothing is deleted.

        Raises: UnknownRun; RunActive while the run is not finished.
        """
        row = self.database.rows("SELECT id, status FROM runs WHERE public_id = %s", run_id)
        if not row:
            raise _unknown(run_id)
        if not RunStatus(row[0][1]).is_finished:
            raise RunActive(f"run {run_id} is {row[0][1]}", where="/workflow_id", mend="stop it first")
        self.database.execute(
            "UPDATE run_documents SET archived_at = coalesce(archived_at, clock_now()) WHERE run_id = %s", row[0][0]
        )

    def _check_rights(self, run_id: str, actor: Actor) -> None:
        """Every path that makes steps run checks the rights of the person acting now."""
        unfolded = unfold_fallbacks(self.workflow(run_id).steps)
        for spec, place in zip(unfolded.steps, unfolded.places, strict=True):
            check_action(spec, place, self.actions, actor.role)

    def _control(
        self, run_id: str, actor: Actor, control: str, sql: str, *values: Any, step: str | None = None
    ) -> Controlled:
        try:
            answer = self.database.call(sql, *values)
        except psycopg2.errors.UniqueViolation as error:
            raise RunActive(
                "another run is using this run's concurrency key (its host)",
                where="/workflow_id",
                mend="wait until that run ends, or stop it",
            ) from error
        match answer["status"]:
            case "unknown_run":
                raise _unknown(run_id)
            case "unknown_step":
                raise UnknownStep(f"run {run_id} has no step {step!r}", where="/step", mend="GET /workflow/steps")
            case "illegal":
                raise _illegal(control, run_id, answer, step)
        status = RunStatus(answer["run_status"])
        self.dispatcher.send(ready_steps(run_id, answer.get("ready", []), answer.get("priority", 5)))
        if "total" in answer:
            self.events.publish(run_id, [run_event(answer)], final=status.is_finished)
        journal.controlled(control, run_id, status=status, actor=actor.name, step=step)
        return Controlled(run_id, status, answer["version"])


def _by(actor: Actor) -> str:
    return as_jsonb({"by": actor.name})


def _unknown(run_id: str) -> UnknownRun:
    return UnknownRun(f"there is no run {run_id!r}", where="/workflow_id", mend="GET /workflow/runs lists the runs")


def _illegal(control: str, run_id: str, answer: JsonObject, step: str | None) -> IllegalControl:
    if answer.get("already"):
        message = f"step {step!r} already has its signal"
    elif step is not None and "step_status" in answer:
        message = f"cannot {control} step {step!r}, which is {answer['step_status']}"
    else:
        message = f"cannot {control} run {run_id}, which is {answer['run_status']}"
    return IllegalControl(message, where="/step" if step else "/workflow_id", mend="GET /workflow/state shows it")
