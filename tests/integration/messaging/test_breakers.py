"""The shared breaker on a real Valkey: three states, so many probes, by hand, in a crowd, wiped and away."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from messaging.breakers import ValkeyBreakers
from messaging.scripts import TIMEOUT_S
from orchestration.errors import StoreUnavailable, StreamUnavailable
from orchestration.gates.breaker import BreakerState, Change, Passed, Refused, Report
from schemas.flow import BreakerSpec
from settings import ROOT
from tests.integration.messaging.breaker_callers import spec

pytestmark = pytest.mark.integration

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


class Caller:
    """Calls one dependency, at a time of its own."""

    def __init__(self, url: str, *, name: str = "openai", probe_s: float = 30, **numbers: Any) -> None:
        self.now = 1000.0
        self.breakers = ValkeyBreakers(url, clock=lambda: self.now)
        self.spec = BreakerSpec.model_validate(
            {"name": name, "failure_threshold": 3, "recovery_s": 10, "window_s": 20} | numbers
        )
        self.probe_s = probe_s
        self.changes: list[Change] = []

    def acquire(self) -> Passed | Refused:
        answer = self.breakers.acquire(self.spec, probe_s=self.probe_s)
        self.changes += [answer.change] if answer.change else []
        return answer

    def report(self, report: Report, token: str = "") -> None:
        change = self.breakers.report(self.spec, token, report, code="timeout")
        self.changes += [change] if change else []

    def open(self) -> None:
        for _ in range(3):
            self.report("failed")

    def probe(self) -> str:
        answer = self.acquire()
        assert isinstance(answer, Passed)
        assert answer.probe
        return answer.token

    @property
    def state(self) -> BreakerState:
        status = self.breakers.one(self.spec.name)
        assert status is not None
        return status.state


@pytest.fixture
def caller(redis_url: str) -> Caller:
    return Caller(redis_url)


def seconds(answer: Passed | Refused) -> float | None:
    return answer.seconds if isinstance(answer, Refused) else None


def test_closed_passes_until_so_many_failures_in_a_row(caller: Caller) -> None:
    reports: list[Report] = ["failed", "failed", "ok", "failed", "failed"]
    for report in reports:
        caller.report(report)
        assert caller.acquire() == Passed("0")
    caller.report("failed")
    assert seconds(caller.acquire()) == 10
    [change] = caller.changes
    assert (change.name, change.before, change.after) == ("openai", CLOSED, OPEN)
    assert change.at.timestamp() == 1000
    assert change.why == "3 failures in a row, the last: timeout"


def test_a_share_of_failures_opens_it_once_there_are_enough_calls_in_the_window(redis_url: str) -> None:
    caller = Caller(redis_url, failure_threshold=100, failure_rate=0.5, minimum_calls=4)
    for _ in range(3):
        caller.report("failed")
    caller.now += 21  # they have left the window
    caller.report("failed")
    caller.report("ok")
    caller.report("ok")
    assert caller.state == CLOSED
    caller.report("failed")
    assert caller.state == OPEN
    assert caller.changes[-1].why == "2 of 4 calls failed in 20 s"


def test_half_open_lets_exactly_the_probes_through_and_closes_when_all_have_succeeded(redis_url: str) -> None:
    caller = Caller(redis_url, probes=3)
    caller.open()
    caller.now += 10
    probes = [caller.probe() for _ in range(3)]
    assert seconds(caller.acquire()) == 10, "worth asking again no later than after the recovery time"
    caller.report("ok", probes[0])
    caller.report("ok", probes[1])
    assert isinstance(caller.acquire(), Refused), "two have succeeded and the third is on its way"
    caller.report("ok", probes[2])
    assert isinstance(caller.acquire(), Passed)
    assert [(change.before, change.after) for change in caller.changes] == [
        (CLOSED, OPEN),
        (OPEN, HALF_OPEN),
        (HALF_OPEN, CLOSED),
    ]


def test_one_probe_that_fails_opens_it_again_and_those_on_their_way_keep_their_places(redis_url: str) -> None:
    caller = Caller(redis_url, probes=3)
    caller.open()
    caller.now += 10
    first, second, third = (caller.probe() for _ in range(3))
    caller.report("failed", first)
    assert seconds(caller.acquire()) == 10
    caller.now += 10
    caller.probe()
    assert isinstance(caller.acquire(), Refused), "two of the turn before still call what is sick"
    caller.report("failed", third)
    assert caller.state == OPEN
    caller.report("ok", second)
    assert caller.state == OPEN


def test_a_probe_that_is_given_back_may_be_taken_at_once(caller: Caller) -> None:
    caller.open()
    caller.now += 10
    token = caller.probe()
    assert isinstance(caller.acquire(), Refused)
    caller.report("unknown", token)
    caller.report("ok", caller.probe())
    assert caller.state == CLOSED


def test_steps_that_name_other_numbers_of_probes_agree_on_what_has_succeeded(redis_url: str) -> None:
    many, one = Caller(redis_url, probes=3), Caller(redis_url, probes=1)
    many.open()
    many.now += 10
    one.now += 10
    many.report("ok", many.probe())
    many.report("unknown", many.probe())
    one.report("ok", one.probe())
    assert one.state == CLOSED


def test_a_prober_that_dies_holds_its_place_only_for_its_lease(redis_url: str) -> None:
    caller = Caller(redis_url, probe_s=4)
    caller.open()
    caller.now += 10
    first = caller.probe()
    assert seconds(caller.acquire()) == 4
    caller.now += 4
    second = caller.probe()
    caller.report("ok", first)
    assert caller.state == HALF_OPEN, "its place was given away"
    caller.report("ok", second)
    assert caller.state == CLOSED


def test_a_call_begun_before_the_breaker_opened_is_no_news_even_once_it_is_closed_again(caller: Caller) -> None:
    old = caller.acquire()
    assert isinstance(old, Passed)
    caller.open()
    caller.report("ok", old.token)
    assert caller.state == OPEN
    caller.now += 10
    caller.report("ok", caller.probe())
    for _ in range(5):
        caller.report("failed", old.token)
    assert caller.state == CLOSED


def test_forced_open_refuses_all_and_is_never_probed_until_it_is_cleared(caller: Caller, redis_url: str) -> None:
    change = caller.breakers.force("openai", OPEN, why="their maintenance")
    assert change is not None
    assert (change.before, change.after, change.why) == (CLOSED, OPEN, "their maintenance")
    caller.now += 8 * 86_400
    assert seconds(caller.acquire()) == 10
    with redis.Redis.from_url(redis_url) as server:
        assert server.ttl("perdure:breaker:openai") == -1, "it does not lapse"
    change = caller.breakers.clear("openai")
    assert change is not None
    assert change.after == CLOSED
    assert isinstance(caller.acquire(), Passed)


def test_forced_closed_passes_all_whatever_they_say(caller: Caller) -> None:
    caller.breakers.force("openai", CLOSED)
    caller.open()
    assert isinstance(caller.acquire(), Passed)
    assert caller.breakers.clear("openai") is None, "nor are they held against it afterwards"
    caller.report("ok")
    assert caller.state == CLOSED
    with pytest.raises(ValueError, match="open or closed"):
        caller.breakers.force("openai", HALF_OPEN)


def test_a_reset_closes_one_or_all_and_unforces_them(redis_url: str) -> None:
    callers = [Caller(redis_url, name=name) for name in ("a", "b", "c")]
    for caller in callers[:2]:
        caller.open()
    callers[2].report("ok")
    assert callers[0].breakers.reset("nobody used it") is None
    assert callers[0].breakers.one("nobody used it") is None
    change = callers[0].breakers.reset("a")
    assert change is not None
    assert change.after == CLOSED
    callers[2].breakers.force("c", OPEN)
    assert {change.name for change in callers[0].breakers.reset_all()} == {"b", "c"}
    assert [caller.state for caller in callers] == [CLOSED] * 3
    callers[0].report("failed")
    assert callers[0].state == CLOSED, "what failed before is forgotten"


def test_a_reset_frees_the_place_of_a_prober_that_died(caller: Caller) -> None:
    caller.open()
    caller.now += 10
    caller.probe()
    caller.breakers.reset("openai")
    caller.open()
    caller.now += 10
    assert caller.probe()


def test_the_list_tells_what_an_operator_asks(redis_url: str) -> None:
    caller = Caller(redis_url, probes=2)
    caller.report("ok")
    caller.open()
    caller.acquire()
    [status] = caller.breakers.all()
    assert (status.name, status.state, status.forced) == ("openai", OPEN, None)
    assert (status.calls, status.failures, status.rejected, status.consecutive_failures) == (4, 3, 1, 3)
    assert status.last_error == "timeout"
    assert status.opened_at is not None
    assert status.next_probe_at is not None
    assert (status.next_probe_at - status.opened_at).total_seconds() == 10
    caller.now += 10
    caller.probe()
    [status] = caller.breakers.all()
    assert (status.state, status.probes_in_flight, status.next_probe_at) == (HALF_OPEN, 1, None)
    Caller(redis_url, name="other").report("ok")
    caller.breakers.force("forced", OPEN)
    caller.now += 1
    caller.report("unknown")
    assert [status.name for status in caller.breakers.all()] == ["forced", "openai", "other"]
    assert [status.name for status in caller.breakers.all(limit=1)] == ["forced"]


def test_the_index_is_bounded_and_forgets_the_oldest(caller: Caller, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as server:
        server.zadd("perdure:breakers", {f"old{number}": number / 1e6 for number in range(10_000)})
        caller.report("ok")
        assert server.zcard("perdure:breakers") == 10_000
        assert server.zscore("perdure:breakers", "old0") is None
        assert server.zscore("perdure:breakers", "openai") == 1000
        assert 0 < server.ttl("perdure:breaker:openai") <= 7 * 86_400


def test_a_clock_that_is_set_back_does_not_keep_it_open(caller: Caller) -> None:
    caller.open()
    caller.now -= 500
    assert seconds(caller.acquire()) == 10
    caller.now += 10
    assert caller.probe()


@pytest.mark.parametrize("wiped", ["open", "probing"])
def test_a_wiped_valkey_closes_it_and_what_was_on_its_way_does_no_harm(
    caller: Caller, redis_url: str, wiped: str
) -> None:
    caller.open()
    token = ""
    if wiped == "probing":
        caller.now += 10
        token = caller.probe()
    with redis.Redis.from_url(redis_url) as server:
        server.flushdb()
    assert caller.acquire() == Passed("0")
    caller.report("failed", token or "1")
    assert caller.state == CLOSED
    caller.open()
    assert caller.state == OPEN


def test_with_valkey_away_every_call_passes_and_people_are_told() -> None:
    caller = Caller("redis://127.0.0.1:1/0")
    caller.report("failed")
    assert caller.acquire() == Passed("")
    for order in (caller.breakers.all, caller.breakers.reset_all, lambda: caller.breakers.reset("openai")):
        with pytest.raises(StreamUnavailable):
            order()


def test_a_frozen_valkey_costs_one_call_its_time_and_the_next_ones_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        caller = Caller(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        assert caller.acquire() == Passed("")
        began = time.monotonic()
        for _ in range(20):
            assert caller.acquire() == Passed("")
        assert time.monotonic() - began < 10 * TIMEOUT_S


@pytest.fixture
def hammering(redis_url: str) -> Iterator[Any]:
    """20 processes at one breaker that is open."""
    breakers = ValkeyBreakers(redis_url)
    for _ in range(3):
        breakers.report(spec(3), "", "failed", code="timeout")
    command = [sys.executable, "-m", "tests.integration.messaging.breaker_callers", redis_url, "20", "3"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


@pytest.mark.slow
def test_twenty_processes_make_no_more_probes_than_allowed(hammering: Any, redis_url: str, eventually: Any) -> None:
    breakers = ValkeyBreakers(redis_url)

    def status() -> Any:
        found = breakers.one("shared")
        assert found is not None
        return found

    eventually(lambda: status().calls > 30 and status().rejected > 500)
    with redis.Redis.from_url(redis_url) as server:
        server.set("healthy", 1)
        eventually(lambda: status().state is CLOSED)
        server.set("stop", 1)
    seen = [Counter(json.loads(line)) for line in hammering.stdout]
    total: Counter[str] = Counter()
    for one in seen:
        total += one
    assert len(seen) == 20
    assert max(one["most at once"] for one in seen) == 3, "probes run beside each other, and never more than allowed"
    assert total["sick"] + total["well"] + 3 == status().calls, "every call was counted"
    turns = total["open to half_open"]
    assert turns == total["half_open to open"] + 1, "each change was told once, to one of the processes"
    assert total["half_open to closed"] == 1
    assert total["sick"] <= 3 * turns


@pytest.mark.slow
def test_a_valkey_wiped_under_fire_opens_the_breaker_anew_and_it_heals(
    hammering: Any, redis_url: str, eventually: Any
) -> None:
    breakers = ValkeyBreakers(redis_url)

    def state_after(calls: int) -> BreakerState | None:
        status = breakers.one("shared")
        return status.state if status is not None and status.calls > calls else None

    eventually(lambda: state_after(10))
    with redis.Redis.from_url(redis_url) as server:
        server.flushdb()
        eventually(lambda: state_after(3) in (OPEN, HALF_OPEN))
        server.set("healthy", 1)
        eventually(lambda: state_after(3) is CLOSED)
        server.set("stop", 1)
    assert len([json.loads(line) for line in hammering.stdout]) == 20


def test_after_a_wipe_no_call_is_let_through_before_what_people_forced_is_known_again(
    redis_url: str,
) -> None:
    asked: list[str] = []

    def orders() -> dict[str, BreakerState | None]:
        asked.append("orders")
        return {"openai": OPEN, "ollama": CLOSED, "free": None}

    workers = [ValkeyBreakers(redis_url, orders=orders) for _ in range(2)]
    with redis.Redis.from_url(redis_url) as valkey:
        for _ in range(2):
            asked.clear()
            valkey.flushdb()
            for worker in workers * 2:
                assert isinstance(worker.acquire(spec(1).model_copy(update={"name": "openai"}), probe_s=1), Refused)
                assert isinstance(worker.acquire(spec(1).model_copy(update={"name": "free"}), probe_s=1), Passed)
            assert asked == ["orders"], "once, by whoever came first"
    assert {status.name: status.forced for status in workers[0].all() if status.forced} == {
        "openai": OPEN,
        "ollama": CLOSED,
    }


def test_while_nobody_can_say_what_was_forced_calls_pass_and_the_next_one_asks_again(redis_url: str) -> None:
    known: dict[str, BreakerState | None] = {}

    def orders() -> dict[str, BreakerState | None]:
        if not known:
            raise StoreUnavailable("away")
        return known

    breakers = ValkeyBreakers(redis_url, orders=orders)
    assert isinstance(breakers.acquire(spec(1), probe_s=1), Passed)
    known[spec(1).name] = OPEN
    assert isinstance(breakers.acquire(spec(1), probe_s=1), Refused)


def test_what_an_old_copy_brings_back_is_put_right_by_what_people_said_last(redis_url: str) -> None:
    breakers = ValkeyBreakers(redis_url)
    breakers.force("left", OPEN)
    breakers.force("turned", CLOSED)
    breakers.force("same", OPEN)
    breakers.force("of somebody else", OPEN)
    assert breakers.obey({"left": None, "turned": OPEN, "same": OPEN, "lost": OPEN}) == ["left", "turned", "lost"]
    forced = {status.name: status.forced for status in breakers.all()}
    assert forced == {"left": None, "turned": OPEN, "same": OPEN, "lost": OPEN, "of somebody else": OPEN}
