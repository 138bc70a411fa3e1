"""What the relay knows of one run's events: where the stream stands and the last few of them."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from gevent.event import Event

from messaging.reading import Batch, Entry
from orchestration.errors import StreamUnavailable
from schemas.events import Position

Read = Callable[[str, Position, int], Batch]

KEPT_EVENTS = 1000
KEPT_BYTES = 1024 * 1024
BATCH_EVENTS = 100
BATCH_BYTES = 128 * 1024
LOOK_AGAIN_S = 5.0
# How an event begins that is a piece of a log, see schemas/events.py.
LOG = '{"type":"log"'


class Channel:
    """The end of one run's stream, advanced by the listener. `head` is None until the stream has been found."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.head: Position | None = None
        self.watchers = 0
        # False while the stream cannot be read: what is told then is not all.
        self.is_read = False
        # Set once and then replaced, so that who took it before looking cannot miss what comes after.
        self.changed = Event()
        # The same, but not for lines of logs, which are in no state.
        self.altered = Event()
        self._kept: list[Entry] = []
        self._kept_bytes = 0

    def begin(self, head: Position) -> None:
        """The stream was found, or what was known of it is lost and it goes on from here."""
        self._kept.clear()
        self._kept_bytes = 0
        self.head = head
        self.is_read = True
        self._tell(altered=True)

    def set_read(self, is_read: bool) -> None:
        """Valkey went away, or is back; who waits is told."""
        if self.is_read is not is_read:
            self.is_read = is_read
            self._tell(altered=False)

    def extend(self, batch: Batch) -> None:
        """Take what comes behind `head`."""
        if batch.truncated:
            self.begin(batch.position)
            return
        self._kept.extend(batch.entries)
        self._kept_bytes += sum(len(entry.text) for entry in batch.entries)
        while len(self._kept) > KEPT_EVENTS or self._kept_bytes > KEPT_BYTES:
            self._kept_bytes -= sum(len(entry.text) for entry in self._kept[:BATCH_EVENTS])
            del self._kept[:BATCH_EVENTS]
        self.head = batch.position
        self._tell(altered=not all(entry.text.startswith(LOG) for entry in batch.entries))

    def after(self, position: Position) -> Batch | None:
        """A batch of what comes after a position, if that is kept here."""
        if not self._kept:
            return None
        first = self._kept[0].position
        start = position.seq + 1 - first.seq
        same = position.epoch == first.epoch or (position.epoch == 0 and first.seq == 1)
        if not same or not 0 <= start < len(self._kept):
            return None
        return _cut(self._kept[start : start + BATCH_EVENTS])

    def _tell(self, *, altered: bool) -> None:
        told, self.changed = self.changed, Event()
        told.set()
        if altered:
            told, self.altered = self.altered, Event()
            told.set()


class Cursor:
    """A reader's place in a run's events. Replay and live are the same loop: whatever comes after the place.

    Nothing is buffered for a reader, so one that is slow only falls behind; when the stream no longer holds what comes
    next, the reader is told `truncated`. `after` None means: from now on.
    """

    def __init__(self, channel: Channel, read: Read, after: Position | None) -> None:
        self.position = channel.head if after is None else after
        self._channel = channel
        self._read = read

    def next(self, timeout_s: float) -> Batch | None:
        """What comes next, at once or as soon as it comes; None when nothing does in `timeout_s`."""
        deadline = monotonic() + timeout_s
        while True:
            changed = self._channel.changed
            batch = self._look()
            if batch is not None:
                self.position = batch.position
                return batch
            left = deadline - monotonic()
            if left <= 0:
                return None
            changed.wait(min(left, LOOK_AGAIN_S))

    def _look(self) -> Batch | None:
        head = self._channel.head
        if head is None:
            return None
        if self.position is None:
            # The stream could not be read when the reader came: what it missed since is not known.
            return Batch((), head, truncated=True)
        if self.position == head or (self.position.epoch == head.epoch and self.position.seq > head.seq):
            return None
        kept = self._channel.after(self.position)
        if kept is not None:
            return kept
        try:
            batch = self._read(self._channel.run_id, self.position, BATCH_EVENTS)
        except StreamUnavailable:
            return None
        if batch.truncated or not batch.entries:
            return batch if batch.truncated else None
        return _cut(batch.entries)


def _cut(entries: tuple[Entry, ...] | list[Entry]) -> Batch:
    """As many of these entries as make a batch of bounded size, at least one."""
    size = 0
    for count, entry in enumerate(entries, 1):
        size += len(entry.text)
        if size > BATCH_BYTES:
            entries = entries[:count]
            break
    return Batch(tuple(entries), entries[-1].position)
