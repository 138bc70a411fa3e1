"""Celery's task events for steps that were handed over: no message was sent for them, so Celery itself sees none.

With these Flower and `celery events` count such a step as a task of its action's name. They go out in batches, from a
thread of their own: a step waits for none of it, and what cannot be sent is dropped, as events are.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from typing import Any

from celery import Celery
from celery.events.event import get_exchange
from celery.utils.time import utcoffset

from orchestration.engine.leases import Lease

log = logging.getLogger("perdure.worker")

GATHER_S = 0.2
MAX_WAITING = 10_000
BATCH = 500
TIMEOUT_S = 2.0


class TaskEvents:
    """Tells of handed-over steps in one process. Opens its connection with the first of them."""

    def __init__(self, app: Celery, hostname: str) -> None:
        self._app = app
        self._clock: Any = app.clock  # type: ignore[attr-defined]  # missing in Celery's types
        self._is_enabled = bool(app.conf.worker_send_task_events)
        # As in every event of this process; what concerns one event comes on top.
        self._common = {"hostname": hostname, "pid": os.getpid(), "utcoffset": utcoffset()}
        self._waiting: deque[dict[str, Any]] = deque(maxlen=MAX_WAITING)
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def began(self, lease: Lease) -> None:
        """A step that was handed over begins."""
        if not self._is_enabled:
            return
        uuid = _uuid(lease)
        self._put(
            "task-received",
            uuid=uuid,
            name=lease.action,
            args=repr([lease.run_id, lease.position]),
            kwargs="{}",
            root_id=uuid,
            parent_id=None,
            retries=0,
            eta=None,
            expires=None,
        )
        self._put("task-started", uuid=uuid)
        # Now, not with its end: it may take an hour.
        self._start()

    def ended(self, lease: Lease, runtime_s: float) -> None:
        """It was dealt with, whatever became of it: Celery says the same of a message."""
        if self._is_enabled:
            self._put("task-succeeded", uuid=_uuid(lease), result="None", runtime=runtime_s)
            self._start()

    def _put(self, kind: str, **fields: Any) -> None:
        self._waiting.append(
            {"type": kind, "timestamp": time.time(), "clock": self._clock.forward(), **self._common, **fields}
        )

    def _start(self) -> None:
        self._wake.set()
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="perdure-task-events", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                self._send()
            except Exception as error:  # whatever the broker's client raises, an event is not worth more than a line
                log.warning("task events dropped: %s", type(error).__name__)
                time.sleep(TIMEOUT_S)

    def _send(self) -> None:
        """Send what comes, over one connection for as long as that works."""
        options = {"socket_timeout": TIMEOUT_S, "socket_connect_timeout": TIMEOUT_S, "max_retries": 0}
        with self._app.connection_for_write(connect_timeout=TIMEOUT_S, transport_options=options) as connection:
            exchange = get_exchange(connection, name=self._app.conf.event_exchange)
            producer = self._app.amqp.Producer(connection, exchange=exchange)
            while True:
                self._wake.wait()
                time.sleep(GATHER_S)
                self._wake.clear()
                while batch := [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]:
                    producer.publish(
                        batch,
                        routing_key="task.multi",
                        retry=False,
                        serializer=self._app.conf.event_serializer,
                        headers={"hostname": self._common["hostname"]},
                        delivery_mode=1,
                    )


def _uuid(lease: Lease) -> str:
    return f"{lease.run_id}.{lease.position}.{lease.attempt}"
