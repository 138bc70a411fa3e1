"""The fault hook of the tests: a file named after a point arms it once, for one step; its content says what to do."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def fault(point: str, run_id: str, step_key: str) -> None:
    """Kill or freeze this process or its worker's main process, if a test asked for it."""
    directory = Path(os.environ["PERDURE_TEST_FAULTS"])
    armed = directory / f"{point}.{step_key}"
    try:
        # Renaming is the claim: of many processes one has the fault.
        armed.rename(directory / f"fired.{point}.{step_key}.{os.getpid()}")
    except FileNotFoundError:
        return
    target, _, name = (directory / f"fired.{point}.{step_key}.{os.getpid()}").read_text().partition(" ")
    main = _main_pid()
    pids = {"child": [os.getpid()], "main": [main], "worker": _tree(main)}[target]
    for pid in pids:
        os.kill(pid, getattr(signal, name))
    if name == "SIGKILL":
        time.sleep(60)  # our own end is on its way; nothing more may happen here
    del run_id


def _main_pid() -> int:
    from billiard import current_process

    return os.getpid() if current_process().name == "MainProcess" else os.getppid()


def _tree(main: int) -> list[int]:
    """The keeper and the children first, so that nobody is left to notice; this process last."""
    import psutil

    family = [child.pid for child in psutil.Process(main).children(recursive=True)] + [main]
    return sorted(family, key=lambda pid: pid == os.getpid())
