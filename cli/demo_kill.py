"""Kill one process of the demo in the middle of the run, and tell when it is back."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

from schemas.json import JsonObject
from settings import read_stack

LOOK_EVERY_S = 0.1
BACK_WITHIN_S = 30.0


class Kill(StrEnum):
    """What can be killed."""

    WORKER = "worker"
    VALKEY = "valkey"
    POSTGRES = "postgres"
    WEB = "web"
    RELAY = "relay"


# The steps of the demo run in this worker.
SERVICES = {Kill.WORKER: "worker-io"}


class Killer:
    """Sends SIGKILL once, while the step in the middle of the run is in progress. Does nothing for `target` None."""

    def __init__(self, data_dir: Path, target: Kill | None) -> None:
        self.say: Callable[[str], None] = lambda text: None
        self._data_dir = data_dir
        self._target = target
        self._service = "" if target is None else SERVICES.get(target, target.value)
        self._thread: threading.Thread | None = None
        self._is_back = threading.Event()

    @property
    def has_killed_if_asked(self) -> bool:
        """False when a kill was asked for and did not take place, or what was killed did not come back."""
        return self._target is None or self._is_back.is_set()

    def watch(self, state: JsonObject) -> None:
        """Look whether it is time."""
        if self._target is None or self._thread is not None:
            return
        middle = state["total_steps"] // 2
        step = next((step for step in state["steps"] if step["index"] >= middle), None)
        if step is not None and step["status"] == "in_progress":
            self._kill(step["label"])

    def finish(self) -> None:
        """Wait until what was killed is back."""
        if self._thread is not None:
            self._thread.join(BACK_WITHIN_S)

    def _kill(self, label: str) -> None:
        pid = self._pid()
        if pid is None:
            return
        os.kill(pid, signal.SIGKILL)
        self.say(f"killed {self._service} (pid {pid}) in the middle of: {label}")
        self._thread = threading.Thread(target=self._wait_until_back, args=(pid,), name="demo-kill", daemon=True)
        self._thread.start()

    def _wait_until_back(self, killed: int) -> None:
        began = time.monotonic()
        pause = threading.Event()
        while time.monotonic() - began < BACK_WITHIN_S:
            now = self._pid()
            if now is not None and now != killed:
                self._is_back.set()
                self.say(f"{self._service} runs again (pid {now}) after {time.monotonic() - began:.1f} s")
                return
            pause.wait(LOOK_EVERY_S)

    def _pid(self) -> int | None:
        processes: dict[str, Any] = read_stack(self._data_dir).get("processes", {})
        return processes.get(self._service)
