"""A worker that is connected and deaf heals itself; without that it would stay so for ever."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery

from cli.servers import EmbeddedValkey
from messaging.celery_app import make_celery
from settings import ROOT, Settings
from tests.conftest import Eventually
from workers.hearing import HEALED_S, Hearing, Listener

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def begin(url: str, **environment: str) -> subprocess.Popen[bytes]:
        command = ["-A", "tests.integration.messaging.deaf_app", "worker", "--pool", "threads", "-c", "2"]
        command += ["--without-gossip", "--without-mingle", "--loglevel", "info"]
        with (tmp_path / "log").open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "celery", *command],
                cwd=ROOT, env={**os.environ, "TEST_BROKER": url, **environment}, stdout=log, stderr=log,
            )  # fmt: skip
        started.append(worker)
        return worker

    yield begin
    for worker in started:
        worker.kill()
        worker.wait(20)


def send_twice(app: Celery, name: str, args: list[str]) -> None:
    """As the sweep would: the broker still owes an answer to a worker that became deaf, and that swallows the first."""
    for _ in range(2):
        app.send_task(name, args)


@pytest.mark.slow
@pytest.mark.parametrize("blocked", [False, True])
def test_a_deaf_worker_hears_again(
    private_valkey: EmbeddedValkey, tmp_path: Path, eventually: Eventually, start: Start, blocked: bool
) -> None:
    app = make_celery(private_valkey.url)
    worker = start(private_valkey.url, TEST_HEARING="1")
    app.send_task("touch", [str(tmp_path / "before")])
    eventually((tmp_path / "before").exists, timeout_s=30)
    app.send_task("block" if blocked else "deafen")
    eventually(lambda: "deaf now" in (tmp_path / "log").read_text(), timeout_s=30)
    send_twice(app, "touch", [str(tmp_path / "after")])
    eventually((tmp_path / "after").exists, timeout_s=30)
    assert "does not hear its broker: it connects anew" in (tmp_path / "log").read_text()
    assert worker.poll() is None


@pytest.mark.slow
def test_a_worker_that_stays_deaf_ends_to_be_replaced(
    private_valkey: EmbeddedValkey, tmp_path: Path, eventually: Eventually, start: Start
) -> None:
    app = make_celery(private_valkey.url)
    worker = start(private_valkey.url, TEST_HEARING="1")

    def has_ended() -> bool:
        # As the sweep would; each that is taken makes it deaf once more.
        app.send_task("deafen")
        return worker.poll() is not None

    eventually(has_ended, timeout_s=40, interval_s=0.5)
    assert "it ends to be replaced" in (tmp_path / "log").read_text()


def test_deaf_is_who_has_room_while_messages_wait_and_none_comes() -> None:
    hearing = Hearing(10)
    looks: list[tuple[float, bool, int | None, bool]] = [
        (0, True, 3, False), (5, True, 3, False), (10, True, 3, True), (11, False, 3, False), (12, True, 3, False),
        (21, True, 0, False), (22, True, 1, False), (31, True, None, False), (32, True, 1, False), (42, True, 1, True),
    ]  # fmt: skip
    for now, has_room, messages, is_deaf in looks:
        assert hearing.is_deaf(now, has_room=has_room, messages=messages) is is_deaf, now
    # Nobody looked meanwhile: the process may have been asleep, and its loop with it.
    assert not hearing.is_deaf(60, has_room=True, messages=1)
    assert hearing.is_deaf(70, has_room=True, messages=1)
    hearing.heard()
    assert not hearing.is_deaf(71, has_room=True, messages=1)


def test_it_connects_anew_once_and_is_replaced_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = Listener(Settings(redis_url="redis://127.0.0.1:1/0"), deaf_s=0)
    done: list[str] = []
    monkeypatch.setattr(listener, "_lengths", SimpleNamespace(ask=lambda queues: dict.fromkeys(queues, 2)))
    monkeypatch.setattr("workers.hearing.reconnect", lambda consumer: done.append("reconnect"))
    listener.replace = lambda: done.append("replace")
    qos = SimpleNamespace(can_consume=lambda: True)
    tasks = SimpleNamespace(queues=[SimpleNamespace(name="default")], channel=SimpleNamespace(qos=qos))
    consumer: Any = SimpleNamespace(task_consumer=tasks)
    listener._consumer = consumer
    for now in (1000.0, 1000.0 + HEALED_S, 1000.0 + HEALED_S + 1):
        listener.look(now)
    assert done == ["reconnect", "reconnect", "replace"]
    listener.look(5000.0)
    assert len(done) == 3
