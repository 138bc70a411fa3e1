from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis
from celery import Celery

from messaging.celery_app import make_celery
from messaging.dispatcher import CeleryDispatcher, NullDispatcher
from orchestration.ports import ReadyStep

pytestmark = pytest.mark.integration


def ready(position: int, *, priority: int = 5, queue: str = "default", run_id: str = "workflow_1_a") -> ReadyStep:
    return ReadyStep(run_id, position, "demo.sleep", queue, priority)


def receive(app: Celery, queue: str) -> Iterator[tuple[dict[str, Any], list[Any]]]:
    """Headers and arguments of what waits in a queue, in the order a worker gets it."""
    with app.connection_for_read() as connection, connection.SimpleQueue(queue) as messages:
        while True:
            try:
                message = messages.get(block=False)
            except messages.Empty:
                return
            message.ack()
            yield message.headers, message.decode()[0]


def test_a_message_names_the_action_the_run_and_the_position_and_nothing_else(redis_url):
    app = make_celery(redis_url)
    dispatcher = CeleryDispatcher(app)
    dispatcher.send([ready(3), ready(4, queue="ssh")])
    [(headers, args)] = receive(app, "default")
    assert headers["task"] == "demo.sleep"
    assert headers["ignore_result"] is True
    assert headers["id"].startswith("workflow_1_a.3.")
    assert args == ["workflow_1_a", 3]
    [(headers, args)] = receive(app, "ssh")
    assert args == ["workflow_1_a", 4]
    assert dispatcher.sent == 2


def test_messages_of_one_step_have_ids_of_their_own(redis_url):
    app = make_celery(redis_url)
    CeleryDispatcher(app).send([ready(1), ready(1)])
    assert len({headers["id"] for headers, _ in receive(app, "default")}) == 2


def test_workers_get_higher_priorities_first(redis_url):
    app = make_celery(redis_url)
    steps = [ready(position, priority=priority) for position, priority in enumerate([20, 10, 5, 1] * 5)]
    random.Random(1).shuffle(steps)
    CeleryDispatcher(app).send(steps)
    priority_of = {step.position: step.priority for step in steps}
    received = [priority_of[args[1]] for _, args in receive(app, "default")]
    assert received == sorted(received, reverse=True)
    assert len(received) == 20


def test_a_broker_that_is_away_costs_callers_nothing_and_is_found_again(private_valkey, eventually):
    dispatcher = CeleryDispatcher(make_celery(private_valkey.url))
    dispatcher.send([ready(0)])
    private_valkey.kill()
    began = time.perf_counter()
    for _ in range(100):
        dispatcher.send([ready(1)])
    assert time.perf_counter() - began < 0.5
    assert dispatcher.dropped == 100
    private_valkey.restart()

    def sent_again() -> bool:
        dispatcher.send([ready(2)])
        return dispatcher.sent > 1

    eventually(sent_again, timeout_s=5)


def test_a_frozen_broker_holds_up_one_caller_for_a_second(private_valkey):
    dispatcher = CeleryDispatcher(make_celery(private_valkey.url))
    dispatcher.send([ready(0)])
    os.kill(private_valkey.pid, 19)
    try:
        began = time.perf_counter()
        for _ in range(100):
            dispatcher.send([ready(1)])
        assert time.perf_counter() - began < 2.0
    finally:
        os.kill(private_valkey.pid, 18)
    assert dispatcher.dropped == 100


def test_a_broker_that_was_never_there_raises_nothing():
    dispatcher = CeleryDispatcher(make_celery("redis://127.0.0.1:1/0"))
    dispatcher.send([ready(0)])
    assert dispatcher.dropped == 1


def test_a_forked_child_sends_over_a_connection_of_its_own(redis_url):
    app = make_celery(redis_url)
    dispatcher = CeleryDispatcher(app)
    dispatcher.send([ready(0)])
    child = os.fork()
    if child == 0:
        dispatcher.send([ready(1)])
        os._exit(dispatcher.dropped)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    dispatcher.send([ready(2)])
    assert sorted(args[1] for _, args in receive(app, "default")) == [0, 1, 2]


def test_behind_a_long_line_nothing_is_sent_again_but_what_has_aged_into_another(redis_url, monkeypatch):
    monkeypatch.setattr("messaging.dispatcher.LONG_LINE", 10)
    dispatcher = CeleryDispatcher(make_celery(redis_url))
    again = [replace(ready(position), sent_as=5) for position in range(20)]
    dispatcher.send([ready(position) for position in range(9)])
    dispatcher.send(again[:1])
    with redis.Redis.from_url(redis_url) as client:
        assert client.llen("default:5") == 10, "a short line takes what may be lost"
        dispatcher.send([*again, ready(99)])
        assert client.llen("default:5") == 11, "and a long one only what is new"
        dispatcher.send([replace(ready(1, priority=10), sent_as=5)])
        assert client.llen("default:2") == 1
        assert dispatcher.drained() == set()
        client.ltrim("default:5", 0, 3)
        assert dispatcher.drained() == {"default"}
    assert dispatcher.drained() == set()


def test_lines_whose_broker_is_away_are_not_known_to_be_short(private_valkey, monkeypatch):
    monkeypatch.setattr("messaging.dispatcher.LONG_LINE", 1)
    dispatcher = CeleryDispatcher(make_celery(private_valkey.url))
    dispatcher.send([ready(0)])
    dispatcher.send([replace(ready(0), sent_as=5)])
    private_valkey.kill()
    assert dispatcher.drained() == set()
    assert dispatcher.withheld == {("default", 5)}


def test_the_null_dispatcher_sends_nothing(redis_url):
    NullDispatcher().send([ready(0)])
    with redis.Redis.from_url(redis_url) as client:
        assert client.keys("*") == []


def test_a_message_is_small_whatever_the_run(redis_url):
    CeleryDispatcher(make_celery(redis_url)).send([ready(9_999)])
    with redis.Redis.from_url(redis_url) as client:
        [message] = client.lrange("default:5", 0, -1)
    assert len(message) < 1500
    assert json.loads(message)["content-type"] == "application/json"
