"""What a running attempt emits: progress and logs go to the event stream at once and to PostgreSQL twice a second."""

from __future__ import annotations

import logging
import threading
import weakref
from collections import Counter
from collections.abc import Mapping

from orchestration.core.storable import storable, storable_text
from orchestration.engine.attempts import Attempts
from orchestration.engine.leases import Lease
from orchestration.errors import PerdureError, StoreRefused, StoreUnavailable
from orchestration.ports import EventSink, StreamTail
from orchestration.redaction import RedactingStream, Redactor
from orchestration.secrets import SecretStore
from schemas.chat import MAX_TOKENS
from schemas.events import LogEvent, ProgressEvent
from schemas.json import Json, JsonObject
from schemas.progress import Progress
from workers.heard import read_heard
from workers.texts import PACE, Text, TextPace

log = logging.getLogger("perdure.emitter")

PROGRESS_BYTES = 16 * 1024
CHECKPOINT_BYTES = 256 * 1024
MAX_LOG_PIECE = 64 * 1024
MAX_WAITING_LOG = 4 * 1024 * 1024
LOG_FULL = "\n[the log is full: the rest was dropped]\n"


class Flusher:
    """One thread a process that writes what emitters have gathered, every `interval_s` while there is something."""

    def __init__(self, interval_s: float) -> None:
        self.interval_s = interval_s
        self._dirty: weakref.WeakSet[Emitter] = weakref.WeakSet()
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None

    def mark(self, emitter: Emitter) -> None:
        """Have `emitter` flushed within the interval."""
        with self._wake:
            self._dirty.add(emitter)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="perdure-flusher", daemon=True)
                self._thread.start()
            self._wake.notify()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            with self._wake:
                while not self._dirty:
                    self._wake.wait()
            # Gather for a while: a hundred updates cost one write.
            pause.wait(self.interval_s)
            with self._wake:
                emitters, self._dirty = list(self._dirty), weakref.WeakSet()
            for emitter in emitters:
                emitter.flush()


class Emitter:
    """The services of one attempt, see `AttemptServices`."""

    def __init__(
        self,
        lease: Lease,
        attempts: Attempts,
        events: EventSink,
        flusher: Flusher,
        secrets: SecretStore,
        redactor: Redactor,
        pace: TextPace = PACE,
        tail: StreamTail | None = None,
    ) -> None:
        self.lease = lease
        self.attempts = attempts
        self.events = events
        self.flusher = flusher
        self.secrets = secrets
        self.redactor = redactor
        self.tail = tail
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._progress: JsonObject | None = None
        self._pieces: list[tuple[int, str, str]] = []
        self._offset = 0
        self._waiting = 0
        self._log_full = False
        # One for each level: what a secret is cut into arrives on one of the standard streams, not across them.
        self._streams: dict[str, RedactingStream] = {}
        self._counted: Counter[str] = Counter()
        self.agent: str | None = None
        self._text = Text(lease, attempts, events, redactor, pace)

    def progress(self, progress: Progress) -> None:
        """Publish at once, store soon. What is too large is cut to its percent and message, and says so."""
        document = self._storable_progress(progress)
        with self._lock:
            self._progress = document
        self.events.publish(
            self.lease.run_id,
            [
                ProgressEvent(
                    index=self.lease.position, key=self.lease.key, attempt=self.lease.attempt, progress=document
                )
            ],
        )
        self.flusher.mark(self)

    def log(self, text: str, level: str) -> None:
        """Publish at once, store soon. Past the limits of size, one notice says that the rest was dropped."""
        for start in range(0, len(text), MAX_LOG_PIECE):
            self._log_piece(text[start : start + MAX_LOG_PIECE], storable_text(level, 20))

    def write(self, text: str) -> None:
        """Publish at once, store as the pace says. Raises: TooLarge past the largest text."""
        self._text.write(text)
        self.flusher.mark(self)

    def rewrite(self, text: str) -> None:
        """Put another text in place of what was written. Raises: TooLarge."""
        self._text.rewrite(text)
        self.flusher.mark(self)

    def heard(self) -> str:
        """What was written before, as far as readers have heard it; reads the run's events."""
        return read_heard(self.tail, self.lease) if self.tail is not None else self.lease.written

    def checkpoint(self, data: Json) -> None:
        """Store under the fence; waits for PostgreSQL. Raises: LeaseLost, TooLarge, StoreUnavailable."""
        self.attempts.save_checkpoint(self.lease, self.redactor.json(storable(data, max_bytes=CHECKPOINT_BYTES)))

    def result(self, key: str) -> Json:
        """The result of an earlier step. Raises: KeyError."""
        found = self.attempts.load_result(self.lease, key)
        if found is None:
            raise KeyError(key)
        result: Json = found["result"]
        return result

    def secret(self, name: str, host: str | None = None) -> str:
        """The value of a secret, redacted from now on. Raises: Permanent."""
        host = host or (self.lease.host.host if self.lease.host else None)
        value = self.secrets.get(name, action=self.lease.action, host=host)
        self.redactor.add(value)
        return value

    def count_network(self, sent: int, received: int) -> None:
        """Add to what the attempt sent and received, in bytes."""
        self._count(sent_bytes=sent, received_bytes=received)

    def count_tokens(self, prompt: int, completion: int) -> None:
        """Add to the tokens that models read and wrote for the attempt; more than can be counts as the most."""
        self._count(prompt_tokens=min(prompt, MAX_TOKENS), completion_tokens=min(completion, MAX_TOKENS))

    def depends_on(self, agent: str) -> None:
        """Note what the attempt depends on, by the name of its breaker."""
        self.agent = agent

    @property
    def counted(self) -> Mapping[str, int]:
        """What the action counted so far, by its name in the attempt's resources."""
        return self._counted

    def _count(self, **more: int) -> None:
        with self._lock:
            self._counted.update({name: max(0, count) for name, count in more.items()})

    def flush(self, *, whole: bool = False) -> None:
        """Write what was gathered, of a text what is due, or the `whole`. Never raises: no step fails for this."""
        # Whoever comes second waits until the first has written: after `close` nothing is on its way.
        with self._flushing:
            with self._lock:
                progress, self._progress = self._progress, None
                pieces, self._pieces = self._pieces, []
                self._waiting = 0
            try:
                self._save_text(whole)
                self._write(progress, pieces)
            except StoreUnavailable:
                self._put_back(progress, pieces)
                self.flusher.mark(self)
            except (PerdureError, StoreRefused) as error:
                log.warning("progress or log not stored: %s", error, extra={"run_id": self.lease.run_id})

    def close(self) -> bool:
        """Write everything, before the attempt ends. False when PostgreSQL could not take it: call again."""
        with self._lock:
            for level, stream in self._streams.items():
                self._take(stream.flush(), level)
        self._text.end()
        self.flush(whole=True)
        return not self._pieces and not self._text.is_dirty

    def _save_text(self, whole: bool) -> None:
        if whole or self._text.is_due():
            self._text.save()
        elif self._text.is_dirty:
            self.flusher.mark(self)

    def _write(self, progress: JsonObject | None, pieces: list[tuple[int, str, str]]) -> None:
        if progress is not None:
            self.attempts.save_progress(self.lease, progress)
        if pieces and not self.attempts.save_log(self.lease, pieces):
            with self._lock:
                self._end_log()

    def _put_back(self, progress: JsonObject | None, pieces: list[tuple[int, str, str]]) -> None:
        with self._lock:
            self._progress = self._progress or progress
            self._pieces = pieces + self._pieces
            self._waiting = sum(len(text) for _, _, text in self._pieces)

    def _log_piece(self, text: str, level: str) -> None:
        with self._lock:
            # A secret may be cut in two by the pieces it comes in; the stream keeps back what could be its beginning.
            stream = self._streams.setdefault(level, self.redactor.stream())
            self._take(stream.feed(text), level)
        self.flusher.mark(self)

    def _take(self, text: str, level: str) -> None:
        clean = storable_text(text, MAX_LOG_PIECE * 2)
        if not clean or self._log_full:
            return
        if self._waiting + len(clean) > MAX_WAITING_LOG:
            self._end_log()
            return
        self._waiting += len(clean)
        self._pieces.append((self._offset, level, clean))
        self._publish_log(clean, level)

    def _end_log(self) -> None:
        """Take no more, and say so once to those who watch."""
        if not self._log_full:
            self._log_full = True
            log.warning("log limit reached", extra={"run_id": self.lease.run_id, "step": self.lease.key})
            self._publish_log(LOG_FULL, "warning")

    def _publish_log(self, text: str, level: str) -> None:
        event = LogEvent(
            index=self.lease.position,
            key=self.lease.key,
            attempt=self.lease.attempt,
            offset=self._offset,
            level=level,
            text=text,
        )
        self._offset += len(text)
        self.events.publish(self.lease.run_id, [event])

    def _storable_progress(self, progress: Progress) -> JsonObject:
        document: JsonObject = progress.model_dump(mode="json", exclude_none=True)
        try:
            kept: JsonObject = self.redactor.json(storable(document, max_bytes=PROGRESS_BYTES))
        except PerdureError:
            short = {key: document[key] for key in ("type", "percent", "message") if key in document}
            kept = self.redactor.json(storable(short, max_bytes=PROGRESS_BYTES)) | {"cut": True}
        return kept
