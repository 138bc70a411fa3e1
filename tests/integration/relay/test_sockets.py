from __future__ import annotations

import time

import pytest
import socketio
from socketio.exceptions import ConnectionError as Refused
from websocket import WebSocketBadStatusException, create_connection

from orchestration.store.accounts import add_token, delete_token
from schemas.statuses import Role
from tests.integration.relay.conftest import TOKEN, Relay, position_of

pytestmark = pytest.mark.integration


def test_a_client_gets_what_was_and_what_comes_in_one_sequence(world, relay, watch, eventually):
    run_id = world.start()
    world.do_step(run_id, 0)
    watcher = watch(relay, run_id)
    eventually(lambda: len(watcher.events) >= 4)
    world.do_step(run_id, 1)
    end = position_of(world, run_id)
    eventually(lambda: watcher.seqs and watcher.seqs[-1] == end.seq)
    assert watcher.seqs == list(range(1, end.seq + 1))
    last = watcher.events[-1]
    assert last["workflow_id"] == run_id
    assert last["position"] == str(end)
    assert last["event"]["type"] == "run"
    assert last["event"]["status"] == "completed"
    [ack] = watcher.acks
    assert ack["success"] is True
    assert ack["truncated"] is False
    assert watcher.truncated == []


def test_no_event_is_lost_or_told_twice_while_connections_are_cut(world, relay, watch, eventually):
    run_id = world.start()
    watcher = watch(relay, run_id)
    eventually(lambda: watcher.acks)
    for number in range(1500):
        world.log(run_id, number)
        if number in (200, 600, 1000):
            cuts = watcher.connects
            watcher.cut()
        if number in (300, 700, 1100):
            # Published while it was away and while it comes back.
            eventually(lambda: watcher.connects > cuts)
        time.sleep(0.001)  # the pace of a program that writes, so that the cuts fall into the stream
    end = position_of(world, run_id)
    eventually(lambda: watcher.seqs[-1:] == [end.seq])
    assert watcher.connects == 4
    assert watcher.seqs == list(range(1, end.seq + 1))
    assert watcher.truncated == []


def test_a_long_history_arrives_whole_while_more_is_published(world, relay, watch, eventually):
    run_id = world.start()
    for number in range(5000):
        world.log(run_id, number)
    assert world.stream.flush(10)
    watcher = watch(relay, run_id)
    for number in range(5000, 6000):
        world.log(run_id, number)
    end = position_of(world, run_id)
    eventually(lambda: watcher.seqs[-1:] == [end.seq], timeout_s=20)
    assert watcher.seqs == list(range(1, end.seq + 1))


def test_a_progress_event_arrives_within_a_tenth_of_a_second(world, relay, watch, eventually):
    run_id = world.start()
    watcher = watch(relay, run_id, after=None)
    eventually(lambda: watcher.acks)
    times = []
    for number in range(50):
        began = time.perf_counter()
        world.log(run_id, number)
        eventually(lambda: len(watcher.events) > number, interval_s=0.001)
        times.append(time.perf_counter() - began)
    assert sorted(times)[25] < 0.1


def test_without_a_position_a_client_hears_what_happens_from_now_on(world, relay, watch, eventually):
    run_id = world.start()
    world.do_step(run_id, 0)
    before = position_of(world, run_id)
    watcher = watch(relay, run_id, after=None)
    eventually(lambda: watcher.acks)
    assert watcher.acks[0]["position"] == str(before)
    world.do_step(run_id, 1)
    end = position_of(world, run_id)
    eventually(lambda: watcher.seqs[-1:] == [end.seq])
    assert watcher.seqs == list(range(before.seq + 1, end.seq + 1))


def test_the_state_is_sent_at_once_and_again_when_it_has_changed(world, relay, watch, eventually):
    run_id = world.start()
    watcher = watch(relay, run_id)
    first = eventually(lambda: watcher.states)[0]
    assert first["workflow_id"] == run_id
    assert first["active"] is True
    assert [step["status"] for step in first["steps"]] == ["pending", "pending"]
    world.do_step(run_id, 0)
    world.do_step(run_id, 1)
    eventually(lambda: watcher.states[-1]["status"] == "completed")
    assert watcher.states[-1]["active"] is False
    assert watcher.states[-1]["position"] == str(position_of(world, run_id))


def test_states_are_sent_at_most_twice_a_second(world, relay, watch, eventually):
    run_id = world.start(40)
    watcher = watch(relay, run_id)
    eventually(lambda: watcher.states)
    began = time.monotonic()
    for position in range(40):
        world.do_step(run_id, position)
    eventually(lambda: watcher.states[-1]["status"] == "completed")
    assert len(watcher.states) <= 2 + (time.monotonic() - began) / 0.5


def test_a_large_run_sends_its_summary(world, relay, watch, eventually):
    run_id = world.start(201)
    watcher = watch(relay, run_id)
    [first] = eventually(lambda: watcher.states)
    assert first["total_steps"] == 201
    assert "steps" not in first


def test_a_position_of_a_wiped_stream_is_answered_with_truncated(world, relay, watch, eventually):
    run_id = world.start()
    world.do_step(run_id, 0)
    end = position_of(world, run_id)
    watcher = watch(relay, run_id, after=f"{end.epoch - 5000}-7")
    eventually(lambda: watcher.truncated)
    assert watcher.acks[0]["truncated"] is True
    assert watcher.truncated == [{"workflow_id": run_id, "position": str(end)}]
    world.do_step(run_id, 1)
    end = position_of(world, run_id)
    eventually(lambda: watcher.seqs[-1:] == [end.seq])
    assert watcher.seqs == list(range(watcher.seqs[0], end.seq + 1))


def test_a_client_that_unsubscribed_hears_nothing_more(world, relay, watch, eventually):
    run_id, other = world.start(), world.start()
    watcher = watch(relay, run_id, after=None)
    eventually(lambda: watcher.acks)
    answer = watcher.client.call("unsubscribe_workflow", {"workflow_id": run_id})
    assert answer["success"] is True
    watcher.client.call("subscribe_workflow", {"workflow_id": other, "after": None})
    world.log(run_id, 0)
    assert world.stream.flush(5)
    world.log(other, 0)
    eventually(lambda: watcher.events)
    assert [event["workflow_id"] for event in watcher.events] == [other]


def test_subscribing_again_begins_again_from_the_position_given(world, relay, watch, eventually):
    run_id = world.start()
    world.do_step(run_id, 0)
    end = position_of(world, run_id)
    watcher = watch(relay, run_id)
    eventually(lambda: watcher.seqs == list(range(1, end.seq + 1)))
    watcher.client.call("subscribe_workflow", {"workflow_id": run_id, "after": f"{end.epoch}-{end.seq - 1}"})
    eventually(lambda: watcher.seqs == [*range(1, end.seq + 1), end.seq])


@pytest.mark.parametrize(
    ("asked", "status", "where"),
    [
        ({"workflow_id": "workflow_0_none"}, 404, "/workflow_id"),
        ({}, 400, "/workflow_id"),
        ("workflow_0_none", 400, "/workflow_id"),
        ({"workflow_id": 'x","event":"'}, 400, "/workflow_id"),
        ({"workflow_id": "workflow_0_none", "after": "yesterday"}, 400, "/after"),
        ({"workflow_id": "workflow_0_none", "after": 7}, 400, "/after"),
    ],
)
def test_a_subscription_that_cannot_be_is_answered_with_a_problem(world, relay, watch, asked, status, where):
    watcher = watch(relay, world.start())
    problem = watcher.client.call("subscribe_workflow", asked)
    assert problem["success"] is False
    assert problem["status"] == status
    assert problem["where"] == where
    assert problem["message"]


def test_a_connection_may_have_fifty_subscriptions(world, relay, watch):
    runs = [world.start(1) for _ in range(51)]
    watcher = watch(relay, runs[0])
    answers = [watcher.client.call("subscribe_workflow", {"workflow_id": run_id}) for run_id in runs]
    assert [answer["success"] for answer in answers] == [True] * 50 + [False]
    assert answers[-1]["status"] == 429


def connect(relay: Relay, **options) -> socketio.Client:
    client = socketio.Client(reconnection=False)
    client.connect(relay.url, **({"transports": ["websocket"]} | options))
    return client


@pytest.mark.parametrize(
    "options",
    [
        {"auth": {"token": "not a token"}},
        {"auth": {"token": 7}},
        {"auth": {"token": ""}, "headers": {"Authorization": f"Bearer {TOKEN}"}},
        {"headers": {"Authorization": "Bearer not a token"}},
        {"headers": {"Cookie": "perdure_session=x"}},
        {},
    ],
)
def test_nobody_gets_in_without_a_valid_token(relay, options):
    with pytest.raises(Refused):
        connect(relay, **options)


def test_the_token_may_come_in_the_header_as_well(relay):
    client = connect(relay, headers={"Authorization": f"Bearer {TOKEN}"})
    assert client.connected
    client.disconnect()


@pytest.mark.parametrize(
    ("origin", "is_ours"),
    [
        ("https://evil.example", False),
        ("http://evil.example:{relay.port}", False),
        ("null", False),
        ("http://localhost:{relay.web_port}", True),
        ("http://127.0.0.1:{relay.port}", True),
        ("http://[::1]:{relay.web_port}", True),
        ("https://perdure.example", True),
    ],
)
def test_only_pages_of_the_listed_origins_may_open_sockets_whatever_host_they_ask_for(relay, origin, is_ours):
    origin = origin.format(relay=relay)
    address = f"{relay.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket"
    options = {"origin": origin, "host": origin.partition("://")[2] or None}
    if is_ours:
        create_connection(address, **options).close()
    else:
        with pytest.raises(WebSocketBadStatusException, match="400"):
            create_connection(address, **options)


def test_polling_is_refused_since_it_would_need_sticky_sessions(relay):
    with pytest.raises(Refused):
        connect(relay, auth={"token": TOKEN}, transports=["polling"])


def test_a_message_of_more_than_16_kib_ends_the_connection(world, relay, eventually):
    client = connect(relay, auth={"token": TOKEN})
    client.emit("subscribe_workflow", {"workflow_id": world.start(), "after": "0" * 20_000})
    eventually(lambda: not client.connected)


def test_a_deleted_token_cannot_subscribe_any_more(world, relay, eventually):
    add_token(world.database, name="short", user_name="otto", role=Role.VIEWER, secret="short-token")
    client = connect(relay, auth={"token": "short-token"})
    run_id = world.start()
    assert client.call("subscribe_workflow", {"workflow_id": run_id})["success"] is True
    delete_token(world.database, "short")

    def refused() -> bool:
        return bool(client.call("subscribe_workflow", {"workflow_id": run_id}).get("status") == 401)

    eventually(refused, timeout_s=10, interval_s=0.5)
    client.disconnect()
