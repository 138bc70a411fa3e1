"""The promise of a rate limit: over a minute four worker processes begin as many attempts as it says, 2 % more or less.

Real workers, and steps that all stand in line. Minutes are looked at from when each step has asked once, since until
then workers are busy with that.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from pathlib import Path

import pytest

from tests.support.workers import Fleet, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.slow(100), pytest.mark.timeout(300)]

WORKERS = 4
PER_S = 10
WINDOW_S = 60.0
# Some more than the window and the asking, so that the worst window of many can be found.
LENGTH_S = 90
ALLOWED = 0.02
TO_ASK = "SELECT count(*) FROM steps s JOIN runs r ON r.id = s.run_id WHERE r.public_id = %s AND s.attempt = 0"


def test_four_processes_of_workers_hold_a_rate_within_2_percent_of_what_a_minute_allows(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    rate = {"name": "agent", "limit": PER_S, "per_s": 1}
    expected = PER_S * WINDOW_S
    with Fleet(database_url, redis_url, tmp_path) as fleet:
        fleet.start_workers({f"w{n}": "threads" for n in range(WORKERS)})
        steps = [
            {"key": f"s{n}", "action": "t.work", "rate_limits": [rate], "needs": []} for n in range(PER_S * LENGTH_S)
        ]
        run = fleet.start(*steps, max_steps=len(steps))
        wait_until(
            lambda: not fleet.database.call(TO_ASK, run.run_id), 60, lambda: fleet.database.call(TO_ASK, run.run_id)
        )
        asked = time.time()
        wait_until(lambda: fleet.effects("begin", run).total() == len(steps), 200, lambda: fleet.effects("begin", run))
        began = sorted(float(line[4]) for line in fleet.lines() if line[3] == "begin")
        at_work = {line[5] for line in fleet.lines()}
    assert len(at_work) == WORKERS
    in_window = [bisect_right(began, at + WINDOW_S) - index for index, at in enumerate(began)]
    whole = [n for at, n in zip(began, in_window, strict=True) if asked <= at and at + WINDOW_S <= began[-1]]
    assert whole
    print(f"{min(whole)} to {max(whole)} attempts in {WINDOW_S:g} s, {expected:g} expected")
    print(f"{len(whole)} windows, the first {asked - began[0]:.1f} s after the first attempt")
    # One more: the attempt that the window begins with.
    assert max(whole) <= expected * (1 + ALLOWED) + 1
    assert min(whole) >= expected * (1 - ALLOWED)
