"""Perdure as it runs: `celery -A workers worker` with its keeper and janitor, runs started through the engine.

A run's time is from the call that starts it to its row's `ended_at`, which is read afterwards: how often we look adds
nothing to it. The database's clock is this machine's.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from bench.actions import ACTING, BEGAN, SLOTS
from bench.peers.marks import Marks
from bench.peers.processes import end_tree, tree, wait_for
from bench.peers.protocol import Answer, serve
from messaging.celery_app import make_celery
from messaging.dispatcher import CeleryDispatcher
from messaging.stream import EventStream
from orchestration.actions.registry import load_actions
from orchestration.engine.runs import Runs
from orchestration.errors import StoreUnavailable
from orchestration.ports import Actor
from orchestration.store.database import Database
from orchestration.store.migrate import migrate
from schemas.statuses import Role
from schemas.workflow import WorkflowSpec
from settings import ROOT, load_settings

ACTOR = Actor("bench", Role.ADMIN, "127.0.0.1")
LOOK_EVERY_S = 0.02
STEADY_STEPS, STEADY_S = 300, 0.1
POOLS = {
    "prefork": [["--pool", "prefork", "-c", "2"]],
    "threads": [["--pool", "threads", "-c", "1"], ["--pool", "threads", "-c", "1"]],
    "apart": [["--pool", "prefork", "-c", "1"], ["--pool", "prefork", "-c", "1"]],
    "wide": [["--pool", "threads", "-c", "16"]],
}


class Perdure:
    """Two processes that run steps, unless `start` is asked for another pool."""

    def __init__(self) -> None:
        self.settings = load_settings().require_servers()
        self.database = Database(self.settings.database_url, name="bench", size=2)
        self.workers: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, pool: str = "prefork", workers: int = 1) -> Answer:
        migrate(self.settings.database_url)
        # Work that waits for its workers is no lost message.
        self.resend_s = 600.0 if pool == "wide" else self.settings.resend_s
        self.runs_of_engine = Runs(
            self.database,
            CeleryDispatcher(make_celery(self.settings.redis_url)),
            EventStream(self.settings.redis_url),
            load_actions(self.settings.actions),
            resend_s=self.resend_s,
        )
        self.pool = POOLS[pool] * workers
        self._start_workers()
        # All processes have opened their connections after that.
        self.chain(steps=20)
        self.runs(runs=40, steps=2)
        return {"perdure": version("perdure"), "psycopg2": version("psycopg2-binary"), "pool": pool}

    def chain(self, steps: int, payload_bytes: int = 0, work_s: float = 0.0) -> Answer:
        return {"seconds": self._time([_workflow(_chain(steps, payload_bytes, work_s))], 60 + steps * 0.1)}

    def runs(self, runs: int, steps: int) -> Answer:
        return {
            "seconds": self._time([_workflow(_chain(steps, 0, 0.0)) for _ in range(runs)], 60 + runs * steps * 0.02)
        }

    def fan(self, width: int) -> Answer:
        steps: list[dict[str, Any]] = [{"key": f"s{n}", "action": "bench.noop", "needs": []} for n in range(width)]
        steps.append({"key": "join", "action": "bench.noop", "needs": [step["key"] for step in steps]})
        return {"seconds": self._time([_workflow(steps)], 120)}

    def wide(self, width: int) -> Answer:
        """Parallel steps of one run, and as many runs of one step: from the first claim to the last end.

        They are all there before a worker is, so that how fast they are started does not count.
        """
        steps = [{"key": f"s{n}", "action": "bench.noop", "needs": []} for n in range(width)]
        one_run = self._time_without_start([_workflow(steps)])
        return {"one_run": one_run, "many_runs": self._time_without_start([_workflow([step]) for step in steps])}

    def submit(self, count: int, steps: int) -> Answer:
        took = []
        for _ in range(count):
            workflow = _workflow(_chain(steps, 0, 0.0))
            began = time.perf_counter()
            self.runs_of_engine.start(workflow, ACTOR)
            took.append(time.perf_counter() - began)
            self._wait_for_all(30)
        return {"samples": took}

    def due(self, delay_s: float) -> Answer:
        """How late a step begins that is to wait for a while after the one before it."""
        steps = [{"key": "before", "action": "bench.noop"}]
        steps.append({"key": "after", "action": "bench.noop", "delay_s": delay_s})  # type: ignore[dict-item]
        self._time([_workflow(steps)], delay_s + 60)
        late = self.database.call(
            "SELECT extract(epoch FROM b.started_at - a.ended_at)::float8 FROM steps a JOIN steps b USING (run_id) "
            "WHERE a.key = 'before' AND b.key = 'after' ORDER BY run_id DESC LIMIT 1"
        )
        return {"seconds": late - delay_s}

    def steady(self) -> Answer:
        """Begin a chain that goes on for half a minute; answers when it is under way."""
        params = {"seconds": STEADY_S}
        steps = [{"key": f"s{n}", "action": "bench.steady", "params": params} for n in range(STEADY_STEPS)]
        began = time.time()
        self.runs_of_engine.start(_workflow(steps), ACTOR)
        self.finished_after(began, 30)
        return {}

    def victims(self, what: str) -> Answer:
        """The process that has just begun a step, or its worker with all processes."""
        marks, now = Marks(Path(os.environ["BENCH_MARKS"]), SLOTS), time.time()
        wait_for(lambda: marks.get(BEGAN) > now, 10, "no step begins", 0.001)
        acting = int(marks.get(ACTING))
        return {"pids": [acting] if what == "child" else tree(psutil.Process(acting).ppid())}

    def finished_after(self, since: float, timeout_s: float) -> Answer:
        """When the first step after that time ended."""
        found: list[float] = []

        def look() -> bool:
            sql = "SELECT extract(epoch FROM min(ended_at))::float8 FROM steps WHERE ended_at > to_timestamp(%s)"
            with contextlib.suppress(StoreUnavailable):
                at = self.database.call(sql, since)
                found.extend([float(at)] if at is not None else [])
            return bool(found)

        wait_for(look, timeout_s, "no step ends", LOOK_EVERY_S)
        return {"at": found[0]}

    def pids(self) -> Answer:
        """The processes that run steps, with keepers and janitors."""
        return {"pids": [pid for worker in self.workers.values() for pid in tree(worker.pid)]}

    def stop(self) -> Answer:
        self._end_workers()
        self.database.close()
        return {}

    def _start_workers(self) -> None:
        environment = os.environ | {"PERDURE_RESEND_S": f"{self.resend_s:g}"}
        for number, arguments in enumerate(self.pool):
            name = f"w{number}"
            command = [sys.executable, "-m", "celery", "-A", "workers", "worker", "-n", f"{name}@%h", "-Q", "default"]
            command += ["--without-gossip", "--without-mingle", "--loglevel", "info", *arguments]
            with self._log(name).open("wb") as output:
                self.workers[name] = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        for name in self.workers:
            log = self._log(name)
            wait_for(partial(_is_ready, log), 60, f"worker {name} is not ready: {log}")

    def _end_workers(self) -> None:
        for worker in self.workers.values():
            end_tree(worker.pid)
            worker.wait()
        self.workers.clear()

    def _log(self, name: str) -> Path:
        return Path(os.environ["BENCH_LOGS"]) / f"{os.environ['BENCH_PEER']}-{name}.log"

    def _time(self, workflows: list[WorkflowSpec], timeout_s: float) -> float:
        """Seconds from before the first start to the end of the run that ended last. All must complete."""
        began = time.time()
        ids = [self.runs_of_engine.start(workflow, ACTOR).run_id for workflow in workflows]
        self._wait_for_all(timeout_s)
        ended, completed = self.database.rows(
            "SELECT extract(epoch FROM max(ended_at))::float8, count(*) FILTER (WHERE status = 'completed') "
            "FROM runs WHERE public_id = ANY(%s)",
            ids,
        )[0]
        if completed != len(ids):
            raise RuntimeError(f"{len(ids) - completed} of {len(ids)} runs did not complete")
        return float(ended) - began

    def _time_without_start(self, workflows: list[WorkflowSpec]) -> float:
        """Seconds from the first claim to the last end, by workers that find everything ready."""
        self._end_workers()
        ids = [self.runs_of_engine.start(workflow, ACTOR).run_id for workflow in workflows]
        self._start_workers()
        self._wait_for_all(300)
        took = self.database.call(
            "SELECT extract(epoch FROM max(s.ended_at) - min(s.started_at))::float8 "
            "FROM steps s JOIN runs r ON r.id = s.run_id WHERE r.public_id = ANY(%s) AND r.status = 'completed'",
            ids,
        )
        return float(took)

    def _wait_for_all(self, timeout_s: float) -> None:
        sql = "SELECT NOT EXISTS (SELECT FROM runs WHERE ended_at IS NULL)"
        wait_for(lambda: self.database.call(sql), timeout_s, "runs do not end", LOOK_EVERY_S)


def _is_ready(log: Path) -> bool:
    return b" ready." in log.read_bytes()


def _workflow(steps: list[dict[str, Any]]) -> WorkflowSpec:
    return WorkflowSpec.model_validate({"name": "bench", "steps": steps})


def _chain(steps: int, payload_bytes: int, work_s: float) -> list[dict[str, Any]]:
    """Steps that each need the one before."""
    if payload_bytes:
        first = {"key": "s0", "action": "bench.pass_on", "params": {"text": "x" * payload_bytes}}
        return [first] + [
            {"key": f"s{n}", "action": "bench.pass_on", "params": {"text": f"{{{{ steps.s{n - 1}.result.text }}}}"}}
            for n in range(1, steps)
        ]
    if work_s:
        return [{"key": f"s{n}", "action": "bench.work", "params": {"seconds": work_s}} for n in range(steps)]
    return [{"key": f"s{n}", "action": "bench.noop"} for n in range(steps)]


if __name__ == "__main__":
    serve(Perdure())
