"""A worker killed at each point of a step's path: the run goes on, each step is committed once, in order."""

from __future__ import annotations

import itertools

import pytest

from orchestration.engine.runs import StartedRun
from tests.support.workers import Fleet

pytestmark = pytest.mark.fault

POINTS = ("claimed", "acted", "before_commit", "committed", "dispatched", "before_ack")
# At most this often may the killed step's effect happen; after the commit it may not happen again.
EFFECTS = {"claimed": 1, "acted": 2, "before_commit": 2, "committed": 1, "dispatched": 1, "before_ack": 1}


@pytest.fixture(scope="module")
def killed(shared_fleet: Fleet) -> Fleet:
    """A worker of each kind, brought back whenever a test has killed it."""
    shared_fleet.start_workers({"cpu": "prefork", "io": "threads"})
    return shared_fleet


@pytest.mark.parametrize("point", POINTS)
def test_a_pool_child_killed_at_any_point_costs_only_the_attempt_in_flight(killed: Fleet, point: str) -> None:
    killed.wait_ready()
    killed.arm(point, "b", "child")
    run = killed.start(*({"key": key, "action": "t.killable"} for key in "abc"))
    killed.wait_for(run, "completed")
    assert killed.fired()
    check_effects(killed, run, point)


@pytest.mark.parametrize(("point", "action"), list(itertools.product(POINTS, ("t.killable", "t.work"))))
def test_a_whole_worker_killed_at_any_point_costs_only_the_attempt_in_flight(
    killed: Fleet, point: str, action: str
) -> None:
    killed.wait_ready()
    killed.arm(point, "b", "worker")
    run = killed.start(*({"key": key, "action": action} for key in "abc"))
    killed.wait_for(run, "completed")
    assert killed.fired()
    check_effects(killed, run, point)
    losses = [step["losses"] for step in killed.steps(run)]
    assert losses == [0, 0, 0], "the end of a whole worker counts against no step"


def check_effects(fleet: Fleet, run: StartedRun, point: str) -> None:
    effects = fleet.effects(run=run)
    assert (effects["a"], effects["c"]) == (1, 1)
    assert 1 <= effects["b"] <= EFFECTS[point]
    fleet.check(run)


def test_a_step_that_keeps_killing_its_worker_fails_at_the_limit(killed: Fleet) -> None:
    killed.wait_ready()
    run = killed.start({"key": "p", "action": "t.poison"})
    killed.wait_for(run, "failed")
    (last,) = [a for a in killed.attempts(run) if a["attempt"] == killed.steps(run)[0]["attempt"]]
    assert last["error"]["code"] == "worker_lost"
    assert "worker lost" in last["error"]["message"]
    assert killed.steps(run)[0]["losses"] == 3
    assert killed.effects("begin")["p"] == 3


def test_a_lost_attempt_of_an_action_that_may_not_be_repeated_fails_and_offers_retry(killed: Fleet) -> None:
    killed.wait_ready()
    killed.arm("acted", "o", "child")
    run = killed.start({"key": "o", "action": "t.once"})
    killed.wait_for(run, "failed")
    assert killed.attempts(run)[0]["error"]["code"] == "outcome_unknown"
    assert killed.effects()["o"] == 1
