"""The record of a run is bounded: of a step that is tried for ever it says how much it leaves out."""

from __future__ import annotations

import pytest

from orchestration.core.decide import HandedBack
from orchestration.engine.queries import Queries
from orchestration.engine.runs import StartedRun
from tests.support.engine import Harness

LAST_TRACED = 500
pytestmark = pytest.mark.integration


def tried(engine: Harness, attempts: int) -> StartedRun:
    """A run whose first step has been tried so often, all but the last attempts unseen by the trace."""
    run = engine.start({"key": "poll"}, {"key": "other", "needs": []})
    engine.database.execute("UPDATE steps SET attempt = %s WHERE position = 0", LAST_TRACED - 1)
    for _ in range(attempts - LAST_TRACED + 1):
        engine.finish(engine.claim(run, 0), HandedBack())
    return run


def of_the_step(queries: Queries, run: StartedRun) -> list[tuple[str, int, int]]:
    rows = queries.trace(run.run_id).rows
    return [(row["kind"], row["attempt"], row["omitted"]) for row in rows if row["key"] == "poll"]


def test_the_last_attempt_that_is_traced_leaves_nothing_out(engine: Harness, queries: Queries) -> None:
    run = tried(engine, LAST_TRACED)
    assert of_the_step(queries, run) == [("claimed", 500, 0), ("handed_back", 500, 0)]
    assert queries.trace(run.run_id).omitted == 0


def test_attempts_beyond_the_last_traced_one_write_nothing_and_are_counted(engine: Harness, queries: Queries) -> None:
    run = tried(engine, LAST_TRACED + 2)
    assert of_the_step(queries, run) == [("claimed", 500, 0), ("handed_back", 500, 4)]
    lease = engine.claim(run, 0)
    assert lease.attempt == LAST_TRACED + 3
    assert of_the_step(queries, run) == [("claimed", 500, 0), ("handed_back", 500, 5)]
    engine.finish(lease)
    assert of_the_step(queries, run) == [("claimed", 500, 0), ("handed_back", 500, 6)]
    assert queries.trace(run.run_id).omitted == 6


def test_a_page_counts_what_its_own_entries_leave_out(engine: Harness, queries: Queries) -> None:
    run = tried(engine, LAST_TRACED + 1)
    first = queries.trace(run.run_id, limit=2)
    assert (len(first.rows), first.omitted) == (2, 0)
    assert first.next is not None
    rest = queries.trace(run.run_id, after=first.next)
    assert ([row["kind"] for row in rest.rows], rest.omitted) == (["handed_back"], 2)


def test_an_attempt_that_is_only_counted_is_written_when_it_ends_the_run(engine: Harness, queries: Queries) -> None:
    run = tried(engine, LAST_TRACED + 1)
    engine.finish(engine.claim(run, 1))
    engine.finish(engine.claim(run, 0))
    assert of_the_step(queries, run) == [("claimed", 500, 0), ("handed_back", 500, 4), ("completed", 502, 0)]
    assert queries.trace(run.run_id).rows[-1]["status"] == "completed"
