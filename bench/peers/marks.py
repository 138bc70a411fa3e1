"""Times that worker processes note in a file mapped into memory: a clock that costs the measured work no round trip."""

from __future__ import annotations

import mmap
import struct
import time
from pathlib import Path

SLOT = struct.Struct("d")
POLL_S = 0.002


class Marks:
    """Slots that hold seconds since the epoch, 0 until marked. Processes on this machine share them by the path."""

    def __init__(self, path: Path, slots: int) -> None:
        self.slots = slots
        if not path.exists() or path.stat().st_size < slots * SLOT.size:
            path.write_bytes(bytes(slots * SLOT.size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), slots * SLOT.size)

    def mark(self, slot: int) -> None:
        """Note the time of now."""
        self.put(slot, time.time())

    def put(self, slot: int, value: float) -> None:
        """Note something else, such as the process that acts."""
        SLOT.pack_into(self._map, slot * SLOT.size, value)

    def get(self, slot: int) -> float:
        """What was noted last; 0 if nothing was."""
        return float(SLOT.unpack_from(self._map, slot * SLOT.size)[0])

    def clear(self) -> None:
        """Forget all times."""
        self._map[:] = bytes(len(self._map))

    def times(self, slots: int) -> list[float]:
        """The first so many slots."""
        return [self.get(slot) for slot in range(slots)]

    def wait(self, slots: int, timeout_s: float) -> float:
        """The latest time, once all of the first so many slots are marked.

        Raises: TimeoutError.
        """
        deadline = time.monotonic() + timeout_s
        waiting = 0
        while waiting < slots:
            if self.get(waiting):
                waiting += 1
                continue
            if time.monotonic() > deadline:
                raise TimeoutError(f"{slots - waiting} of {slots} were not marked within {timeout_s} s")
            time.sleep(POLL_S)
        return max(self.times(slots))
