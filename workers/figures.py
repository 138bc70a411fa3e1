"""What a worker is doing as a process: told every few seconds for those who look at the fleet."""

from __future__ import annotations

import logging
import time

import psutil

from messaging.process_figures import EVERY_S, ProcessFigures
from orchestration.errors import StreamUnavailable

log = logging.getLogger(__name__)


class WorkerFigures:
    """The figures of one worker, told from its main process. `tell` is called now and then by whoever has a thread."""

    def __init__(self, figures: ProcessFigures) -> None:
        self._figures = figures
        self._process = psutil.Process()
        self._told_at = float("-inf")

    def tell(self, name: str, dropped: tuple[int, int]) -> None:
        """Tell them when it is time; nobody is told while Valkey is away.

        `dropped`: messages and events that the worker's main process has given up since it started.
        """
        if time.monotonic() - self._told_at < EVERY_S:
            return
        self._told_at = time.monotonic()
        messages, events = dropped
        try:
            self._figures.publish(name, self.now() | {"messages_dropped": messages, "events_dropped": events})
        except StreamUnavailable as error:
            log.debug("figures not told: %s", error)

    def now(self) -> dict[str, int | str]:
        """How the worker stands as the system sees it."""
        family = [self._process, *self._process.children(recursive=True)]
        return {
            "memory_bytes": sum(map(_memory, family)),
            "processes": len(family),
            "threads": self._process.num_threads(),
            "open_files": self._process.num_fds(),
        }


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:  # a pool child that has ended since it was listed
        return 0
