"""A worker killed at each point of a step's path: the run goes on, each step is committed once, in order."""

from __future__ import annotations

import itertools

import pytest

from tests.support.workers import Fleet

pytestmark = pytest.mark.fault

POINTS = ("claimed", "acted", "before_commit", "committed", "dispatched", "before_ack")
# At most this often may the killed step's effect happen; after the commit it may not happen again.
EFFECTS = {"claimed": 1, "acted": 2, "before_commit": 2, "committed": 1, "dispatched": 1, "before_ack": 1}


@pytest.mark.parametrize("point", POINTS)
def test_a_pool_child_killed_at_any_point_costs_only_the_attempt_in_flight(fleet: Fleet, point: str) -> None:
    fleet.worker("cpu", "prefork")
    fleet.arm(point, "b", "child")
    run = fleet.start(*({"key": key, "action": "t.killable"} for key in "abc"))
    took = fleet.wait_for(run, "completed")
    assert fleet.fired()
    assert took < 3 * 2 + 1
    effects = fleet.effects()
    assert (effects["a"], effects["c"]) == (1, 1)
    assert 1 <= effects["b"] <= EFFECTS[point]
    fleet.check(run)


@pytest.mark.parametrize(("point", "pool"), list(itertools.product(POINTS, ("prefork", "threads"))))
def test_a_whole_worker_killed_at_any_point_costs_only_the_attempt_in_flight(
    fleet: Fleet, point: str, pool: str
) -> None:
    fleet.worker("w", pool)
    action = {"prefork": "t.killable", "threads": "t.work"}[pool]
    fleet.arm(point, "b", "worker")
    run = fleet.start(*({"key": key, "action": action} for key in "abc"))
    fleet.wait_for(run, "completed")
    assert fleet.fired()
    effects = fleet.effects()
    assert (effects["a"], effects["c"]) == (1, 1)
    assert 1 <= effects["b"] <= EFFECTS[point]
    fleet.check(run)
    losses = [step["losses"] for step in fleet.steps(run)]
    assert losses == [0, 0, 0], "a restart of the whole worker counts against no step"


def test_a_step_that_keeps_killing_its_worker_fails_at_the_limit(fleet: Fleet) -> None:
    fleet.worker("cpu", "prefork")
    run = fleet.start({"key": "p", "action": "t.poison"})
    fleet.wait_for(run, "failed", timeout_s=40)
    (last,) = [a for a in fleet.attempts(run) if a["attempt"] == fleet.steps(run)[0]["attempt"]]
    assert last["error"]["code"] == "worker_lost"
    assert "worker lost" in last["error"]["message"]
    assert fleet.steps(run)[0]["losses"] == 3
    assert fleet.effects("begin")["p"] == 3


def test_a_lost_attempt_of_an_action_that_may_not_be_repeated_fails_and_offers_retry(fleet: Fleet) -> None:
    fleet.worker("cpu", "prefork")
    fleet.arm("acted", "o", "child")
    run = fleet.start({"key": "o", "action": "t.once"})
    fleet.wait_for(run, "failed")
    assert fleet.attempts(run)[0]["error"]["code"] == "outcome_unknown"
    assert fleet.effects()["o"] == 1
