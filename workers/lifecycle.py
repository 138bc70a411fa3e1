"""A worker's life: the keeper before the pool, one WorkerProcess per acting process, a drain at the end."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import tempfile
import threading
import uuid
from pathlib import Path
from typing import Any

from celery import signals

from settings import ROOT, Settings
from workers.process import WorkerProcess, survive_group_term

log = logging.getLogger("perdure.worker")


class Lifecycle:
    """Ties a Celery worker's signals to the keeper and the process state. One per worker's main process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.owner = ""
        self._keeper_path = ""
        self._main_pid = 0
        self._threads = 1
        self._is_prefork = False
        self._process: WorkerProcess | None = None
        self._lock = threading.Lock()

    def connect(self) -> None:
        """Listen to Celery's signals; weak references would be lost with this object's methods."""
        signals.worker_init.connect(self._on_init, weak=False)
        signals.worker_process_init.connect(self._on_child, weak=False)
        signals.worker_shutting_down.connect(self._on_shutting_down, weak=False)

    def process(self) -> WorkerProcess:
        """The state of this process. Raises: RuntimeError outside of a worker."""
        if self._process is None:
            raise RuntimeError("actions run only inside a worker")
        return self._process

    def _on_init(self, sender: Any = None, **_: Any) -> None:
        """The main process, before the pool: start the keeper, so that every child finds it."""
        if self.settings.disable_task_worker:
            raise SystemExit("perdure: DISABLE_TASK_WORKER is set, this worker does not start")
        self._main_pid = os.getpid()
        self._is_prefork = "prefork" in f"{sender.pool_cls}"
        self._threads = 1 if self._is_prefork else int(sender.concurrency or os.cpu_count() or 1)
        self.owner = f"{sender.hostname}-{uuid.uuid4().hex[:8]}"
        self._start_keeper(str(sender.hostname))
        self._process = WorkerProcess(
            self.settings, owner=self.owner, keeper_path=self._keeper_path, role="main", threads=self._threads
        )

    def _on_child(self, **_: Any) -> None:
        """A pool child: its own connections, its own line to the keeper."""
        if self._process is not None:
            # The parent's line, inherited: while we hold it open, the keeper would not see the parent die.
            self._process.keeper.close()
        self._process = WorkerProcess(
            self.settings, owner=self.owner, keeper_path=self._keeper_path, role="child", threads=1
        )
        survive_group_term(self._process.keeper.draining)

    def _on_shutting_down(self, **_: Any) -> None:
        if os.getpid() == self._main_pid and self._process is not None:
            log.info("draining", extra={"seconds": self.settings.drain_s})
            self._process.keeper.drain(self.settings.drain_s)

    def _start_keeper(self, name: str) -> None:
        # Short and private: socket paths have about a hundred characters.
        self._keeper_path = str(Path(tempfile.mkdtemp(prefix="perdure-")) / "keeper")
        # It listens before the keeper runs: nobody waits for it to start, what is said to it waits in the socket.
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(self._keeper_path)
            listener.listen(64)
            keeper = subprocess.Popen(
                [sys.executable, "-m", "workers.keeper"],
                stdin=subprocess.PIPE,
                cwd=ROOT,
                text=True,
                pass_fds=[listener.fileno()],
            )
            settings = {
                "owner": self.owner,
                "name": name,
                "listener": listener.fileno(),
                "database_url": self.settings.database_url,
                "lease_s": self.settings.lease_s,
                "heartbeat_s": self.settings.heartbeat_s,
                "stop_grace_s": self.settings.stop_grace_s,
            }
            assert keeper.stdin is not None
            keeper.stdin.write(json.dumps(settings) + "\n")
            keeper.stdin.close()
        threading.Thread(target=keeper.wait, name="perdure-keeper-reaper", daemon=True).start()
