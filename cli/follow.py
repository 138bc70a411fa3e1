"""Follow a run to its end: events as they come, the state whenever they say that it changed, whatever is restarted."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from typing import Protocol

from cli.client import Client, Refused, Unreachable
from cli.event_feed import Came, EventFeed, LinkChanged, News
from cli.run_view import RunView
from schemas.json import JsonObject

LIVE = "live"
POLLING = "polling every 2 s"
RECONNECTING = "reconnecting"

POLL_S = 2.0
# Although live: an event can be lost after its commit.
LOOK_AGAIN_S = 15.0
# Reads that events ask for are not closer together than this.
READ_EVERY_S = 0.2
TOO_MANY_REQUESTS = 429


class Display(Protocol):
    """Where the progress of a run is shown."""

    def show(self, state: JsonObject, link: str) -> None:
        """Show the run as it is now; `link` says how the news comes."""

    def say(self, text: str) -> None:
        """Show a line that stays."""


Watch = Callable[[JsonObject], None]


def follow(client: Client, run_id: str, display: Display, *, watch: Watch = lambda state: None) -> JsonObject:
    """The final state of a run, once it has ended. A lost connection is waited out, however long it lasts.

    `watch` is called with each state that was read. Raises: Refused, such as for a token that was revoked.
    """
    news: queue.SimpleQueue[News] = queue.SimpleQueue()
    feed = EventFeed(client, run_id, news)
    feed.start()
    try:
        return _Following(client, run_id, display, watch, news).to_the_end()
    finally:
        feed.stop()


class _Following:
    def __init__(
        self, client: Client, run_id: str, display: Display, watch: Watch, news: queue.SimpleQueue[News]
    ) -> None:
        self._client, self._run_id, self._display, self._watch, self._news = client, run_id, display, watch, news
        self._view = RunView()
        self._etag: str | None = None
        self._is_live = False
        self._is_away = False
        self._read_at = -READ_EVERY_S
        self._due = 0.0

    def to_the_end(self) -> JsonObject:
        while True:
            if time.monotonic() >= self._due:
                self._read()
            state = self._view.state
            if state is not None:
                self._display.show(state, self._link)
                if not state["active"]:
                    return state
            self._take_news()

    @property
    def _link(self) -> str:
        return RECONNECTING if self._is_away else LIVE if self._is_live else POLLING

    def _take_news(self) -> None:
        """Wait for news until the state is due, and take all there is."""
        try:
            self._take(self._news.get(timeout=max(0.0, self._due - time.monotonic())))
            while True:
                self._take(self._news.get_nowait())
        except queue.Empty:
            pass

    def _take(self, news: News) -> None:
        match news:
            case Came(event):
                if self._view.apply(event):
                    self._read_soon()
            case LinkChanged(is_up, missed):
                if missed:
                    self._view.forget_progress()
                    self._read_soon()
                self._is_live = is_up

    def _read_soon(self) -> None:
        self._due = min(self._due, self._read_at + READ_EVERY_S)

    def _read(self) -> None:
        try:
            found = self._client.state(self._run_id, self._etag)
        except Unreachable:
            self._is_away = True
        except Refused as refused:
            if refused.status != TOO_MANY_REQUESTS:
                raise
        else:
            self._is_away = False
            if found is not None:
                self._etag, state = found
                self._view.replace(state)
                self._watch(state)
        self._read_at = time.monotonic()
        self._due = self._read_at + (LOOK_AGAIN_S if self._is_live and not self._is_away else POLL_S)
