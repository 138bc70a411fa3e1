"""Messages of the web process go out behind its answers: a client need not wait for the broker."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence

from orchestration.ports import Dispatcher, ReadyStep

log = logging.getLogger(__name__)

MAX_WAITING = 10_000
# How long the end of the process waits for what is not sent yet, seconds.
LAST_WAIT_S = 2.0


class BackgroundDispatcher:
    """Sends by another dispatcher, on one thread a process, started by the first message.

    What waited together goes out together. When too much waits the caller sends by itself, so that nothing piles up. A
    message that is lost with its process is found by the sweep as any other.
    """

    def __init__(self, dispatcher: Dispatcher, *, max_waiting: int = MAX_WAITING) -> None:
        self._dispatcher = dispatcher
        self._max_waiting = max_waiting
        self._begin()
        begin = weakref.WeakMethod(self._begin)
        os.register_at_fork(after_in_child=lambda: _call(begin))

    def send(self, steps: Sequence[ReadyStep]) -> None:
        """Hand the steps over. Never raises."""
        if not steps:
            return
        with self._changed:
            has_room = len(self._waiting) < self._max_waiting
            if has_room:
                self._waiting.extend(steps)
                self._start()
                self._changed.notify_all()
        if not has_room:
            self._dispatcher.send(steps)

    def flush(self, timeout_s: float) -> bool:
        """Wait until all is handed on; False when that takes longer than `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._is_sending, timeout_s)

    def _begin(self) -> None:
        """As new: a forked child has no such thread, and what waits is its parent's to send."""
        self._waiting: deque[ReadyStep] = deque()
        self._is_sending = False
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="messages", daemon=True)
            self._thread.start()
            atexit.register(self.flush, LAST_WAIT_S)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                steps = list(self._waiting)
                self._waiting.clear()
                self._is_sending = True
            try:
                self._dispatcher.send(steps)
            except Exception:  # this thread must outlive whatever a message brings
                log.exception("%d messages were lost, the sweep will send them", len(steps))
            with self._changed:
                self._is_sending = False
                self._changed.notify_all()


def _call(method: weakref.WeakMethod[Callable[[], None]]) -> None:
    begin = method()
    if begin is not None:
        begin()
