"""Reads an answer in a thread of its own, so that who hands it on can say meanwhile that it is there, and leave."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Queue

from orchestration.models.port import Delta, OnClose

# So long a refusal is waited for, which then has a status; an answer that begins later begins with a sign of life.
FIRST_S = 3.0
# Whether a client is still there is known by writing to it.
BEAT_S = 5.0
# Pieces read before a slow client took them; the provider waits behind them.
MOST_AHEAD = 256


@dataclass(frozen=True)
class _End:
    error: Exception | None = None


class ReadAhead:
    """One answer. `stream(on_close)` is iterated, and closed, by the thread alone."""

    def __init__(self, stream: Callable[[OnClose], Generator[Delta]]) -> None:
        self._stream = stream
        self._read: Queue[Delta | _End] = Queue(MOST_AHEAD)
        self._first: Delta | _End | None = None
        self._closers: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._is_closed = False
        threading.Thread(target=self._run, name="plain-answer", daemon=True).start()

    def wait_first(self, seconds: float) -> None:
        """Wait for the first piece, no longer than that. Raises: what ended the answer before there was any."""
        self._first = self._next(seconds)
        if isinstance(self._first, _End) and self._first.error is not None:
            raise self._first.error

    def pieces(self, beat_s: float) -> Iterator[Delta | None]:
        """All of it, as it comes; None after each `beat_s` seconds of silence. Raises: what ended the answer."""
        while True:
            piece, self._first = self._first or self._next(beat_s), None
            if isinstance(piece, _End):
                if piece.error is not None:
                    raise piece.error
                return
            yield piece

    def close(self) -> None:
        """End the provider's connection at once. Calling it again does nothing."""
        with self._lock:
            self._is_closed = True
            closers, self._closers = self._closers, []
        try:
            for close in closers:
                close()
        finally:
            # The thread may wait for room, and looks after each piece whether it is to end.
            while self._next(0) is not None:
                pass

    def _next(self, seconds: float) -> Delta | _End | None:
        try:
            return self._read.get(timeout=seconds) if seconds > 0 else self._read.get_nowait()
        except Empty:
            return None

    def _on_close(self, close: Callable[[], None]) -> None:
        with self._lock:
            if not self._is_closed:
                self._closers.append(close)
                return
        close()

    def _run(self) -> None:
        error: Exception | None = None
        deltas = self._stream(self._on_close)
        try:
            for delta in deltas:
                if self._is_closed:
                    return
                self._read.put(delta)
        except Exception as raised:  # for whoever reads
            error = raised
        finally:
            # What it raises now is of an answer that nobody reads, and was logged.
            with suppress(Exception):
                deltas.close()
            if not self._is_closed:
                self._read.put(_End(error))
