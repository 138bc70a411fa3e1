"""Figures for dashboards that are open: read once every few seconds for all of them, and only while there are any."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Any, Protocol

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore

from api.fleet import look_at_news, with_news
from api.metrics_answer import flow_answer, metrics_answer
from api.refusal import Refusal
from api.relay.clients import Clients
from api.relay.greenlets import spawn_vital
from api.relay.native import NativeDatabase, NativeThreads
from orchestration.engine.metrics import Metrics
from orchestration.engine.queries_flow import read_flow
from orchestration.engine.queries_workers import read_workers
from orchestration.errors import StoreUnavailable
from schemas.answers.metrics import FlowAnswer, MetricsAnswer
from settings import Settings

log = logging.getLogger(__name__)

# How often each window is sent: the figures of a week do not change from one second to the next.
WINDOWS_S = {"5m": 3.0, "1h": 5.0, "24h": 15.0, "7d": 30.0}
DEFAULT_WINDOW = "5m"
FLOW = "now"
FLOW_S = {FLOW: 2.0}
FRESH_S = 1.0
LOOK_S = 0.5


class Source(Protocol):
    """Reads the figures of a topic, as HTTP answers them, as JSON text."""

    def __call__(self, topic: str, /) -> str:
        """Raises: StoreUnavailable."""


@dataclass(frozen=True)
class Sources:
    """What `GET /api/orchestration/metrics`, by window, and `GET /api/orchestration/flow` answer."""

    metrics: Source
    flow: Source


def figures_sources(database: NativeDatabase, threads: NativeThreads, settings: Settings) -> Sources:
    """Sources over these. PostgreSQL is asked on a native thread, Valkey here."""

    def metrics(window: str) -> str:
        found = threads.run(Metrics(database).read, window)
        overview = threads.run(lambda: read_workers(database, resend_s=settings.resend_s))
        fleet = with_news(overview, settings.redis_url)
        return MetricsAnswer.model_validate(metrics_answer(found, fleet)).model_dump_json(by_alias=True)

    def flow(_: str) -> str:
        found = flow_answer(threads.run(read_flow, database), look_at_news(settings.redis_url))
        return FlowAnswer.model_validate(found).model_dump_json(by_alias=True)

    return Sources(metrics, flow)


class FiguresFeed:
    """Sends an event to those who subscribed, each with the topic it asked for, as often as `every_s` says of it."""

    def __init__(self, event: str, every_s: Mapping[str, float], source: Source, clients: Clients) -> None:
        self._event = event
        self._every_s = every_s
        self._source = source
        self._clients = clients
        self._topics: dict[str, str] = {}
        self._sent_at: dict[str, float] = {}
        self._texts: dict[str, tuple[float, str]] = {}
        self._reading = BoundedSemaphore()
        self._wanted = Event()
        spawn_vital(self._run)

    def subscribe(self, sid: str, topic: str) -> None:
        """Send a client figures from now on, at once the first time."""
        self._topics[sid] = topic
        gevent.spawn(self._send, topic, [sid])
        self._wanted.set()

    def unsubscribe(self, sid: str) -> None:
        """Send it nothing more."""
        self._topics.pop(sid, None)

    def _run(self) -> None:
        while True:
            if not self._topics:
                self._sent_at.clear()
                self._wanted.clear()
                self._wanted.wait()
            now = monotonic()
            for topic in set(self._topics.values()):
                if now - self._sent_at.setdefault(topic, now) >= self._every_s[topic]:
                    self._sent_at[topic] = now
                    self._send(topic, [sid for sid, asked in self._topics.items() if asked == topic])
            gevent.sleep(LOOK_S)

    def _send(self, topic: str, sids: Iterable[str]) -> None:
        try:
            text = self._text(topic)
        except StoreUnavailable as error:
            log.debug("figures not read: %s", error)
            return
        # One that is behind gets the next ones; these would be old by the time it takes them.
        still = [sid for sid in sids if self._topics.get(sid) == topic and self._clients.keeps_up(sid)]
        self._clients.send(self._event, text, still)

    def _text(self, topic: str) -> str:
        """Many who subscribe at once are told the same, which is read once."""
        with self._reading:
            read_at, text = self._texts.get(topic, (-inf, ""))
            if monotonic() - read_at > FRESH_S:
                text = self._source(topic)
                self._texts[topic] = monotonic(), text
            return text


def window_of(asked: Any) -> str:
    """The window that a client asks for. Raises: Refusal."""
    window = DEFAULT_WINDOW if asked is None else asked
    if not isinstance(window, str) or window not in WINDOWS_S:
        raise Refusal(
            400, "invalid_request", "there is no such window", where="/window", mend=f"one of {', '.join(WINDOWS_S)}"
        )
    return window
