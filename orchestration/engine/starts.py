"""Starts: one run or many, checked first and then accepted together, in one statement and one transaction."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestration.engine import journal
from orchestration.engine.forking import with_results
from orchestration.engine.planning import Actions, check_size, fingerprint, plan_workflow
from orchestration.errors import InvalidWorkflow, RunActive, RunExists, TooLarge
from orchestration.ports import Actor, Dispatcher, ReadyStep
from orchestration.store.database import Database, as_jsonb
from schemas.json import Json, JsonObject
from schemas.requests import MAX_RUNS
from schemas.statuses import RunStatus
from schemas.workflow import MAX_STEPS, WorkflowSpec, is_public_id


@dataclass(frozen=True)
class StartedRun:
    """A run that was accepted, now or by an earlier request with the same id and body (`created` false)."""

    run_id: str
    created: bool
    status: RunStatus
    version: int


@dataclass(frozen=True)
class PlannedRun:
    """A run that has passed all checks that need no database.

    `run_id` None: the server's choice. `where` is the JSON pointer to it in its request.
    """

    run_id: str | None
    row: JsonObject
    steps: list[JsonObject] = field(repr=False)
    where: str = ""


@dataclass(frozen=True)
class AuditNote:
    """What the audit record is to say of a start; committed with it."""

    action: str
    detail: JsonObject


@dataclass(frozen=True)
class Companion:
    """What else is written as runs are accepted, or not at all: a SQL function that takes `document` and the arguments
    of `start_runs`, which it calls, and whose answer it answers unless it refuses first.
    """

    function: str
    document: JsonObject


class Refused(Exception):
    """A companion refused; `answer` says why."""

    def __init__(self, answer: JsonObject) -> None:
        super().__init__(answer["status"])
        self.answer = answer


OnStarted = Callable[[Sequence[StartedRun], int], None]
"""Hears of runs that were accepted together, and of when that began, in ns since 1970."""


class Starts:
    """The use case of starting runs against one database."""

    def __init__(
        self,
        database: Database,
        dispatcher: Dispatcher,
        actions: Actions,
        *,
        resend_s: float,
        on_started: OnStarted | None = None,
    ) -> None:
        self.database = database
        self.dispatcher = dispatcher
        self.actions = actions
        self.resend_s = resend_s
        self.on_started = on_started

    def plan(
        self,
        workflow: WorkflowSpec,
        actor: Actor,
        *,
        run_id: str | None = None,
        forked_from: str | None = None,
        preset: Mapping[str, Json] | None = None,
        body: JsonObject | None = None,
        where: str = "",
    ) -> PlannedRun:
        """Check a run and make its rows; nothing is written. Parameters as those of `Runs.start`.

        `where` is the JSON pointer to the run in its request, which begins the places that later refusals name.

        Raises: InvalidWorkflow, NotAllowed, TooLarge.
        """
        rows = plan_workflow(workflow, self.actions, actor.role)
        check_size(workflow)
        if run_id is not None and not is_public_id(run_id):
            raise InvalidWorkflow(
                "the workflow_id is malformed",
                where="/workflow_id",
                mend="use 1 to 128 letters, digits, dots, colons, hyphens or underscores",
            )
        if preset:
            rows = with_results(rows, preset)
        counts = Counter(row["status"] for row in rows)
        document = workflow.model_dump(mode="json", exclude_unset=True)
        row = {
            "name": workflow.name,
            "template_id": workflow.template_id,
            "workflow": document,
            "params": workflow.params,
            "ssh": workflow.ssh.model_dump(mode="json") if workflow.ssh else None,
            "metadata": workflow.metadata,
            "request_hash": fingerprint([document if body is None else body, forked_from]),
            "forked_from": forked_from,
            "max_steps": workflow.max_steps,
            "priority": workflow.priority,
            "concurrency_key": workflow.concurrency_key,
            "kind": workflow.kind,
            "concurrency": workflow.concurrency.model_dump() if workflow.concurrency else None,
            "total": len(rows),
            "pending": counts["pending"],
            "queued": counts["ready"] + counts["waiting"],
            **{status: counts[status] for status in ("completed", "failed", "skipped")},
        }
        return PlannedRun(run_id, row, rows, where)

    def start(
        self,
        planned: Sequence[PlannedRun],
        actor: Actor,
        *,
        idempotency_key: str | None = None,
        audit: AuditNote | None = None,
        companion: Companion | None = None,
    ) -> list[StartedRun]:
        """Accept all of these runs, or none of them, and send their first steps.

        Raises: RunExists when an id, or the key, was used with another body; RunActive when a concurrency key is held
        by another run; InvalidWorkflow and TooLarge for what does not fit together; Refused when the companion refused.
        """
        check_together(planned)
        began_ns = time.time_ns()
        stem = new_run_id() if len(planned) > 1 or planned[0].run_id is None else planned[0].run_id
        ids = run_ids(planned, stem)
        start: JsonObject = {
            "created_by": actor.name,
            "created_role": actor.role,
            "stem": stem,
            "runs": [run.row | {"public_id": run_id} for run, run_id in zip(planned, ids, strict=True)],
        }
        if idempotency_key:
            hashes = [run.row["request_hash"] for run in planned]
            whole = hashes[0] if len(planned) == 1 else fingerprint([[run.run_id for run in planned], hashes])
            start |= {"idempotency_key": idempotency_key, "request_hash": whole}
        if audit is not None:
            start["audit"] = {"action": audit.action, "address": actor.address, "detail": audit.detail}
        steps = planned[0].steps
        if len(planned) > 1:
            steps = [row | {"run": place} for place, run in enumerate(planned, 1) for row in run.steps]
        values = (as_jsonb(start), as_jsonb(steps), self.resend_s)
        if companion is None:
            answer = self.database.transition("start_runs", "jsonb, jsonb, real", *values)
        else:
            document = as_jsonb(companion.document)
            answer = self.database.transition(companion.function, "jsonb, jsonb, jsonb, real", document, *values)
        if answer["status"] not in ("ok", "busy", "exists"):
            raise Refused(answer)
        if answer["status"] != "ok":
            return self._refused(answer, planned)
        started = [
            StartedRun(run_id, found["created"], RunStatus(found["run_status"]), found["version"])
            for run_id, found in zip(ids, answer["runs"], strict=True)
        ]
        self.dispatcher.send(
            [
                ReadyStep(run.run_id, row["position"], row["action"], row["queue"], plan.row["priority"])
                for run, plan in zip(started, planned, strict=True)
                if run.created
                for row in plan.steps
                if row["status"] == "ready"
            ]
        )
        for run, plan in zip(started, planned, strict=True):
            if run.created:
                row = plan.row
                journal.started(
                    run.run_id,
                    name=row["name"],
                    actor=actor.name,
                    kind=str(row["kind"]),
                    forked_from=row["forked_from"],
                )
        if self.on_started is not None:
            self.on_started(started, began_ns)
        return started

    def _refused(self, answer: JsonObject, planned: Sequence[PlannedRun]) -> list[StartedRun]:
        """What is in the way; or the runs of the request that had this idempotency key and body before."""
        found, place = answer["public_id"], answer.get("place", 1)
        # Of a request as a whole there is one key.
        prefix = planned[place - 1].where if answer["by"] == "workflow_id" else ""
        if answer["status"] == "busy":
            raise RunActive(
                f"run {found} is already active for {planned[place - 1].row['concurrency_key']}",
                where=f"{prefix}/ssh_connection",
                mend=f"wait until it ends, or stop {found}",
            )
        if not answer["same"]:
            raise RunExists(
                f"the {answer['by']} was already used for a run with another body ({found})",
                where=f"{prefix}/{answer['by']}",
                mend="use a new one for a new run",
            )
        ids = run_ids(planned, found)
        rows = self.database.rows("SELECT public_id, status, version FROM runs WHERE public_id = ANY(%s)", ids)
        known = {run_id: (RunStatus(status), version) for run_id, status, version in rows}
        # Keys outlive the runs that retention removes.
        return [StartedRun(run_id, False, *known.get(run_id, (RunStatus.COMPLETED, 0))) for run_id in ids]


def check_together(planned: Sequence[PlannedRun]) -> None:
    """Raises: InvalidWorkflow, TooLarge, RunActive for runs that cannot be accepted in one request."""
    if not 0 < len(planned) <= MAX_RUNS:
        raise InvalidWorkflow(f"{len(planned)} runs in a request", where="/runs", mend=f"send 1 to {MAX_RUNS}")
    steps = sum(len(run.steps) for run in planned)
    if steps > MAX_STEPS:
        raise TooLarge(f"{steps} steps in a request", where="/runs", mend=f"send at most {MAX_STEPS} at a time")
    ids: dict[str, int] = {}
    keys: dict[str, int] = {}
    for place, run in enumerate(planned):
        if run.run_id is not None and ids.setdefault(run.run_id, place) != place:
            raise InvalidWorkflow(
                f"run {ids[run.run_id]} of this request has the same workflow_id",
                where=f"{run.where}/workflow_id",
                mend="give each run an id of its own",
            )
        key = run.row["concurrency_key"]
        if key is not None and keys.setdefault(key, place) != place:
            raise RunActive(
                f"run {keys[key]} of this request is for {key} too",
                where=run.where,
                mend="send the second when the first has ended, or lift its concurrency_key",
            )


def run_ids(planned: Sequence[PlannedRun], stem: str) -> list[str]:
    """The runs' ids. Those that the server chooses follow from `stem`, so that a request sent again finds them."""
    if len(planned) == 1:
        return [planned[0].run_id or stem]
    return [run.run_id or f"{stem}.{place}" for place, run in enumerate(planned)]


def new_run_id() -> str:
    """`workflow_<time in ms>_<random>`, as existing clients make them."""
    return f"workflow_{time.time_ns() // 1_000_000}_{secrets.token_hex(4)}"
