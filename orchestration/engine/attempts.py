"""How a worker holds a step: claim, save what it emits, finish. Every write is fenced by the attempt number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import random
from typing import Any, Literal

from orchestration.core.decide import Decision, Failed, Outcome, StepError, StepPolicy, decide
from orchestration.errors import LeaseLost, TooLarge
from orchestration.ports import Dispatcher, EventSink, ReadyStep
from orchestration.store.database import Database, as_jsonb
from schemas.events import Event, RunEvent, StepEvent
from schemas.json import Json, JsonObject
from schemas.statuses import RunStatus, StepStatus, WaitReason
from schemas.workflow import RetryPolicy, SshTarget, StepSpec

CHECKPOINT_BYTES = 256 * 1024
MAX_EVENTS_A_FINISH = 50


@dataclass(frozen=True)
class Lease:
    """An attempt as held by a worker, with all that is needed to run it."""

    run: int
    run_id: str
    position: int
    attempt: int
    owner: str
    key: str
    action: str
    label: str
    params: JsonObject
    policy: StepPolicy
    timeout_s: float
    when: str | None
    failures: int
    losses: int
    claimed_at: datetime
    version: int
    run_name: str
    run_params: JsonObject
    created_by: str
    created_role: str
    host: SshTarget | None
    checkpoint: Json
    signal: JsonObject | None
    reads: JsonObject
    priority: int


@dataclass(frozen=True)
class Held:
    """Just enough to renew or end an attempt."""

    run: int
    position: int
    attempt: int


@dataclass(frozen=True)
class Finished:
    """A committed end of an attempt, before anybody was told."""

    lease: Lease
    decision: Decision
    answer: JsonObject
    ready: list[ReadyStep]


Answer = Literal["ok", "stop", "busy", "lost"]


def policy_from_json(document: JsonObject) -> StepPolicy:
    """The stored policy of a step."""
    spec = StepSpec.model_validate(
        {"key": "x", "action": "x", "on_failure": document["on_failure"], "retry": document["retry"]}
    )
    return StepPolicy(retry=spec.retry or RetryPolicy(), on_failure=spec.on_failure, on_lost=document["on_lost"])


class Attempts:
    """Claims and ends attempts against one database."""

    def __init__(
        self,
        database: Database,
        dispatcher: Dispatcher,
        events: EventSink,
        *,
        lease_s: float,
        resend_s: float,
        chance: Callable[[], float] = random,
    ) -> None:
        self.database = database
        self.dispatcher = dispatcher
        self.events = events
        self.lease_s = lease_s
        self.resend_s = resend_s
        self.chance = chance

    def claim(self, run_id: str, position: int, owner: str) -> Lease | None:
        """Take a ready step for one attempt; None when there is nothing to claim (a duplicate, paused, taken).

        Raises: StoreUnavailable.
        """
        row = self.database.call("SELECT claim(%s, %s, %s, %s)", run_id, position, owner, self.lease_s)
        if row["status"] != "claimed":
            return None
        policy = row["policy"]
        lease = Lease(
            run=row["run"],
            run_id=run_id,
            position=position,
            attempt=row["attempt"],
            owner=owner,
            key=row["key"],
            action=row["action"],
            label=row["label"],
            params=row["params"],
            policy=policy_from_json(policy),
            timeout_s=policy["timeout_s"],
            when=policy.get("when"),
            failures=row["failures"],
            losses=row["losses"],
            claimed_at=datetime.fromisoformat(row["now"]),
            version=row["version"],
            run_name=row["run_name"],
            run_params=row["run_params"],
            created_by=row["created_by"],
            created_role=row["created_role"],
            host=SshTarget.model_validate(row["ssh"]) if row["ssh"] else None,
            checkpoint=row["checkpoint"],
            signal=row["signal"],
            reads=row["reads"],
            priority=row["priority"],
        )
        self.events.publish(
            run_id,
            [
                StepEvent(
                    version=lease.version,
                    index=position,
                    key=lease.key,
                    status=StepStatus.IN_PROGRESS,
                    attempt=lease.attempt,
                )
            ],
        )
        return lease

    def decide(self, lease: Lease, outcome: Outcome) -> Decision:
        """What becomes of the step, by its policy and what happened before."""
        return decide(outcome, lease.policy, failures=lease.failures, losses=lease.losses, chance=self.chance())

    def finish(self, lease: Lease, outcome: Outcome) -> list[ReadyStep]:
        """Commit the end of an attempt, then tell. Answers the steps it made ready. Raises as `commit`."""
        finished = self.commit(lease, outcome)
        self.tell(finished)
        return finished.ready

    def commit(self, lease: Lease, outcome: Outcome) -> Finished:
        """Commit the end of an attempt: fence, outcome and release of what it made ready, in one round trip.

        Raises: LeaseLost when a later attempt holds the step, the outcome is dropped; StoreUnavailable.
        """
        decision = self.decide(lease, outcome)
        answer = self._finish(lease, decision)
        if answer["status"] == "refused_expansion":
            error = StepError("refused_expansion", f"the steps it added were refused: {answer['reason']}")
            decision = self.decide(lease, Failed(error, permanent=True))
            answer = self._finish(lease, decision)
        if answer["status"] == "lease_lost":
            raise LeaseLost(f"attempt {lease.attempt} at step {lease.key!r} was taken over; its outcome is dropped")
        return Finished(lease, decision, answer, ready_steps(lease.run_id, answer["ready"], lease.priority))

    def tell(self, finished: Finished) -> None:
        """Send the messages and events of a commit. What is lost here is found by the sweep and by readers."""
        lease, answer = finished.lease, finished.answer
        self.dispatcher.send(finished.ready)
        events = finish_events(lease.position, lease.key, lease.attempt, answer, finished.decision)
        self.events.publish(lease.run_id, events, final=RunStatus(answer["run_status"]).is_finished)

    def heartbeat(self, owner: str, held: Sequence[Held]) -> dict[Held, Answer]:
        """Renew the leases of one worker in one round trip, and learn which attempts should stop or are lost.

        `busy`: something is changing the step just now; ask again. Raises: StoreUnavailable.
        """
        rows = self.database.rows(
            "SELECT run_id, position, attempt, answer FROM heartbeat(%s, %s::bigint[], %s::int[], %s::int[], %s)",
            owner,
            [one.run for one in held],
            [one.position for one in held],
            [one.attempt for one in held],
            self.lease_s,
        )
        return {Held(run, position, attempt): answer for run, position, attempt, answer in rows}

    def save_checkpoint(self, lease: Lease, data: Json) -> None:
        """Store a checkpoint under the fence. Raises: LeaseLost, TooLarge, StoreUnavailable."""
        text = as_jsonb(data)
        if len(text.encode()) > CHECKPOINT_BYTES:
            raise TooLarge(f"a checkpoint of {len(text.encode())} bytes; the limit is {CHECKPOINT_BYTES}")
        if not self.database.call(
            "SELECT save_checkpoint(%s, %s, %s, %s)", lease.run, lease.position, lease.attempt, text
        ):
            raise LeaseLost(f"attempt {lease.attempt} at step {lease.key!r} was taken over")

    def save_progress(self, lease: Lease, document: JsonObject) -> None:
        """Store progress for readers of the state; dropped when a later attempt holds the step."""
        self.database.call(
            "SELECT save_progress(%s, %s, %s, %s)", lease.run, lease.position, lease.attempt, as_jsonb(document)
        )

    def save_log(self, lease: Lease, pieces: Sequence[tuple[int, str, str]]) -> bool:
        """Store pieces of log `(offset, level, text)`; False once the step's or the run's limit is reached."""
        offsets, levels, texts = zip(*pieces, strict=True)
        return bool(
            self.database.call(
                "SELECT save_log(%s, %s, %s, %s, %s, %s)",
                lease.run,
                lease.position,
                lease.attempt,
                list(offsets),
                list(levels),
                list(texts),
            )
        )

    def load_result(self, lease: Lease, key: str) -> JsonObject | None:
        """Status and result of a step of the same run; None when there is no such step."""
        found: JsonObject = self.database.call("SELECT step_results(%s, %s)", lease.run, [key])
        return found.get(key)

    def _finish(self, lease: Lease, decision: Decision) -> JsonObject:
        answer: JsonObject = self.database.call(
            "SELECT finish(%s, %s, %s, %s, %s)",
            lease.run,
            lease.position,
            lease.attempt,
            as_jsonb(decision.as_json()),
            self.resend_s,
        )
        return answer


def ready_steps(run_id: str, rows: Sequence[Sequence[Any]], priority: int) -> list[ReadyStep]:
    """From `[position, action, queue]` rows to what the dispatcher takes."""
    return [ReadyStep(run_id, position, action, queue, priority) for position, action, queue in rows]


def finish_events(position: int, key: str, attempt: int, answer: JsonObject, decision: Decision) -> list[Event]:
    """What a finished attempt tells: the step, those it made ready, the run. Large fan-outs tell only the run."""
    version = answer["version"]
    waiting = answer["step_status"] == "waiting"
    message = decision.result.get("message") if isinstance(decision.result, dict) else None
    events: list[Event] = [
        StepEvent(
            version=version,
            index=position,
            key=key,
            status=answer["step_status"],
            attempt=attempt,
            waiting_for=decision.reason if waiting else None,
            due_at=answer["due_at"] if waiting else None,
            message=message if isinstance(message, str) else None,
            error=decision.error.as_json() if decision.error else None,
        )
    ]
    for index, name, status, tries, waiting_for, due_at in answer["changed"][:MAX_EVENTS_A_FINISH]:
        events.append(
            StepEvent(
                version=version,
                index=index,
                key=name,
                status=status,
                attempt=tries,
                waiting_for=WaitReason(waiting_for) if waiting_for else None,
                due_at=due_at if waiting_for else None,
            )
        )
    events.append(run_event(answer))
    return events


def run_event(answer: JsonObject) -> RunEvent:
    """The run as a transition left it."""
    return RunEvent(
        version=answer["version"],
        status=answer["run_status"],
        total=answer["total"],
        completed=answer["completed"],
        failed=answer["failed"],
        skipped=answer["skipped"],
    )
