"""Flower and `celery events` see a step that was handed over as they see one that had a message."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from celery.events.state import State

from tests.support.workers import Fleet, wait_until

pytestmark = pytest.mark.fault


@pytest.fixture
def watched(make_fleet: Callable[..., Fleet]) -> Fleet:
    # A message that a slow machine has not taken yet is not sent again: it would be a task more.
    return make_fleet(handover_ms="60000", resend_s="120")


@pytest.mark.parametrize(("pool", "action"), [("threads", "t.work"), ("prefork", "t.killable")])
def test_each_step_is_a_task_of_its_own_name(watched: Fleet, pool: str, action: str) -> None:
    state, kinds = State(), defaultdict(list)
    listening = threading.Event()

    def take(event: dict[str, Any]) -> None:
        state.event(event)
        if event.get("uuid"):
            kinds[event["uuid"]].append(event["type"])

    def listen() -> None:
        with watched.app.connection_for_read() as connection:
            receiver = watched.app.events.Receiver(connection, handlers={"*": take})
            receivers.append(receiver)
            with receiver.consumer_context(wakeup=False) as (own, _channel, _consumers):
                listening.set()
                while not receiver.should_stop:
                    with suppress(TimeoutError):
                        own.drain_events(timeout=0.2)

    receivers: list[Any] = []
    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    assert listening.wait(30)
    worker = watched.worker("w", pool)
    run = watched.start(*({"key": key, "action": action} for key in "abcd"))
    watched.wait_for(run, "completed")
    try:
        wait_until(
            lambda: sorted(seen[-1] for seen in kinds.values()) == ["task-succeeded"] * 4,
            30,
            lambda: f"{dict(kinds)}\n{worker.log.read_text()[-3000:]}",
        )
    finally:
        receivers[0].should_stop = True
        thread.join(10)
    assert all(seen == ["task-received", "task-started", "task-succeeded"] for seen in kinds.values()), kinds
    tasks = list(state.tasks.values())
    assert {task.name for task in tasks} == {action}
    assert {task.worker.hostname.partition("@")[0] for task in tasks} == {worker.name}
    assert {task.args for task in tasks} == {repr([run.run_id, position]) for position in range(4)}
