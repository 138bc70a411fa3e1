"""What is counted equals what the rows say, whatever the order of calls, and who looks reads no history."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestration.core.decide import Cancelled, Failed, HandedBack, Lost, Outcome, Snoozed, StepError, Succeeded
from orchestration.core.durations import quantile_s, upper_bound_s
from orchestration.engine.locks import Locks
from orchestration.engine.metrics import WINDOWS, Metrics
from orchestration.gates.gate import GateRequest
from orchestration.store.database import Database, as_jsonb, open_connection
from schemas.flow import LockSpec
from schemas.statuses import WaitReason
from tests.support.cost import Meter, load_finished_runs
from tests.support.engine import ALICE, Harness, TestClock

OUTCOMES: list[Outcome] = [
    *[Succeeded({"n": 1})] * 8,
    *[Failed(StepError("flaky", "try again"))] * 3,
    Failed(StepError("broken", "it broke"), permanent=True),
    HandedBack(),
    Lost(counted=False),
    Cancelled(),
]
COLUMNS = (
    "ended",
    "completed",
    "failed",
    "retried",
    "fallbacks",
    "skipped",
    "cancelled",
    "waiting",
    "lost",
    "handed_back",
)


@pytest.fixture
def metrics(engine: Harness) -> Metrics:
    return Metrics(engine.database)


def fold_all(metrics: Metrics, clock: TestClock) -> None:
    """Count all that ended so far: nothing is counted before the safe time has passed it."""
    clock.advance(2)
    while metrics.fold():
        pass


def play(engine: Harness, clock: TestClock, dice: random.Random, step: Any = lambda: None) -> None:
    """A random history: runs of all outcomes, over some hours."""
    runs = []
    for n in range(30):
        steps = [
            {
                "key": f"s{m}",
                "action": dice.choice(["work", "once"]),
                "needs": [f"s{m - 1}"] if m else [],
                "on_failure": dice.choice(["fail", "continue", {"fallback": {"value": 0}}]),
                "retry": {"max_attempts": 3, "base_delay_s": 0.5, "jitter": 0},
            }
            for m in range(dice.randint(1, 4))
        ]
        runs.append(engine.start(*steps, run_id=f"r{n}"))
    for _ in range(220):
        run = dice.choice(runs)
        lease = engine.attempts.claim(run.run_id, dice.randrange(4), dice.choice(["w1", "w2", "nobody"]))
        clock.advance(dice.expovariate(1 / dice.choice([0.005, 0.2, 30, 400])))
        if lease is not None:
            now = datetime.now(UTC) + timedelta(days=2)
            waits: list[Outcome] = [
                Snoozed(WaitReason.RATE_LIMIT, now, on="rate:openai"),
                Snoozed(WaitReason.BREAKER, now, on="breaker:openai"),
                Snoozed(WaitReason.DELAY, now),
            ]
            engine.attempts.finish(lease, dice.choice([*OUTCOMES, *waits]))
        engine.database.execute("UPDATE steps SET due_at = clock_now() WHERE due_at IS NOT NULL AND status = 'waiting'")
        engine.sweep.due()
        step()


def recount(database: Database) -> dict[tuple[str, str], Counter[str]]:
    """Counts of kind and name, one row after the other, in another language than the one that is tested."""
    hosts = dict(database.rows("SELECT id, host FROM workers"))
    found: dict[tuple[str, str], Counter[str]] = {}
    for outcome, owner, action, queue, status, is_last, result in database.rows(
        "SELECT a.outcome, a.owner, s.action, s.queue, s.status, s.attempt = a.attempt, a.result "
        "FROM attempts a JOIN steps s USING (run_id, position)"
    ):
        words = {"ended"}
        match outcome:
            case "failed":
                words |= (
                    {{"failed": "failed", "skipped": "failed", "completed": "fallbacks"}.get(status, "retried")}
                    if (is_last)
                    else {"retried"}
                )
            case "lost":
                words |= {"lost"} | (
                    {{"failed": "failed", "completed": "fallbacks"}.get(status, "lost")} if is_last else set()
                )
            case other:
                words |= {other}
        names = [("total", ""), ("action", action), ("queue", queue), ("host", hosts.get(owner))]
        if outcome == "waiting":
            names.append(("reason", result["waiting_for"]))
            names.append(("on", result.get("on")))
        for kind, name in names:
            if name is not None:
                found.setdefault((kind, name), Counter()).update(words)
    for kind, status in database.rows(
        "SELECT d.kind, r.status FROM runs r JOIN run_documents d ON d.run_id = r.id WHERE r.ended_at IS NOT NULL"
    ):
        found.setdefault(("run", kind), Counter()).update({"ended", status})
    return found


def counted(database: Database, span: str) -> dict[tuple[str, str], Counter[str]]:
    sums = ", ".join(f"sum({name})::bigint" for name in COLUMNS)
    rows = database.rows(f"SELECT kind, name, {sums} FROM metrics_counts WHERE span = %s GROUP BY 1, 2", span)
    return {
        (kind, name): Counter({word: n for word, n in zip(COLUMNS, counts, strict=True) if n})
        for kind, name, *counts in rows
    }


@pytest.mark.parametrize("seed", range(6))
def test_counts_equal_a_recount_of_the_rows(engine: Harness, clock: TestClock, metrics: Metrics, seed: int) -> None:
    dice = random.Random(seed)
    engine.database.execute(
        "INSERT INTO workers (id, name, host, boot_id, pid, started_at) VALUES "
        "('w1', 'io@a', 'host-a', 'b', 1, clock_now()), ('w2', 'io@b', 'host-b', 'b', 1, clock_now())"
    )
    # What is counted must not depend on when, so the history is counted at the end of each second try.
    play(engine, clock, dice, step=lambda: seed % 2 and dice.random() < 0.2 and fold_all(metrics, clock))
    fold_all(metrics, clock)
    truth = recount(engine.database)
    assert truth["total", ""]["ended"] > 25
    for span in ("hour", "day", "ever"):
        found = counted(engine.database, span)
        # Of what was waited on, and of hosts, nothing is counted for ever.
        truth = {key: counts for key, counts in truth.items() if span != "ever" or key[0] not in ("on", "host")}
        if seed % 2 == 0:
            assert found == truth
        else:  # a failed attempt is judged when it is counted, and may be tried again by hand later
            assert {key: counts["ended"] for key, counts in found.items()} == {
                key: counts["ended"] for key, counts in truth.items()
            }
    times = [
        float(took)
        for (took,) in engine.database.rows(
            "SELECT extract(epoch FROM ended_at - started_at) FROM attempts WHERE outcome IN ('completed', 'failed')"
        )
    ]
    buckets = dict(
        engine.database.rows("SELECT bucket, n FROM metrics_durations WHERE span = 'ever' AND kind = 'total'")
    )
    assert sum(buckets.values()) == len(times)
    for share in (0.5, 0.95):
        exact, shown = sorted(times)[math.ceil(share * len(times)) - 1], quantile_s(buckets, share)
        assert shown is not None
        assert exact / 1.5 <= shown <= exact * 1.5


def test_buckets_are_the_same_in_sql_and_in_python(engine: Harness) -> None:
    for bucket in range(49):
        bound = upper_bound_s(bucket)
        assert engine.database.call("SELECT duration_bucket(%s)", bound * 0.999) == bucket
        assert engine.database.call("SELECT duration_bucket(%s)", bound * 1.001) == bucket + 1
    assert engine.database.call("SELECT duration_bucket(1e9)") == 49


def test_minutes_and_hours_hold_what_ended_in_them(engine: Harness, clock: TestClock, metrics: Metrics) -> None:
    play(engine, clock, random.Random(7))
    fold_all(metrics, clock)
    for span in ("minute", "hour", "day"):
        wrong = engine.database.rows(
            "SELECT * FROM (SELECT date_trunc(%s, ended_at, 'UTC') AS at, count(*) AS n FROM attempts GROUP BY 1) a "
            "FULL JOIN (SELECT at, ended AS n FROM metrics_counts WHERE span = %s AND kind = 'total') m USING (at) "
            "WHERE a.n IS DISTINCT FROM m.n",
            span,
            span,
        )
        assert wrong == []


def test_an_attempt_whose_commit_comes_late_is_counted(engine: Harness, clock: TestClock, metrics: Metrics) -> None:
    run = engine.start({"key": "a"})
    lease = engine.claim(run, 0)
    slow = open_connection(engine.database.url, name="perdure-slow")
    slow.autocommit = False
    with slow.cursor() as cursor:
        cursor.execute("SELECT complete(%s, %s, %s, '{}', 2, 'w1', NULL)", (lease.run, lease.position, lease.attempt))
        # Others end meanwhile, and time goes by, in which this one waits for a disk or a standby.
        engine.finish(engine.claim(engine.start({"key": "b"}), 0))
        cursor.execute("SELECT pg_sleep(1.5)")
        metrics.fold()
        slow.commit()
    slow.close()
    fold_all(metrics, clock)
    assert counted(engine.database, "ever")["total", ""] == {"ended": 2, "completed": 2}
    assert counted(engine.database, "ever")["run", "workflow"] == {"ended": 2, "completed": 2}


def test_two_janitors_at_once_count_nothing_twice(engine: Harness, clock: TestClock, metrics: Metrics) -> None:
    engine.finish(engine.claim(engine.start({"key": "a"}), 0))
    clock.advance(2)
    other = open_connection(engine.database.url, name="other")
    other.autocommit = False
    with other.cursor() as cursor:
        cursor.execute("SELECT fold_metrics(5000)")
        assert metrics.fold() is False
        other.commit()
    other.close()
    fold_all(metrics, clock)
    assert counted(engine.database, "ever")["total", ""]["ended"] == 1


def test_a_long_history_is_counted_in_bounded_pieces(engine: Harness, clock: TestClock) -> None:
    load_finished_runs(engine.database, 50)  # all ended in the same instant
    engine.finish(engine.claim(engine.start({"key": "a"}), 0))
    clock.advance(2)
    sizes = []
    more = True
    while more:
        ((size, more),) = engine.database.rows("SELECT * FROM fold_metrics(10)")
        sizes.append(size)
    assert sum(sizes) == 102, sizes
    assert counted(engine.database, "ever")["total", ""]["ended"] == 51


def test_what_is_old_is_removed(engine: Harness, clock: TestClock, metrics: Metrics) -> None:
    engine.finish(engine.claim(engine.start({"key": "a"}), 0))
    fold_all(metrics, clock)
    spans = "SELECT array_agg(DISTINCT span ORDER BY span) FROM metrics_counts"
    assert engine.database.call(spans) == ["day", "ever", "hour", "minute"]
    clock.advance(49 * 3600)
    metrics.trim()
    assert engine.database.call(spans) == ["day", "ever", "hour"]
    clock.advance(90 * 86_400)
    metrics.trim()
    assert engine.database.call(spans) == ["ever"]


def test_what_is_still_seen_is_counted_since_the_beginning(engine: Harness, clock: TestClock, metrics: Metrics) -> None:
    for _ in range(3):
        engine.finish(engine.claim(engine.start({"key": "a"}), 0))
        fold_all(metrics, clock)
        metrics.trim()
        clock.advance(60 * 86_400)
    assert counted(engine.database, "ever")["action", "work"] == {"ended": 3, "completed": 3}


def test_agents_that_are_not_seen_any_more_are_forgotten(engine: Harness, clock: TestClock, metrics: Metrics) -> None:
    for agent in ("old", "new", "new"):
        lease = engine.claim(engine.start({"key": "a"}), 0)
        engine.attempts.commit(lease, Succeeded({}), resources={"agent": agent})
        fold_all(metrics, clock)
        metrics.trim()
        clock.advance(60 * 86_400)
    found = counted(engine.database, "ever")
    assert [name for kind, name in found if kind == "agent"] == ["new"]
    assert found["agent", "new"]["ended"] == 2


def test_names_that_are_ever_new_push_no_counter_out(engine: Harness, clock: TestClock, metrics: Metrics) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    engine.finish(engine.claim(engine.start({"key": "a"}), 0))
    fold_all(metrics, clock)
    run = engine.start({"key": "b"})
    engine.finish(engine.claim(run, 0), Snoozed(WaitReason.BREAKER, later, "breaker:b"))
    fold_all(metrics, clock)
    kinds = "SELECT count(*) FROM metrics_counts WHERE span = 'ever' AND kind IN ('on', 'host')"
    assert engine.database.call(kinds) == 0
    engine.database.execute(
        "INSERT INTO metrics_counts SELECT m.span, m.at, 'agent', 'a' || n, 1000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, "
        "NULL, 0, 0, 0, 0, clock_now(), clock_now() FROM metrics_counts m, generate_series(1, 1100) n "
        "WHERE m.span = 'ever' AND m.kind = 'total'"
    )
    told = {(row["kind"], row["name"]) for row in metrics.totals()["counts"]}
    assert len(told) == 1000
    assert {("action", "work"), ("run", "workflow"), ("reason", "breaker")} <= told


def test_a_window_is_compared_with_the_one_before(engine: Harness, clock: TestClock, metrics: Metrics) -> None:
    for _ in range(4):
        engine.finish(engine.claim(engine.start({"key": "a"}), 0))
    clock.advance(3700)
    for n in range(8):
        outcome = Failed(StepError("broken", f"no {n}"), permanent=True) if n % 2 else None
        engine.finish(engine.claim(engine.start({"key": "a"}, run_id=f"r{n}"), 0), outcome)
    fold_all(metrics, clock)
    found = metrics.read("1h")
    assert (found["steps"]["ended"], found["steps"]["failed"], found["steps"]["failure_rate"]) == (8, 4, 0.5)
    assert (found["before"]["ended"], found["before"]["failure_rate"]) == (4, 0.0)
    trends = {trend["name"]: trend for trend in found["trends"]}
    assert trends["completion_rate"]["verdict"] == "worse"
    assert trends["completion_rate"]["change"] == -0.5
    (error,) = found["errors"]
    assert (error["code"], error["action"], error["count"], error["count_before"]) == ("broken", "work", 4, 0)
    assert (error["message"], error["workflow_id"], error["step"]) == ("no 7", "r7", "a")
    assert sum(point["completed"] + point["failed"] for point in found["points"]) == 8
    assert [action["name"] for action in found["actions"]] == ["work"]
    for window in WINDOWS:
        assert metrics.read(window)["steps"]["ended"] == (8 if window in ("5m", "1h") else 12)


def test_contention_and_hits_are_shown(engine: Harness, clock: TestClock, metrics: Metrics) -> None:
    locks = Locks(engine.attempts)
    request = GateRequest("step", 5, 60, locks=(LockSpec(name="file:/x"),))
    holder, waiter = (engine.claim(engine.start({"key": "a"}), 0) for _ in range(2))
    locks.acquire(holder, request)
    locks.acquire(waiter, request)
    clock.advance(30)
    engine.finish(holder)
    engine.sweep.lines()
    again = engine.attempts.claim(waiter.run_id, 0, "w1")
    assert again is not None
    locks.acquire(again, request)
    fold_all(metrics, clock)
    found = metrics.read("1h")
    assert found["waits"] == [{"name": "lock", "count": 1, "count_before": 0}]
    assert found["waits_on"] == [], "each file may have a lock of its own"
    (key,) = found["locks"]["keys"]
    assert (key["key"], key["waits"], key["timeouts"]) == ("lock:file:/x", 1, 0)
    assert 30_000 <= key["average_ms"] < 60_000


@pytest.fixture
def meter(database_url: str) -> Iterator[Meter]:
    meter = Meter(database_url)
    yield meter
    meter.close()


def test_neither_looking_nor_counting_reads_the_history(engine: Harness, clock: TestClock, meter: Meter) -> None:
    load_finished_runs(engine.database, 20_000)
    engine.database.execute("UPDATE attempts SET ended_at = ended_at - run_id * interval '1 minute'")
    engine.database.execute("UPDATE runs SET ended_at = ended_at - id * interval '1 minute'")
    engine.database.execute("VACUUM ANALYZE")
    while engine.database.call("SELECT more FROM fold_metrics(5000)"):
        pass
    look = meter.call("SELECT read_metrics('minute', 'minute', interval '1 hour')")
    assert not look.scanned & Counter({"attempts": 1, "runs": 1, "steps": 1}), look.scanned
    assert look.rows < 6000, look
    engine.finish(engine.claim(engine.runs.start(_one_step(), ALICE), 0))
    meter.call("SELECT fold_metrics(5000)")  # plans it
    clock.advance(2)
    count = meter.call("SELECT counted FROM fold_metrics(5000)")
    assert count.answer == 2, "a run and its attempt"
    assert not count.scanned & Counter({"attempts": 1, "runs": 1, "steps": 1, "run_documents": 1}), count.scanned
    assert count.rows < 200, count
    assert count.buffers < 400, count


def _one_step() -> Any:
    from schemas.workflow import WorkflowSpec

    return WorkflowSpec.model_validate({"steps": [{"key": "a", "action": "work"}]})


def test_what_attempts_used_is_added_up(engine: Harness, clock: TestClock, metrics: Metrics) -> None:
    for n in (1, 2):
        engine.finish(engine.claim(engine.start({"key": "a"}, run_id=f"r{n}"), 0))
        engine.database.execute(
            'UPDATE attempts SET resources = \'{"cpu_s": %s, "peak_memory_bytes": %s}\' WHERE resources IS NULL',
            n,
            n * 1000,
        )
        fold_all(metrics, clock)
    found = metrics.read("1h")
    (action,) = found["actions"]
    assert (action["cpu_ms"], action["peak_memory_bytes"]) == (3000.0, 2000)
    assert (action["sent_bytes"], action["received_bytes"], found["agents"]) == (0, 0, [])


def test_network_and_tokens_are_added_up_by_action_host_and_agent(
    engine: Harness, clock: TestClock, metrics: Metrics
) -> None:
    engine.database.execute(
        "INSERT INTO workers (id, name, host, boot_id, pid, started_at) "
        "VALUES ('w1', 'io@a', 'box', 'b', 1, clock_now())"
    )
    for n, agent in enumerate(("nlp", "nlp", "vision"), 1):
        used = {"cpu_s": n, "peak_memory_bytes": n * 1000, "sent_bytes": n * 10, "received_bytes": n * 2**33}
        used |= {"prompt_tokens": 7 * n, "completion_tokens": 2 * n}
        engine.finish(engine.claim(engine.start({"key": "a"}, run_id=f"r{n}"), 0))
        engine.database.execute(
            "UPDATE attempts SET resources = %s WHERE resources IS NULL", as_jsonb(used | {"agent": agent})
        )
        fold_all(metrics, clock)
    found = metrics.read("1h")
    everything = (60, 6 * 2**33)
    for figures in (found["steps"], *found["actions"], *found["queues"]):
        assert (figures["sent_bytes"], figures["received_bytes"]) == everything
    assert found["agents"] == [
        {"name": "nlp", "measured": 2, "cpu_ms": 3000.0, "peak_memory_bytes": 2000,
         "sent_bytes": 30, "received_bytes": 3 * 2**33, "prompt_tokens": 21, "completion_tokens": 6},
        {"name": "vision", "measured": 1, "cpu_ms": 3000.0, "peak_memory_bytes": 3000,
         "sent_bytes": 30, "received_bytes": 3 * 2**33, "prompt_tokens": 21, "completion_tokens": 6},
    ]  # fmt: skip
    (host,) = found["workers_by_host"]
    assert (host["name"], host["sent_bytes"], host["received_bytes"]) == ("box", *everything)
    totals = {row["kind"]: row for row in metrics.totals()["counts"] if row["name"] in ("work", "vision")}
    assert (totals["action"]["sent_bytes"], totals["agent"]["sent_bytes"]) == (60, 30)


@pytest.mark.parametrize("odd", ["1e30", "-7", '"many"', "99999999999999999999999", "1.5", "[7]", "null"])
def test_what_is_no_count_of_an_attempt_counts_as_nothing_and_the_rest_is_counted(
    engine: Harness, clock: TestClock, metrics: Metrics, odd: str
) -> None:
    for _ in range(2):
        engine.finish(engine.claim(engine.start({"key": "a"}), 0))
    names = ("peak_memory_bytes", "sent_bytes", "received_bytes", "prompt_tokens", "completion_tokens")
    good, bad = (", ".join(f'"{name}": {value}' for name in names) for value in ("5", odd))
    engine.database.execute("UPDATE attempts SET resources = %s::jsonb", f"{{{good}}}")
    engine.database.execute(
        "UPDATE attempts SET resources = %s::jsonb WHERE run_id = (SELECT min(id) FROM runs)", f"{{{bad}}}"
    )
    fold_all(metrics, clock)
    found = metrics.read("1h")["steps"]
    assert found["completed"] == 2
    assert [found[name] for name in names] == [5] * 5
