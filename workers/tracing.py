"""A span for each attempt, with what became of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from celery import current_task

from orchestration.core.decide import Decision, Verb
from orchestration.engine.attempts import Finished
from orchestration.engine.leases import Lease
from schemas.statuses import AttemptOutcome

if TYPE_CHECKING:
    from tracing_otel import Span, Tracing

_FAILURES = (AttemptOutcome.FAILED, AttemptOutcome.LOST)


class AttemptTraces:
    """The spans of the attempts of one process."""

    def __init__(self, tracing: Tracing) -> None:
        import tracing_otel

        self._otel = tracing_otel
        self._tracing = tracing
        self._current: ContextVar[Span | None] = ContextVar("perdure_attempt_span", default=None)

    @contextmanager
    def attempt(self, lease: Lease, *, handed_over: bool) -> Iterator[None]:
        """A span around an attempt. What the action's own code traces belongs to it."""
        waited_ns = round((time.monotonic() - lease.taken_at) * 1e9)
        span = self._tracing.span(
            f"{lease.action} {lease.key}",
            lease.run_id,
            kind=self._otel.SpanKind.CONSUMER,
            attributes=_attributes(lease, handed_over=handed_over),
            began_ns=time.time_ns() - waited_ns,
        )
        token = self._current.set(span)
        try:
            with self._otel.within(span):
                yield
        finally:
            self._current.reset(token)
            # Of one that has ended these change nothing.
            if span.is_recording():
                span.set_attribute("perdure.outcome", "dropped")
                self._otel.failed(span, "dropped", "the attempt was taken over, or its process could not end it")
                span.end()

    def ended(self, finished: Finished) -> None:
        """The attempt that this thread runs has ended, and that is committed."""
        span = self._current.get()
        if span is None:
            return
        decision = finished.decision
        span.set_attribute("perdure.outcome", decision.outcome.value)
        if decision.error is not None and decision.outcome in _FAILURES:
            self._otel.failed(span, decision.error.code, decision.error.message)
        if decision.verb in (Verb.WAIT, Verb.RETRY):
            span.add_event("step waits", _wait(decision))
        span.end()


def _attributes(lease: Lease, *, handed_over: bool) -> dict[str, str | int | float | bool]:
    found: dict[str, str | int | float | bool] = {
        "perdure.run_id": lease.run_id,
        "perdure.workflow": lease.run_name,
        "perdure.step": lease.key,
        "perdure.action": lease.action,
        "perdure.attempt": lease.attempt,
        "perdure.failures": lease.failures,
        "perdure.handed_over": handed_over,
        "perdure.worker": lease.owner,
    }
    # A step that was handed over is of the queue of the message before it.
    delivery = getattr(current_task.request, "delivery_info", None) if current_task else None
    if delivery and delivery.get("routing_key"):
        found["messaging.destination.name"] = delivery["routing_key"]
    if lease.waited_on is not None:
        found["perdure.waited_on"] = lease.waited_on
    return found


def _wait(decision: Decision) -> dict[str, str | float]:
    """What the step waits for now."""
    found: dict[str, str | float] = {"reason": decision.reason.value if decision.reason else ""}
    if decision.on:
        found["on"] = decision.on
    if decision.delay_s is not None:
        found["delay_s"] = decision.delay_s
    if decision.until is not None:
        found["until"] = decision.until.isoformat()
    if isinstance(decision.result, dict) and isinstance(decision.result.get("message"), str):
        found["message"] = str(decision.result["message"])
    return found
