"""Several processes do random transitions on the same runs while their connections, or PostgreSQL itself, are killed.

PERDURE_EXERCISE_S sets how long; run it for minutes after a change of the transitions.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cli.servers import EmbeddedPostgres
from orchestration.errors import StoreUnavailable
from orchestration.store.database import open_connection
from tests.support.engine import Harness, broken_invariants
from tests.support.exercise import RUNS, wind_up, workflow

EXERCISE_S = float(os.environ.get("PERDURE_EXERCISE_S", "10"))
SEED = int(os.environ.get("PERDURE_EXERCISE_SEED") or random.SystemRandom().randrange(2**32))
PROCESSES = 4
ROOT = Path(__file__).parents[3]
pytestmark = [pytest.mark.slow, pytest.mark.fault, pytest.mark.timeout(EXERCISE_S * 3 + 240)]


@contextmanager
def players(url: str) -> Iterator[list[Any]]:
    """Processes that play on the runs of `url`; at the end of the block, the list holds all that they said."""
    said: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as directory:
        logs = [Path(directory) / str(n) for n in range(PROCESSES)]
        playing = []
        for n, log in enumerate(logs):
            command = [sys.executable, "-m", "tests.support.exercise", url, str(SEED + n)]
            with log.open("wb") as out, log.with_suffix(".err").open("wb") as err:
                playing.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=err, cwd=ROOT))
        try:
            yield said
        finally:
            codes = []
            for process in playing:
                assert process.stdin is not None
                process.stdin.close()
                codes.append(process.wait(60))
        errors = [log.with_suffix(".err").read_text()[-3000:] for log in logs]
        assert codes == [0] * PROCESSES, "\n".join(errors)
        for log in logs:
            said.extend(json.loads(line) for line in log.read_text().splitlines())


def exercise(url: str, disturb: Callable[[random.Random], int]) -> None:
    """Play, disturb, wind up all runs, and look for what must not have happened."""
    dice = random.Random(SEED)
    print(f"PERDURE_EXERCISE_SEED={SEED}")
    engine = Harness(url)
    started = [engine.start(*workflow(n, dice), run_id=f"x{n}", max_steps=400) for n in range(RUNS)]
    disturbed = 0
    with players(url) as said:
        deadline = time.monotonic() + EXERCISE_S
        while time.monotonic() < deadline:
            disturbed += disturb(dice)
            assert broken(engine) == {}
    ends = Counter(wind_up(engine, run) for run in started)
    counts = Counter(line["what"] for line in said)
    print(
        f"{sum(counts.values()) - counts['lost']} transitions, {disturbed} disturbances: {dict(counts)}; {dict(ends)}"
    )
    assert "stuck" not in ends
    assert broken(engine) == {}
    assert violations(engine, said) == {}
    assert counts["finish"] > 5 * EXERCISE_S
    engine.close()


def broken(engine: Harness) -> dict[str, Any]:
    """The invariants that do not hold. Each query sees one moment, whatever happens beside it."""
    while True:
        try:
            return broken_invariants(engine.database)
        except StoreUnavailable:
            continue  # our connection was among the killed


def violations(engine: Harness, said: list[dict[str, Any]]) -> dict[str, Any]:
    """What was answered and is not so, or was answered twice."""
    found: dict[str, Any] = {}
    for what in ("claim", "finish"):
        seen = Counter((line["run"], line["position"], line["attempt"]) for line in said if line["what"] == what)
        found[f"{what} answered twice"] = [key for key, times in seen.items() if times > 1]
    recorded = set(
        engine.database.rows(
            "SELECT r.public_id, a.position, a.attempt FROM attempts a JOIN runs r ON r.id = a.run_id "
            "WHERE a.owner LIKE 'player-%'"
        )
    )
    finished = {(line["run"], line["position"], line["attempt"]) for line in said if line["what"] == "finish"}
    found["finishes that were answered and are not recorded"] = sorted(finished - recorded)
    found["attempts with more than one end in the trace"] = engine.database.rows(
        "SELECT run_id, position, attempt FROM trace WHERE attempt IS NOT NULL AND kind <> 'claimed' "
        "GROUP BY 1, 2, 3 HAVING count(*) > 1"
    )
    found["attempts claimed more than once in the trace"] = engine.database.rows(
        "SELECT run_id, position, attempt FROM trace WHERE kind = 'claimed' GROUP BY 1, 2, 3 HAVING count(*) > 1"
    )
    found["attempts that end more often than they begin"] = engine.database.rows(
        "SELECT run_id, position, attempt FROM attempts a WHERE attempt > 0 AND NOT EXISTS (SELECT FROM trace t "
        "WHERE t.run_id = a.run_id AND t.position = a.position AND t.attempt = a.attempt AND t.kind = 'claimed')"
    )
    # A killed connection says so; a deadlock or a wait that ran out would be ours.
    found["calls that failed by themselves"] = [
        line["why"]
        for line in said
        if line["what"] == "lost" and any(word in line["why"] for word in ("deadlock", "timeout", "violates"))
    ]
    return {name: rows[:5] for name, rows in found.items() if rows}


def test_nothing_breaks_while_connections_are_killed_at_random(database_url: str) -> None:
    killer = open_connection(database_url, name="killer")

    def kill_one(dice: random.Random) -> int:
        time.sleep(dice.uniform(0.02, 0.3))
        with killer.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name = 'test' ORDER BY random() LIMIT 1) victim"
            )
            row = cursor.fetchone()
            return int(row[0]) if row else 0

    exercise(database_url, kill_one)
    killer.close()


def test_nothing_breaks_when_postgresql_is_killed_and_restarted(private_postgres: EmbeddedPostgres) -> None:
    def kill_it(dice: random.Random) -> int:
        time.sleep(dice.uniform(2, 4))
        private_postgres.kill()
        private_postgres.restart()
        return 1

    exercise(private_postgres.url, kill_it)
