"""What a worker has fetched and not begun is known to it alone, and goes back when it ends or turns a message away."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from kombu import Consumer, Queue

from messaging.celery_app import celery_settings, make_celery
from messaging.dispatcher import CeleryDispatcher
from messaging.transport import Transport
from orchestration.ports import ReadyStep
from settings import ROOT

pytestmark = pytest.mark.integration


def send(url: str, *positions: int, priority: int = 5) -> None:
    CeleryDispatcher(make_celery(url)).send([ReadyStep("r", n, "demo.sleep", "default", priority) for n in positions])


def waiting(url: str, key: str = "default:5") -> list[int]:
    """Positions in a queue, the next one first."""
    with redis.Redis.from_url(url) as client:
        texts = [json.loads(text) for text in reversed(client.lrange(key, 0, -1))]
    return [json.loads(text["body"])[0][1] for text in texts]


@contextmanager
def consuming(url: str, prefetch: int) -> Iterator[tuple[Any, list[Any]]]:
    """A connection that takes messages and acknowledges none by itself, and what it has taken."""
    taken: list[Any] = []
    with (
        make_celery(url).connection_for_read() as connection,
        Consumer(connection.default_channel, [Queue("default")], on_message=taken.append, prefetch_count=prefetch),
    ):
        yield connection, taken


def take_all(connection: Any) -> None:
    """Until none comes, or none may come."""
    try:
        while True:
            connection.drain_events(timeout=0.1)
    except TimeoutError:
        pass


def test_no_more_is_taken_than_may_be_in_hand_and_the_broker_keeps_no_copy(redis_url):
    send(redis_url, *range(5))
    with consuming(redis_url, prefetch=2) as (connection, taken):
        take_all(connection)
        assert len(taken) == 2
        with redis.Redis.from_url(redis_url) as client:
            assert not [key for key in client.scan_iter() if b"unacked" in key]
        taken[0].ack()
        take_all(connection)
        assert [message.decode()[0][1] for message in taken] == [0, 1, 2]
        assert waiting(redis_url) == [3, 4]


def test_what_is_in_hand_goes_back_first_in_its_queue(redis_url):
    send(redis_url, *range(5))
    send(redis_url, 9, priority=20)
    with consuming(redis_url, prefetch=3) as (connection, taken):
        take_all(connection)
        assert [message.decode()[0][1] for message in taken] == [9, 0, 1]
        taken[1].ack()
    assert waiting(redis_url) == [1, 2, 3, 4]
    assert waiting(redis_url, "default") == [9]
    with consuming(redis_url, prefetch=3) as (connection, again):
        take_all(connection)
        assert [message.headers["redelivered"] for message in again[:2]] == [True, True]


def test_a_message_that_is_turned_away_goes_behind_the_others(redis_url):
    send(redis_url, 0, 1)
    with consuming(redis_url, prefetch=1) as (connection, taken):
        take_all(connection)
        taken[0].reject(requeue=True)
        assert waiting(redis_url) == [1, 0]


def test_what_is_in_hand_when_the_broker_goes_is_left_to_the_sweep(private_valkey, caplog):
    send(private_valkey.url, 0, 1)
    with caplog.at_level(logging.WARNING), consuming(private_valkey.url, prefetch=2) as (connection, taken):
        take_all(connection)
        assert len(taken) == 2
        private_valkey.kill()
        connection.collect()
    assert "2 messages" in caplog.text


def test_messages_pass_between_this_transport_and_kombus_own(redis_url):
    """A worker from before an upgrade, and operators' programs."""
    own, plain = make_celery(redis_url), Celery("plain")
    plain.conf.update(celery_settings(redis_url))
    assert plain.connection_for_read().get_transport_cls() is not Transport
    assert own.connection_for_read().get_transport_cls() is Transport
    send(redis_url, 3)
    plain.send_task("demo.sleep", args=["r", 4], queue="default")
    own.send_task("demo.sleep", args=["r", 5], queue="default")
    for app in (plain, own, plain):
        with app.connection_for_read() as connection, connection.SimpleQueue("default") as messages:
            message = messages.get(timeout=5)
            message.ack()
            assert message.headers["task"] == "demo.sleep"
            assert message.decode()[0][0] == "r"


@pytest.mark.parametrize("url", ["redis://:pw@host:6379/3", "rediss://:pw@host:6379/3", "unix:///run/broker.sock?db=3"])
def test_the_transport_is_that_of_our_app_alone_and_its_url_reads_as_ever(url):
    """Flower knows brokers by the scheme of their URL."""
    plain = Celery("plain")
    plain.conf.update(celery_settings(url))
    ours, others = make_celery(url).connection_for_write(), plain.connection_for_write()
    assert ours.get_transport_cls() is ours.clone().get_transport_cls() is Transport
    assert ours.Pool(1).new().get_transport_cls() is Transport
    assert others.get_transport_cls() is not Transport
    assert ours.as_uri(include_password=True) == others.as_uri(include_password=True)


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.parametrize("pool", ["threads", "prefork"])
def test_a_worker_that_is_asked_to_end_puts_back_what_it_has_not_begun(redis_url, tmp_path: Path, eventually, pool):
    held = tmp_path / "held"
    held.touch()
    files = [str(tmp_path / name) for name in "abc"]
    # Operators' programs know nothing of the transport.
    operator = Celery("operator")
    operator.conf.update(celery_settings(redis_url))
    command = ["-A", "tests.integration.messaging.hand_app", "worker", "-n", "w@h", "-Q", "q", "-P", pool, "-c", "1"]
    with (tmp_path / "log").open("w") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", *command, "--loglevel", "info"],
            cwd=ROOT,
            env={**os.environ, "TEST_BROKER": redis_url},
            stdout=log,
            stderr=log,
        )
    try:
        operator.send_task("hold", [str(held)], queue="q")
        for file in files:
            operator.send_task("touch", [file], queue="q")

        def names(of: Any) -> list[str]:
            return [request["name"] for requests in (of or {}).values() for request in requests]

        inspect = operator.control.inspect(timeout=0.5)
        eventually(lambda: names(inspect.active()) == ["hold"], timeout_s=30)
        eventually(lambda: sorted(names(inspect.reserved())) in (["touch"], ["hold", "touch"]), timeout_s=10)
        with redis.Redis.from_url(redis_url) as client:
            assert client.llen("q") == 2, "one in hand beside the one that runs"
            worker.send_signal(signal.SIGTERM)
            eventually(lambda: "Warm shutdown" in (tmp_path / "log").read_text(), timeout_s=10)
            held.unlink()
            assert worker.wait(30) == 0, (tmp_path / "log").read_text()
            back = [json.loads(json.loads(text)["body"])[0][0] for text in reversed(client.lrange("q", 0, -1))]
        # Whether the one in hand had begun when the pool was closed is a race; never is it both run and put back.
        done = [file for file in files if Path(file).exists()]
        assert done in ([], files[:1])
        assert done + back == files
    finally:
        worker.kill()
        worker.wait(10)
