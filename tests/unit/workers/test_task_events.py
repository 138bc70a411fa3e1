"""Task events of handed-over steps are told while they are news."""

from __future__ import annotations

from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

from celery import Celery

from orchestration.engine.leases import Lease
from workers.task_events import TaskEvents

LEASE = cast(Lease, SimpleNamespace(run_id="r", position=1, attempt=1, action="team.slow"))


def test_a_step_is_told_of_when_it_begins_not_only_when_it_ends() -> None:
    app = Celery("t", broker="memory://")
    app.conf.worker_send_task_events = True
    heard: list[str] = []

    def take(event: dict[str, Any]) -> None:
        heard.append(event["type"])
        receiver.should_stop = "task-started" in heard

    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": take})
        with receiver.consumer_context(wakeup=False) as (own, _channel, _consumers):
            TaskEvents(app, "w@h").began(LEASE)
            with suppress(TimeoutError):
                while not receiver.should_stop:
                    own.drain_events(timeout=5)
    assert heard == ["task-received", "task-started"]
