"""Figures as Prometheus reads them: of the HTTP requests of this process, or of all processes of one gunicorn.

Several processes behind one port share their figures in the directory that PROMETHEUS_MULTIPROC_DIR names; without it
each has its own. Source: https://prometheus.github.io/client_python/multiprocess/
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CONTENT_TYPE = CONTENT_TYPE_LATEST
_ROUTE = "perdure.route"
# Polls of the state are answered before Flask has looked at their address.
_POLLED = "/workflow/state"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


class HttpMetrics:
    """What this process answered."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "perdure_http_requests", "Requests answered", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "perdure_http_request_seconds",
            "Time until an answer began",
            ["route"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            ProcessCollector(registry=self._registry)

    def note(self, method: str, route: str, status: str, seconds: float) -> None:
        """Count one answer."""
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self, *more: Collector) -> bytes:
        """All of it in Prometheus' words, and what else is collected."""
        parts = [generate_latest(self._shared() if "PROMETHEUS_MULTIPROC_DIR" in os.environ else self._registry)]
        for collector in more:
            parts.append(text_of(collector))
        return b"".join(parts)

    def _shared(self) -> CollectorRegistry:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return registry


def text_of(collector: Collector) -> bytes:
    """What one collector tells, in Prometheus' words."""
    registry = CollectorRegistry(auto_describe=False)
    # `register` would collect once to learn the names.
    registry.collect = collector.collect  # type: ignore[method-assign]
    return generate_latest(registry)


def measure(app: Flask) -> None:
    """Count all that this app answers, the outermost of what stands around it."""
    metrics = app.extensions["perdure_http"] = HttpMetrics()
    app.after_request(_name_route)
    app.wsgi_app = Measured(app.wsgi_app, metrics)  # type: ignore[method-assign]


def _name_route(answer: Response) -> Response:
    # By the rule, so that the names are as few as the rules.
    request.environ[_ROUTE] = request.url_rule.rule if request.url_rule is not None else "none"
    return answer


class Measured:
    """Counts what the app inside of it answers."""

    def __init__(self, app: WSGIApplication, metrics: HttpMetrics) -> None:
        self.app = app
        self._metrics = metrics

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        began = perf_counter()

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Callable[[bytes], object]:
            route = environ.get(_ROUTE) or (_POLLED if environ.get("PATH_INFO") == _POLLED else "none")
            self._metrics.note(_method(environ), route, status[:3], perf_counter() - began)
            return start_response(status, headers, *rest)

        return self.app(environ, start)


def _method(environ: WSGIEnvironment) -> str:
    method = str(environ.get("REQUEST_METHOD", ""))
    # Anybody may invent methods.
    return method if method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS") else "other"
