"""Events of this process on their way to Valkey: a bounded queue in memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass

MAX_EVENTS = 10_000
MAX_BYTES = 8 * 1024 * 1024
BATCH_EVENTS = 500
BATCH_BYTES = 1024 * 1024


@dataclass(slots=True)
class Queued:
    """One event. `kind` says what it means for the life of the stream: final, open or more.

    `urgent`: somebody waits for it, and nothing is to be gathered first.
    """

    run_id: str
    text: str
    kind: str
    replaces: Hashable | None = None
    urgent: bool = False


class Outbox:
    """First in, first out. Newer progress of the same attempt replaces what still waits.

    When it is full the oldest events go: the newest say how things stand. Runs that lost events are remembered, so that
    their readers can be told.
    """

    def __init__(self, *, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES) -> None:
        self.dropped = 0
        self.coalesced = 0
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._bytes = 0
        self._queue: deque[Queued] = deque()
        self._replaceable: dict[Hashable, Queued] = {}
        self._in_hand = 0
        # Not the condition: each event that comes would wake who waits for this.
        self._urgent = threading.Event()
        self._lost: set[str] = set()
        self._changed = threading.Condition()

    def put(self, events: list[Queued]) -> None:
        """Queue events without waiting for anything but the queue's own lock."""
        with self._changed:
            for event in events:
                waiting = self._replaceable.get(event.replaces) if event.replaces is not None else None
                if waiting is not None:
                    self._bytes += len(event.text) - len(waiting.text)
                    waiting.text = event.text
                    self.coalesced += 1
                    continue
                self._queue.append(event)
                self._bytes += len(event.text)
                if event.urgent:
                    self._urgent.set()
                if event.replaces is not None:
                    self._replaceable[event.replaces] = event
            while self._queue and (len(self._queue) > self._max_events or self._bytes > self._max_bytes):
                self._lose(self._pop().run_id)
                self.dropped += 1
            self._changed.notify_all()

    def gather(self, longest_s: float) -> None:
        """Let more come, until there is something urgent."""
        self._urgent.wait(longest_s)

    def take(self) -> list[Queued]:
        """Wait until there is something and take a batch in hand; `done` or `put_back` must follow."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue)
            self._urgent.clear()
            batch: list[Queued] = []
            size = 0
            while self._queue and len(batch) < BATCH_EVENTS and size < BATCH_BYTES:
                batch.append(self._pop())
                size += len(batch[-1].text)
            self._in_hand = len(batch)
            return batch

    def done(self) -> None:
        """The batch in hand is dealt with."""
        with self._changed:
            self._in_hand = 0
            self._changed.notify_all()

    def put_back(self, batch: list[Queued]) -> None:
        """The batch in hand was not sent: it goes first again, as far as there is room."""
        with self._changed:
            for event in reversed(batch):
                if event.replaces is not None and event.replaces in self._replaceable:
                    self.coalesced += 1
                elif len(self._queue) >= self._max_events or self._bytes + len(event.text) > self._max_bytes:
                    self._lose(event.run_id)
                    self.dropped += 1
                else:
                    self._queue.appendleft(event)
                    self._bytes += len(event.text)
                    if event.replaces is not None:
                        self._replaceable[event.replaces] = event
            self._in_hand = 0
            self._changed.notify_all()

    def drop(self, run_id: str, count: int) -> None:
        """Count events of a run that were given up elsewhere."""
        with self._changed:
            self._lose(run_id)
            self.dropped += count

    def pop_lost(self, run_id: str) -> bool:
        """Whether events of the run were dropped since this was last asked."""
        with self._changed:
            if run_id in self._lost:
                self._lost.remove(run_id)
                return True
            return False

    def wait_empty(self, timeout_s: float) -> bool:
        """Wait until all is sent; False when that takes longer than `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue and not self._in_hand, timeout_s)

    def _lose(self, run_id: str) -> None:
        if len(self._lost) < self._max_events:
            self._lost.add(run_id)

    def _pop(self) -> Queued:
        event = self._queue.popleft()
        self._bytes -= len(event.text)
        if event.replaces is not None and self._replaceable.get(event.replaces) is event:
            del self._replaceable[event.replaces]
        return event
