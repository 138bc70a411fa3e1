"""Gives spans to an OTLP/HTTP collector, on a thread of its own: no step waits for it, or for a collector that is away.

What does not fit, and what the collector does not take, is dropped and counted. Unlike the SDK's batch processor it
starts with the first span of a process, also of a forked one; it counts; and it takes secrets out.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import Event, ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import Link, Status

from logs import known_secrets
from orchestration.redaction import Redactor

log = logging.getLogger("perdure.tracing")

MAX_WAITING = 8192
BATCH = 512
# What comes within this time of the first goes with it, seconds.
GATHER_S = 0.5
# For so long an export is tried, seconds. What comes meanwhile waits.
TIMEOUT_S = 5.0


class Export(SpanProcessor):
    """The spans of a process on their way out. `dropped` counts those that nobody got."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._begin()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing: only what has ended is told."""

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span. Never waits, never raises."""
        context = span.context
        if context is None or not context.trace_flags.sampled:
            return
        if self._pid != os.getpid():
            self._begin()
        if len(self._waiting) >= MAX_WAITING:
            self.dropped += 1
            return
        self._waiting.append(span)
        self._some.set()
        if len(self._waiting) >= BATCH:
            self._now.set()
        if self._thread is None:
            self._start()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until all so far was given away or dropped; False when that takes longer."""
        if self._pid != os.getpid():
            return True
        until = time.monotonic() + timeout_millis / 1000
        self._now.set()
        with self._idle:
            return self._idle.wait_for(lambda: not self._waiting and not self._is_busy, until - time.monotonic())

    def shutdown(self) -> None:
        """Give away what is left, within a second."""
        self.force_flush(1000)

    def _begin(self) -> None:
        """As new: a forked child has no such thread, and what waits is its parent's to export."""
        self.dropped = 0
        self.exported = 0
        self._pid = os.getpid()
        self._waiting: deque[ReadableSpan] = deque()
        self._some, self._now = threading.Event(), threading.Event()
        self._idle = threading.Condition()
        self._is_busy = False
        self._is_away = False
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="perdure-traces", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        # Not before the fork: its connections are this process's alone.
        exporter = OTLPSpanExporter(self._url, timeout=TIMEOUT_S)
        logging.getLogger(OTLPSpanExporter.__module__).addFilter(_SAID)
        while True:
            self._some.wait()
            self._now.wait(GATHER_S)
            self._some.clear()
            self._now.clear()
            self._is_busy = True
            while self._waiting:
                self._give([self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))], exporter)
            with self._idle:
                self._is_busy = False
                self._idle.notify_all()

    def _give(self, spans: list[ReadableSpan], exporter: OTLPSpanExporter) -> None:
        redactor, _SAID.text = known_secrets(), ""
        try:
            is_taken = exporter.export([clean(span, redactor) for span in spans]) is SpanExportResult.SUCCESS
        except Exception as error:  # whatever it raises, a span is worth no more than a line
            _SAID.text, is_taken = f"{type(error).__name__}: {error}", False
        if is_taken:
            self.exported += len(spans)
        else:
            self.dropped += len(spans)
        if is_taken and self._is_away:
            log.info("the trace collector takes spans again", extra={"dropped": self.dropped})
        elif not is_taken and not self._is_away:
            log.warning("the trace collector takes no spans, they are dropped: %s", _SAID.text[:300])
        self._is_away = not is_taken


class _FirstWords(logging.Filter):
    """Keeps what the exporter would log first of an export, for one line of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def filter(self, record: logging.LogRecord) -> bool:
        """Log nothing of it."""
        self.text = self.text or record.getMessage()
        return False


_SAID = _FirstWords()


def clean(span: ReadableSpan, redactor: Redactor) -> ReadableSpan:
    """The span without secrets, also where an action's own code recorded an exception."""
    status = span.status
    return ReadableSpan(
        redactor.text(span.name),
        span.context,
        span.parent,
        span.resource,
        _clean(span.attributes, redactor),
        [
            Event(redactor.text(event.name), _clean(event.attributes, redactor), event.timestamp)
            for event in span.events
        ],
        [Link(link.context, _clean(link.attributes, redactor)) for link in span.links],
        span.kind,
        status=Status(status.status_code, redactor.text(status.description) if status.description else None),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _clean(attributes: Any, redactor: Redactor) -> Any:
    return redactor.json(dict(attributes)) if attributes else {}
