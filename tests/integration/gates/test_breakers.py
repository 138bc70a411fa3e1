"""The shared breaker on a real Valkey: three states, one probe, safe under concurrency."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from messaging.breakers import TIMEOUT_S, ValkeyBreakers
from orchestration.gates.breaker import Passed, Refused, Report

pytestmark = pytest.mark.integration


class Caller:
    def __init__(self, url: str, target: str = "t", *, probe_s: float = 30) -> None:
        self.breakers, self.target, self.probe_s = ValkeyBreakers(url), target, probe_s

    def acquire(self) -> Passed | Refused:
        return self.breakers.acquire(self.target, recovery_s=0.3, probe_s=self.probe_s)

    def report(self, report: Report, token: str = "") -> None:
        self.breakers.report(self.target, token, report, threshold=3, recovery_s=0.3)

    def open(self) -> None:
        for _ in range(3):
            self.report("failed")


def probe(caller: Caller, eventually: Any) -> str:
    """The token of the probe, once the breaker is half-open."""
    answer = eventually(lambda: isinstance(a := caller.acquire(), Passed) and a)
    return str(answer.token)


def test_closed_passes_until_the_threshold_of_failures_in_a_row(redis_url: str) -> None:
    caller = Caller(redis_url)
    for report in ("failed", "failed", "ok", "failed", "failed"):
        caller.report(report)
        assert caller.acquire() == Passed("")
    caller.report("failed")
    refused = caller.acquire()
    assert isinstance(refused, Refused)
    assert 0 < refused.seconds <= 0.3


def test_half_open_lets_exactly_one_of_many_through(redis_url: str, eventually: Callable[..., Any]) -> None:
    Caller(redis_url).open()
    callers = [Caller(redis_url) for _ in range(20)]
    with redis.Redis.from_url(redis_url, decode_responses=True) as broker:
        open_until = float(broker.hget("perdure:breaker:t", "open_until") or 0)
        eventually(lambda: broker.time()[0] > open_until)
    barrier, answers = threading.Barrier(20), []

    def ask(caller: Caller) -> None:
        barrier.wait()
        answers.append(caller.acquire())

    threads = [threading.Thread(target=ask, args=(caller,)) for caller in callers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(answer, Passed) for answer in answers) == 1


def test_a_probe_that_succeeds_closes_and_one_that_fails_opens_again(
    redis_url: str, eventually: Callable[..., Any]
) -> None:
    caller = Caller(redis_url)
    caller.open()
    caller.report("failed", probe(caller, eventually))
    assert isinstance(caller.acquire(), Refused)
    caller.report("ok", probe(caller, eventually))
    assert caller.acquire() == Passed("")


def test_a_report_of_a_call_begun_before_the_breaker_opened_counts_for_nothing(redis_url: str) -> None:
    caller = Caller(redis_url)
    caller.open()
    caller.report("ok")
    assert isinstance(caller.acquire(), Refused)


def test_a_prober_that_dies_blocks_the_target_only_for_its_lease(
    redis_url: str, eventually: Callable[..., Any]
) -> None:
    caller = Caller(redis_url, probe_s=0.2)
    caller.open()
    first = probe(caller, eventually)
    assert isinstance(caller.acquire(), Refused)
    second = probe(caller, eventually)
    assert second not in ("", first)
    caller.report("ok", first)
    assert isinstance(caller.acquire(), Refused)


def test_with_valkey_away_every_call_passes() -> None:
    caller = Caller("redis://127.0.0.1:1/0")
    caller.report("failed")
    assert caller.acquire() == Passed("")


def test_a_frozen_valkey_costs_one_call_its_time_and_the_next_ones_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        caller = Caller(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        assert caller.acquire() == Passed("")
        began = time.monotonic()
        for _ in range(20):
            assert caller.acquire() == Passed("")
        assert time.monotonic() - began < 10 * TIMEOUT_S
