"""Spans of starts and of the requests that brought them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flask import Flask, Response, g, has_request_context, request

from orchestration.engine.starts import StartedRun

if TYPE_CHECKING:
    from tracing_otel import SpanContext, Tracing

_NOTED = "perdure_started_runs"
_BEGAN = "perdure_request_began"


class StartTraces:
    """Hears of runs that were accepted; tells of them once the answer is known.

    A request that starts one run is the root of that run's trace. What the caller says it is part of (`traceparent`)
    becomes a link, not the parent: a trace has one id, and the run's is made from its own id, so that workers need not
    be told it, also long after. One that starts many runs is a trace of its own, or part of the caller's; each run's
    start has a link to it.
    """

    def __init__(self, tracing: Tracing) -> None:
        import tracing_otel

        self._otel = tracing_otel
        self._tracing = tracing

    def started(self, runs: Sequence[StartedRun], began_ns: int) -> None:
        """These were accepted together; one that was there before is not told of again."""
        ids = [run.run_id for run in runs if run.created]
        if not ids:
            return
        ended_ns = time.time_ns()
        if has_request_context():
            g.setdefault(_NOTED, []).append((ids, began_ns, ended_ns))
        else:
            self._tracing.started(ids, began_ns, ended_ns)

    def connect(self, app: Flask) -> None:
        """Follow the requests of this app. Called first, so that they are measured with all that stands around them."""

        @app.before_request
        def _begin() -> None:
            setattr(g, _BEGAN, time.time_ns())

        @app.after_request
        def _end(answer: Response) -> Response:
            for ids, began_ns, ended_ns in g.pop(_NOTED, ()):
                self._tracing.started(ids, began_ns, ended_ns, self._request(ids, answer))
            return answer

    def _request(self, ids: Sequence[str], answer: Response) -> SpanContext:
        began_ns = g.get(_BEGAN) or time.time_ns()
        route = request.url_rule.rule if request.url_rule is not None else "none"
        name = f"{request.method} {route}"
        attributes: dict[str, str | int | float | bool] = {
            "http.request.method": request.method,
            "http.route": route,
            "http.response.status_code": answer.status_code,
        }
        caller = self._otel.sent_context({name.lower(): value for name, value in request.headers.items()})
        kind = self._otel.SpanKind.SERVER
        if len(ids) == 1:
            attributes["perdure.run_id"] = ids[0]
            links = [self._otel.Link(caller)] if caller else []
            span = self._tracing.first_span(
                "request", name, ids[0], kind=kind, attributes=attributes, links=links, began_ns=began_ns
            )
        else:
            attributes["perdure.runs"] = len(ids)
            span = self._tracing.other_span(name, caller, kind=kind, attributes=attributes, began_ns=began_ns)
        span.end()
        return span.get_span_context()
