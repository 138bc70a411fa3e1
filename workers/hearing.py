"""A worker that no longer hears its broker although it is connected connects anew, or has itself replaced.

The proof needs no model of what broke: messages lie in a queue that this worker consumes, it has room for them, and for
a while it took none. Two such faults are mended at their root in `messaging/transport.py`; this is for the next one.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import redis.exceptions
from celery import bootsteps, signals

from messaging.queues import QueueLengths
from settings import Settings

log = logging.getLogger("perdure.worker")

LOOK_S = 5.0
DEAF_S = 15.0
# Deaf once more so soon after it connected anew, it will not get better by that.
HEALED_S = 120.0
# The loop turns once a second at least, unless it is stuck.
LOOP_S = 5.0
# On top of its drain: who does not end by then is stuck.
PATIENCE_S = 30.0


class Hearing:
    """Judges by what is seen every few seconds. Times are seconds of a clock that only goes forward."""

    def __init__(self, deaf_s: float = DEAF_S) -> None:
        self._deaf_s = deaf_s
        self._since: float | None = None
        self._looked_at = -deaf_s

    def heard(self) -> None:
        """A message came, or the connection is new."""
        self._since = None

    def is_deaf(self, now: float, *, has_room: bool, messages: int | None) -> bool:
        """Whether messages have waited for a worker with room, and none came, for too long.

        `messages` None: the broker is away, and nobody can hear it.
        """
        was_away = now - self._looked_at > self._deaf_s
        self._looked_at = now
        if was_away:
            # The process slept or was held up, and its loop with it.
            self._since = None
        if not has_room or not messages:
            self._since = None
            return False
        if self._since is None:
            self._since = now
        return now - self._since >= self._deaf_s


class Listener:
    """Looks after one worker's main process, from a thread of its own: the loop may be what is stuck."""

    def __init__(self, settings: Settings, *, look_s: float = LOOK_S, deaf_s: float = DEAF_S) -> None:
        self._lengths = QueueLengths(settings.redis_url, name="perdure-hearing")
        self._drain_s = settings.drain_s
        self._look_s = look_s
        self._hearing = Hearing(deaf_s)
        self._healed_at = -HEALED_S
        self._consumer: Any = None
        self._thread: threading.Thread | None = None
        self.replace: Callable[[], None] = self._replace

    def connected(self, consumer: Any) -> None:
        """The consumer takes messages from now on."""
        self._hearing.heard()
        self._consumer = consumer
        if self._thread is None:
            signals.task_received.connect(self._on_message, weak=False)
            self._thread = threading.Thread(target=self._run, name="perdure-hearing", daemon=True)
            self._thread.start()

    def disconnected(self) -> None:
        """It connects anew, or ends."""
        self._consumer = None

    def look(self, now: float) -> None:
        """One look; heals what it finds."""
        consumer = self._consumer
        if consumer is None or consumer.task_consumer is None:
            return
        queues = [queue.name for queue in consumer.task_consumer.queues]
        has_room = bool(consumer.task_consumer.channel.qos.can_consume())
        lengths = self._lengths.ask(queues) if has_room else {}
        messages = None if lengths is None else sum(lengths.values())
        if not self._hearing.is_deaf(now, has_room=has_room, messages=messages):
            return
        self._hearing.heard()
        if now - self._healed_at < HEALED_S:
            log.error("this worker does not hear its broker, again: it ends to be replaced", extra={"queues": queues})
            self._consumer = None
            self.replace()
            return
        self._healed_at = now
        log.warning("this worker does not hear its broker: it connects anew", extra={"messages": messages})
        reconnect(consumer)

    def _run(self) -> None:
        while True:
            time.sleep(self._look_s)
            try:
                self.look(time.monotonic())
            except Exception:  # the connection may go while it is looked at
                log.debug("hearing was not looked at", exc_info=True)

    def _on_message(self, **_: Any) -> None:
        self._hearing.heard()

    def _replace(self) -> None:
        """A drain and an orderly end; by force when that does not come."""
        timer = threading.Timer(self._drain_s + PATIENCE_S, os._exit, (1,))
        timer.daemon = True
        timer.start()
        os.kill(os.getpid(), signal.SIGTERM)


def reconnect(consumer: Any, patience_s: float = LOOP_S) -> None:
    """Have a consumer lose its connection: Celery then makes a new one. From another thread than its loop's."""
    begun, is_late = threading.Event(), threading.Event()

    def lose() -> None:
        begun.set()
        if not is_late.is_set():
            raise redis.exceptions.ConnectionError("the broker was not heard")

    channels = list(getattr(consumer.connection.transport.cycle, "_channels", ()))
    consumer.hub.call_soon(lose)
    if begun.wait(patience_s):
        return
    is_late.set()
    # The loop blocks in a read of one of these: it ends.
    for channel in channels:
        for name in ("client", "subclient"):
            connection = getattr(channel.__dict__.get(name), "connection", None)
            opened = getattr(connection, "_sock", None)
            if opened is not None:
                with suppress(OSError):
                    opened.shutdown(socket.SHUT_RDWR)


def hearing_step(listener: Listener) -> type[bootsteps.StartStopStep]:
    """The bootstep of the consumer that tells a listener of its connections."""

    class HearingStep(bootsteps.StartStopStep):
        """Last but for the loop."""

        requires = ("celery.worker.consumer.tasks:Tasks",)

        def start(self, parent: Any) -> None:
            # Without a loop of its own (the pool `solo` on some systems) there is nothing to be deaf.
            if parent.hub is not None:
                listener.connected(parent)

        def stop(self, parent: Any) -> None:
            del parent
            listener.disconnected()

        shutdown = stop

    return HearingStep
