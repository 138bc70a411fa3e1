"""What of traces needs OpenTelemetry; imported only where they are on, see `tracing`."""

from __future__ import annotations

import atexit
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.metadata import version

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, TraceIdRatioBased
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from logs import trace_id_of
from tracing import span_id_of
from tracing_export import Export

__all__ = ["Link", "Span", "SpanContext", "SpanKind", "Tracing", "failed"]

# How long the end of a process waits for what is not exported yet, seconds.
LAST_WAIT_S = 1.0

Attributes = Mapping[str, str | int | float | bool]

_chosen: ContextVar[tuple[int, int] | None] = ContextVar("perdure_span_ids", default=None)


class _Ids(RandomIdGenerator):
    """The ids that were chosen for a span, random ones where none were."""

    def generate_trace_id(self) -> int:
        chosen = _chosen.get()
        return chosen[0] if chosen else super().generate_trace_id()

    def generate_span_id(self) -> int:
        chosen = _chosen.get()
        return chosen[1] if chosen else super().generate_span_id()

    def is_trace_id_random(self) -> bool:
        return False


class Tracing:
    """The spans of one process and its pool children, exported behind the work."""

    def __init__(self, endpoint: str, service: str, *, sample: float = 1.0, is_global: bool = False) -> None:
        url = endpoint.rstrip("/")
        self.export = Export(url if url.endswith("/v1/traces") else f"{url}/v1/traces")
        resource = {
            "service.name": os.environ.get("OTEL_SERVICE_NAME") or f"perdure-{service}",
            "service.version": version("perdure"),
            "host.name": socket.gethostname(),
        }
        provider = TracerProvider(
            # By the trace's id, which is the run's: all processes leave out the same runs.
            sampler=ALWAYS_ON if sample >= 1 else TraceIdRatioBased(sample),
            resource=Resource.create(resource),
            id_generator=_Ids(),
            shutdown_on_exit=False,
        )
        provider.add_span_processor(self.export)
        if is_global:
            trace.set_tracer_provider(provider)
        self._tracer = provider.get_tracer("perdure", version("perdure"))
        atexit.register(self.flush)

    def flush(self, timeout_s: float = LAST_WAIT_S) -> bool:
        """Wait until all spans so far were given to the collector, or dropped; False when that takes too long."""
        return self.export.force_flush(round(timeout_s * 1000))

    def span(
        self,
        name: str,
        run_id: str,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        parent: SpanContext | None = None,
        attributes: Attributes | None = None,
        links: Sequence[Link] = (),
        began_ns: int | None = None,
    ) -> Span:
        """A span in the trace of a run; without a parent one below its start."""
        under = parent or context_of(run_id, "start")
        return self._tracer.start_span(name, _within(under), kind, attributes, links, began_ns)

    def first_span(
        self,
        span: str,
        name: str,
        run_id: str,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        parent: SpanContext | None = None,
        attributes: Attributes | None = None,
        links: Sequence[Link] = (),
        began_ns: int | None = None,
    ) -> Span:
        """The run's `request` or `start`, with the id that other processes expect; without a parent the root."""
        chosen = _chosen.set((int(trace_id_of(run_id), 16), span_id_of(run_id, span)))
        try:
            return self._tracer.start_span(name, _within(parent), kind, attributes, links, began_ns)
        finally:
            _chosen.reset(chosen)

    def started(self, run_ids: Sequence[str], began_ns: int, ended_ns: int, request: SpanContext | None = None) -> None:
        """Tell of runs that were accepted together, in a request or not. Of one run the start is below the request."""
        is_alone = len(run_ids) == 1
        links = [Link(request)] if request and not is_alone else []
        for run_id in run_ids:
            span = self.first_span(
                "start",
                "start",
                run_id,
                parent=request if is_alone else None,
                attributes={"perdure.run_id": run_id},
                links=links,
                began_ns=began_ns,
            )
            span.end(ended_ns)

    def other_span(
        self, name: str, parent: SpanContext | None, *, kind: SpanKind, attributes: Attributes, began_ns: int
    ) -> Span:
        """A span that belongs to no run alone."""
        return self._tracer.start_span(name, _within(parent), kind, attributes, (), began_ns)


def context_of(run_id: str, span: str) -> SpanContext:
    """Where the run's `request` or `start` is, whichever process made it."""
    return SpanContext(
        int(trace_id_of(run_id), 16), span_id_of(run_id, span), is_remote=True, trace_flags=TraceFlags(1)
    )


def current_span(run_id: str) -> SpanContext | None:
    """The span that this thread is in, if it is one of this run."""
    context = trace.get_current_span().get_span_context()
    return context if context.trace_id == int(trace_id_of(run_id), 16) else None


@contextmanager
def within(span: Span) -> Iterator[None]:
    """What this thread makes in the body belongs to the span."""
    with trace.use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False):
        yield


def sent_context(headers: Mapping[str, str]) -> SpanContext | None:
    """What the caller says it is part of: W3C `traceparent` and `tracestate`, if they can be read."""
    context = TraceContextTextMapPropagator().extract(headers, Context())
    found = trace.get_current_span(context).get_span_context()
    return found if found.is_valid else None


def failed(span: Span, code: str, message: str) -> None:
    """The span ended with an error."""
    span.set_status(Status(StatusCode.ERROR, f"{code}: {message}"))
    span.add_event("exception", {"exception.type": code, "exception.message": message})


def _within(parent: SpanContext | None) -> Context:
    return trace.set_span_in_context(NonRecordingSpan(parent), Context()) if parent else Context()
