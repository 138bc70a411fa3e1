"""Celery's own task events in batches: sent one by one, three a task, they were half of what the main process did."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from celery import bootsteps

GATHER_S = 0.2
LARGEST_BATCH = 500


class GatherEvents(bootsteps.StartStopStep):
    """Flushes the consumer's events every `GATHER_S` while there are some, instead of in each turn of its loop."""

    requires = ("celery.worker.consumer.events:Events",)

    def start(self, parent: Any) -> None:
        """After each connection to the broker there is a new dispatcher."""
        dispatcher, hub = parent.event_dispatcher, parent.hub
        if dispatcher is None or hub is None or not dispatcher.enabled:
            return
        waiting: list[object] = []

        def flush() -> None:
            waiting.clear()
            if parent.event_dispatcher is dispatcher:
                dispatcher.flush()

        def flush_soon() -> None:
            if not waiting:
                waiting.append(hub.call_later(GATHER_S, flush))

        dispatcher.buffer_limit = LARGEST_BATCH
        dispatcher.on_send_buffered = flush_soon

    def stop(self, parent: Any) -> None:
        """Send what is left."""
        with suppress(Exception):  # the broker may be what ends
            parent.event_dispatcher.flush()
