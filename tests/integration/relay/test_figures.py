"""What a relay says of its connections: at its own `/metrics`, and in Valkey for those who look at the fleet."""

from __future__ import annotations

import pytest

from messaging.process_figures import ProcessFigures
from schemas.answers.metrics import MetricsAnswer
from tests.integration.relay.conftest import Watcher

pytestmark = pytest.mark.integration


def figure(relay, name):
    """The value of a figure at `/metrics`."""
    answer = relay.get("/metrics")
    assert answer.status_code == 200, answer.text
    (line,) = [line for line in answer.text.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])


def test_connections_are_counted_where_they_are_and_in_valkey(world, relay, eventually):
    run_id = world.start()
    watchers = [Watcher(relay, run_id) for _ in range(2)]
    eventually(lambda: all(watcher.acks for watcher in watchers))
    assert figure(relay, "perdure_relay_sockets") == 2
    assert figure(relay, "perdure_relay_subscriptions") == 2
    assert figure(relay, "perdure_relay_runs_watched") == 1
    assert figure(relay, "perdure_relay_dropped_total") == 0
    figures = ProcessFigures(world.redis_url, "relay")
    (mine,) = eventually(lambda: [each for each in figures.all() if each["sockets"] == 2])
    assert (mine["subscriptions"], mine["connections"], mine["dropped"]) == (2, 2, 0)
    for watcher in watchers:
        watcher.close()
    eventually(lambda: figure(relay, "perdure_relay_sockets") == 0)
    eventually(lambda: [each["sockets"] for each in figures.all()] == [0])


def test_dashboards_are_sent_figures_as_http_answers_them(world, relay, eventually):
    watcher = Watcher(relay, world.start())
    sent, acks = [], []
    watcher.client.on("metrics", sent.append)
    watcher.client.emit("subscribe_metrics", {"window": "1h"}, callback=acks.append)
    found = MetricsAnswer.model_validate(eventually(lambda: sent)[0])
    assert acks == [{"success": True, "window": "1h"}]
    assert found.window == "1h"
    assert found.current.ready >= 1
    assert found.live is not None
    eventually(lambda: len(sent) >= 2)
    watcher.client.emit("unsubscribe_metrics", callback=acks.append)
    eventually(lambda: len(acks) == 2)
    watcher.client.emit("subscribe_metrics", {"window": "2h"}, callback=acks.append)
    eventually(lambda: len(acks) == 3)
    assert (acks[2]["code"], acks[2]["where"]) == ("invalid_request", "/window")
    watcher.close()


def test_figures_are_for_those_with_a_token(relay):
    assert relay.get("/metrics", token=None).status_code == 401
    assert relay.get("/metrics", token="nobody's").status_code == 401


def test_a_relay_that_says_nothing_more_is_no_longer_shown(redis_url):
    figures = ProcessFigures(redis_url, "relay")
    figures.publish("gone:1", {"sockets": 1})
    assert [each["name"] for each in figures.all()] == ["gone:1"]
    figures._client.delete("perdure:relay:gone:1")  # as Valkey does when its time is over
    assert figures.all() == []
    assert not figures._client.exists("perdure:relays")
