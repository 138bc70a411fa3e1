"""Figures for dashboards that are open: read once every few seconds for all of them, and only while there are any."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from math import inf
from time import monotonic
from typing import Any, Protocol

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore

from api.fleet import with_news
from api.metrics_answer import metrics_answer
from api.refusal import Refusal
from api.relay.clients import Clients
from api.relay.greenlets import spawn_vital
from api.relay.native import NativeDatabase, NativeThreads
from orchestration.engine.metrics import WINDOWS, Metrics
from orchestration.engine.queries_workers import read_workers
from orchestration.errors import StoreUnavailable
from schemas.answers.metrics import MetricsAnswer
from settings import Settings

log = logging.getLogger(__name__)

EVERY_S = 5.0
FRESH_S = 1.0
DEFAULT_WINDOW = "5m"


class Source(Protocol):
    """Reads the figures of a window, as `GET /api/orchestration/metrics` answers them, as JSON text."""

    def __call__(self, window: str) -> str:
        """Raises: StoreUnavailable."""


def figures_source(database: NativeDatabase, threads: NativeThreads, settings: Settings) -> Source:
    """A source over these. PostgreSQL is asked on a native thread, Valkey here."""

    def read(window: str) -> str:
        found = threads.run(Metrics(database).read, window)
        overview = threads.run(lambda: read_workers(database, resend_s=settings.resend_s))
        fleet = with_news(overview, settings.redis_url)
        return MetricsAnswer.model_validate(metrics_answer(found, fleet)).model_dump_json(by_alias=True)

    return read


class MetricsFeed:
    """Sends `metrics` to those who subscribed, each with the window it asked for."""

    def __init__(self, source: Source, clients: Clients) -> None:
        self._source = source
        self._clients = clients
        self._windows: dict[str, str] = {}
        self._texts: dict[str, tuple[float, str]] = {}
        self._reading = BoundedSemaphore()
        self._wanted = Event()
        spawn_vital(self._run)

    def subscribe(self, sid: str, window: Any) -> str:
        """Send a client figures from now on, at once the first time; answers the window. Raises: Refusal."""
        window = DEFAULT_WINDOW if window is None else window
        if not isinstance(window, str) or window not in WINDOWS:
            raise Refusal(
                400, "invalid_request", "there is no such window", where="/window", mend=f"one of {', '.join(WINDOWS)}"
            )
        self._windows[sid] = window
        gevent.spawn(self._send, window, [sid])
        self._wanted.set()
        return window

    def unsubscribe(self, sid: str) -> None:
        """Send it nothing more."""
        self._windows.pop(sid, None)

    def _run(self) -> None:
        while True:
            if not self._windows:
                self._wanted.clear()
                self._wanted.wait()
            gevent.sleep(EVERY_S)
            for window in set(self._windows.values()):
                self._send(window, [sid for sid, asked in self._windows.items() if asked == window])

    def _send(self, window: str, sids: Iterable[str]) -> None:
        try:
            text = self._text(window)
        except StoreUnavailable as error:
            log.debug("figures not read: %s", error)
            return
        # One that is behind gets the next ones; these would be old by the time it takes them.
        still = [sid for sid in sids if self._windows.get(sid) == window and self._clients.keeps_up(sid)]
        self._clients.send("metrics", text, still)

    def _text(self, window: str) -> str:
        """Many who subscribe at once are told the same, which is read once."""
        with self._reading:
            read_at, text = self._texts.get(window, (-inf, ""))
            if monotonic() - read_at > FRESH_S:
                text = self._source(window)
                self._texts[window] = monotonic(), text
            return text
