"""Two at the same instant: the lock order, the fence and the counters hold."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from orchestration.core.decide import Cancelled, Failed, HandedBack, Lost, Snoozed, StepError, Succeeded
from orchestration.errors import IllegalControl, LeaseLost, PerdureError
from schemas.statuses import WaitReason
from tests.support.engine import ALICE, Harness, broken_invariants

BROKEN = Failed(StepError("broken", "it broke"), permanent=True)


@pytest.fixture
def wide(database_url: str) -> Iterator[Harness]:
    """An engine with a connection for each of many threads."""
    harness = Harness(database_url, size=60)
    yield harness
    assert broken_invariants(harness.database) == {}
    harness.close()


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Run all on threads of their own, let go together; answers or exceptions, in order."""
    barrier = threading.Barrier(len(acts))
    answers: list[Any] = [None] * len(acts)

    def run(index: int, act: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            answers[index] = act()
        except PerdureError as error:
            answers[index] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    return answers


def test_one_of_many_claims_wins(wide: Harness) -> None:
    for _ in range(20):
        run = wide.start({"key": "a"})
        claims = at_once(*(lambda n=n: wide.attempts.claim(run.run_id, 0, f"w{n}") for n in range(8)))  # type: ignore[misc]
        assert sum(claim is not None for claim in claims) == 1


def test_two_parents_that_end_at_once_release_their_join_exactly_once(wide: Harness) -> None:
    for _ in range(60):
        run = wide.start({"key": "a"}, {"key": "b"}, {"key": "join", "needs": ["a", "b"]})
        leases = [wide.claim(run, position) for position in (0, 1)]
        released = at_once(*(lambda lease=lease: wide.finish(lease) for lease in leases))  # type: ignore[misc]
        assert sorted(released) == [[], [2]]


def test_fifty_parents_of_the_same_fifty_children_end_at_once(wide: Harness) -> None:
    parents = [{"key": f"p{n}"} for n in range(50)]
    children = [{"key": f"c{n}", "needs": [f"p{m}" for m in range(50)]} for n in range(50)]
    run = wide.start(*parents, *children)
    leases = [wide.claim(run, position) for position in range(50)]
    released = at_once(*(lambda lease=lease: wide.finish(lease) for lease in leases))  # type: ignore[misc]
    assert sorted(len(positions) for positions in released) == [0] * 49 + [50]


def test_an_attempt_finished_twice_at_once_commits_once(wide: Harness) -> None:
    for _ in range(20):
        run = wide.start({"key": "a"}, {"key": "b"})
        lease = wide.claim(run, 0)
        answers = at_once(lambda: wide.finish(lease), lambda: wide.finish(lease))
        assert sorted(isinstance(answer, LeaseLost) for answer in answers) == [False, True]


def test_an_expired_attempt_and_its_late_finish_exclude_each_other(wide: Harness) -> None:
    for _ in range(30):
        run = wide.start({"key": "a"})
        lease = wide.claim(run, 0)
        wide.database.execute("UPDATE steps SET lease_until = now() - interval '1 s' WHERE run_id = %s", lease.run)
        finished, swept = at_once(lambda: wide.finish(lease), wide.sweep.expired)
        assert (swept == 1) == isinstance(finished, LeaseLost)
        if swept:
            wide.finish(wide.claim(run, 0, "w2"))
        assert wide.run_status(run) == "completed"


def test_stop_racing_with_completion_leaves_a_finished_run(wide: Harness) -> None:
    for _ in range(30):
        run = wide.start({"key": "a"}, {"key": "b"})
        lease = wide.claim(run, 0)
        at_once(lambda: wide.finish(lease), lambda: wide.runs.stop(run.run_id, ALICE))
        assert wide.run_status(run) == "cancelled"
        assert wide.statuses(run) == {"a": "completed", "b": "cancelled"}


@pytest.mark.parametrize("control", ["pause", "stop"])
def test_a_control_racing_with_a_hand_over_comes_before_it_or_after(wide: Harness, control: str) -> None:
    for _ in range(30):
        run = wide.start({"key": "a"}, {"key": "b"}, {"key": "c"})
        lease = wide.claim(run, 0)
        finished, _ = at_once(
            lambda: wide.attempts.commit(lease, Succeeded(1), hand_over=True),
            lambda: getattr(wide.runs, control)(run.run_id, ALICE),
        )
        # In progress it ends as it may, else it is not begun; nothing behind it is.
        if finished.next is not None:
            assert wide.attempts.commit(finished.next, Succeeded(2), hand_over=True).next is None
        if control == "pause":
            assert wide.run_status(run) == "paused"
            wide.runs.resume(run.run_id, ALICE)
            for position in range(1 if finished.next is None else 2, 3):
                wide.finish(wide.claim(run, position))
        assert wide.run_status(run) == ("completed" if control == "pause" else "cancelled")


def test_parents_that_hand_over_at_once_give_a_join_to_one_of_them(wide: Harness) -> None:
    for _ in range(10):
        parents = [{"key": f"p{n}", "needs": []} for n in range(8)]
        run = wide.start(*parents, {"key": "join", "needs": [f"p{n}" for n in range(8)]})
        leases = [wide.claim(run, position) for position in range(8)]
        ends = at_once(*(lambda x=x: wide.attempts.commit(x, Succeeded(1), hand_over=True) for x in leases))  # type: ignore[misc]
        taken = [end.next for end in ends if end.next is not None]
        assert [lease.key for lease in taken] == ["join"]
        wide.finish(taken[0])
        assert wide.run_status(run) == "completed"


def test_pause_racing_with_claim_never_holds_a_step_in_progress_back(wide: Harness) -> None:
    for _ in range(30):
        run = wide.start({"key": "a"})
        lease, _paused = at_once(
            lambda: wide.attempts.claim(run.run_id, 0, "w1"),
            lambda: wide.runs.pause(run.run_id, ALICE),
        )
        wide.runs.resume(run.run_id, ALICE)
        wide.finish(lease or wide.claim(run, 0))
        assert wide.run_status(run) == "completed"


def test_retry_racing_with_retry_resets_once(wide: Harness) -> None:
    for _ in range(20):
        run = wide.start({"key": "a"})
        wide.finish(wide.claim(run, 0), BROKEN)
        answers = at_once(*[lambda: wide.runs.retry(run.run_id, ALICE)] * 2)
        assert sorted(isinstance(answer, IllegalControl) for answer in answers) == [False, True]


def test_a_signal_racing_with_the_wait_for_it_is_never_lost(wide: Harness) -> None:
    for _ in range(40):
        run = wide.start({"key": "s", "action": "wait_for_signal"})
        lease = wide.claim(run, 0)
        at_once(
            lambda: wide.finish(lease, Snoozed(WaitReason.SIGNAL, None)),
            lambda: wide.runs.signal(run.run_id, ALICE, step="s", payload={}),
        )
        wide.finish(wide.claim(run, 0))


def test_two_sweeps_at_once_send_each_step_once(wide: Harness) -> None:
    for _ in range(10):
        wide.start({"key": "a"}, {"key": "b", "needs": []})
    wide.database.execute("UPDATE steps SET due_at = clock_now() - interval '1 s'")
    wide.recorder.sent.clear()
    assert sum(at_once(*[wide.sweep.due] * 4)) == 20
    assert len({(step.run_id, step.position) for step in wide.recorder.sent}) == 20


def test_the_same_start_sent_many_times_at_once_makes_one_run(wide: Harness) -> None:
    for n in range(10):
        answers = at_once(*[lambda: wide.start({"key": "a"}, run_id=f"r{n}")] * 6)
        assert sum(answer.created for answer in answers) == 1


def test_random_transitions_from_many_workers_break_nothing(wide: Harness) -> None:
    """The exercise of the protocol: chains, fan-outs and random graphs under everything that can happen to them."""
    chance = random.Random(7)
    runs = []
    for n in range(12):
        keys = [f"s{i}" for i in range(12)]
        steps: list[dict[str, Any]] = [
            {
                "key": key,
                "needs": chance.sample(keys[:i], min(i, chance.randint(0, 3))),
                "on_failure": chance.choice(["fail", "continue"]),
                "retry": {"max_attempts": 3, "base_delay_s": 0.01},
            }
            for i, key in enumerate(keys)
        ]
        runs.append(wide.start(*steps, run_id=f"x{n}"))
    deadlocks: list[BaseException] = []

    def work(seed: int) -> None:
        dice = random.Random(seed)
        outcomes = [Succeeded(1)] * 6 + [BROKEN, Failed(StepError("flaky", "")), Cancelled(), HandedBack(), Lost(True)]
        for _ in range(250):
            run, position = dice.choice(runs), dice.randrange(12)
            try:
                with suppress(PerdureError):
                    match dice.randrange(12):
                        case 0:
                            wide.runs.pause(run.run_id, ALICE)
                        case 1 | 2:
                            wide.runs.resume(run.run_id, ALICE)
                        case 3 if dice.random() < 0.3:
                            wide.runs.stop(run.run_id, ALICE)
                        case 4:
                            wide.runs.retry(run.run_id, ALICE, step=dice.choice([None, f"s{position}"]))
                        case 5:
                            wide.runs.skip(run.run_id, ALICE, step=f"s{position}")
                        case 6:
                            wide.sweep.due()
                            wide.sweep.expired()
                        case _:
                            lease = wide.attempts.claim(run.run_id, position, f"w{seed}")
                            while lease is not None:
                                hand_over = dice.random() < 0.5
                                finished = wide.attempts.commit(lease, dice.choice(outcomes), hand_over=hand_over)
                                lease = finished.next
            except Exception as error:
                deadlocks.append(error)

    at_once(*(lambda seed=seed: work(seed) for seed in range(8)))  # type: ignore[misc]
    assert deadlocks == []
    twice = wide.database.rows(
        "SELECT run_id, position, attempt, count(*) FROM trace WHERE kind IN ('completed', 'failed', 'skipped') "
        "AND attempt IS NOT NULL GROUP BY 1, 2, 3 HAVING count(*) > 1"
    )
    assert twice == []
