"""What the processes of one worker know together of their host: its load, and how many background steps each runs.

A few bytes of memory that the main process makes before the pool is forked. Nobody locks it and nobody waits for it.
"""

from __future__ import annotations

import mmap
import struct
import threading
import time
from collections.abc import Callable

from orchestration.gates.load import Level, Load

# A judgement that is older says nothing any more: its process is busy or gone, and whoever knows nothing admits.
STALE_S = 15.0
MOST_PROCESSES = 256

_LOAD = struct.Struct("<dB55p")
_COUNT = struct.Struct("<H")
_LEVELS = tuple(Level)


class HostBoard:
    """Written by the main process, read by all; each counts in a field of its own."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _LOAD.size + MOST_PROCESSES * _COUNT.size)

    def post(self, load: Load) -> None:
        """Tell the judgement of now. Who reads in the midst of it may see half of the reason, which harms nobody."""
        packed = _LOAD.pack(time.monotonic(), _LEVELS.index(load.level), load.reason.encode()[:54])
        self._memory[: _LOAD.size] = packed

    def load(self) -> Load:
        """The last judgement; one that says that all is well where it is stale or there was none."""
        posted_at, level, reason = _LOAD.unpack_from(self._memory)
        if not posted_at or time.monotonic() - posted_at > STALE_S:
            return Load()
        return Load(_LEVELS[level], reason.decode(errors="replace"))

    def count(self, index: int, count: int) -> None:
        """Say how many background steps a process runs."""
        _COUNT.pack_into(self._memory, _LOAD.size + index * _COUNT.size, count)

    def total(self) -> int:
        """How many all processes run. The fields of those that were never there are empty, and cost next to nothing."""
        return sum(self._memory[_LOAD.size :: _COUNT.size]) + 256 * sum(self._memory[_LOAD.size + 1 :: _COUNT.size])


class SharedPlaces:
    """The places of one process; see `orchestration.gates.load.Places`.

    index: this process's among those of the worker; one that takes the place of another begins at nothing.
    """

    def __init__(self, board: HostBoard, index: int) -> None:
        self._board = board
        self._index = index % MOST_PROCESSES
        self._taken = 0
        self._lock = threading.Lock()
        board.count(self._index, 0)

    def take(self, most: int | None) -> Callable[[], None] | None:
        """Take a place. Of two processes that ask for the last one at once both may get none, never both one."""
        with self._lock:
            self._change(1)
            # Counted first and looked at afterwards, so that each of two sees the other.
            if most is not None and self._board.total() > most:
                self._change(-1)
                return None
        return self._give_back

    def _give_back(self) -> None:
        with self._lock:
            self._change(-1)

    def _change(self, by: int) -> None:
        self._taken += by
        self._board.count(self._index, min(self._taken, 0xFFFF))
