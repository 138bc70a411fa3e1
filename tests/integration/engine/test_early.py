"""Transitions that let go of a run's row before they are on disk: its other steps go on, and nothing told is lost."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.servers import EmbeddedPostgres
from orchestration.engine.queries import Queries, State
from orchestration.engine.runs import StartedRun
from orchestration.store.migrate import migrate
from tests.support.engine import LEASE_S, RESEND_S, Harness


@dataclass
class Crashed:
    """Runs of three parallel steps, each in another state as PostgreSQL was killed; it is back."""

    engine: Harness
    claimed: StartedRun
    ended: StartedRun
    built_on: StartedRun
    told: StartedRun
    unheard: StartedRun
    state_told: State | None


@pytest.fixture(scope="module")
def crashed(session_dir: Path) -> Iterator[Crashed]:
    postgres = EmbeddedPostgres(session_dir / "postgres-early")
    migrate(postgres.start())
    engine = Harness(postgres.url)
    # Frozen, so that nothing goes to disk before somebody waits for it.
    writer = engine.database.call("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'")
    os.kill(writer, signal.SIGSTOP)

    runs = [engine.start(*({"key": key, "needs": []} for key in "abc")) for _ in range(5)]
    claimed, ended, built_on, told, unheard = runs
    engine.claim(claimed, 0)
    engine.finish(engine.claim(ended, 0))
    bare_claim(engine, built_on, 0)
    engine.claim(built_on, 1)
    bare_claim(engine, told, 0)
    state_told = Queries(engine.database).state(told.run_id)
    bare_claim(engine, unheard, 0)
    assert engine.statuses(unheard)["a"] == "in_progress"
    postgres.kill()
    os.kill(writer, signal.SIGKILL)
    postgres.start()
    engine.database.close()

    yield Crashed(engine, *runs, state_told)
    engine.close()
    postgres.stop()
    shutil.rmtree(postgres.data_dir, ignore_errors=True)


def bare_claim(engine: Harness, run: StartedRun, position: int) -> dict[str, Any]:
    """A claim by a caller that does not wait for the disk."""
    answer: dict[str, Any] = engine.database.call("SELECT claim(%s, %s, %s, %s)", run.run_id, position, "w1", LEASE_S)
    return answer


def test_only_what_others_of_the_run_may_wait_for_lets_go_early(engine: Harness) -> None:
    fork = engine.start({"key": "a"}, {"key": "b", "needs": ["a"]}, {"key": "c", "needs": ["a"]})
    claims, ends = [], []
    for position in (0, 1, 2):
        claim = bare_claim(engine, fork, position)
        end = engine.database.call("SELECT complete(%s, %s, 1, '{}', %s, 'w1', NULL)", claim["run"], position, RESEND_S)
        claims.append(claim["early"])
        ends.append(end["early"])
    # The last one has the run to itself again, so that no run is seen to end before that is on disk.
    assert (claims, ends) == ([False, True, False], [False, True, False])


def test_a_crash_takes_back_a_transition_that_nobody_waited_for(crashed: Crashed) -> None:
    assert crashed.engine.statuses(crashed.unheard)["a"] == "ready"


def test_a_claim_that_was_answered_survives_a_crash(crashed: Crashed) -> None:
    assert crashed.engine.statuses(crashed.claimed)["a"] == "in_progress"


def test_an_end_that_was_answered_survives_a_crash(crashed: Crashed) -> None:
    assert crashed.engine.statuses(crashed.ended)["a"] == "completed"


def test_a_transition_keeps_those_it_was_built_on(crashed: Crashed) -> None:
    assert list(crashed.engine.statuses(crashed.built_on).values()) == ["in_progress", "in_progress", "ready"]


def test_no_reader_is_told_what_a_crash_could_take_back(crashed: Crashed) -> None:
    told = crashed.state_told
    assert told is not None
    assert told.text is not None
    assert '"in_progress"' in told.text
    assert Queries(crashed.engine.database).state(crashed.told.run_id) == told
