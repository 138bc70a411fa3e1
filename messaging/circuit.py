"""Keeps callers from waiting again and again for a server that is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE_S = 1.0


class ServerAway(Exception):
    """The server failed a moment ago; nothing was tried."""


class Circuit:
    """A call that ends with one of `failures` opens a pause in which calls fail at once; after it one at a time tries.

    Unlike the breakers in orchestration/gates this is of one process and only saves waiting.
    """

    def __init__(
        self,
        *,
        failures: tuple[type[Exception], ...] = (Exception,),
        pause_s: float = PAUSE_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures = failures
        self._pause_s = pause_s
        self._now = now
        self._probe = threading.Lock()
        self._paused_until: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether the last call failed."""
        return self._paused_until is not None

    def call(self, work: Callable[[], T]) -> T:
        """The result of `work`. Raises: ServerAway without trying; and whatever `work` raises."""
        if self._paused_until is None:
            return self._try(work)
        if self._now() < self._paused_until or not self._probe.acquire(blocking=False):
            raise ServerAway("the server did not answer a moment ago")
        try:
            return self._try(work)
        finally:
            self._probe.release()

    def _try(self, work: Callable[[], T]) -> T:
        try:
            result = work()
        except self._failures:
            self._paused_until = self._now() + self._pause_s
            raise
        self._paused_until = None
        return result
