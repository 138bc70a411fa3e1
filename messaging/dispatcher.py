"""Sends the Celery messages that say steps are ready. A lost one is found by the sweep."""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
from collections.abc import Sequence
from secrets import token_hex

from celery import Celery
from kombu.connection import ConnectionPool

from messaging.circuit import Circuit
from messaging.transport import BODY_ENCODING
from orchestration.ports import ReadyStep

log = logging.getLogger(__name__)

POOL_SIZE = 4
TIMEOUT_S = 1.0
# Where so many messages wait, each sent again would only make the line longer: nobody is idle who could take it.
LONG_LINE = 1000
COMPACT = (",", ":")
# Lowest PostgreSQL priority of a band -> the band's Redis priority, where 0 goes first.
BANDS = ((20, 0), (10, 2), (5, 5), (1, 8))


Place = tuple[str, int]
"""A queue and a Redis priority: one list in Valkey."""


def place_of(step: ReadyStep) -> Place:
    """Where a step's message goes."""
    return step.queue, redis_priority(step.priority)


def _is_sent_there(step: ReadyStep) -> bool:
    """Whether an earlier message for the step went to the same place."""
    return step.sent_as is not None and redis_priority(step.sent_as) == redis_priority(step.priority)


def redis_priority(priority: int) -> int:
    """The Redis priority (0 first, 9 last) of a run's priority (20 first, 1 last)."""
    return next((band for lowest, band in BANDS if priority >= lowest), BANDS[-1][1])


class CeleryDispatcher:
    """Sends one message a step. Never raises, and while the broker is away costs callers next to nothing.

    After a failed send messages are dropped for a second; then one caller at a time tries the broker again and waits
    for it at most `TIMEOUT_S`.

    A step that a message was sent for before gets another one only in another line, since it has aged, or where its
    line is short. `withheld` are the places, a queue and a Redis priority, whose lines were too long.
    """

    def __init__(self, app: Celery) -> None:
        self.sent = 0
        self.dropped = 0
        self.withheld: set[Place] = set()
        self._app = app
        self._origin = f"{os.getpid()}@{socket.gethostname()}"
        self._circuit = Circuit()
        self._pool: ConnectionPool | None = None
        self._pool_pid = 0
        self._lock = threading.Lock()

    def send(self, steps: Sequence[ReadyStep]) -> None:
        """Send a message for each step, in one round trip. What cannot be sent is dropped and counted."""
        if not steps:
            return
        was_away = self._circuit.is_open
        try:
            sent = self._circuit.call(lambda: self._publish(steps))
        except Exception as error:  # kombu lets through what redis, sockets and pools raise; none may reach a step
            self.dropped += len(steps)
            if not was_away:
                log.warning("broker unreachable, the sweep will send what is dropped now: %s", _one_line(error))
        else:
            self.sent += sent
            if was_away:
                log.info("broker reachable again, %d messages were dropped so far", self.dropped)

    def drained(self) -> set[str]:
        """The queues whose lines were too long and are not any more: what was withheld there may be lost.

        Never raises.
        """
        if not self.withheld:
            return set()
        try:
            short = self._circuit.call(self._short_again)
        except Exception as error:  # as above
            log.info("the length of queues is not known: %s", _one_line(error))
            return set()
        self.withheld -= short
        return {queue for queue, _ in short}

    def _short_again(self) -> set[Place]:
        places = sorted(self.withheld)
        with self._connections().acquire(block=True, timeout=TIMEOUT_S) as connection:
            lengths = connection.default_channel.lengths(places)
        return {place for place, length in zip(places, lengths, strict=True) if length < LONG_LINE / 2}

    def _publish(self, steps: Sequence[ReadyStep]) -> int:
        again = sorted({place_of(step) for step in steps if _is_sent_there(step)})
        with self._connections().acquire(block=True, timeout=TIMEOUT_S) as connection:
            channel = connection.default_channel
            lengths = channel.lengths(again) if again else []
            full = {place for place, length in zip(again, lengths, strict=True) if length >= LONG_LINE}
            self.withheld |= full
            messages = [
                (step.queue, redis_priority(step.priority), self._message(step, redis_priority(step.priority)))
                for step in steps
                if not (full and _is_sent_there(step) and place_of(step) in full)
            ]
            channel.push(messages)
        return len(messages)

    def _message(self, step: ReadyStep, priority: int) -> str:
        """A task message of Celery's protocol 2 as its Redis transport has it, less what is null.

        `send_task` makes the same and takes longer, most of it for what no step has: countdowns, links,
        chains, exchanges. Straight to the queue: by way of an exchange its bindings would be looked up in Valkey for
        each message. Source: Celery's documentation, "Message Protocol".
        """
        args = [step.run_id, step.position]
        task_id = f"{step.run_id}.{step.position}.{token_hex(4)}"
        return json.dumps(
            {
                "body": json.dumps([args, {}, {}], separators=COMPACT),
                "content-encoding": "utf-8",
                "content-type": "application/json",
                "headers": {
                    "lang": "py",
                    "task": step.action,
                    "id": task_id,
                    "root_id": task_id,
                    "argsrepr": repr(args),
                    "kwargsrepr": "{}",
                    "origin": self._origin,
                    "ignore_result": True,
                },
                "properties": {
                    "delivery_info": {"exchange": "", "routing_key": step.queue},
                    "delivery_mode": 2,
                    "delivery_tag": task_id,
                    "priority": priority,
                    "body_encoding": BODY_ENCODING,
                },
            },
            separators=COMPACT,
        )

    def _connections(self) -> ConnectionPool:
        """The pool of this process; a forked child makes its own and leaves its parent's sockets alone."""
        if self._pool is None or self._pool_pid != os.getpid():
            with self._lock:
                if self._pool is None or self._pool_pid != os.getpid():
                    self._pool = self._make_pool()
                    self._pool_pid = os.getpid()
        return self._pool

    def _make_pool(self) -> ConnectionPool:
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
        return connection.Pool(limit=POOL_SIZE)


class NullDispatcher:
    """Sends nothing, for processes and tests that leave sending to the sweep."""

    def send(self, steps: Sequence[ReadyStep]) -> None:
        """Do nothing."""


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}"
