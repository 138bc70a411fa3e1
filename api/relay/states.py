"""The state documents of watched runs: looked at once for all who wait for them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import gevent
from gevent.event import Event
from gevent.lock import RLock

from api.relay.channel import Channel
from api.relay.hub import Hub
from api.relay.native import NativeThreads
from api.relay.problems import unknown_run
from orchestration.chat.reading import Conversations
from orchestration.engine.queries import Queries, State
from orchestration.errors import StoreUnavailable

log = logging.getLogger(__name__)

# An event is looked after at once, but not more often than twice a second; without events every two seconds, since an
# event can be lost after its commit.
LOOK_EVERY_S = 0.5
LOOK_AGAIN_S = 2.0
LARGE_RUN = 200


class StateFeed:
    """The ETag of one run's state, kept fresh while somebody watches. `etag` is None when there is no such run."""

    def __init__(self, run_id: str, hub: Hub, queries: Queries, threads: NativeThreads) -> None:
        self.run_id = run_id
        self.watchers = 0
        self.etag: str | None = None
        # Set once and then replaced, like a channel's.
        self.changed = Event()
        self._hub = hub
        self._queries = queries
        self._threads = threads
        self._error: StoreUnavailable | None = None
        self._looked = False
        self._document: State | None = None
        self._channel: Channel | None = None
        self._reading = RLock()
        self._greenlet = gevent.spawn(self._run)

    def wait_known(self) -> None:
        """Wait for the first look. Raises: Refusal (404) when there is no such run; StoreUnavailable."""
        while not self._looked:
            if self._error is not None:
                raise self._error
            self.changed.wait()
        if self.etag is None:
            raise unknown_run(self.run_id)

    def wait_other(self, etag: str, timeout_s: float) -> bool:
        """Wait until the state's ETag is another one; False when that takes longer."""
        deadline = monotonic() + timeout_s
        while self.etag == etag:
            left = deadline - monotonic()
            if left <= 0:
                return False
            self.changed.wait(left)
        return True

    def document(self) -> State:
        """The state. Raises: Refusal (404) when there is no such run; StoreUnavailable."""
        with self._reading:  # many who wait for the same change read it once
            if self._document is None or self._document.etag != self.etag:
                self._document = self._threads.run(self._read, self._position())
            if self._document is None:
                raise unknown_run(self.run_id)
            return self._document

    def progress(self) -> str:
        """JSON text of what `workflow_progress` carries: the state document, for a large run its summary.

        Raises: Refusal (404); StoreUnavailable.
        """
        summary = self._threads.run(self._queries.summary, self.run_id)
        if summary is None:
            raise unknown_run(self.run_id)
        if summary["total_steps"] > LARGE_RUN:
            return json.dumps(summary, ensure_ascii=False, separators=(",", ":"))
        return self.document().text or ""

    def check_readable(self) -> None:
        """Raises: StoreUnavailable when the last look failed."""
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Look no more."""
        self._greenlet.kill(block=False)

    def _run(self) -> None:
        with self._hub.watch(self.run_id) as channel:
            self._channel = channel
            while True:
                altered = channel.altered
                started = monotonic()
                self._look()
                altered.wait(LOOK_AGAIN_S)
                gevent.sleep(max(0.0, started + LOOK_EVERY_S - monotonic()))

    def _position(self) -> str | None:
        """Where the stream is, taken before the state is read: events behind it may tell the same, none is missed."""
        head = self._channel.head if self._channel is not None else None
        return None if head is None else str(head)

    def _read(self, position: str | None) -> State | None:
        return self._queries.state(self.run_id, position=position)

    def _look(self) -> None:
        try:
            etag = self._threads.run(self._queries.version, self.run_id)
        except StoreUnavailable as error:
            if self._error is None:
                log.warning("state cannot be read: %s", error, extra={"run_id": self.run_id})
            self._error = error
        else:
            self._error = None
            if self._looked and etag == self.etag:
                return
            self._looked = True
            self.etag = etag
        told, self.changed = self.changed, Event()
        told.set()


class States:
    """The feeds of all runs whose state somebody watches."""

    def __init__(self, hub: Hub, queries: Queries, conversations: Conversations, threads: NativeThreads) -> None:
        self._hub = hub
        self._queries = queries
        self._conversations = conversations
        self._threads = threads
        self._feeds: dict[str, StateFeed] = {}

    @contextmanager
    def watch(self, run_id: str) -> Iterator[StateFeed]:
        """The feed of a run, kept fresh for as long as anyone watches it."""
        feed = self._feeds.get(run_id)
        if feed is None:
            feed = self._feeds[run_id] = StateFeed(run_id, self._hub, self._queries, self._threads)
        feed.watchers += 1
        try:
            yield feed
        finally:
            feed.watchers -= 1
            if not feed.watchers:
                self._feeds.pop(run_id, None)
                feed.stop()

    def check_exists(self, run_id: str) -> None:
        """Raises: Refusal (404) when there is no such run; StoreUnavailable."""
        feed = self._feeds.get(run_id)
        if feed is not None and feed.etag is not None:
            return
        if self._threads.run(self._queries.version, run_id) is None:
            raise unknown_run(run_id)

    def answer_of(self, run_id: str) -> str | None:
        """The id of the message that a run answers with; None when it answers none, or that cannot be read."""
        try:
            return self._threads.run(self._conversations.answer_of, run_id)
        except StoreUnavailable:
            return None

    def current_run(self, user: str, cleanup_delay_s: float) -> str | None:
        """The run a user means who names none. Raises: StoreUnavailable."""
        return self._threads.run(self._queries.current_run, user, cleanup_delay_s)
