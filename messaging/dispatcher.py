"""Sends the Celery messages that say steps are ready. A lost one is found by the sweep."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Sequence
from secrets import token_hex

from celery import Celery
from kombu import Producer
from kombu.pools import ProducerPool

from messaging.circuit import Circuit
from orchestration.ports import ReadyStep

log = logging.getLogger(__name__)

POOL_SIZE = 4
TIMEOUT_S = 1.0
# Lowest PostgreSQL priority of a band -> the band's Redis priority, where 0 goes first.
BANDS = ((20, 0), (10, 2), (5, 5), (1, 8))


def redis_priority(priority: int) -> int:
    """The Redis priority (0 first, 9 last) of a run's priority (20 first, 1 last)."""
    return next((band for lowest, band in BANDS if priority >= lowest), BANDS[-1][1])


class CeleryDispatcher:
    """Sends one message a step. Never raises, and while the broker is away costs callers next to nothing.

    After a failed send messages are dropped for a second; then one caller at a time tries the broker again and waits
    for it at most `TIMEOUT_S`.
    """

    def __init__(self, app: Celery) -> None:
        self.sent = 0
        self.dropped = 0
        self._app = app
        self._origin = f"{os.getpid()}@{socket.gethostname()}"
        self._circuit = Circuit()
        self._pool: ProducerPool | None = None
        self._pool_pid = 0
        self._lock = threading.Lock()

    def send(self, steps: Sequence[ReadyStep]) -> None:
        """Send a message for each step, in one round trip. What cannot be sent is dropped and counted."""
        if not steps:
            return
        was_away = self._circuit.is_open
        try:
            self._circuit.call(lambda: self._publish(steps))
        except Exception as error:  # kombu lets through what redis, sockets and pools raise; none may reach a step
            self.dropped += len(steps)
            if not was_away:
                log.warning("broker unreachable, the sweep will send what is dropped now: %s", _one_line(error))
        else:
            self.sent += len(steps)
            if was_away:
                log.info("broker reachable again, %d messages were dropped so far", self.dropped)

    def _publish(self, steps: Sequence[ReadyStep]) -> None:
        producer = self._producers().acquire(block=True, timeout=TIMEOUT_S)
        try:
            if len(steps) == 1:
                self._publish_one(producer, steps[0])
                return
            with producer.batch():  # type: ignore[attr-defined]  # new in kombu 5.7, not yet in its types
                for step in steps:
                    self._publish_one(producer, step)
        finally:
            producer.release()

    def _publish_one(self, producer: Producer, step: ReadyStep) -> None:
        """What `send_task` does, less what it asks of configuration and broker each time.

        Straight to the queue: by way of an exchange its bindings would be looked up in Valkey for each message.
        """
        args = [step.run_id, step.position]
        message = self._app.amqp.create_task_message(
            f"{step.run_id}.{step.position}.{token_hex(4)}",
            step.action,
            args=args,
            argsrepr=repr(args),
            kwargsrepr="{}",
            origin=self._origin,
            ignore_result=True,
        )
        producer.publish(
            message.body,
            exchange="",
            routing_key=step.queue,
            priority=redis_priority(step.priority),
            serializer="json",
            headers=message.headers,
            retry=False,
            **message.properties,
        )

    def _producers(self) -> ProducerPool:
        """The pool of this process; a forked child makes its own and leaves its parent's sockets alone."""
        if self._pool is None or self._pool_pid != os.getpid():
            with self._lock:
                if self._pool is None or self._pool_pid != os.getpid():
                    self._pool = self._make_pool()
                    self._pool_pid = os.getpid()
        return self._pool

    def _make_pool(self) -> ProducerPool:
        connection = self._app.connection_for_write(
            connect_timeout=TIMEOUT_S,
            transport_options={
                "socket_timeout": TIMEOUT_S,
                "socket_connect_timeout": TIMEOUT_S,
                "retry_on_timeout": False,
                # Without these kombu tries to connect for as long as it takes.
                "max_retries": 0,
                "connect_retries_timeout": TIMEOUT_S,
            },
        )
        return ProducerPool(connection.Pool(limit=POOL_SIZE), limit=POOL_SIZE)


class NullDispatcher:
    """Sends nothing, for processes and tests that leave sending to the sweep."""

    def send(self, steps: Sequence[ReadyStep]) -> None:
        """Do nothing."""


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}"
