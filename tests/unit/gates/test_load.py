"""The load guard: when a host counts as loaded, and what background work may then do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from orchestration.core.decide import Snoozed, Succeeded
from orchestration.gates.gate import Admit, GateRequest, Wait
from orchestration.gates.load import (
    ASKS_AGAIN_S,
    PLENTY_OF_DISK_BYTES,
    SUSTAINED,
    Level,
    Load,
    LoadGate,
    LoadJudge,
    LoadSample,
)
from schemas.statuses import RunKind, WaitReason
from workers.host_board import HostBoard, SharedPlaces

IDLE = LoadSample(0.1, 0.2, 0.3, 0.5, 4.0, 8 << 30, 6 << 30, 1 << 30)
BACKGROUND = GateRequest(asker="r/0", priority=1, timeout_s=60, kind=RunKind.BACKGROUND)


def levels(judge: LoadJudge, *cpu: float) -> list[Level]:
    return [judge.judge(replace(IDLE, cpu=share)).level for share in cpu]


def test_a_peak_means_nothing() -> None:
    judge = LoadJudge(0.85, 0.95)
    assert set(levels(judge, 1.0, 1.0, 0.5, 1.0, 1.0, 0.8, 1.0, 1.0)) == {Level.OK}


def test_what_lasts_raises_the_level_and_only_what_is_clearly_less_and_lasts_lowers_it() -> None:
    judge = LoadJudge(0.85, 0.95)
    assert levels(judge, 0.9, 0.9, 0.9) == [Level.OK, Level.OK, Level.HIGH]
    # Just below the threshold is not relief: it would flap.
    assert set(levels(judge, *[0.82, 0.84] * 5)) == {Level.HIGH}
    assert levels(judge, 0.97, 0.97, 0.97) == [Level.HIGH, Level.HIGH, Level.CRITICAL]
    assert levels(judge, 0.5, 0.99, 0.5, 0.5) == [Level.CRITICAL] * 4
    assert levels(judge, 0.5) == [Level.OK]


def test_the_reason_names_all_that_is_worst_in_words() -> None:
    judge = LoadJudge(0.85, 0.95)
    tight = replace(IDLE, cpu=0.97, memory=0.961, disk=0.9)
    for _ in range(SUSTAINED):
        load = judge.judge(tight)
    assert load == Load(Level.CRITICAL, "cpu at 97 %, memory at 96 %")


def test_a_large_disk_that_has_plenty_left_is_not_full() -> None:
    judge = LoadJudge(0.85, 0.95)
    large = replace(IDLE, disk=0.96, disk_free_bytes=PLENTY_OF_DISK_BYTES)
    small = replace(large, disk_free_bytes=PLENTY_OF_DISK_BYTES - 1)
    assert {judge.judge(large).level for _ in range(5)} == {Level.OK}
    assert [judge.judge(small) for _ in range(SUSTAINED)][-1] == Load(Level.CRITICAL, "disk at 96 %")


def gate(load: Callable[[], Load], *, most: int = 2) -> LoadGate:
    return LoadGate(load, SharedPlaces(HostBoard(), 0), host="box", most=most)


@pytest.mark.parametrize("kind", [RunKind.WORKFLOW, RunKind.INTERACTIVE])
def test_what_people_wait_for_is_never_touched(kind: RunKind) -> None:
    asked = gate(lambda: Load(Level.CRITICAL, "cpu at 100 %"))
    assert isinstance(asked.admit(replace(BACKGROUND, kind=kind)), Admit)


@pytest.mark.parametrize("kind", [RunKind.BACKGROUND, RunKind.AGENT])
def test_while_it_is_critical_no_background_step_begins_and_it_says_why(kind: RunKind) -> None:
    verdict = gate(lambda: Load(Level.CRITICAL, "cpu at 97 %")).admit(replace(BACKGROUND, kind=kind))
    assert verdict == Wait(WaitReason.THROTTLED, ASKS_AGAIN_S, on="throttle:box", spacing_s=0.5, message="cpu at 97 %")


def test_while_it_is_high_only_some_run_at_once_those_that_ran_before_counted() -> None:
    now = [Load()]
    asked = gate(lambda: now[0], most=2)
    before = [asked.admit(BACKGROUND) for _ in range(3)]
    now[0] = Load(Level.HIGH, "memory at 88 %")
    assert isinstance(asked.admit(BACKGROUND), Wait)
    for verdict in before[:2]:
        assert isinstance(verdict, Admit)
        verdict.settle(Succeeded(None))
    second = asked.admit(BACKGROUND)
    assert isinstance(second, Admit)
    assert isinstance(asked.admit(BACKGROUND), Wait)
    # A later gate made it wait: its place is free again.
    second.settle(Snoozed(WaitReason.RATE_LIMIT, None))
    assert isinstance(asked.admit(BACKGROUND), Admit)


def test_the_processes_of_a_worker_count_together_and_one_that_died_is_forgotten_by_its_successor() -> None:
    board = HostBoard()
    first, second = SharedPlaces(board, 0), SharedPlaces(board, 1)
    assert first.take(1) is not None
    assert second.take(1) is None
    assert second.take(2) is not None
    assert board.total() == 2
    successor = SharedPlaces(board, 0)
    assert board.total() == 1
    assert successor.take(1) is None
    assert successor.take(None) is not None


def test_a_judgement_is_seen_by_all_processes_and_says_nothing_when_it_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    board, now = HostBoard(), [1000.0]
    monkeypatch.setattr("workers.host_board.time.monotonic", lambda: now[0])
    assert board.load() == Load()
    board.post(Load(Level.HIGH, "cpu at 88 %"))
    assert board.load() == Load(Level.HIGH, "cpu at 88 %")
    now[0] += 14
    assert board.load().level is Level.HIGH
    now[0] += 2
    assert board.load() == Load()
