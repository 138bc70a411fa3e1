"""What this relay is doing: for its own `/metrics`, and every few seconds in Valkey for those who look at the fleet."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import gevent
from flask import Blueprint, Response, request
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from api.auth.identity import bearer_token, is_metrics_token
from api.exposition import CONTENT_TYPE, text_of
from api.relay.access import Access
from api.relay.admission import Admission
from api.relay.greenlets import spawn_vital
from api.relay.hub import Hub
from api.relay.sockets import Sockets
from messaging.process_figures import EVERY_S, ProcessFigures
from orchestration.errors import StreamUnavailable
from settings import Settings

log = logging.getLogger(__name__)

_GAUGES = {
    "connections": "Open connections, streams and long polls included",
    "sockets": "Socket.IO clients",
    "subscriptions": "Runs subscribed to, over all clients",
    "runs_watched": "Runs whose stream is read",
    "behind": "Clients that catch up",
}
_COUNTERS = {"fell_behind": "Times a client fell behind", "dropped": "Connections ended by the relay"}


class Figures(Collector):
    """The figures of one relay process."""

    def __init__(self, admission: Admission, hub: Hub, sockets: Sockets) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._started_at = datetime.now(UTC).isoformat()
        self._admission = admission
        self._hub = hub
        self._sockets = sockets

    def now(self) -> dict[str, int]:
        """How it stands; the last two since it started."""
        return {
            "connections": self._admission.members,
            "runs_watched": self._hub.watched,
            **self._sockets.figures(),
        }

    def collect(self) -> Iterable[Metric]:
        """In Prometheus' words."""
        now = self.now()
        for field, text in _GAUGES.items():
            yield GaugeMetricFamily(f"perdure_relay_{field}", text, value=now[field])
        for field, text in _COUNTERS.items():
            yield CounterMetricFamily(f"perdure_relay_{field}", text, value=now[field])

    def publish(self, redis_url: str) -> None:
        """Tell Valkey from now on; nobody is told while it is away."""
        spawn_vital(self._publishing(ProcessFigures(redis_url, "relay")))

    def _publishing(self, figures: ProcessFigures) -> Callable[[], None]:
        def run() -> None:
            while True:
                try:
                    figures.publish(self.name, self.now() | {"started_at": self._started_at})
                except StreamUnavailable as error:
                    log.debug("figures not told: %s", error)
                gevent.sleep(EVERY_S)

        return run


def figures_blueprint(settings: Settings, access: Access, figures: Figures) -> Blueprint:
    """The route that Prometheus reads, by a token as the web's, or by that of the setting."""
    bp = Blueprint("figures", __name__)

    @bp.get("/metrics")
    def metrics() -> Response:
        bearer = bearer_token(request.headers.get("Authorization"))
        if bearer is None or not is_metrics_token(settings, bearer):
            access.leave(access.enter())
        return Response(text_of(figures), content_type=CONTENT_TYPE)

    return bp
