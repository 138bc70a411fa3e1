"""Processes of a peer: wait for them, end them with all their children."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable

import psutil


def tree(pid: int) -> list[int]:
    """A process and all below it; empty when it is gone."""
    try:
        main = psutil.Process(pid)
        return [main.pid, *(child.pid for child in main.children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def end_tree(pid: int) -> None:
    """SIGKILL a process and all below it."""
    for each in tree(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


def wait_for(condition: Callable[[], object], timeout_s: float, what: str, interval_s: float = 0.02) -> None:
    """Wait for something outside this process, which cannot call us.

    Raises: TimeoutError.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_s} s: {what}")
        time.sleep(interval_s)


def cpu_seconds(pids: list[int]) -> float:
    """CPU time that the processes have used so far."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = psutil.Process(pid).cpu_times()
            total += times.user + times.system
    return total


def memory_bytes(pids: list[int]) -> int:
    """Resident memory of the processes."""
    total = 0
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += int(psutil.Process(pid).memory_info().rss)
    return total
