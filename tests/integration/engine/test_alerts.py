"""Alerts on real data: what is wrong opens one row each, is told once, and is over when it is gone."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestration.actions.registry import load_actions
from orchestration.core.decide import Failed, Snoozed, StepError, Succeeded
from orchestration.engine.alert_watch import AlertWatch
from orchestration.engine.alerts import Alerts, Board
from orchestration.engine.hosts import Hosts
from orchestration.engine.locks import Locks
from orchestration.engine.metrics import Metrics
from orchestration.engine.runs import Runs
from orchestration.errors import IllegalControl, UnknownAlert
from orchestration.gates.breaker import BreakerState, BreakerStatus
from orchestration.gates.gate import GateRequest
from orchestration.gates.load import Load, LoadSample
from schemas.alerts import RULES, numbers_of, read_channels
from schemas.flow import LockSpec
from schemas.statuses import WaitReason
from tests.support.engine import ACTIONS, ALICE, RESEND_S, Harness, TestClock
from workers.session import WorkerSession

CHANNELS: dict[str, dict[str, Any]] = {
    "ops": {"type": "webhook", "url": "https://hooks.example.org/T1"},
    "night": {
        "type": "email", "host": "smtp.example.org", "sender": "perdure@example.org", "to": ["ann@example.org"],
        "least": "critical",
    },
}  # fmt: skip
BROKEN = Failed(StepError("broken", "it broke: {{ steps.x.result }}"), permanent=True)


class Watching:
    """A watch whose breakers are as the test says."""

    def __init__(self, engine: Harness, channels: dict[str, Any], **changed: dict[str, Any]) -> None:
        self.breakers: Sequence[BreakerStatus] | None = []
        actions = {**load_actions(), **ACTIONS}
        runs = Runs(engine.database, engine.recorder, engine.recorder, actions, resend_s=RESEND_S)
        numbers = {rule: numbers_of(rule, changed) for rule in RULES}
        self.watch = AlertWatch(runs, lambda: self.breakers, numbers=numbers, channels=read_channels(channels))
        self.alerts = Alerts(engine.database, engine.recorder)

    def look(self) -> list[tuple[str, str]]:
        """The alerts that are open after one more look."""
        self.watch.look()
        return self.open()

    def open(self) -> list[tuple[str, str]]:
        return [(alert["rule"], alert["subject"]) for alert in self.alerts.page(status="open", limit=200).alerts]


@pytest.fixture
def watching(engine: Harness) -> Watching:
    return Watching(engine, CHANNELS)


def breaker(name: str, state: BreakerState = BreakerState.OPEN) -> BreakerStatus:
    return BreakerStatus(
        name=name, state=state, forced=None, calls=5, failures=5, rejected=0, consecutive_failures=5,
        probes_in_flight=0, changed_at=None, opened_at=None, next_probe_at=None, last_error="http.503",
        last_error_at=None,
    )  # fmt: skip


def deliveries(engine: Harness) -> list[tuple[str, int]]:
    return list(
        engine.database.rows("SELECT public_id, total FROM runs WHERE public_id LIKE 'alert-%%' ORDER BY public_id")
    )


def end(engine: Harness, count: int, outcome: Any = None, **fields: Any) -> None:
    for _ in range(count):
        run = engine.start({"key": "a"}, **fields)
        engine.finish(engine.claim(run, 0), outcome or Succeeded({}))


def fold(engine: Harness, clock: TestClock) -> None:
    clock.advance(2)
    Metrics(engine.database).fold()


def worker(database_url: str, *queues: str) -> WorkerSession:
    session = WorkerSession(
        database_url, "w9", "io@box", 4711, {"pool": "threads", "concurrency": 4, "queues": list(queues)}
    )
    session.ensure()
    return session


def test_nothing_is_wrong_with_an_empty_system(watching: Watching) -> None:
    assert watching.look() == []


def test_a_breaker_that_opens_is_told_at_once_and_again_when_it_is_over(
    engine: Harness, clock: TestClock, watching: Watching
) -> None:
    watching.breakers = [breaker("openai"), breaker("alert:ops")]
    assert watching.look() == [("breaker_open", "openai")]
    # Nothing but the first look tells: a channel is not told the same again.
    for _ in range(3):
        clock.advance(10)
        assert watching.look() == [("breaker_open", "openai")]
    (first,) = deliveries(engine)
    assert first[1] == 2, "both channels"
    watching.breakers = [breaker("openai", BreakerState.CLOSED)]
    looks = []
    for _ in range(9):
        looks.append(len(watching.look()))
        clock.advance(10)
    assert looks == [1, 1, 1, 1, 1, 1, 0, 0, 0]
    alert = watching.alerts.one(int(first[0].split("-")[1]))
    assert [(change["change"], change["workflow_id"]) for change in alert["changes"]] == [
        ("opened", deliveries(engine)[0][0]), ("resolved", deliveries(engine)[1][0])
    ]  # fmt: skip


def test_while_valkey_is_away_breakers_are_not_judged(engine: Harness, clock: TestClock, watching: Watching) -> None:
    watching.breakers = [breaker("openai")]
    watching.look()
    watching.breakers = None
    for _ in range(12):
        found = watching.look()
        clock.advance(10)
    assert sorted(found) == [("breaker_open", "openai"), ("valkey_away", "valkey")]


@pytest.mark.parametrize("for_s", [0, 0.001])
def test_two_janitors_at_once_make_one_alert_and_tell_of_each_change_once(
    database_url: str, engine: Harness, for_s: float
) -> None:
    both = [Watching(Harness(database_url), CHANNELS, breaker_open={"for_s": for_s, "clear_s": 0}) for _ in range(2)]
    barrier = threading.Barrier(2)
    errors: list[Exception] = []

    def look(one: Watching) -> None:
        seen = one.watch.alerts.board

        def seen_by_both() -> Board:
            board = seen()
            barrier.wait(10)
            return board

        one.watch.alerts.board = seen_by_both  # type: ignore[method-assign]
        for round_ in range(8):
            one.breakers = [breaker(f"b{n}") for n in range(10)] if round_ < 4 else []
            try:
                one.watch.look()
            except Exception as error:
                errors.append(error)
            barrier.wait(10)

    threads = [threading.Thread(target=look, args=(one,)) for one in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert both[0].open() == []
    assert len(both[0].alerts.page().alerts) == 10
    changes = engine.database.rows("SELECT change, count(*) FROM alert_changes GROUP BY change ORDER BY change")
    assert changes == [("opened", 10), ("resolved", 10)]
    assert len(deliveries(engine)) == 20
    for one in both:
        one.alerts.database.close()


def test_a_delivery_that_was_not_started_is_started_by_whoever_looks_next(engine: Harness, watching: Watching) -> None:
    # As if the janitor died between the change and the run.
    watching.watch.tell = lambda: None  # type: ignore[method-assign]
    watching.breakers = [breaker("openai")]
    watching.look()
    assert deliveries(engine) == []
    again = Watching(engine, CHANNELS)
    again.breakers = watching.breakers
    again.look()
    assert len(deliveries(engine)) == 1


def test_a_channel_hears_only_of_what_is_bad_enough_for_it(
    engine: Harness, clock: TestClock, watching: Watching
) -> None:
    sample = LoadSample(cpu=0.99, memory=0.5, disk=0.2, load_per_core=3, cores=2, memory_total_bytes=1,
                        memory_available_bytes=1, disk_free_bytes=1)  # fmt: skip
    for _ in range(40):
        Hosts(engine.database).report("box", sample, Load("critical", "cpu at 99 %"))
        found = watching.look()
        clock.advance(10)
    assert found == [("host_critical", "box")]
    assert [total for _, total in deliveries(engine)] == [1]
    assert "cpu at 99 %" in watching.alerts.page().alerts[0]["message"]


def test_failures_are_seen_by_share_and_in_a_row(engine: Harness, clock: TestClock, watching: Watching) -> None:
    end(engine, 4)
    fold(engine, clock)
    clock.advance(60)
    end(engine, 20, BROKEN, template_id="nightly")
    fold(engine, clock)
    for _ in range(8):
        found = watching.look()
        clock.advance(10)
    wanted = [("failure_rate", "all"), ("failure_rate", "work"), ("failures_in_a_row", "action:work")]
    assert sorted(found) == [*wanted, ("failures_in_a_row", "template:nightly")]
    shown = {alert["subject"]: alert for alert in watching.alerts.page().alerts}
    assert shown["all"]["details"] == {"failed": 20, "ended": 24}
    assert shown["action:work"]["value"] == 20
    # What an error quotes is text in the run that tells of it, and no reference.
    assert "{{" in shown["action:work"]["message"]
    assert len(deliveries(engine)) == 4


def test_few_steps_say_nothing_of_a_share(engine: Harness, clock: TestClock, watching: Watching) -> None:
    end(engine, 4, BROKEN)
    fold(engine, clock)
    for _ in range(10):
        assert watching.look() == []
        clock.advance(10)


def test_deliveries_that_fail_raise_no_alert(engine: Harness, clock: TestClock, watching: Watching) -> None:
    watching.breakers = [breaker(f"b{n:02}") for n in range(20)]
    opened = watching.look()
    assert len(opened) == 20
    for run_id, steps in deliveries(engine):
        for position in range(steps):
            lease = engine.attempts.claim(run_id, position, "w1")
            assert lease is not None, "one channel that fails keeps no other from being told"
            engine.attempts.finish(lease, BROKEN)
    fold(engine, clock)
    for _ in range(10):
        clock.advance(10)
        assert sorted(watching.look()) == sorted(opened)


def test_ready_steps_with_no_worker_and_with_a_deaf_one(
    engine: Harness, clock: TestClock, watching: Watching, database_url: str
) -> None:
    engine.start({"key": "a"})
    for _ in range(5):
        found = watching.look()
        clock.advance(10)
    assert found == [("queue_without_worker", "default")]
    session = worker(database_url, "default")
    for _ in range(30):
        engine.sweep.due()  # the messages are sent again and again, and nobody comes
        found = watching.look()
        clock.advance(10)
    session.drop()
    assert found == [("queue_deaf", "default")]


def test_a_worker_is_lost_unless_another_took_its_place(
    engine: Harness, clock: TestClock, watching: Watching, database_url: str
) -> None:
    session = worker(database_url, "default")
    engine.database.execute(
        "INSERT INTO workers (id, name, host, boot_id, pid, started_at) VALUES "
        "('old', 'io@box', 'box', 'b', 1, now()), ('gone', 'cpu@box', 'box', 'b', 2, now())"
    )
    for _ in range(4):
        found = watching.look()
        clock.advance(10)
    session.drop()
    assert found == [("worker_lost", "cpu@box")]


def test_long_lines_at_locks_and_runs_that_wait_for_a_person(
    engine: Harness, clock: TestClock, watching: Watching
) -> None:
    wants = GateRequest("step", 5, 60, locks=(LockSpec(name="file:/x"),))
    holds, waits = engine.start({"key": "a"}), engine.start({"key": "a"})
    for run in (holds, waits):
        Locks(engine.attempts).acquire(engine.claim(run, 0), wants)
    asks = engine.start({"key": "approve", "action": "wait_for_signal"}, run_id="asks")
    engine.finish(engine.claim(asks, 0), Snoozed(WaitReason.SIGNAL, None, message="may I?"))
    throttled = engine.start({"key": "t"}, kind="background")
    later = datetime.now(UTC) + timedelta(days=1)
    engine.finish(engine.claim(throttled, 0), Snoozed(WaitReason.THROTTLED, later, "throttle:box", 0.5, "cpu at 99 %"))
    clock.advance(500)
    assert watching.look() == []
    clock.advance(500)
    wanted = [("lock_wait", "file:/x"), ("person_awaited", "asks/approve"), ("throttled_long", "box")]
    assert sorted(watching.look()) == wanted
    shown = {alert["rule"]: alert for alert in watching.alerts.page().alerts}
    assert shown["lock_wait"]["details"]["heldBy"] == holds.run_id
    assert shown["person_awaited"]["details"] == {"workflowId": "asks", "step": "approve"}
    engine.runs.stop("asks", ALICE)
    assert ("person_awaited", "asks/approve") not in watching.look()


def test_limits_that_are_hit_and_refusals(engine: Harness, clock: TestClock) -> None:
    watching = Watching(engine, {}, rate_limit_hits={"threshold": 3}, rate_limit_refusals={"threshold": 3})
    later = datetime.now(UTC) + timedelta(days=1)
    for on in ("rate:openai", "rate:kind:background"):
        for _ in range(3):
            engine.finish(engine.claim(engine.start({"key": "a"}), 0), Snoozed(WaitReason.RATE_LIMIT, later, on))
    refused = Failed(StepError("http.429", "too many"), permanent=False)
    end(engine, 3, refused)
    fold(engine, clock)
    found = sorted(watching.look())
    assert found == [("rate_limit_hits", "openai"), ("rate_limit_refusals", "work")]
    assert deliveries(engine) == []


def test_a_rule_that_is_turned_off_and_a_flood(engine: Harness, clock: TestClock) -> None:
    watching = Watching(engine, {})
    watching.breakers = [breaker(f"b{n:03}") for n in range(100)]
    assert len(watching.look()) == 20
    off = Watching(engine, {}, breaker_open={"enabled": False})
    off.breakers = watching.breakers
    assert off.look() == []


def test_people_acknowledge_and_resolve(engine: Harness, clock: TestClock, watching: Watching) -> None:
    watching.breakers = [breaker("openai")]
    watching.look()
    (alert,) = watching.alerts.page().alerts
    watching.alerts.acknowledge(alert["id"], by="ann", note="the provider knows")
    watching.alerts.acknowledge(alert["id"], by="bob")
    watching.look()
    found = watching.alerts.one(alert["id"])
    assert (found["acknowledged_by"], found["acknowledge_note"]) == ("ann", "the provider knows")
    watching.alerts.resolve(alert["id"], by="bob", note="known")
    for _ in range(12):
        clock.advance(10)
        assert watching.look() == [], "it comes not back while it holds on"
    with pytest.raises(IllegalControl):
        watching.alerts.acknowledge(alert["id"], by="ann")
    with pytest.raises(UnknownAlert):
        watching.alerts.resolve(alert["id"] + 99, by="ann")
    # Gone, and there again: that is news.
    watching.breakers = []
    for _ in range(10):
        clock.advance(10)
        watching.look()
    watching.breakers = [breaker("openai")]
    assert watching.look() == [("breaker_open", "openai")]
    clock.advance(10)
    (again,) = watching.alerts.page(status="open").alerts
    watching.alerts.resolve(again["id"], by="bob")
    clock.advance(86_500)
    watching.look()
    assert watching.look() == [("breaker_open", "openai")], "after a day it comes back"
    kinds = [change["change"] for change in watching.alerts.one(alert["id"])["changes"]]
    assert kinds == ["opened", "acknowledged", "resolved"]


def test_pages_and_ninety_days(engine: Harness, clock: TestClock, watching: Watching) -> None:
    watching.breakers = [breaker(f"b{n}") for n in range(5)]
    watching.look()
    newest = watching.alerts.page().alerts[0]["id"]
    for number in (newest - 1, newest - 3):
        watching.alerts.resolve(number, by="ann")
    wanted = [newest, newest - 2, newest - 4, newest - 1, newest - 3]
    found, cursor = [], None
    while True:
        page = watching.alerts.page(limit=2, cursor=cursor)
        found += [alert["id"] for alert in page.alerts]
        if (cursor := page.following) is None:
            break
    assert found == wanted
    assert watching.alerts.page().counts == {"open": 3, "critical": 3, "unacknowledged": 3}
    with pytest.raises(ValueError, match="cursor"):
        watching.alerts.page(cursor="open-x")
    watching.breakers = []
    for _ in range(10):
        watching.look()
        clock.advance(10)
    watching.alerts.trim()
    assert len(watching.alerts.page().alerts) == 5
    clock.advance(90 * 86_400)
    watching.alerts.trim()
    assert watching.alerts.page().alerts == []
    assert engine.database.call("SELECT count(*) FROM alert_changes") == 0
