"""A line in the log for each sign-in that fails and each request over a limit: what, and from where. Never a secret."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Lock

log = logging.getLogger(__name__)

LINES = 30
PER_S = 60.0


class RefusalLog:
    """Writes at most so many lines a minute, and says how many it left out: whoever guesses must not fill the disk."""

    def __init__(
        self, *, lines: int = LINES, per_s: float = PER_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lines = lines
        self._per_s = per_s
        self._clock = clock
        self._lock = Lock()
        self._began = clock()
        self._written = 0
        self._left_out = 0

    def note(self, what: str, who: str) -> None:
        """Log what was refused to whom: an address, or the name of a user who is signed in."""
        with self._lock:
            left_out = 0
            if self._clock() - self._began >= self._per_s:
                left_out, self._left_out = self._left_out, 0
                self._began, self._written = self._clock(), 0
            is_written = self._written < self._lines
            if is_written:
                self._written += 1
            else:
                self._left_out += 1
        if left_out:
            log.warning("%d more refusals were not logged", left_out)
        if is_written:
            log.warning("%s refused to %s", what, who or "an unknown address")
