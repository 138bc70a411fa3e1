"""What an attempt writes, piece by piece: to readers at once, to PostgreSQL every few seconds or so many pieces."""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import dataclass

from orchestration.core.storable import size_bytes, storable_text
from orchestration.engine.attempts import RESULT_BYTES, Attempts
from orchestration.engine.leases import Lease
from orchestration.errors import LeaseLost, StoreRefused, StoreUnavailable, TooLarge
from orchestration.ports import EventSink
from orchestration.redaction import Redactor
from schemas.events import TextEvent

log = logging.getLogger("perdure.texts")

# As JSON: most texts end up in a result, beside a few words more.
MAX_BYTES = RESULT_BYTES - 16 * 1024


@dataclass(frozen=True)
class TextPace:
    """How often a growing text is stored: after so many seconds, or so many pieces (tokens, as models send them)."""

    seconds: float = 2.0
    pieces: int = 100


PACE = TextPace()


class Text:
    """The text of one attempt. Safe to share between the thread that writes and the one that stores."""

    def __init__(
        self, lease: Lease, attempts: Attempts, events: EventSink, redactor: Redactor, pace: TextPace = PACE
    ) -> None:
        self._lease = lease
        self._attempts = attempts
        self._events = events
        self._pace = pace
        self._redactor = redactor
        # A model's answer may speak of passwords and tokens: what only looks like a secret is not masked in it.
        self._stream = redactor.stream(guess=False)
        self._lock = threading.Lock()
        self._length = len(lease.written)
        self._size = size_bytes(lease.written)
        self._edition = 0
        # What another attempt wrote and this one goes on from: said again with the first piece. Readers may have heard
        # of more, or of another text, that was lost with that attempt.
        self._repeated = lease.written
        # What is not stored yet: `_unsaved` stands behind the first `_saved` characters.
        self._saved = self._length
        self._unsaved: list[str] = []
        self._dirty = False
        self._saved_at = time.monotonic()

    def write(self, text: str) -> None:
        """Add a piece. Raises: TooLarge past the largest text."""
        with self._lock:
            # A secret may be cut in two by the pieces it comes in; the stream keeps back what could be its beginning.
            self._add(self._stream.feed(text))

    def rewrite(self, text: str) -> None:
        """Put another text in place of all that was written. Raises: TooLarge, what was written stays then."""
        with self._lock:
            clean = self._redactor.text(text, guess=False)
            if size_bytes(storable_text(clean, len(clean))) > MAX_BYTES:
                raise TooLarge(f"a text of more than {MAX_BYTES} bytes")
            self._stream = self._redactor.stream(guess=False)
            self._length = self._size = self._saved = 0
            self._edition += 1
            self._repeated = ""
            self._unsaved = []
            # It may be much that nobody else has, and an attempt after this one is to go on from it.
            self._saved_at = -math.inf
            self._add(clean, always=True)

    def end(self) -> None:
        """Let out what was kept back."""
        with self._lock:
            self._add(self._stream.flush())

    def is_due(self) -> bool:
        """Whether it is time to store what is not."""
        return self._dirty and (
            len(self._unsaved) >= self._pace.pieces or time.monotonic() - self._saved_at >= self._pace.seconds
        )

    @property
    def is_dirty(self) -> bool:
        """Whether something is not stored."""
        return self._dirty

    def save(self) -> None:
        """Store what is not. Raises: StoreUnavailable, after which it may be tried again."""
        with self._lock:
            if not self._dirty:
                return
            offset, pieces, self._unsaved, self._dirty = self._saved, self._unsaved, [], False
            edition = self._edition
            self._saved, self._saved_at = self._length, time.monotonic()
        try:
            self._attempts.save_text(self._lease, offset, "".join(pieces), edition=edition)
        except (LeaseLost, StoreRefused) as error:
            log.warning("text not stored: %s", error, extra={"run_id": self._lease.run_id, "step": self._lease.key})
        except StoreUnavailable:
            with self._lock:
                # Rewritten meanwhile, it begins at 0 and needs nothing of this.
                if self._saved >= offset + sum(map(len, pieces)):
                    self._saved, self._unsaved = offset, pieces + self._unsaved
                self._dirty = True
            raise

    def _add(self, text: str, always: bool = False) -> None:
        clean = storable_text(text, len(text))
        if not clean and not always:
            return
        size = size_bytes(clean) - 2  # without its quotes: a piece may be a single letter
        if self._size + size > MAX_BYTES:
            raise TooLarge(f"a text of more than {MAX_BYTES} bytes")
        self._size += size
        repeated, self._repeated = self._repeated, ""
        event = TextEvent(
            index=self._lease.position,
            key=self._lease.key,
            attempt=self._lease.attempt,
            edition=self._edition,
            offset=self._length - len(repeated),
            text=repeated + clean,
        )
        self._length += len(clean)
        self._unsaved.append(clean)
        self._dirty = True
        self._events.publish(self._lease.run_id, [event])
