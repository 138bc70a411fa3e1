"""The processes of one worker: each may go, be replaced or be told to end, and its steps are accounted for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from orchestration.engine.queries_workers import read_workers
from schemas.json import JsonObject
from settings import ROOT
from tests.support.engine import ALICE
from tests.support.processes import is_alive
from tests.support.workers import POOLS, Fleet, wait_until

pytestmark = pytest.mark.fault


def test_a_worker_without_its_keeper_ends_and_its_replacement_goes_on(fleet: Fleet) -> None:
    worker = fleet.worker("io", "threads")
    run = fleet.start({"key": "a", "action": "t.work", "params": {"seconds": 1.5}}, {"key": "b", "action": "t.work"})
    fleet.wait_for_line("a", "begin")
    os.kill(worker.keeper(), signal.SIGKILL)
    fleet.wait_for(run, "completed")
    assert worker.starts == 2
    assert [a["outcome"] for a in fleet.attempts(run)] == ["lost", "completed", "completed"]
    assert fleet.steps(run)[0]["losses"] == 0
    fleet.check(run)


def test_children_of_a_killed_main_process_leave_with_its_keeper(fleet: Fleet) -> None:
    worker = fleet.worker("cpu", "prefork")
    keeper, children = worker.keeper(), worker.children()
    assert len(children) == 2
    worker.process.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, [keeper, *children])), 60, lambda: [keeper, children])
    fleet.wait_ready()
    run = fleet.start({"key": "a", "action": "t.once"})
    fleet.wait_for(run, "completed")


def test_remote_control_ends_a_worker_as_a_signal_does(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(drain_s="1")
    worker = fleet.worker("io", "threads")
    run = fleet.start({"key": "a", "action": "t.pages", "params": {"seconds": 0.4}})
    fleet.wait_for_line("a", "page1")
    fleet.app.control.shutdown()
    fleet.wait_for(run, "completed")
    assert worker.starts == 2
    assert [a["outcome"] for a in fleet.attempts(run)] == ["handed_back", "completed"]
    fleet.check(run)


def test_children_that_are_replaced_after_each_step_lose_nothing(make_fleet: Callable[..., Fleet]) -> None:
    # A message that meets a child on its way out is lost and sent again, after pauses that grow. Not at once: each
    # message that is one too many takes a child as well.
    fleet = make_fleet(resend_s="2")
    fleet.worker("cpu", "one child a step")
    run = fleet.start(*({"key": f"s{n}", "action": "t.once"} for n in range(4)))
    fleet.wait_for(run, "completed", timeout_s=90)
    assert [step["attempt"] for step in fleet.steps(run)] == [1, 1, 1, 1]
    pids = {line[-1] for line in fleet.lines()}
    assert len(pids) == 4
    fleet.check(run)


def test_a_pool_that_grows_and_shrinks_takes_no_step_from_anybody(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(resend_s="0.5")
    worker = fleet.worker("cpu", "prefork")
    for _ in range(2):
        fleet.app.control.pool_grow(2)
        wait_until(lambda: len(worker.children()) == 4, 60, worker.children)
        fleet.app.control.pool_shrink(2)
        runs = [fleet.start({"key": "a", "action": "t.once", "params": {"seconds": 0.1}}) for _ in range(8)]
        for run in runs:
            fleet.wait_for(run, "completed")
            assert [a["outcome"] for a in fleet.attempts(run)] == ["completed"]
        wait_until(lambda: len(worker.children()) == 2, 60, worker.children)


def test_a_worker_that_scales_itself_takes_steps(fleet: Fleet) -> None:
    fleet.worker("cpu", "autoscaled")
    runs = [fleet.start({"key": "a", "action": "t.once", "params": {"seconds": 0.3}}) for _ in range(6)]
    for run in runs:
        fleet.wait_for(run, "completed")
    fleet.check(*runs)


def test_a_child_that_is_terminated_while_it_acts_costs_one_attempt(fleet: Fleet) -> None:
    worker = fleet.worker("cpu", "prefork")
    run = fleet.start({"key": "a", "action": "t.killable", "params": {"seconds": 5}})
    fleet.wait_for_line("a", "begin")
    (acting,) = {int(line[-1]) for line in fleet.lines()}
    assert acting in worker.children()
    os.kill(acting, signal.SIGTERM)
    fleet.wait_for(run, "completed")
    assert [a["outcome"] for a in fleet.attempts(run)] == ["lost", "completed"]
    assert fleet.steps(run)[0]["losses"] == 1
    fleet.check(run)


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_a_signal_to_the_whole_group_lets_steps_end_within_the_drain(
    make_fleet: Callable[..., Fleet], pool: str
) -> None:
    fleet = make_fleet(drain_s="20")
    worker = fleet.worker("w", pool)
    action = "t.once" if pool == "prefork" else "t.work"
    run = fleet.start({"key": "a", "action": action, "params": {"seconds": 4}}, {"key": "b", "action": action})
    fleet.wait_for_line("a", "begin")
    os.killpg(worker.pid, signal.SIGTERM)
    fleet.wait_for(run, "completed")
    assert worker.starts == 2
    assert [a["outcome"] for a in fleet.attempts(run)] == ["completed", "completed"]
    fleet.check(run)


def test_a_pool_that_cannot_be_watched_over_is_refused_in_one_sentence(fleet: Fleet) -> None:
    command = ["-m", "celery", "-A", "workers", "worker", *POOLS["solo"]]
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=fleet.environment, capture_output=True, text=True)
    assert done.returncode != 0
    assert "use --pool threads or --pool prefork" in done.stderr


@pytest.mark.parametrize("action", ["t.exits", "t.exits_killable"])
def test_an_action_that_exits_the_interpreter_fails_like_any_other(fleet: Fleet, action: str) -> None:
    fleet.worker("w", "prefork" if "killable" in action else "threads")
    run = fleet.start({"key": "a", "action": action})
    fleet.wait_for(run, "failed")
    assert fleet.effects("begin")["a"] == 3
    assert fleet.attempts(run)[-1]["error"]["code"] == "exception"


def test_workers_say_what_they_are_and_what_they_have_in_hand(fleet: Fleet) -> None:
    fleet.start_workers({"io": "threads", "cpu": "prefork", "auto": "autoscaled"})
    run = fleet.start({"key": "a", "action": "t.work", "params": {"seconds": 120}})
    fleet.wait_for_line("a", "begin")
    # Their keepers say it, each once it has started beside its worker.
    found: list[JsonObject] = []

    def are_all_there() -> bool:
        found[:] = read_workers(fleet.database, resend_s=2).workers
        return len(found) == 3 and not any(worker["lost"] for worker in found)

    wait_until(are_all_there, 30, lambda: found)
    shown = {worker["name"].partition("@")[0]: worker for worker in found}
    assert {name: (worker["pool"], worker["concurrency"], worker["queues"]) for name, worker in shown.items()} == {
        "io": ("threads", 8, ["default"]),
        "cpu": ("prefork", 2, ["killable"]),
        "auto": ("prefork", 3, ["killable"]),
    }
    assert [step["workflow_id"] for step in shown["io"]["steps"]] == [run.run_id]
    assert shown["io"]["pid"] == fleet.workers[0].pid
    fleet.runs.stop(run.run_id, ALICE)
    fleet.wait_for(run, "cancelled")
