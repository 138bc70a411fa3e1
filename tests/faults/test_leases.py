"""Frozen, deaf and greedy workers: the fence and the leases hold."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest

from orchestration.engine.runs import StartedRun
from tests.support.engine import ALICE, TestClock
from tests.support.workers import Fleet, WorkerProcess, wait_until

pytestmark = pytest.mark.fault


PAIR = {"w1": "threads", "w2": "threads"}


def begin(fleet: Fleet, *steps: dict[str, Any]) -> tuple[StartedRun, WorkerProcess]:
    """Two workers, one of which has begun the first step, `a`: the run and that worker."""
    fleet.start_workers(PAIR)
    run = fleet.start(*steps)
    fleet.wait_for_line("a", "begin")
    owner = fleet.steps(run)[0]["owner"]
    return run, next(worker for worker in fleet.workers if str(owner).startswith(f"{worker.name}@"))


def test_a_worker_frozen_beyond_its_lease_cannot_overwrite_its_successor(
    make_fleet: Callable[..., Fleet], handover_ms: str
) -> None:
    fleet = make_fleet(lease_s="2", heartbeat_s="0.3", handover_ms=handover_ms)
    run, frozen = begin(
        fleet, {"key": "a", "action": "t.work", "params": {"seconds": 1.5}}, {"key": "b", "action": "t.work"}
    )
    frozen.signal_all(signal.SIGSTOP)
    fleet.wait_for(run, "completed")
    before = fleet.attempts(run)
    frozen.signal_all(signal.SIGCONT)
    # It wakes in the middle of the action; its outcome has nowhere to go.
    wait_until(lambda: "was taken over" in frozen.log.read_text(), 60, frozen.log.read_text)
    assert fleet.attempts(run) == before
    assert [a["outcome"] for a in before] == ["lost", "completed", "completed"]
    fleet.check(run)


def test_a_worker_that_wakes_while_its_successor_works_ends_nothing(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(lease_s="2", heartbeat_s="0.3")
    run, frozen = begin(fleet, {"key": "a", "action": "t.work", "params": {"seconds": 6}})
    frozen.signal_all(signal.SIGSTOP)
    wait_until(
        lambda: (fleet.steps(run)[0]["attempt"], fleet.status(run)) == (2, "running"), 60, lambda: fleet.steps(run)
    )
    frozen.signal_all(signal.SIGCONT)
    # The step is in progress and the run goes on: the number of the attempt alone keeps the late outcome out.
    wait_until(lambda: "was taken over" in frozen.log.read_text(), 60, frozen.log.read_text)
    assert (fleet.steps(run)[0]["status"], fleet.steps(run)[0]["attempt"]) == ("in_progress", 2)
    fleet.wait_for(run, "completed")
    assert [a["outcome"] for a in fleet.attempts(run)] == ["lost", "completed"]
    fleet.check(run)


def test_only_the_main_process_frozen_gives_its_threads_work_away(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(lease_s="2", heartbeat_s="0.3")
    run, frozen = begin(fleet, {"key": "a", "action": "t.work", "params": {"seconds": 1.5}})
    frozen.process.send_signal(signal.SIGSTOP)
    fleet.wait_for(run, "completed")
    frozen.process.send_signal(signal.SIGCONT)
    fleet.check(run)
    assert fleet.steps(run)[0]["attempt"] == 2


def test_an_action_that_holds_the_interpreter_is_not_repeated(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(lease_s="1.5", heartbeat_s="0.3")
    fleet.start_workers(PAIR)
    run = fleet.start({"key": "a", "action": "t.holds_interpreter", "params": {"seconds": 5}})
    fleet.wait_for(run, "completed")
    assert fleet.effects("begin")["a"] == 1
    fleet.check(run)


def test_the_whole_stack_asleep_repeats_no_attempt(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(lease_s="1.5", heartbeat_s="0.3")
    workers = fleet.start_workers(PAIR)
    run = fleet.start({"key": "a", "action": "t.work", "params": {"seconds": 4}})
    fleet.wait_for_line("a", "begin")
    for worker in workers:
        worker.signal_all(signal.SIGSTOP)
    lease_over = "SELECT count(*) FROM steps WHERE lease_until < clock_now() - interval '1 s'"
    wait_until(lambda: fleet.database.call(lease_over) == 1, 60, lambda: fleet.steps(run))
    for worker in workers:
        worker.signal_all(signal.SIGCONT)
    fleet.wait_for(run, "completed")
    assert fleet.steps(run)[0]["attempt"] == 1
    fleet.check(run)


def test_an_hour_that_passes_in_a_moment_repeats_no_attempt(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet()
    clock = TestClock(fleet.database)
    fleet.start_workers(PAIR)
    run = fleet.start({"key": "a", "action": "t.work", "params": {"seconds": 4}})
    fleet.wait_for_line("a", "begin")
    clock.advance(3600)
    fleet.wait_for(run, "completed")
    assert fleet.steps(run)[0]["attempt"] == 1
    fleet.check(run)


def test_stop_ends_an_action_that_listens_at_once(make_fleet: Callable[..., Fleet]) -> None:
    # Told, not found at the next heartbeat, which is far away.
    fleet = make_fleet(lease_s="180", heartbeat_s="60")
    fleet.worker("io", "threads")
    run = fleet.start({"key": "a", "action": "t.work", "params": {"seconds": 120}}, {"key": "b", "action": "t.work"})
    fleet.wait_for_line("a", "begin")
    assert fleet.runs.stop(run.run_id, ALICE).status == "cancelling"
    assert fleet.wait_for(run, "cancelled") < 15
    assert fleet.effects("cancelled")["a"] == 1
    fleet.check(run)


def test_stop_terminates_a_deaf_action_in_the_pool_and_abandons_a_deaf_thread(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(stop_grace_s="1", drain_s="1")
    _, io = fleet.start_workers({"cpu": "prefork", "io": "threads"})
    for action in ("t.deaf_killable", "t.deaf"):
        key = action.removeprefix("t.")
        run = fleet.start({"key": key, "action": action, "params": {"seconds": 30}})
        fleet.wait_for_line(key, "begin")
        fleet.runs.stop(run.run_id, ALICE)
        assert fleet.wait_for(run, "cancelled") < 3 * 2
        fleet.check(run)
    # The worker with the abandoned thread is replaced, and its replacement takes work.
    wait_until(lambda: io.starts == 2 and io.ready(), 60, lambda: io.log.read_text()[-2000:])
    after = fleet.start({"key": "after", "action": "t.work"})
    fleet.wait_for(after, "completed")


def test_an_attempt_past_its_time_limit_is_ended_and_counts_as_failed(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(stop_grace_s="1")
    fleet.worker("cpu", "prefork")
    step = {"action": "t.deaf_killable", "timeout_s": 0.5, "params": {"seconds": 30}, "retry": {"max_attempts": 1}}
    run = fleet.start({"key": "slow", **step})
    fleet.wait_for(run, "failed")
    assert fleet.attempts(run)[0]["error"]["code"] == "timeout"


def test_a_worker_that_is_told_to_end_hands_back_what_is_left(
    make_fleet: Callable[..., Fleet], handover_ms: str
) -> None:
    fleet = make_fleet(drain_s="1", handover_ms=handover_ms)
    worker = fleet.worker("io", "threads")
    run = fleet.start(
        {"key": "before", "action": "t.work"}, {"key": "a", "action": "t.pages", "params": {"seconds": 0.4}}
    )
    fleet.wait_for_line("a", "page1")
    worker.process.send_signal(signal.SIGTERM)
    fleet.wait_for(run, "completed")
    assert worker.starts == 2
    step = fleet.steps(run)[1]
    assert (step["attempt"], step["failures"], step["losses"]) == (2, 0, 0)
    assert [a["outcome"] for a in fleet.attempts(run)] == ["completed", "handed_back", "completed"]
    assert all(count == 1 for count in (fleet.effects(f"page{n}")["a"] for n in range(1, 11)))
    fleet.check(run)
