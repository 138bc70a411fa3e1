"""What is measured over a long history: every read, every transition of a step, every statement of the sweep."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.history_load import NEEDLE, RARE_TEMPLATE, RARE_USER
from orchestration.actions.registry import load_actions
from orchestration.core.decide import Succeeded
from orchestration.engine.attempts import Attempts
from orchestration.engine.leases import Held, Lease
from orchestration.engine.metrics import WINDOWS, Metrics
from orchestration.engine.queries import Queries
from orchestration.engine.queries_runs import RunFilter
from orchestration.engine.queries_workers import read_workers
from orchestration.engine.runs import Runs
from orchestration.engine.sweep import Sweep
from orchestration.engine.waves import Waves
from orchestration.ports import Actor, ReadyStep
from orchestration.store.database import Database
from schemas.events import Event
from schemas.statuses import Role, RunStatus
from schemas.workflow import WorkflowSpec

LEASE_S = 3600.0
RESEND_S = 3600.0
ACTOR = Actor("user-1", Role.ADMIN, "127.0.0.1")
WORKFLOW = WorkflowSpec.model_validate(
    {"name": "measured", "steps": [{"key": key, "action": "noop"} for key in ("fetch", "build", "store")]}
)
DONE = Succeeded({"message": "it went well", "rows": 7})
OWNER = "worker-1@host"
# No loaded run is as old as this, all are older than the other.
LONG_AGO_DAYS, LATELY_DAYS = 3650.0, 1.0


class _Nobody:
    """Stands where messages and events leave: only the database is measured."""

    def send(self, steps: Sequence[ReadyStep]) -> None:
        del steps

    def publish(self, run_id: str, events: Sequence[Event], *, final: bool = False) -> None:
        del run_id, events, final


@dataclass
class Engine:
    """The engine on one database, with what the cases hand on to each other."""

    database: Database
    dice: random.Random = field(default_factory=lambda: random.Random(7))
    ready: list[tuple[str, int]] = field(default_factory=list)
    leases: list[Lease] = field(default_factory=list)
    sample: list[tuple[int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        nobody = _Nobody()
        self.queries = Queries(self.database)
        self.runs = Runs(self.database, nobody, nobody, load_actions([]), resend_s=RESEND_S)
        self.attempts = Attempts(self.database, nobody, nobody, lease_s=LEASE_S, resend_s=RESEND_S)
        self.sweep = Sweep(self.database, nobody, nobody, lease_s=LEASE_S, resend_s=RESEND_S)

    def look_around(self, runs: int) -> None:
        """Choose the runs that are read: all over the history, but for the oldest, which are purged in the end."""
        ids = [self.dice.randint(min(5_000, runs // 2), runs) for _ in range(500)]
        rows = self.database.rows("SELECT id, public_id FROM runs WHERE id = ANY(%s) AND ended_at IS NOT NULL", ids)
        self.sample = [(int(id_), str(public_id)) for id_, public_id in rows]

    def any_run(self) -> str:
        return self.dice.choice(self.sample)[1]

    def any_place(self) -> int:
        """A cursor into the list of runs."""
        return self.dice.choice(self.sample)[0]


@dataclass(frozen=True)
class Case:
    """One operation: exactly one statement. `most_buffers`: the pages it may touch, however long the history.

    In order: what one case makes (a run, an attempt) the next ones use up.
    """

    name: str
    act: Callable[[Engine], Any]
    most_buffers: int
    times: int = 200
    warm_up: int = 10


def _listed(*, deep: bool = False, **wanted: Any) -> Callable[[Engine], Any]:
    def act(engine: Engine) -> None:
        engine.queries.list_runs(RunFilter(**wanted), before=engine.any_place() if deep else None)

    return act


def _ago(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


def _start(engine: Engine) -> None:
    run = engine.runs.start(WORKFLOW, ACTOR, idempotency_key=secrets.token_hex(8))
    engine.ready.append((run.run_id, 0))


def _claim(engine: Engine) -> None:
    run_id, position = engine.ready.pop(0)
    lease = engine.attempts.claim(run_id, position, OWNER)
    if lease is None:
        raise RuntimeError(f"step {position} of {run_id} is not to be had")
    engine.leases.append(lease)


def _hand_over(engine: Engine) -> None:
    finished = engine.attempts.commit(engine.leases.pop(0), DONE, hand_over=True)
    if finished.next is None:
        raise RuntimeError(f"nothing was handed over in {finished.lease.run_id}")
    engine.leases.append(finished.next)


def _finish(engine: Engine) -> None:
    lease = engine.leases.pop(0)
    for step in engine.attempts.finish(lease, DONE):
        engine.ready.append((step.run_id, step.position))


def _stop(engine: Engine) -> None:
    run_id, _ = engine.ready.pop(0)
    engine.runs.stop(run_id, ACTOR)


def _refused_claim(engine: Engine) -> None:
    if engine.attempts.claim(engine.any_run(), 1, OWNER) is not None:
        raise RuntimeError("a finished step was claimed")


def _heartbeat(engine: Engine) -> None:
    engine.attempts.heartbeat(OWNER, [Held(one.run, one.position, one.attempt) for one in engine.leases[:8]])


def _metrics(window: str) -> Callable[[Engine], Any]:
    return lambda engine: Metrics(engine.database).read(window)


def _signs(engine: Engine) -> None:
    engine.database.call("SELECT alert_signs(%s, %s, %s, %s, %s)", 600, 3600, 300, 300, 10_000)


# A page of the list shows 50 runs, each perhaps with the step it is at; a search reads 5,000 of them.
PAGE = 50 * 24
SEARCH = 5000 * 12
# The runs of a day are counted, 10,000 at most; those like another are looked for among 2,000.
COUNTS = 10_000
DURATIONS = 2000 * 12
# What 44 names and their durations take of 60 minutes or 24 hours, and of the window before; the points of a week.
METRICS = 5000

READS = (
    Case("list: first page", _listed(), PAGE),
    Case("list: some page, deep", _listed(deep=True), PAGE),
    Case("list: completed", _listed(statuses=[RunStatus.COMPLETED]), PAGE),
    Case("list: failed", _listed(statuses=[RunStatus.FAILED]), PAGE),
    Case("list: failed, deep", _listed(statuses=[RunStatus.FAILED], deep=True), PAGE),
    Case("list: cancelled, all of them old", _listed(statuses=[RunStatus.CANCELLED]), PAGE),
    Case("list: paused, none", _listed(statuses=[RunStatus.PAUSED]), PAGE),
    Case("list: failed or completed", _listed(statuses=[RunStatus.FAILED, RunStatus.COMPLETED]), PAGE),
    Case("list: cancelled or paused", _listed(statuses=[RunStatus.CANCELLED, RunStatus.PAUSED]), PAGE),
    Case("list: unfinished", _listed(statuses=[s for s in RunStatus if not s.is_finished]), PAGE),
    Case("list: template", _listed(template_id="template-1"), SEARCH, 50),
    Case("list: template, rare", _listed(template_id=RARE_TEMPLATE), SEARCH, 50),
    Case("list: creator", _listed(created_by="user-3"), SEARCH, 50),
    Case("list: creator, rare", _listed(created_by=RARE_USER), SEARCH, 50),
    Case("list: creator, deep", _listed(created_by="user-3", deep=True), SEARCH, 50),
    Case("list: creator and failed", _listed(created_by="user-3", statuses=[RunStatus.FAILED]), SEARCH, 50),
    Case("list: host", _listed(host="gpu-42.example"), SEARCH, 50),
    Case("list: text, common", _listed(text="nightly"), SEARCH, 50),
    Case("list: text, in one run", _listed(text=NEEDLE), SEARCH, 50),
    Case("list: text, deep", _listed(text=NEEDLE, deep=True), SEARCH, 50),
    Case("list: of a month", _listed(started_after=_ago(60), started_before=_ago(30)), PAGE),
    Case("list: failed of a month", _listed(statuses=[RunStatus.FAILED], started_before=_ago(200)), PAGE),
    Case(
        "list: text, of a month", _listed(text="nightly", started_after=_ago(60), started_before=_ago(30)), SEARCH, 50
    ),
    Case("counts", lambda engine: engine.queries.count_runs(), COUNTS),
    Case("durations", lambda engine: engine.queries.durations(engine.any_run()), DURATIONS, 50),
    Case("workers", lambda engine: read_workers(engine.database, resend_s=RESEND_S), 200),
    Case("state", lambda engine: engine.queries.state(engine.any_run()), 200),
    Case("state: version only", lambda engine: engine.queries.version(engine.any_run()), 30),
    Case("summary", lambda engine: engine.queries.summary(engine.any_run()), 200),
    Case("steps", lambda engine: engine.queries.steps(engine.any_run()), 120),
    Case("steps with attempts", lambda engine: engine.queries.steps(engine.any_run(), attempts=True), 150),
    Case("one step, whole", lambda engine: engine.queries.step(engine.any_run(), "build"), 120),
    Case("trace", lambda engine: engine.queries.trace(engine.any_run()), 120),
    *(Case(f"metrics: {window}", _metrics(window), METRICS) for window in WINDOWS),
    Case("alert signs", _signs, METRICS),
    Case("current run", lambda engine: engine.queries.current_run("user-3", 30.0), 60),
    Case("current run of a newcomer", lambda engine: engine.queries.current_run("nobody", 30.0), 60),
)
IDLE = (
    Case("sweep: elect", lambda engine: engine.sweep.elect("janitor", 60.0), 100),
    Case("sweep: due", lambda engine: engine.sweep.due(), 100),
    Case("sweep: lines of gates", lambda engine: Waves(engine.sweep, lambda _names: None).release(), 100),
    Case("sweep: expired leases", lambda engine: engine.sweep.expired(), 100),
    Case("sweep: silent workers", lambda engine: engine.sweep.silent_owners(), 100),
    Case("sweep: next due", lambda engine: engine.sweep.next_due_s(), 100),
    Case("sweep: send all again", lambda engine: engine.sweep.resend_all(), 100),
    Case("sweep: note lost workers", lambda engine: engine.sweep.note_lost_workers(), 100),
    Case("sweep: count what ended", lambda engine: Metrics(engine.database).fold(), 400),
    Case("sweep: nothing to purge", lambda engine: engine.sweep.purge(LONG_AGO_DAYS), 100),
)
WORK = (
    Case("start, 3 steps", _start, 250),
    Case("claim", _claim, 120),
    Case("heartbeat of 8", _heartbeat, 200),
    Case("finish and hand over", _hand_over, 200),
    Case("finish", _finish, 150),
    Case("stop", _stop, 120),
    Case("claim, refused", _refused_claim, 60),
)
PURGE = Case("purge of 200 runs", lambda engine: engine.sweep.purge(LATELY_DAYS), 200 * 150, times=5, warm_up=0)
CASES = (*READS, *IDLE, *WORK, PURGE)
