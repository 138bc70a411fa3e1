"""Picks up what messages and workers lost: due waits, unsent steps, expired leases, dead workers, old runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import random
from typing import Any

from pydantic import ValidationError

from orchestration.core.decide import Lost, Outcome, StepPolicy, decide
from orchestration.engine import journal
from orchestration.engine.cached import CachedResults
from orchestration.engine.leases import Held, policy_from_json
from orchestration.engine.telling import finish_events, ready_steps
from orchestration.engine.waking import BATCH, Waking
from orchestration.errors import StoreRefused
from orchestration.ports import Dispatcher, EventSink
from orchestration.store.database import Database, as_jsonb
from schemas.json import JsonObject
from schemas.statuses import RunStatus

log = logging.getLogger("perdure.sweep")

RESENT_AT_ONCE = 1000


@dataclass(frozen=True)
class SilentOwner:
    """A worker that holds attempts while its session lock is gone: one sign of death, never enough alone."""

    owner: str
    lease_until: str
    silent_s: float
    host: str | None
    boot_id: str | None
    pid: int | None


class Sweep(Waking):
    """The sweeps against one database. All are bounded, skip what is locked, and may run twice at once."""

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
        super().__init__(database, dispatcher, events, resend_s=resend_s)
        self.lease_s = lease_s
        self.chance = chance
        self.cached = CachedResults(database)

    def elect(self, janitor: str, hold_s: float) -> tuple[bool, float]:
        """Whether `janitor` is the one to sweep for the next `hold_s` seconds; and the database's time, in seconds."""
        elected, seconds = self.database.rows("SELECT * FROM elect_janitor(%s, %s)", janitor, hold_s)[0]
        return elected, seconds

    def next_due_s(self) -> float | None:
        """Seconds until something is due, None when nothing waits."""
        seconds: float | None = self.database.call("SELECT next_due_s()")
        return seconds

    def resend_all(self) -> int:
        """After the broker lost its messages: every ready step is due now."""
        return int(self.database.call("SELECT resend_all()"))

    def resend_queue(self, queue: str) -> int:
        """The next ready steps of a queue that were sent before are due now; how many."""
        return int(self.database.call("SELECT resend_queue(%s, %s)", queue, RESENT_AT_ONCE))

    def expired(self) -> int:
        """End attempts whose lease ran out; how many."""
        rows = self.database.call("SELECT attempts_held(NULL, %s)", BATCH)
        # The lease is checked again under the lock: a heartbeat may have come in between.
        return sum(self._end_if_possible(row, lease_before=row["lease_until"]) for row in rows)

    def silent_owners(self) -> Sequence[SilentOwner]:
        """Workers that hold attempts without a session lock. The caller looks twice and wants a second sign."""
        rows = self.database.call("SELECT owners_without_session(%s)", self.lease_s)
        return [SilentOwner(**row) for row in rows]

    def end_owner(self, owner: SilentOwner) -> int:
        """End all attempts of a worker that is believed dead, unless it renewed one since; how many."""
        rows = self.database.call("SELECT attempts_held(%s, %s)", [owner.owner], BATCH)
        return sum(self._end_if_possible(row, lease_before=owner.lease_until) for row in rows)

    def end_attempt(self, held: Held, outcome: Outcome) -> int:
        """End one attempt on behalf of a process that is known to be gone or deaf; 1 if it was still held."""
        rows = self.database.call("SELECT attempt_held(%s, %s, %s)", held.run, held.position, held.attempt)
        return sum(self.end(row, outcome, lease_before=None) for row in rows)

    def claimed_by(self, owner: str, run_id: str, position: int | None) -> list[Held]:
        """The attempt at a step that `owner` holds, if any; without a position, those at any step of the run."""
        rows = self.database.call("SELECT attempts_of(%s, %s, %s)", owner, run_id, position)
        return [Held(row["run"], row["position"], row["attempt"]) for row in rows]

    def purge(self, older_than_days: float | None) -> int:
        """Delete a batch of runs that ended long ago; how many. With None runs are kept for ever.

        And of what else has had its time: results that may stand in no more, keys of starts, workers, records.
        """
        self.cached.purge()
        seconds = None if older_than_days is None else older_than_days * 86_400
        return int(self.database.call("SELECT purge_runs(clock_now() - make_interval(secs => %s), %s)", seconds, BATCH))

    def note_lost_workers(self) -> None:
        """Note which workers have no session, and since when; one that had none for a day counts as ended."""
        self.database.call("SELECT note_lost_workers()")

    def end(self, row: JsonObject, outcome: Outcome, *, lease_before: Any) -> int:
        """Finish an attempt on behalf of the worker that held it; 0 when it was ended or renewed meanwhile."""
        decision = decide(
            outcome,
            _policy(row),
            failures=row["failures"],
            losses=row["losses"],
            chance=self.chance(),
            elapsed_s=row["elapsed_s"],
        )
        answer = self.database.call(
            "SELECT finish(%s, %s, %s, %s, %s, %s)",
            row["run"],
            row["position"],
            row["attempt"],
            as_jsonb(decision.as_json()),
            self.resend_s,
            lease_before,
        )
        if answer["status"] != "ok":
            return 0
        run_id = row["public_id"]
        if answer["wakes"]:
            self.lines()
        self.dispatcher.send(ready_steps(run_id, answer["ready"], row["priority"]))
        self.events.publish(
            run_id,
            finish_events(row["position"], row["key"], row["attempt"], answer, decision, row["policy"].get("notice")),
            final=RunStatus(answer["run_status"]).is_finished,
        )
        journal.ended(run_id, row["key"], row["attempt"], answer, decision)
        return 1

    def _end_if_possible(self, row: JsonObject, *, lease_before: Any) -> int:
        try:
            return self.end(row, Lost(counted=False), lease_before=lease_before)
        except StoreRefused as refused:
            # One attempt that cannot be ended must not keep all others waiting behind it.
            log.error("attempt not ended: %s", refused, extra={"run_id": row["public_id"], "step": row["key"]})
            return 0


def _policy(row: JsonObject) -> StepPolicy:
    try:
        return policy_from_json(row["policy"])
    except (ValidationError, KeyError):
        # Written by a newer version: what it allows is not known, so nothing is repeated.
        return StepPolicy()
