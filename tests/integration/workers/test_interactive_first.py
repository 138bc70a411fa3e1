"""A flood of background work, and people who start runs in the middle of it, with the workers that `perdure up` starts.

What is promised: from when a step of an interactive run is ready until a worker begins it, background work goes on by
no more than one step. A worker of so many slots does so many at once, so in that time it may begin one each, and no
slot a second one. It is the record of the runs that is asked, in the database's time: on a busy machine both sides
take longer, and the order stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from cli.processes import Processes
from orchestration.engine.runs import StartedRun
from settings import Settings
from tests.support.workers import POOLS, Fleet, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(180)]
SLOTS = 4
# A child of a pool of processes costs more than a thread.
CHILDREN = 2
# Long enough that a message and a claim fit into it several times also where others use the machine.
STEP_S = 3.0
# As many rounds of all slots, so that whoever has to stand behind them all sees far more than one step go by.
ROUNDS = 8
WORKERS = {
    "t.work": ("worker-interactive", "worker-io"),
    "t.killable": ("worker-cpu-interactive", "worker-cpu"),
}


@pytest.fixture
def fleet(database_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """Workers with what `up` gives them. How much background work goes on at once is not limited: it shall flood."""
    settings = Settings(
        data_dir=tmp_path / "data",
        database_url=database_url,
        redis_url=redis_url,
        worker_threads=SLOTS,
        interactive_threads=SLOTS,
        worker_processes=CHILDREN,
    )
    for service in Processes(settings, with_flower=False).services():
        if service.name in {name for names in WORKERS.values() for name in names}:
            argv = service.launch().argv
            monkeypatch.setitem(POOLS, service.name, list(argv[argv.index("worker") + 1 :]))
    limits = {"background_concurrency": "10000", "background_rate": "100000/second"}
    with Fleet(database_url, redis_url, tmp_path, **limits) as fleet:
        yield fleet


@dataclass(frozen=True)
class Waited:
    """A step of an interactive run: how long it waited for a worker, and the background steps begun meanwhile."""

    key: str
    ready_at: datetime
    claimed_at: datetime
    begun_meanwhile: int


@pytest.mark.parametrize(("action", "slots"), [("t.work", SLOTS), ("t.killable", CHILDREN)])
def test_a_step_somebody_waits_for_lets_background_work_go_on_by_no_more_than_one_step(
    fleet: Fleet, action: str, slots: int
) -> None:
    fleet.start_workers({name: name for name in WORKERS[action]})
    steps = [
        {"key": f"s{n}", "action": action, "params": {"seconds": STEP_S}, "needs": []} for n in range(slots * ROUNDS)
    ]
    flood = fleet.start(*steps, kind="background")
    wait_until(lambda: fleet.effects("begin", flood).total() >= slots, 60, lambda: fleet.steps(flood))

    # Of two steps each: the second becomes ready in the middle of the flood as well, and stands in line anew.
    talks = [
        fleet.start({"key": "ask", "action": action}, {"key": "answer", "action": action}, kind="interactive")
        for _ in range(3)
    ]
    for talk in talks:
        fleet.wait_for(talk, "completed", timeout_s=3 * ROUNDS * STEP_S)
    left = sum(step["status"] == "ready" for step in fleet.steps(flood))

    waited = [step for talk in talks for step in waits(fleet, talk, flood)]
    print(*waited, f"{left} of the flood left", sep="\n")
    assert len(waited) == 2 * len(talks)
    for step in waited:
        assert step.begun_meanwhile <= slots, (step, f"{left} left")
    assert left > 0, "the flood had gone by: nothing was shown"


def waits(fleet: Fleet, talk: StartedRun, flood: StartedRun) -> list[Waited]:
    """From the record: a step is ready when its run starts or the step before it completes."""
    rows = fleet.database.rows(
        """
        WITH ids AS (SELECT (SELECT id FROM runs WHERE public_id = %s) AS talk,
                            (SELECT id FROM runs WHERE public_id = %s) AS flood),
             waited AS (
                 SELECT c.position, c.at AS claimed_at, (
                            SELECT t.at FROM trace t
                             WHERE t.run_id = c.run_id AND coalesce(t.position, -1) = c.position - 1
                               AND t.kind = CASE c.position WHEN 0 THEN 'started' ELSE 'completed' END) AS ready_at
                   FROM trace c, ids WHERE c.run_id = ids.talk AND c.kind = 'claimed')
        SELECT s.key, w.ready_at, w.claimed_at,
               (SELECT count(*) FROM trace t WHERE t.run_id = ids.flood AND t.kind = 'claimed'
                                               AND t.at > w.ready_at AND t.at <= w.claimed_at)
          FROM waited w, ids, steps s WHERE s.run_id = ids.talk AND s.position = w.position
        """,
        talk.run_id,
        flood.run_id,
    )
    return [Waited(*row) for row in rows]
