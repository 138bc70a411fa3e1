"""Alerts over the live channel: a change is told at once, once, and to whoever asked for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import socketio

from messaging.reading import stream_key
from orchestration.core.alert_rules import Reading
from orchestration.core.alert_states import weigh
from orchestration.engine.alerts import Alerts
from orchestration.store.accounts import add_token, delete_token
from schemas.alerts import RULES, numbers_of
from schemas.answers.metrics import FlowAnswer
from schemas.events import ALERTS, AlertEvent
from schemas.statuses import Role
from tests.conftest import Eventually
from tests.integration.relay.conftest import TOKEN, Relay, World, in_order

pytestmark = pytest.mark.integration

NUMBERS = {rule: numbers_of(rule, {}) for rule in RULES}


class Page:
    """A page that shows alerts: what it hears, and what it was answered."""

    def __init__(self, relay: Relay, *, token: str = TOKEN) -> None:
        self.heard: list[dict[str, Any]] = []
        self.lost: list[dict[str, Any]] = []
        self.live: list[bool] = []
        self.client = in_order(socketio.Client(reconnection=False))
        self.client.on("alert", self.heard.append)
        self.client.on("alerts_truncated", self.lost.append)
        self.client.on("alerts_live", lambda told: self.live.append(told["live"]))
        self.client.connect(relay.url, auth={"token": token}, transports=["websocket"])

    def subscribe(self, **asked: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.call("subscribe_alerts", asked)
        return answer

    @property
    def changes(self) -> list[tuple[int, str]]:
        return [(told["alert"]["id"], told["alert"]["change"]) for told in self.heard]


@pytest.fixture
def page() -> Iterator[Callable[..., Page]]:
    pages: list[Page] = []

    def make(relay: Relay, **options: Any) -> Page:
        pages.append(Page(relay, **options))
        return pages[-1]

    yield make
    for one in pages:
        one.client.shutdown()


@pytest.fixture
def alerts(world: World) -> Alerts:
    return Alerts(world.database, world.stream)


def opened(alerts: Alerts, subject: str) -> int:
    """Open an alert as the janitor's watch does; its number."""
    board = alerts.board()
    readings = [Reading(subject, 1.0, f"the breaker {subject} opened", {})]
    (made,) = [
        alert
        for alert in alerts.make(weigh({"breaker_open": readings}, NUMBERS, board.known, board.now_s), NUMBERS)
        if alert["subject"] == subject
    ]
    return int(made["id"])


def test_each_change_is_told_once_with_what_a_page_needs_to_look(relay, page, alerts, eventually):
    looking, later = page(relay), page(relay)
    answer = looking.subscribe()
    assert (answer["success"], answer["truncated"], answer["live"]) == (True, False, True)
    number = opened(alerts, "openai")
    alerts.acknowledge(number, by="ann")
    alerts.resolve(number, by="ann")
    wanted = [(number, "opened"), (number, "acknowledged"), (number, "resolved")]
    eventually(lambda: looking.changes == wanted)
    assert looking.heard[0]["alert"] == {
        "type": "alert", "id": number, "change": "opened", "severity": "critical", "rule": "breaker_open",
    }  # fmt: skip
    # Whoever comes back with the place of the first hears the others, and whoever never asked hears nothing.
    later.subscribe(after=looking.heard[0]["position"])
    eventually(lambda: later.changes == wanted[1:])
    assert looking.changes == wanted
    assert looking.lost == later.lost == []


def test_who_unsubscribed_or_never_asked_hears_nothing(relay, page, alerts, eventually):
    one, two, stranger = page(relay), page(relay), page(relay)
    one.subscribe()
    two.subscribe()
    assert one.client.call("unsubscribe_alerts") == {"success": True}
    number = opened(alerts, "quiet")
    eventually(lambda: two.changes == [(number, "opened")])
    # What is asked now is answered behind all that was sent before.
    assert stranger.client.call("unsubscribe_alerts") == one.client.call("unsubscribe_alerts") == {"success": True}
    assert one.heard == stranger.heard == []


def test_the_stream_is_followed_only_while_somebody_listens(world, relay, page, eventually):
    def is_followed() -> bool:
        with redis.Redis.from_url(world.redis_url, decode_responses=True) as client:
            ((_, followers),) = client.pubsub_numsub(stream_key(ALERTS))
            return bool(followers)

    eventually(lambda: not is_followed())
    first, second = page(relay), page(relay)
    assert not is_followed()
    first.subscribe()
    second.subscribe()
    eventually(is_followed)
    first.client.call("unsubscribe_alerts")
    second.client.disconnect()
    eventually(lambda: not is_followed())


def test_a_place_that_the_stream_does_not_have_any_more_is_told(world, relay, page, alerts, eventually):
    opened(alerts, "before")
    assert world.stream.flush(5)
    end = world.stream.position(ALERTS)
    one = page(relay)
    assert one.subscribe(after=f"{end.epoch - 5000}-7")["truncated"] is True
    eventually(lambda: one.lost == [{"position": str(end)}])
    number = opened(alerts, "after")
    eventually(lambda: one.changes == [(number, "opened")])
    # A server that lost the stream: what is told next is told with what was lost.
    with redis.Redis.from_url(world.redis_url) as client:
        client.delete(stream_key(ALERTS))
    opened(alerts, "behind it")
    eventually(lambda: len(one.lost) == 2, timeout_s=15)


@pytest.mark.parametrize("after", ["yesterday", 7, {"epoch": 1}])
def test_a_place_that_is_none_is_refused(relay, page, after):
    problem = page(relay).subscribe(after=after)
    assert (problem["success"], problem["status"], problem["where"]) == (False, 400, "/after")


def test_a_run_cannot_be_followed_by_the_name_of_the_stream(relay, page):
    problem = page(relay).client.call("subscribe_workflow", {"workflow_id": ALERTS})
    assert (problem["success"], problem["status"]) == (False, 400)


def test_a_deleted_token_hears_of_no_alerts(world, relay, page, eventually):
    add_token(world.database, name="leaver", user_name="otto", role=Role.VIEWER, secret="token-of-a-leaver")
    one = page(relay, token="token-of-a-leaver")
    assert one.subscribe()["success"] is True
    delete_token(world.database, "leaver")
    eventually(lambda: one.subscribe().get("status") == 401, timeout_s=15, interval_s=0.5)


def test_what_holds_steps_back_is_sent_as_http_answers_it(relay, page, eventually):
    one = page(relay)
    sent: list[dict[str, Any]] = []
    one.client.on("flow", sent.append)
    assert one.client.call("subscribe_flow") == {"success": True}
    FlowAnswer.model_validate(eventually(lambda: sent)[0])
    eventually(lambda: len(sent) >= 2)
    assert sent[1]["at"] > sent[0]["at"]
    assert one.client.call("unsubscribe_flow") == {"success": True}


@pytest.mark.fault
def test_while_valkey_is_away_pages_are_told_and_nobody_waits(
    database_url: str, private_valkey: Any, tmp_path: Path, page: Callable[..., Page], eventually: Eventually
) -> None:
    world = World(database_url, private_valkey.url)
    relay = Relay(world, tmp_path)
    try:
        eventually(relay.is_up, timeout_s=60)
        alerts = Alerts(world.database, world.stream)
        one = page(relay)
        assert one.subscribe()["live"] is True
        first = opened(alerts, "while it is there")
        eventually(lambda: one.changes == [(first, "opened")])
        private_valkey.kill()
        eventually(lambda: one.live == [False], timeout_s=15)
        late = page(relay)
        assert late.subscribe()["live"] is False
        # Made, and answered, although nobody can be told.
        number = opened(alerts, "while it is away")
        assert alerts.acknowledge(number, by="ann")["acknowledged_by"] == "ann"
        private_valkey.restart()
        eventually(lambda: one.live == [False, True] and late.live == [True], timeout_s=15)
        # What was made meanwhile waited in the memory of who made it, or they are told that something is missing.
        eventually(lambda: (number, "opened") in one.changes or one.lost, timeout_s=15)
        assert json.dumps(one.heard).count('"opened"') <= 2
    finally:
        relay.stop()
        world.close()


def test_the_stream_keeps_a_bounded_number_of_changes(world: World) -> None:
    changes = [AlertEvent(id=number, change="opened", severity="warning", rule="lock_wait") for number in range(5000)]
    world.stream.publish(ALERTS, changes)
    assert world.stream.flush(10)
    with redis.Redis.from_url(world.redis_url, decode_responses=True) as client:
        key = stream_key(ALERTS)
        # Valkey lets go of whole blocks of a hundred.
        assert 1000 <= int(client.xlen(key)) <= 1200
        assert 0 < int(client.ttl(key)) <= 7 * 86_400


def test_the_engine_tells_only_what_was_committed(world: World) -> None:
    """A change that somebody else was quicker with is told by that one alone."""

    class Sink:
        def __init__(self) -> None:
            self.told: list[Any] = []

        def publish(self, run_id: str, events: Any, *, final: bool = False) -> None:
            del final
            assert run_id == ALERTS
            self.told += events

    sink = Sink()
    alerts = Alerts(world.database, sink)
    board = alerts.board()
    moves = weigh({"breaker_open": [Reading("both", 1.0, "both opened", {})]}, NUMBERS, board.known, board.now_s)
    alerts.make(moves, NUMBERS)
    alerts.make(moves, NUMBERS)
    assert [event.change for event in sink.told if event.change == "opened"] == ["opened"]
