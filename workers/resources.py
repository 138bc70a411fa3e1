"""What an attempt uses: processor time, memory and network, measured so that a short attempt pays next to nothing.

A pool child runs one attempt at a time, so what its process used is what the attempt used. In a worker of threads the
time is that of the attempt's thread, without the programs it ran; memory can only be told of the process, in which
others ran beside it: an estimate, and labelled so. What went over the network, and the tokens of models, only an action
can tell, see `ActionContext.count_network` and `count_tokens`; where none did, nothing is said of it.

Source: getrusage(2); proc(5), `clear_refs`, for beginning a new peak.
"""

from __future__ import annotations

import contextlib
import resource
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from schemas.json import JsonObject

# Of an attempt that took less nothing is kept: there would be more to store than to tell.
LEAST_WALL_S = 0.005
# A peak that lies so much above what is used now is forgotten, so that the next attempt has one of its own.
_WORTH_A_NEW_PEAK = 1.1
# Kilobytes, but for macOS.
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024
_CLEAR_REFS = Path("/proc/self/clear_refs")
_NEW_PEAK = "5"


@dataclass(slots=True, eq=False)
class Measured:
    """An attempt that is being measured."""

    began: float
    cpu_s: float
    maxrss: int
    highest_bytes: int = 0


class Meter:
    """Measures the attempts of one process. `alone`: it runs one at a time, and nothing beside it."""

    def __init__(self, *, alone: bool) -> None:
        self._alone = alone
        self._process = psutil.Process()
        self._running: list[Measured] = []
        self._lock = threading.Lock()

    def begin(self) -> Measured:
        """Begin with an attempt, on its thread."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        measured = Measured(time.perf_counter(), self._cpu_s(own), own.ru_maxrss)
        with self._lock:
            self._running.append(measured)
        return measured

    def end(
        self, measured: Measured, *, counted: Mapping[str, int] | None = None, agent: str | None = None
    ) -> JsonObject | None:
        """What the attempt used, see `schemas.answers.Resources`; on the thread that began it.

        None for a short one whose action counted nothing. `counted`: what it did count, such as bytes and tokens.
        `agent`: what it depended on, by the name of its breaker.
        """
        wall_s = time.perf_counter() - measured.began
        with self._lock:
            self._running.remove(measured)
        if wall_s < LEAST_WALL_S and not counted:
            return None
        own = resource.getrusage(resource.RUSAGE_SELF)
        now = self._process.memory_info().rss
        peak = own.ru_maxrss * _MAXRSS_UNIT
        # A peak that did not rise was another's, and says only that this attempt's was not higher.
        highest = max(peak if own.ru_maxrss > measured.maxrss else now, measured.highest_bytes)
        if peak > now * _WORTH_A_NEW_PEAK:
            self._begin_new_peak(peak, now)
        used: JsonObject = {
            "wall_s": round(wall_s, 4),
            "cpu_s": round(max(0.0, self._cpu_s(own) - measured.cpu_s), 4),
            "peak_memory_bytes": highest,
            "of": "process" if self._alone else "thread",
            "estimated": not self._alone,
        }
        used |= counted or {}
        if agent is not None:
            used["agent"] = agent
        return used

    def look(self) -> None:
        """Note what memory is in use now; called now and then where attempts run beside each other."""
        if not self._running:
            return
        used = self._process.memory_info().rss
        with self._lock:
            for measured in self._running:
                measured.highest_bytes = max(measured.highest_bytes, used)

    def _cpu_s(self, own: resource.struct_rusage) -> float:
        if not self._alone:
            return time.thread_time()
        programs = resource.getrusage(resource.RUSAGE_CHILDREN)
        return own.ru_utime + own.ru_stime + programs.ru_utime + programs.ru_stime

    def _begin_new_peak(self, peak: int, now: int) -> None:
        with self._lock, contextlib.suppress(OSError):
            _CLEAR_REFS.write_text(_NEW_PEAK)
            for measured in self._running:
                # Those that run beside this one keep what they saw of the old peak.
                if peak > measured.maxrss * _MAXRSS_UNIT:
                    measured.highest_bytes = max(measured.highest_bytes, peak)
                measured.maxrss = now // _MAXRSS_UNIT
