"""The engine on a real database, with recorders where messages and events would go, and a clock that can be moved."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from orchestration.actions.declaration import ActionDeclaration
from orchestration.core.decide import Outcome, Succeeded
from orchestration.engine.attempts import Attempts
from orchestration.engine.leases import Lease
from orchestration.engine.runs import Runs, StartedRun
from orchestration.engine.sweep import Sweep
from orchestration.ports import Actor, ReadyStep
from orchestration.store.database import Database
from schemas.events import Event
from schemas.retry import RetryPolicy
from schemas.statuses import Role
from schemas.workflow import WorkflowSpec

LEASE_S = 15.0
RESEND_S = 2.0
ALICE = Actor("alice", Role.ADMIN, "127.0.0.1")


class AnyParams(BaseModel, extra="allow"):
    pass


def declare(name: str, **changes: Any) -> ActionDeclaration:
    defaults: dict[str, Any] = {
        "function": lambda ctx, params: None,
        "params": AnyParams,
        "idempotent": True,
        "retry": RetryPolicy(max_attempts=3, base_delay_s=1, jitter=0),
    }
    return ActionDeclaration(name=name, **(defaults | changes))


ACTIONS = {
    declared.name: declared
    for declared in (
        declare("work"),
        declare("once", idempotent=False),
        declare("wait_for_signal", accepts_signal=True),
        declare("rooted", role=Role.ADMIN),
        declare("remote", needs_host=True),
    )
}


class Recorder:
    """Stands where messages and events leave the engine."""

    def __init__(self) -> None:
        self.sent: list[ReadyStep] = []
        self.events: list[tuple[str, Event]] = []
        self._lock = threading.Lock()

    def send(self, steps: Sequence[ReadyStep]) -> None:
        with self._lock:
            self.sent.extend(steps)

    def publish(self, run_id: str, events: Sequence[Event], *, final: bool = False) -> None:
        with self._lock:
            self.events.extend((run_id, event) for event in events)


class Harness:
    """One engine process, as far as the database can tell."""

    def __init__(self, url: str, *, size: int = 5) -> None:
        self.database = Database(url, name="test", size=size)
        self.recorder = Recorder()
        parts = (self.database, self.recorder, self.recorder)
        self.runs = Runs(*parts, ACTIONS, resend_s=RESEND_S)
        self.attempts = Attempts(*parts, lease_s=LEASE_S, resend_s=RESEND_S, chance=lambda: 0.5)
        self.sweep = Sweep(*parts, lease_s=LEASE_S, resend_s=RESEND_S, chance=lambda: 0.5)

    def start(self, *steps: dict[str, Any], run_id: str | None = None, **fields: Any) -> StartedRun:
        filled = [{"action": "work"} | step for step in steps]
        workflow = WorkflowSpec.model_validate({"steps": filled} | fields)
        return self.runs.start(workflow, ALICE, run_id=run_id)

    def claim(self, run: StartedRun, position: int, owner: str = "w1") -> Lease:
        lease = self.attempts.claim(run.run_id, position, owner)
        assert lease is not None, f"nothing to claim at {position}: {self.statuses(run)}"
        return lease

    def finish(self, lease: Lease, outcome: Outcome | None = None) -> list[int]:
        ready = self.attempts.finish(lease, outcome or Succeeded({"by": lease.key}))
        return sorted(step.position for step in ready)

    def statuses(self, run: StartedRun) -> dict[str, str]:
        rows = self.database.rows(
            "SELECT s.key, s.status FROM steps s JOIN runs r ON r.id = s.run_id WHERE public_id = %s ORDER BY position",
            run.run_id,
        )
        return dict(rows)

    def run_status(self, run: StartedRun) -> str:
        return str(self.database.call("SELECT status FROM runs WHERE public_id = %s", run.run_id))

    def step(self, run: StartedRun, position: int) -> dict[str, Any]:
        row: dict[str, Any] = self.database.call(
            "SELECT to_jsonb(s) FROM steps s JOIN runs r ON r.id = s.run_id WHERE r.public_id = %s AND position = %s",
            run.run_id,
            position,
        )
        return row

    def close(self) -> None:
        self.database.close()


class TestClock:
    """Moves `clock_now()` of one database."""

    __test__ = False

    def __init__(self, database: Database) -> None:
        self.database = database
        database.execute("CREATE TABLE test_clock (shift interval NOT NULL)")
        database.execute("INSERT INTO test_clock VALUES ('0')")
        database.execute(
            "CREATE OR REPLACE FUNCTION clock_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS "
            "$$ SELECT clock_timestamp() + (SELECT shift FROM test_clock) $$"
        )

    def advance(self, seconds: float) -> None:
        self.database.execute("UPDATE test_clock SET shift = shift + make_interval(secs => %s)", seconds)


INVARIANTS = {
    "the run's counters equal a recount of its rows": """
        SELECT r.public_id FROM runs r JOIN LATERAL (
            SELECT count(*) t, count(*) FILTER (WHERE status = 'pending') p,
                   count(*) FILTER (WHERE status IN ('ready', 'waiting')) q,
                   count(*) FILTER (WHERE status = 'in_progress') a, count(*) FILTER (WHERE status = 'completed') c,
                   count(*) FILTER (WHERE status = 'failed') f, count(*) FILTER (WHERE status = 'skipped') k,
                   count(*) FILTER (WHERE status = 'cancelled') x FROM steps s WHERE s.run_id = r.id) n ON true
         WHERE (r.total, r.pending, r.queued, r.active, r.completed, r.failed, r.skipped, r.cancelled)
               IS DISTINCT FROM (n.t, n.p, n.q, n.a, n.c, n.f, n.k, n.x)""",
    "blocked_by is the number of needs that are not released": """
        SELECT s.run_id, s.position, s.blocked_by FROM steps s
         WHERE s.blocked_by <> (SELECT count(*) FROM steps n
                                 WHERE n.run_id = s.run_id AND n.position = ANY(s.needs) AND NOT n.released)""",
    "needs and dependents mirror each other": """
        SELECT s.run_id, s.position, d FROM steps s, unnest(s.dependents) d
         WHERE NOT EXISTS (SELECT FROM steps o WHERE o.run_id = s.run_id AND o.position = d
                              AND s.position = ANY(o.needs))""",
    "an attempt is recorded at most once, and only up to the step's attempt": """
        SELECT a.run_id, a.position, a.attempt FROM attempts a JOIN steps s USING (run_id, position)
         WHERE a.attempt > s.attempt""",
    "trace never passes the run's version": """
        SELECT t.run_id, t.seq FROM trace t JOIN runs r ON r.id = t.run_id WHERE t.seq > r.version""",
    "whatever is ready or waiting for a time is seen by the sweep": """
        SELECT s.run_id, s.position FROM steps s WHERE s.due_at IS NULL
           AND (s.status = 'ready' OR (s.status = 'waiting' AND s.waiting_for NOT IN ('signal', 'lock')))""",
    "whoever waits for a lock is kept out, behind others, woken, or about to be": """
        SELECT q.key, q.run_id, q.position FROM lock_requests q JOIN steps s USING (run_id, position)
         WHERE NOT q.held AND coalesce(q.woken_at, '-infinity') = '-infinity'
           AND s.due_at IS NULL AND s.status = 'waiting' AND s.waiting_for = 'lock'
           AND NOT EXISTS (SELECT FROM lock_requests o WHERE o.run_id = q.run_id AND o.position = q.position
                              AND NOT o.held AND (is_kept_out(o) OR is_behind(o)))
           AND NOT EXISTS (SELECT FROM lock_wakes w JOIN lock_requests o USING (key)
                            WHERE o.run_id = q.run_id AND o.position = q.position)""",
    "a step that waits for a lock without a time stands in line": """
        SELECT s.run_id, s.position FROM steps s
         WHERE s.status = 'waiting' AND s.waiting_for = 'lock' AND s.due_at IS NULL AND NOT s.held
           AND NOT EXISTS (SELECT FROM lock_requests q
                            WHERE q.run_id = s.run_id AND q.position = s.position AND NOT q.held)""",
    "who is left out of a line stands in another, where its time is counted": """
        SELECT q.key, q.run_id, q.position, q.kept_out_by FROM lock_requests q JOIN steps s USING (run_id, position)
         WHERE NOT q.held AND q.kept_out_by <> '' AND q.key <> q.kept_out_by
           AND s.status = 'waiting' AND s.waiting_for = 'lock'
           AND NOT EXISTS (SELECT FROM lock_requests o WHERE o.run_id = q.run_id AND o.position = q.position
                              AND o.key = q.kept_out_by AND o.kept_out_by = o.key AND NOT o.held
                              AND o.in_line_since IS NOT NULL)""",
    "a lock is held by a step in progress, or by a run that is not finished": """
        SELECT q.key, q.run_id, q.position FROM lock_requests q JOIN steps s USING (run_id, position)
          JOIN runs r ON r.id = q.run_id
         WHERE r.ended_at IS NOT NULL OR (q.held AND NOT q.for_run AND s.status <> 'in_progress')""",
    "no more places are taken than there are, and a lock has one exclusive holder alone": """
        SELECT key FROM lock_requests WHERE held GROUP BY key
        HAVING count(*) > (SELECT p.capacity FROM lock_places p WHERE p.key = lock_requests.key) + 0
            OR (bool_or(mode = 'exclusive') AND count(DISTINCT run_id) > 1)""",
    "only a paused run holds open steps": """
        SELECT s.run_id, s.position FROM steps s JOIN runs r ON r.id = s.run_id
         WHERE s.held AND s.ended_at IS NULL AND r.status NOT IN ('paused', 'cancelling')""",
}


def broken_invariants(database: Database) -> dict[str, Any]:
    """The invariants that do not hold, with the rows that break them."""
    found = {name: database.rows(sql) for name, sql in INVARIANTS.items()}
    return {name: rows[:5] for name, rows in found.items() if rows}
