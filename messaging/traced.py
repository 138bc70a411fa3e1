"""Spans for the messages that say steps are ready."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from messaging.dispatcher import CeleryDispatcher
from orchestration.engine.starts import OnStarted, StartedRun
from orchestration.ports import Dispatcher, ReadyStep

if TYPE_CHECKING:
    from tracing_otel import Tracing


def traced(dispatcher: CeleryDispatcher, tracing: Tracing | None) -> Dispatcher:
    """The dispatcher, with a span for each run it sends messages of where tracing is on."""
    return dispatcher if tracing is None else TracedDispatcher(dispatcher, tracing)


def tell_of_starts(tracing: Tracing | None) -> OnStarted | None:
    """What tells of runs that no request brought; None where tracing is off."""
    if tracing is None:
        return None

    def started(runs: Sequence[StartedRun], began_ns: int) -> None:
        tracing.started([run.run_id for run in runs if run.created], began_ns, time.time_ns())

    return started


class TracedDispatcher:
    """Sends by another dispatcher. The messages stay as they are: who takes one finds its trace by the run's id."""

    def __init__(self, dispatcher: CeleryDispatcher, tracing: Tracing) -> None:
        from tracing_otel import SpanKind, current_span

        self._dispatcher = dispatcher
        self._tracing = tracing
        self._current = current_span
        self._kind = SpanKind.PRODUCER

    def send(self, steps: Sequence[ReadyStep]) -> None:
        """Send; never raises."""
        if not steps:
            return
        began, dropped = time.time_ns(), self._dispatcher.dropped
        self._dispatcher.send(steps)
        ended, is_sent = time.time_ns(), self._dispatcher.dropped == dropped
        of_run: defaultdict[str, list[ReadyStep]] = defaultdict(list)
        for step in steps:
            of_run[step.run_id].append(step)
        for run_id, sent in of_run.items():
            queues = sorted({step.queue for step in sent})
            span = self._tracing.span(
                f"send {', '.join(queues)}",
                run_id,
                kind=self._kind,
                parent=self._current(run_id),
                attributes={
                    "perdure.run_id": run_id,
                    "messaging.system": "celery",
                    "messaging.operation.type": "send",
                    "messaging.destination.name": ",".join(queues),
                    "messaging.batch.message_count": len(sent),
                    # Told by a count that threads share: another's loss in the same moment reads as ours.
                    "perdure.dropped": not is_sent,
                },
                began_ns=began,
            )
            span.end(ended)
