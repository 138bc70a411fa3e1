"""What transitions cost, in round trips, rows and buffers. Times are printed, not judged."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from cli.servers import EmbeddedPostgres
from cli.servers.postgres import create_database, drop_database
from orchestration.core.decide import Failed, StepError
from orchestration.engine.leases import Held
from orchestration.engine.starts import StartedRun
from orchestration.store.database import Database, as_jsonb
from tests.support.cost import Cost, Meter, Wiretap, load_finished_runs, timed
from tests.support.engine import ALICE, RESEND_S, Harness

BROKEN = Failed(StepError("broken", "it broke"), permanent=True)
COMPLETE = as_jsonb({"verb": "complete", "outcome": "completed", "result": {"n": 1}})
LONG = 10_000
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def engine(database_url: str) -> Iterator[Harness]:
    """Without the check of the invariants, which looks at every step of every run."""
    harness = Harness(database_url)
    keep_statistics(harness.database)
    yield harness
    harness.close()


def keep_statistics(database: Database) -> None:
    """Statistics taken halfway, when it so happens, would have two costs compared that are of two plans."""
    for (table,) in database.rows(
        "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    ):
        database.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")


@pytest.fixture(scope="module")
def loaded_template(module_database_url: str) -> str:
    """The name of a database with many runs, made once; a copy of it has its statistics too."""
    database = Database(module_database_url, name="test")
    keep_statistics(database)
    load_finished_runs(database, 20_000)
    database.close()
    return urlsplit(module_database_url).path.removeprefix("/")


@contextmanager
def copied(server: EmbeddedPostgres, template: str) -> Iterator[str]:
    """The URL of a copy of a database."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    create_database(server.url, name, template)
    yield server.url_of(name)
    drop_database(server.url, name)


@pytest.fixture(params=["new database", "many short runs"])
def busy(request: pytest.FixtureRequest, postgres_server: EmbeddedPostgres) -> Iterator[Harness]:
    """With and without the statistics that mislead the planner most: all runs have one step."""
    if request.param == "new database":
        yield request.getfixturevalue("engine")
        return
    with copied(postgres_server, request.getfixturevalue("loaded_template")) as url:
        harness = Harness(url)
        yield harness
        harness.close()


@pytest.fixture
def meter(busy: Harness) -> Iterator[Meter]:
    # Generic plans: what a connection that lives long ends up with, and the ones that know least.
    meter = Meter(busy.database.url, generic=True)
    yield meter
    meter.close()


def chain(length: int, **last: Any) -> list[dict[str, Any]]:
    return [{"key": f"s{n}"} for n in range(length - 1)] + [{"key": f"s{length - 1}"} | last]


def fan(children: int) -> list[dict[str, Any]]:
    return [{"key": "root", "needs": []}, *({"key": f"s{n}", "needs": ["root"]} for n in range(children))]


@pytest.fixture
def wire(database_url: str) -> Iterator[tuple[Harness, Wiretap]]:
    server = urlsplit(database_url)
    tap = Wiretap(str(server.hostname), int(server.port or 5432))
    with tap:
        harness = Harness(database_url.replace(f":{server.port}/", f":{tap.port}/") + "?sslmode=disable", size=1)
        # From here on the connection knows its prepared statements.
        harness.finish(harness.claim(harness.start({"key": "first"}), 0))
        yield harness, tap
        harness.close()


def said(tap: Wiretap, act: Callable[[], Any]) -> list[str]:
    tap.forget()
    act()
    messages = tap.messages()
    assert {kind for kind, _ in messages} == {"Q"}, "each is a simple query: one message there, one answer back"
    return [text.split("(")[0] for _, text in messages]


def test_each_transition_is_one_message_and_nothing_beside_it(wire: tuple[Harness, Wiretap]) -> None:
    engine, tap = wire
    assert said(tap, lambda: engine.start(*chain(3), run_id="r")) == ["EXECUTE start_runs"]
    run = engine.start(*chain(3))
    leases = []
    assert said(tap, lambda: leases.append(engine.claim(run, 0))) == ["EXECUTE claim"]
    lease = leases[0]
    held = [Held(lease.run, 0, lease.attempt)]
    assert said(tap, lambda: engine.attempts.claim(run.run_id, 0, "w2")) == ["EXECUTE claim"]
    assert len(said(tap, lambda: engine.attempts.heartbeat("w1", held))) == 1
    assert said(tap, lambda: engine.attempts.save_checkpoint(lease, {})) == ["SELECT save_checkpoint"]
    assert said(tap, lambda: engine.finish(lease)) == ["EXECUTE complete"]
    assert said(tap, lambda: engine.runs.pause(run.run_id, ALICE)) == ["SELECT pause_run"]
    assert said(tap, engine.sweep.due) == ["SELECT sweep_due"]
    assert said(tap, engine.sweep.expired) == ["SELECT attempts_held"]


def test_a_failed_call_leaves_the_connection_without_a_transaction(wire: tuple[Harness, Wiretap]) -> None:
    engine, tap = wire
    with pytest.raises(Exception, match="division by zero"):
        engine.database.call("SELECT 1/0")
    assert said(tap, lambda: engine.database.call("SELECT 1")) == ["SELECT 1"]
    sql = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND application_name = 'test'"
    assert engine.database.call(sql) == 0


def worked_off(engine: Harness, length: int, done: int, **last: Any) -> tuple[StartedRun, int]:
    """A chain whose next step is the one behind the first `done`; the run and its number."""
    run = engine.start(*chain(length, **last))
    number = engine.database.call("SELECT id FROM runs WHERE public_id = %s", run.run_id)
    # Without attempts: the steps before are as good as completed.
    engine.database.execute(
        "UPDATE steps SET status = 'completed', blocked_by = 0, released = true, ended_at = clock_now(), due_at = NULL "
        "WHERE run_id = %s AND position < %s",
        number,
        done,
    )
    engine.database.execute(
        "UPDATE steps SET status = 'ready', blocked_by = 0, due_at = clock_now() WHERE run_id = %s AND position = %s",
        number,
        done,
    )
    engine.database.execute(
        "UPDATE runs SET completed = %s, pending = %s WHERE id = %s", done, length - done - 1, number
    )
    return run, number


def a_step(engine: Harness, meter: Meter, length: int, end: str, **last: Any) -> tuple[list[Cost], list[Cost]]:
    """What the claim and the finish of the last steps of a chain cost."""
    run, number = worked_off(engine, length, length - 3, **last)
    claims, finishes = [], []
    for position in range(length - 3, length):
        if end != "hand over" or position == length - 3:
            claims.append(meter.call("SELECT claim(%s, %s, 'w1', 15)", run.run_id, position))
        finishes.append(meter.call(*ENDS[end](number, position)))
        assert finishes[-1].answer["status"] == "ok"
    assert engine.run_status(run) == "completed"
    return claims, finishes


ENDS: dict[str, Callable[[int, int], tuple[Any, ...]]] = {
    "finish": lambda run, at: ("SELECT finish(%s, %s, 1, %s, %s)", run, at, COMPLETE, RESEND_S),
    "complete": lambda run, at: ("SELECT complete(%s, %s, 1, '1', %s, 'w1', NULL)", run, at, RESEND_S),
    "hand over": lambda run, at: ("SELECT complete(%s, %s, 1, '1', %s, 'w1', 15)", run, at, RESEND_S),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("reads", [{}, {"params": {"x": "{{ steps.s0.result }}", "y": "{{ steps.s1.result }}"}}])
def test_a_step_of_a_long_run_costs_what_a_step_of_a_short_one_does(
    busy: Harness, meter: Meter, reads: dict[str, Any], end: str
) -> None:
    a_step(busy, meter, 10, end, **reads)  # fills the caches of the connection
    short, long = a_step(busy, meter, 10, end, **reads), a_step(busy, meter, LONG, end, **reads)
    for name, few, many in zip(("claim", "finish"), short, long, strict=True):
        rows = [[cost.rows for cost in costs] for costs in (few, many)]
        # The least: what reads in proportion does so each time, a change of the statistics is read once.
        buffers = [min(cost.buffers for cost in costs) for costs in (few, many)]
        print(f"{name}: rows {rows[0]} -> {rows[1]}, buffers {buffers[0]} -> {buffers[1]}")
        assert all(after <= before + 5 for before, after in zip(*rows, strict=True))
        assert buffers[1] <= buffers[0] + 25  # the indexes are a level or two deeper


def test_heartbeats_are_heap_only_updates(engine: Harness) -> None:
    run = engine.start(*({"key": f"s{n}", "needs": []} for n in range(100)))
    held = [Held(lease.run, lease.position, lease.attempt) for lease in (engine.claim(run, n) for n in range(100))]
    before = updates(engine.database)
    for _ in range(20):
        assert set(engine.attempts.heartbeat("w1", held).values()) == {"ok"}
    after = updates(engine.database)
    assert after[0] - before[0] == 2000
    # All but the first ones of a page that the claims have filled up.
    assert after[1] - before[1] >= 1800


def updates(database: Database) -> tuple[int, int]:
    database.call("SELECT pg_stat_force_next_flush()")
    return database.rows("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'steps'")[0]


@pytest.fixture(scope="module")
def beside(postgres_server: EmbeddedPostgres, loaded_template: str) -> Iterator[Meter]:
    """A meter beside 20,000 finished runs and a few in the middle of their work."""
    with copied(postgres_server, loaded_template) as url:
        engine = Harness(url)
        for n in range(3):
            run = engine.start(*chain(5), run_id=f"open-{n}")
            engine.finish(engine.claim(run, 0))
            engine.claim(run, 1)
        engine.start(*chain(10), run_id="new", concurrency_key="host")
        meter = Meter(url, generic=True)
        yield meter
        meter.close()
        engine.close()


@pytest.mark.parametrize(
    ("sql", "most_rows"),
    [
        ("SELECT claim('new', 0, 'w1', 15)", 20),
        ("SELECT claim('open-0', 2, 'w1', 15)", 5),
        ("SELECT sweep_due(200, 2)", 40),
        ("SELECT next_due_s()", 10),
        ("SELECT attempts_held(NULL, 200)", 40),
        ("SELECT attempts_held('{w1}', 200)", 60),
        ("SELECT owners_without_session(15)", 60),
        ("SELECT attempts_of('w1', 'open-0', 1)", 20),
        ("SELECT resend_all()", 40),
        ("SELECT skip_step('open-0', 'nope', '{}', 2)", 10),
        ("SELECT signal_step('open-0', 's3', '{}', 'alice', 2)", 60),
        ("SELECT retry_run('old-7', 's0', '{}', 2)", 60),
        ("SELECT retry_run('open-0', NULL, '{}', 2)", 10),
        ("SELECT purge_runs(now() - interval '1 day', 200)", 10),
    ],
)
def test_nothing_is_read_in_proportion_to_the_history(beside: Meter, sql: str, most_rows: int) -> None:
    cost = beside.call(sql)
    large = {"runs", "run_documents", "steps", "step_documents", "attempts", "trace"}
    assert not large & set(cost.scanned)
    assert cost.rows <= most_rows


def test_start_reads_nothing_of_other_runs(beside: Meter) -> None:
    document: dict[str, Any] = {
        "public_id": "other",
        "name": "x",
        "workflow": {},
        "params": {},
        "metadata": {},
        "request_hash": "h",
    }
    document |= {"max_steps": 9, "priority": 5, "total": 1, "pending": 0, "queued": 1}
    document |= {"completed": 0, "failed": 0, "skipped": 0}
    start = {"created_by": "alice", "created_role": "admin", "stem": "x", "request_hash": "h"}
    for status, changes, keyed in (
        ("ok", {}, {}),
        ("exists", {"public_id": "new"}, {}),
        ("busy", {"public_id": "another", "concurrency_key": "host"}, {}),
        ("ok", {"public_id": "keyed"}, {"idempotency_key": "k"}),
        ("exists", {"public_id": "keyed-again"}, {"idempotency_key": "k"}),
    ):
        whole = start | keyed | {"runs": [document | changes]}
        cost = beside.call("SELECT start_runs(%s, %s, 2)", as_jsonb(whole), as_jsonb([STEP]))
        assert cost.answer["status"] == status
        assert not set(cost.scanned) - {"idempotency_keys"}  # which has one row
        assert cost.rows <= 40


STEP: dict[str, Any] = {
    "position": 0,
    "key": "a",
    "action": "work",
    "queue": "default",
    "label": "a",
    "status": "ready",
}
STEP |= {"disabled": False, "blocked_by": 0, "delay_s": 0, "needs": [], "dependents": [], "params": {}, "policy": {}}
STEP |= {"reads": []}


def released(engine: Harness, meter: Meter, children: int) -> Cost:
    run = engine.start(*fan(children))
    lease = engine.claim(run, 0)
    cost = meter.call("SELECT finish(%s, 0, %s, %s, %s)", lease.run, lease.attempt, COMPLETE, RESEND_S)
    assert len(cost.answer["ready"]) == children
    return cost


def test_releasing_a_thousand_children_costs_ten_times_a_hundred(busy: Harness, meter: Meter) -> None:
    released(busy, meter, 10)
    few, many = released(busy, meter, 100), released(busy, meter, 1000)
    print(f"rows {few.rows} -> {many.rows}, buffers {few.buffers} -> {many.buffers}")
    assert many.rows <= 12 * few.rows
    assert many.buffers <= 15 * few.buffers
    assert many.buffers <= 30 * 1000
    run = busy.start(*fan(LONG - 1))
    lease = busy.claim(run, 0)
    timed("finish with 9,999 children", lambda: busy.finish(lease))


@pytest.mark.parametrize("shape", [chain, fan], ids=["chain", "fan"])
def test_a_retry_costs_in_proportion_to_the_run(
    busy: Harness, meter: Meter, shape: Callable[[int], list[dict[str, Any]]]
) -> None:
    costs = []
    for length in (10, 1000, LONG - 1):
        run = busy.start(*shape(length))
        busy.finish(busy.claim(run, 0), BROKEN)
        costs.append(meter.call("SELECT retry_run(%s, NULL, '{}', 2)", run.run_id))
        busy.runs.stop(run.run_id, ALICE)
        if length > 1000:
            timed(f"retry of {length} steps", lambda: busy.runs.retry(run.run_id, ALICE))
    _, few, many = costs
    print(f"rows {few.rows} -> {many.rows}, buffers {few.buffers} -> {many.buffers}")
    assert many.rows <= 15 * few.rows
    assert many.buffers <= 20 * few.buffers


def test_ten_thousand_steps_start_in_one_request(busy: Harness) -> None:
    for shape in (chain, fan):
        workflow = shape(LONG - 1)
        run = timed(f"start of {len(workflow)} steps ({shape.__name__})", lambda: busy.start(*workflow))
        assert run.status == "running"
        assert busy.database.call("SELECT total FROM runs WHERE public_id = %s", run.run_id) == len(workflow)


def test_a_step_that_adds_steps_costs_the_same_in_a_long_run(busy: Harness, meter: Meter) -> None:
    """An agent's loop: each turn adds the next one."""
    added = [STEP | {"key": f"{key}", "position": n} for n, key in enumerate(("turn", "tool"))]
    costs = []
    for before in (2, 2, LONG - 10):
        run = busy.start(*({"key": f"s{n}", "needs": []} for n in range(before)), {"key": "report", "needs": ["s0"]})
        lease = busy.claim(run, 0)
        expand = as_jsonb({"verb": "complete", "outcome": "completed", "expand": {"steps": added, "leaves": [0, 1]}})
        costs.append(meter.call("SELECT finish(%s, 0, %s, %s, %s)", lease.run, lease.attempt, expand, RESEND_S))
        assert [position for position, _, _ in costs[-1].answer["ready"]] == [before + 1, before + 2]
    _, few, many = costs
    print(f"rows {few.rows} -> {many.rows}, buffers {few.buffers} -> {many.buffers}")
    assert many.rows <= few.rows + 20


def test_a_line_of_the_list_costs_the_same_for_a_long_run(busy: Harness, meter: Meter) -> None:
    line = "SELECT shown_step_in_hand(r, d) FROM runs r JOIN run_documents d ON d.run_id = r.id WHERE r.id = %s"
    costs: list[tuple[Cost, Cost]] = []
    for length in (20, 20, LONG):
        done = length - 5
        run, number = worked_off(busy, length, done)
        ready = meter.call(line, number)
        busy.claim(run, done)
        costs.append((ready, meter.call(line, number)))
        assert [cost.answer["key"] for cost in costs[-1]] == [f"s{done}"] * 2
    (_, few), (ready, in_progress) = costs[1:]
    print(f"buffers {few.buffers} -> {in_progress.buffers}, ready {ready.buffers}")
    assert in_progress.rows <= few.rows + 5
    # A step that is ready is looked for among 200; the plan counts each as it is read, passed on and compared.
    assert ready.rows <= 3 * 200 + 10
