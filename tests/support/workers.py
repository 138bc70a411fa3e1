"""Real Celery workers in processes of their own, restarted when they die, and the engine that gives them work."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from messaging.celery_app import make_celery
from messaging.dispatcher import CeleryDispatcher
from orchestration.actions.registry import load_actions
from orchestration.engine.runs import Runs, StartedRun
from orchestration.errors import StoreUnavailable
from orchestration.store.database import Database
from schemas.workflow import WorkflowSpec
from tests.support.engine import ALICE, Recorder, broken_invariants
from tests.support.processes import cmdline
from tests.support.seed import Process, start_celery

POOLS = {
    "threads": ["--pool", "threads", "-c", "8", "-Q", "default"],
    "prefork": ["-c", "2", "-Q", "killable"],
    "interactive": ["--pool", "threads", "-c", "64", "-Q", "interactive"],
    "interactive children": ["-c", "2", "-Q", "interactive"],
    # Two: while one child has gone, and Celery may take 5 s to notice, the other takes the next step.
    "one child a step": ["-c", "2", "--max-tasks-per-child", "1", "-Q", "killable"],
    "autoscaled": ["--autoscale", "3,1", "-Q", "killable"],
    "solo": ["--pool", "solo", "-Q", "default"],
}


class WorkerProcess:
    """One `celery worker`, started again whenever it dies unless told otherwise."""

    def __init__(self, name: str, pool: str, environment: dict[str, str], directory: Path, *, restart: bool) -> None:
        self.name = name
        self.restart = restart
        self._arguments = ["-A", "workers", "worker", "-n", f"{name}@%h", *POOLS[pool]]
        self._arguments += ["--loglevel", "INFO", "--without-gossip", "--without-mingle"]
        self._environment = environment
        self.log = directory / f"{name}.log"
        self._stopping = False
        self.starts = 0
        self.process = self._start()
        self._watch = threading.Thread(target=self._supervise, daemon=True)
        self._watch.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    def _start(self) -> Process:
        self.starts += 1
        return start_celery(self._arguments, self._environment, self.log)

    def _supervise(self) -> None:
        while True:
            self.process.wait()
            if self._stopping or not self.restart:
                return
            self.process = self._start()

    def ready(self) -> bool:
        return self.log.read_bytes().count(b" ready.") >= self.starts

    def tree(self) -> list[int]:
        """The main process and all below it: keeper and pool children."""
        try:
            main = psutil.Process(self.pid)
            return [main.pid, *(child.pid for child in main.children(recursive=True))]
        except psutil.NoSuchProcess:
            return []

    def keeper(self) -> int:
        return next(pid for pid in self.tree() if "workers.keeper" in cmdline(pid))

    def children(self) -> list[int]:
        """The pool's."""
        return [pid for pid in self.tree() if pid != self.pid and "workers.keeper" not in cmdline(pid)]

    def signal_all(self, number: int) -> None:
        for pid in self.tree():
            with suppress(ProcessLookupError):  # a pool child may have been replaced since the look
                os.kill(pid, number)

    def close(self) -> None:
        self._stopping = True
        self.signal_all(signal.SIGCONT)
        self.signal_all(signal.SIGKILL)
        self._watch.join(timeout=10)


class Fleet:
    """Workers, the engine, the ledger of effects and the faults, over one pair of servers."""

    def __init__(self, database_url: str, redis_url: str, directory: Path, **settings: str) -> None:
        self.directory = directory
        self.ledger = directory / "ledger"
        self.faults = directory / "faults"
        self.faults.mkdir(exist_ok=True)
        self.ledger.touch()
        # What killed workers leave behind; their sockets lie in it, and paths of those are short.
        self._left = tempfile.TemporaryDirectory(dir="/tmp", prefix="perdure-test-", ignore_cleanup_errors=True)
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("PERDURE_")},
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "PERDURE_DATA_DIR": str(directory / "data"),
            "TMPDIR": self._left.name,
            "PERDURE_TESTING": "1",
            "PERDURE_HANDOVER_MS": "0",
            # The machine that runs tests may be busy; what is tested is not that, unless a test says so.
            "PERDURE_LOAD_HIGH": "2",
            "PERDURE_LOAD_CRITICAL": "2",
            "PERDURE_FAULT_HOOK": "tests.support.fault_hook.fault",
            "PERDURE_ACTIONS": "tests.support.fault_actions",
            "PERDURE_TEST_FAULTS": str(self.faults),
            "PERDURE_TEST_LEDGER": str(self.ledger),
            **{f"PERDURE_{name.upper()}": value for name, value in settings.items()},
        }
        self.database = Database(database_url, name="test", size=4)
        self.app = make_celery(redis_url)
        self.runs = Runs(
            self.database,
            CeleryDispatcher(self.app),
            Recorder(),
            load_actions(["tests.support.fault_actions"]),
            resend_s=float(settings.get("resend_s", 2.0)),
        )
        self.workers: list[WorkerProcess] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        for worker in self.workers:
            worker.close()
        self.database.close()
        self._left.cleanup()

    def worker(self, name: str, pool: str, *, restart: bool = True) -> WorkerProcess:
        """Start a worker; answers once it takes work."""
        (worker,) = self.start_workers({name: pool}, restart=restart)
        return worker

    def start_workers(self, pools: dict[str, str], *, restart: bool = True) -> list[WorkerProcess]:
        """Start workers side by side, by name; answers once all take work."""
        started = [
            WorkerProcess(name, pool, self.environment, self.directory, restart=restart) for name, pool in pools.items()
        ]
        self.workers.extend(started)
        self.wait_ready()
        return started

    def start(self, *steps: dict[str, Any], **fields: Any) -> StartedRun:
        workflow = WorkflowSpec.model_validate({"steps": steps} | fields)
        return self.runs.start(workflow, ALICE)

    def arm(self, point: str, step: str, target: str, name: str = "SIGKILL") -> None:
        for old in self.faults.iterdir():
            old.unlink()
        (self.faults / f"{point}.{step}").write_text(f"{target} {name}")

    def fired(self) -> bool:
        return any(path.name.startswith("fired.") for path in self.faults.iterdir())

    def effects(self, what: str = "effect", run: StartedRun | None = None) -> Counter[str]:
        """How often each step did what; a line of the ledger each."""
        return Counter(line[1] for line in self.lines() if line[3] == what and (run is None or line[0] == run.run_id))

    def lines(self) -> list[list[str]]:
        return [line.split() for line in self.ledger.read_text().splitlines()]

    def status(self, run: StartedRun) -> str:
        try:
            return str(self.database.call("SELECT status FROM runs WHERE public_id = %s", run.run_id))
        except StoreUnavailable:
            return "unknown"

    def steps(self, run: StartedRun) -> list[dict[str, Any]]:
        rows = self.database.rows(
            "SELECT to_jsonb(s) FROM steps s JOIN runs r ON r.id = s.run_id WHERE r.public_id = %s ORDER BY position",
            run.run_id,
        )
        return [row[0] for row in rows]

    def attempts(self, run: StartedRun) -> list[dict[str, Any]]:
        rows = self.database.rows(
            "SELECT to_jsonb(a) FROM attempts a JOIN runs r ON r.id = a.run_id WHERE r.public_id = %s "
            "ORDER BY position, attempt",
            run.run_id,
        )
        return [row[0] for row in rows]

    def wait_for(self, run: StartedRun, *statuses: str, timeout_s: float = 60) -> float:
        """Seconds until the run had one of the statuses."""
        began = time.monotonic()
        wait_until(lambda: self.status(run) in statuses, timeout_s, lambda: self._why(run))
        return time.monotonic() - began

    def wait_ready(self) -> None:
        """Wait until every worker, also one that is being replaced, takes work."""
        for worker in self.workers:
            wait_until(worker.ready, 60, lambda worker=worker: worker.log.read_text()[-3000:])

    def wait_for_line(self, step: str, what: str, timeout_s: float = 60) -> None:
        wait_until(
            lambda: any(line[1] == step and line[3] == what for line in self.lines()), timeout_s, lambda: self.lines()
        )

    def check(self, *runs: StartedRun) -> None:
        """No step committed twice, no order broken, no counter off, nothing left in the air."""
        assert broken_invariants(self.database) == {}
        for run in runs:
            commits = Counter(a["position"] for a in self.attempts(run) if a["outcome"] == "completed")
            assert all(count == 1 for count in commits.values()), commits
            ended = {step["position"]: step["ended_at"] for step in self.steps(run)}
            for step in self.steps(run):
                assert all(ended[need] <= step["started_at"] for need in step["needs"] if step["started_at"])

    def _why(self, run: StartedRun) -> str:
        tails = [f"--- {w.name}\n{w.log.read_text()[-1500:]}" for w in self.workers]
        return f"{self.status(run)} {self.steps(run)}\n" + "\n".join(tails)


def wait_until(true: Any, timeout_s: float, why: Any) -> None:
    """Wait for something outside this process, which cannot call us."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {why()}"
        time.sleep(0.02)
