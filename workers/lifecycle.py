"""A worker's life: the keeper before the pool, one WorkerProcess per acting process, a drain at the end."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from billiard import current_process
from celery import Celery, bootsteps, signals

from messaging.process_figures import ProcessFigures
from orchestration.engine.planning import INTERACTIVE_QUEUES
from orchestration.gates.load import LoadGate
from settings import ROOT, Settings
from workers.figures import WorkerFigures
from workers.host_board import HostBoard, SharedPlaces
from workers.keeper import IGNORED
from workers.process import WorkerProcess

if TYPE_CHECKING:
    from tracing_otel import Tracing

log = logging.getLogger("perdure.worker")


class Lifecycle:
    """Ties a Celery worker's signals to the keeper and the process state. One per worker's main process."""

    def __init__(self, settings: Settings, tracing: Tracing | None = None) -> None:
        self.settings = settings
        self._tracing = tracing
        self.owner = ""
        self._hostname = ""
        self._keeper_path = ""
        self._main_pid = 0
        self._slots = 1
        self.board = HostBoard()
        self._process: WorkerProcess | None = None
        self._figures = WorkerFigures(ProcessFigures(settings.redis_url, "worker"))

    def connect(self, app: Celery) -> None:
        """Listen to Celery's signals; weak references would be lost with this object's methods."""
        signals.worker_init.connect(self._on_init, weak=False)
        signals.worker_process_init.connect(self._on_child, weak=False)
        signals.worker_shutting_down.connect(self._on_shutting_down, weak=False)
        if self._tracing is not None:
            # A pool child ends without Python's own end, which would do it.
            signals.worker_process_shutdown.connect(self._flush_traces, weak=False)
        app.steps["worker"].add(drain_step(self))

    def process(self) -> WorkerProcess:
        """The state of this process. Raises: RuntimeError outside of a worker."""
        if self._process is None:
            raise RuntimeError("actions run only inside a worker")
        return self._process

    def look(self) -> None:
        """See what memory the attempts of this process use, and tell how it stands."""
        if self._process is not None:
            self._process.meter.look()
            self._figures.tell(self._hostname, self._process.dropped)

    def drain(self) -> None:
        """Claim nothing more, and hand back what is not done in time. Again changes nothing."""
        if os.getpid() == self._main_pid and self._process is not None:
            self._process.keeper.drain(self.settings.drain_s)

    def _on_init(self, sender: Any = None, **_: Any) -> None:
        """The main process, before the pool: start the keeper, so that every child finds it."""
        with or_else_exit("this worker cannot start"):
            self._main_pid = os.getpid()
            if self.settings.log_format == "json":
                # Celery's banner is a picture.
                sender.quiet = True
            pool = pool_of(sender.pool_cls)
            threads = 1 if pool == "prefork" else int(sender.concurrency)
            self._hostname = str(sender.hostname)
            self.owner = f"{self._hostname}-{uuid.uuid4().hex[:8]}"
            queues = [str(queue) for queue in sender.app.amqp.queues.consume_from]
            slots = _slots(sender)
            self._slots = slots or os.cpu_count() or 1
            self._start_keeper({"pool": pool, "concurrency": slots, "queues": queues})
            self._process = self._make_process("main", threads)
            if pool != "prefork" and not set(queues).isdisjoint(INTERACTIVE_QUEUES.values()):
                self._process.prepare_models()

    def _on_child(self, **_: Any) -> None:
        """A pool child: its own connections, its own line to the keeper."""
        with or_else_exit("this pool child cannot start"):
            if self._process is not None:
                # The parent's line, inherited: while we hold it open, the keeper would not see the parent die.
                self._process.keeper.close()
            self._process = self._make_process("child", 1)

    def _flush_traces(self, **_: Any) -> None:
        if self._tracing is not None:
            self._tracing.flush()

    def _make_process(self, role: str, threads: int) -> WorkerProcess:
        return WorkerProcess(
            self.settings,
            owner=self.owner,
            hostname=self._hostname,
            keeper_path=self._keeper_path,
            role=role,
            threads=threads,
            load_gate=self._load_gate(role),
            tracing=self._tracing,
        )

    def _load_gate(self, role: str) -> LoadGate:
        # A child that takes the place of another takes its number, too.
        index = getattr(current_process(), "index", 0) if role == "child" else 0
        return LoadGate(
            self.board.load,
            SharedPlaces(self.board, index),
            host=socket.gethostname(),
            most=max(1, int(self._slots * self.settings.load_share)),
        )

    def _on_shutting_down(self, **_: Any) -> None:
        self.drain()

    def _start_keeper(self, declared: Mapping[str, Any]) -> None:
        # Short and private: socket paths have about a hundred characters.
        self._keeper_path = str(Path(tempfile.mkdtemp(prefix="perdure-")) / "keeper")
        # It listens before the keeper runs: nobody waits for it to start, what is said to it waits in the socket.
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(self._keeper_path)
            listener.listen(64)
            # Blocked until it ignores them: a signal to the whole group must not end it while it starts.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, IGNORED)
            try:
                keeper = subprocess.Popen(
                    [sys.executable, "-m", "workers.keeper"],
                    stdin=subprocess.PIPE,
                    cwd=ROOT,
                    text=True,
                    pass_fds=[listener.fileno()],
                )
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            settings = {
                "owner": self.owner,
                "pid": os.getpid(),
                "name": self._hostname,
                "declared": declared,
                "listener": listener.fileno(),
                "database_url": self.settings.database_url,
                "redis_url": self.settings.redis_url,
                "lease_s": self.settings.lease_s,
                "heartbeat_s": self.settings.heartbeat_s,
                "stop_grace_s": self.settings.stop_grace_s,
                "log_level": self.settings.log_level,
                "log_format": self.settings.log_format,
            }
            assert keeper.stdin is not None
            keeper.stdin.write(json.dumps(settings) + "\n")
            keeper.stdin.close()
        threading.Thread(target=keeper.wait, name="perdure-keeper-reaper", daemon=True).start()


@contextlib.contextmanager
def or_else_exit(what: str) -> Iterator[None]:
    """End the process when the body fails. Celery would log it and go on, and the worker would swallow messages."""
    try:
        yield
    except Exception as error:
        log.exception("%s", what)
        raise SystemExit(f"perdure: {what}: {error}") from error


def pool_of(pool_cls: Any) -> str:
    """`prefork` or `threads`, from Celery's name or class of a pool. Raises: SystemExit for any other."""
    name = f"{pool_cls}".lower()
    if "prefork" in name:
        return "prefork"
    if "thread" in name:
        return "threads"
    raise SystemExit(f"perdure: pool {pool_cls!r} is not supported; use --pool threads or --pool prefork")


def _slots(worker: Any) -> int | None:
    """How many steps a worker takes at once, at most where it grows and shrinks; None for `auto`, decided later."""
    autoscale = worker.options.get("autoscale")
    most = autoscale[0] if isinstance(autoscale, tuple) else worker.concurrency
    return int(most) if str(most).isdecimal() else None


def drain_step(lifecycle: Lifecycle) -> type[bootsteps.StartStopStep]:
    """The bootstep that drains whatever ends the worker; `celery control shutdown` sends no signal."""

    class DrainStep(bootsteps.StartStopStep):
        """Is asked to close before the pool is stopped, which waits for its tasks."""

        def start(self, parent: Any) -> None:
            """Nothing to start."""

        def close(self, parent: Any) -> None:
            del parent
            lifecycle.drain()

        def stop(self, parent: Any) -> None:
            """Nothing to stop."""

    return DrainStep
