"""Read a step's log: what is stored, and what comes while it runs, each character once and in order."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cli.client import Client, Refused, Unreachable
from cli.event_feed import Came, EventFeed, LinkChanged, News
from schemas.json import JsonObject

POLL_S = 2.0
LOOK_AGAIN_S = 15.0
# The database has what events told half a second later.
STORED_AFTER_S = 1.0
PAGE_BYTES = 256 * 1024
TOO_MANY_REQUESTS = 429


@dataclass
class Place:
    """Up to where the log of an attempt was read, in characters."""

    attempt: int
    offset: int = 0


def stored_log(client: Client, run_id: str, step: str | None, place: Place) -> Iterator[str]:
    """What is stored behind `place`, which moves on. Raises: Unreachable, Refused."""
    while True:
        page = client.get(
            "/workflow/logs",
            workflow_id=run_id,
            step=step,
            attempt=place.attempt or None,
            after=place.offset,
            limit=PAGE_BYTES,
        )
        place.attempt = place.attempt or page["attempt"]
        if not page["pieces"]:
            return
        for piece in page["pieces"]:
            yield str(piece["text"])
        place.offset = int(page["next"])


class LogFollower:
    """Follows the log of one step, through all its attempts, until the step has ended."""

    def __init__(
        self, client: Client, run_id: str, step: str, write: Callable[[str], None], say: Callable[[str], None]
    ) -> None:
        """`write` takes the log's text, `say` what is to be said about it."""
        self._client, self._run_id, self._step, self._write, self._say = client, run_id, step, write, say
        self._place = Place(0)
        self._news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._is_live = False
        self._is_away = False
        self._due = 0.0

    def to_the_end(self) -> None:
        """Returns when the step has ended and all of its log is written. Raises: Refused."""
        feed = EventFeed(self._client, self._run_id, self._news)
        feed.start()
        try:
            while not (time.monotonic() >= self._due and self._look()):
                self._take_news()
        finally:
            feed.stop()

    def _look(self) -> bool:
        """Read what is stored; true when nothing more can come."""
        try:
            step = self._client.get("/workflow/steps", workflow_id=self._run_id, step=self._step)["step"]
            if step["attempt"] > self._place.attempt:
                self._begin(step["attempt"])
            for text in stored_log(self._client, self._run_id, self._step, self._place):
                self._write(text)
            ended = self._has_ended(step)
        except Unreachable:
            if not self._is_away:
                self._say("the server does not answer, reconnecting")
            self._is_away, ended = True, False
        except Refused as refused:
            if refused.status != TOO_MANY_REQUESTS:
                raise
            ended = False
        else:
            if self._is_away:
                self._say("reconnected")
            self._is_away = False
        self._due = time.monotonic() + (LOOK_AGAIN_S if self._is_live and not self._is_away else POLL_S)
        return ended

    def _has_ended(self, step: JsonObject) -> bool:
        if step["status"] in ("completed", "failed", "skipped", "cancelled"):
            return True
        run = self._client.get("/workflow/state/summary", workflow_id=self._run_id)["summary"]
        return not run["active"]

    def _take_news(self) -> None:
        try:
            self._take(self._news.get(timeout=max(0.0, self._due - time.monotonic())))
            while True:
                self._take(self._news.get_nowait())
        except queue.Empty:
            pass

    def _take(self, news: News) -> None:
        match news:
            case LinkChanged(is_up, missed):
                self._is_live = is_up
                if missed:
                    self._look_soon(0.0)
            case Came({"type": "log", "key": self._step} as event):
                self._take_piece(event)
            case Came({"type": "step", "key": self._step} | {"type": "run"}):
                self._look_soon(0.0)

    def _take_piece(self, event: JsonObject) -> None:
        if event["attempt"] > self._place.attempt:
            self._look_soon(0.0)
            return
        text, skipped = event["text"], self._place.offset - event["offset"]
        if event["attempt"] < self._place.attempt or skipped >= len(text):
            return
        if skipped < 0:
            self._look_soon(STORED_AFTER_S)  # what lies between was missed
            return
        self._write(text[skipped:])
        self._place.offset += len(text) - skipped

    def _begin(self, attempt: int) -> None:
        if self._place.attempt:
            for text in stored_log(self._client, self._run_id, self._step, self._place):
                self._write(text)
            self._say(f"attempt {attempt}")
        self._place = Place(attempt)

    def _look_soon(self, after_s: float) -> None:
        self._due = min(self._due, time.monotonic() + after_s)
