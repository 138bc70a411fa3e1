"""How a worker holds a step: claim, save what it emits, finish. Every write is fenced by the attempt number."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import random
from typing import Literal

from orchestration.core.decide import Decision, Failed, Outcome, StepError, Verb, decide
from orchestration.engine import journal
from orchestration.engine.cached import CachedResults
from orchestration.engine.leases import Held, Lease, claimed, handed_over
from orchestration.engine.telling import claim_event, finish_events, ready_steps
from orchestration.engine.waking import Waking
from orchestration.errors import LeaseLost, StoreUnavailable, TooLarge
from orchestration.ports import Dispatcher, EventSink, ReadyStep
from orchestration.store.database import Database, as_jsonb
from schemas.events import Event
from schemas.json import Json, JsonObject
from schemas.statuses import RunStatus

log = logging.getLogger(__name__)

CHECKPOINT_BYTES = 256 * 1024
RESULT_BYTES = 256 * 1024


@dataclass(frozen=True)
class Finished:
    """A committed end of an attempt, before anybody was told. `next`: a step that was claimed with it."""

    lease: Lease
    decision: Decision
    answer: JsonObject
    ready: list[ReadyStep]
    next: Lease | None = None


Answer = Literal["ok", "stop", "busy", "lost"]


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
        self.waking = Waking(database, dispatcher, events, resend_s=resend_s)
        self.cached = CachedResults(database)

    def claim(self, run_id: str, position: int, owner: str) -> Lease | None:
        """Take a ready step for one attempt; None when there is nothing to claim (a duplicate, paused, taken).

        Raises: StoreUnavailable.
        """
        row = self.database.transition("claim", "text, integer, text, real", run_id, position, owner, self.lease_s)
        if row["status"] != "claimed":
            return None
        if row["early"]:
            self.database.await_flush()
        lease = claimed(row, run_id, owner)
        self.events.publish(run_id, [claim_event(lease)])
        return lease

    def decide(self, lease: Lease, outcome: Outcome) -> Decision:
        """What becomes of the step, by its policy and what happened before. Raises: StoreUnavailable."""
        decision = decide(
            outcome,
            lease.policy,
            failures=lease.failures,
            losses=lease.losses,
            chance=self.chance(),
            elapsed_s=lease.elapsed_s(),
        )
        return self.cached.instead(lease, decision)

    def finish(self, lease: Lease, outcome: Outcome) -> list[ReadyStep]:
        """Commit the end of an attempt, then tell. Answers the steps it made ready. Raises as `commit`."""
        finished = self.commit(lease, outcome)
        self.tell(finished)
        return finished.ready

    def commit(
        self, lease: Lease, outcome: Outcome, *, hand_over: bool = False, resources: JsonObject | None = None
    ) -> Finished:
        """Commit the end of an attempt: fence, outcome and release of what it made ready, in one round trip.

        With `hand_over` the first of the step's dependents is claimed as well, if this made it ready and it is for the
        same queue. `resources`: what the attempt used, kept with it.
        Raises: LeaseLost when a later attempt holds the step, the outcome is dropped; StoreUnavailable.
        """
        decision = replace(self.decide(lease, outcome), resources=resources)
        answer = self._finish(lease, decision, hand_over)
        if answer["status"] == "refused_expansion":
            error = StepError("refused_expansion", f"the steps it added were refused: {answer['reason']}")
            decision = replace(self.decide(lease, Failed(error, permanent=True)), resources=resources)
            answer = self._finish(lease, decision)
        if answer.get("early"):
            self.database.await_flush()
        if answer["status"] == "lease_lost":
            raise LeaseLost(f"attempt {lease.attempt} at step {lease.key!r} was taken over; its outcome is dropped")
        step = answer.get("next")
        return Finished(
            lease,
            decision,
            answer,
            ready_steps(lease.run_id, answer["ready"], lease.priority),
            handed_over(step, answer["version"], lease) if step else None,
        )

    def tell(self, finished: Finished) -> None:
        """Send the messages and events of a commit. What is lost here is found by the sweep and by readers."""
        lease, answer = finished.lease, finished.answer
        self.dispatcher.send(finished.ready)
        if answer.get("wakes"):
            self._wake(self.waking.lines)
        step = (lease.position, lease.key, lease.attempt)
        events: list[Event] = finish_events(*step, answer, finished.decision, lease.notice)
        if finished.next is not None:
            events.append(claim_event(finished.next))
        self.events.publish(lease.run_id, events, final=RunStatus(answer["run_status"]).is_finished)
        self.cached.remember(lease, finished.decision)
        journal.ended(lease.run_id, lease.key, lease.attempt, answer, finished.decision)

    def wake_waiting(self, on: str, count: int) -> None:
        """Let the next `count` steps go on that wait on a breaker, or for room on a host. The sweep finds them, too."""
        self._wake(lambda: self.waking.waiting(on, count))

    def leave_to_others(self, run_id: str, position: int, host: str) -> bool:
        """Leave a ready step of the background to another host that has room; False where there is none to take it.

        It stays ready, and its message is sent again after a pause that grows: a step that comes back is left again.
        """
        try:
            return bool(self.database.call("SELECT leave_to_others(%s, %s, %s)", run_id, position, host))
        except StoreUnavailable:  # then it cannot be claimed either
            return False

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

    def save_text(self, lease: Lease, offset: int, text: str, *, edition: int = 0) -> None:
        """Store that what the attempt writes is `text` from `offset` characters on; of its `edition`, see TextEvent.

        Raises: LeaseLost, StoreUnavailable.
        """
        values = (lease.run, lease.position, lease.attempt, edition, offset, text)
        if not self.database.transition("save_text", "bigint, integer, integer, integer, integer, text", *values):
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

    def _wake(self, wake: Callable[[], int]) -> None:
        try:
            wake()
        except StoreUnavailable:
            log.info("not woken now; the next sweep will")

    def _finish(self, lease: Lease, decision: Decision, hand_over: bool = False) -> JsonObject:
        held = (lease.run, lease.position, lease.attempt)
        if decision.verb is Verb.COMPLETE and decision.expand is None and decision.error is None:
            seconds = self.lease_s if hand_over else None
            answer: JsonObject = self.database.transition(
                "complete",
                "bigint, integer, integer, jsonb, real, text, real, jsonb",
                *held,
                as_jsonb(decision.result),
                self.resend_s,
                lease.owner,
                seconds,
                as_jsonb(decision.resources) if decision.resources else None,
            )
        else:
            answer = self.database.call(
                "SELECT finish(%s, %s, %s, %s, %s)", *held, as_jsonb(decision.as_json()), self.resend_s
            )
        return answer
