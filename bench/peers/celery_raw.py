"""Celery alone, with the settings of somebody who knows it: what a volatile step costs.

Prefork of two processes, results ignored wherever they may be, no events, no remote control, no gossip, one list a
queue, messages fetched ahead, early acknowledgement. Chains are Celery's chains, joins its chords (on Redis).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from celery import Celery, chain, chord, group
from celery.signals import worker_process_init

from bench.peers.marks import Marks
from bench.peers.processes import end_tree, tree, wait_for
from bench.peers.protocol import Answer, serve

SLOTS = 10_000
ENDED, ACTING, BEGAN = 0, 1, 2
STEADY_STEPS, STEADY_S = 300, 0.1
LATE = os.environ.get("BENCH_ACKS_LATE") == "1"
# Long enough for no step here to be taken for lost; short enough that a lost one comes back while we look.
VISIBILITY_S = 10 if LATE else 3600

app = Celery("bench")
app.conf.update(
    broker_url=os.environ["REDIS_URL"],
    result_backend=os.environ["REDIS_URL"],
    broker_transport_options={
        "priority_steps": [0],
        "visibility_timeout": VISIBILITY_S,
        **({"unacked_restore_interval": 1, "unacked_restore_throttle": 1} if LATE else {}),
    },
    accept_content=["json"],
    task_serializer="json",
    result_serializer="json",
    task_ignore_result=True,
    task_acks_late=LATE,
    task_reject_on_worker_lost=LATE,
    worker_prefetch_multiplier=1 if LATE else 16,
    worker_disable_rate_limits=True,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    worker_redirect_stdouts=False,
    worker_hijack_root_logger=False,
    task_send_sent_event=False,
    broker_connection_retry_on_startup=True,
)
_marks: list[Marks] = []


@worker_process_init.connect
def _open_marks(**_: Any) -> None:
    _marks.append(Marks(Path(os.environ["BENCH_MARKS"]), SLOTS))


@app.task(name="noop")
def noop() -> None:
    """A step."""


@app.task(name="last")
def last(*_results: Any, slot: int) -> None:
    """The last step of a run."""
    _marks[0].mark(slot)


@app.task(name="work")
def work(seconds: float, slot: int | None = None) -> None:
    """A step that takes a while."""
    time.sleep(seconds)
    if slot is not None:
        _marks[0].mark(slot)


@app.task(name="steady")
def steady_work(seconds: float) -> None:
    """A step that tells who runs it, and when it ended."""
    _marks[0].put(ACTING, os.getpid())
    _marks[0].mark(BEGAN)
    time.sleep(seconds)
    _marks[0].mark(ENDED)


@app.task(name="pass_on")
def pass_on(text: str) -> str:
    """A step that answers what it was given."""
    return text


@app.task(name="noop_kept", ignore_result=False)
def noop_kept() -> None:
    """A step whose end a chord waits for."""


class CeleryRaw:
    """One worker with two processes."""

    def __init__(self) -> None:
        self.marks = Marks(Path(os.environ["BENCH_MARKS"]), SLOTS)
        self.workers: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, workers: int = 1) -> Answer:
        for number in range(workers):
            self._start_worker(f"w{number}")
        # Both processes have opened their connections after that.
        self.chain(steps=20)
        self.runs(runs=40, steps=2)
        return {"celery": version("celery"), "kombu": version("kombu"), "redis-py": version("redis")}

    def chain(self, steps: int, payload_bytes: int = 0, work_s: float = 0.0) -> Answer:
        self.marks.clear()
        if payload_bytes:
            first = pass_on.s("x" * payload_bytes)
            signature = chain(first, *(pass_on.s() for _ in range(steps - 2)), last.s(slot=0))
        elif work_s:
            signature = chain(*(work.si(work_s) for _ in range(steps - 1)), work.si(work_s, slot=0))
        else:
            signature = chain(*(noop.si() for _ in range(steps - 1)), last.si(slot=0))
        began = time.time()
        signature.apply_async()
        return {"seconds": self.marks.wait(1, 60 + steps * 0.1) - began}

    def runs(self, runs: int, steps: int) -> Answer:
        self.marks.clear()
        signatures = [chain(*(noop.si() for _ in range(steps - 1)), last.si(slot=run)) for run in range(runs)]
        began = time.time()
        for signature in signatures:
            signature.apply_async()
        return {"seconds": self.marks.wait(runs, 300) - began}

    def fan(self, width: int) -> Answer:
        self.marks.clear()
        signature = chord(group(noop_kept.si() for _ in range(width)), last.si(slot=0))
        began = time.time()
        signature.apply_async()
        return {"seconds": self.marks.wait(1, 120) - began}

    def submit(self, count: int, steps: int) -> Answer:
        took = []
        for _ in range(count):
            self.marks.clear()
            signature = chain(*(noop.si() for _ in range(steps - 1)), last.si(slot=0))
            began = time.perf_counter()
            signature.apply_async()
            took.append(time.perf_counter() - began)
            self.marks.wait(1, 30)
        return {"samples": took}

    def steady(self) -> Answer:
        """Begin a chain that goes on for half a minute; answers when it is under way."""
        self.marks.clear()
        chain(*(steady_work.si(STEADY_S) for _ in range(STEADY_STEPS))).apply_async()
        self.marks.wait(1, 30)
        return {}

    def victims(self, what: str) -> Answer:
        """The process that has just begun a step, or its worker with all processes."""
        now = time.time()
        wait_for(lambda: self.marks.get(BEGAN) > now, 10, "no step begins", 0.001)
        acting = int(self.marks.get(ACTING))
        return {"pids": [acting] if what == "child" else tree(psutil.Process(acting).ppid())}

    def finished_after(self, since: float, timeout_s: float) -> Answer:
        """When the first step after that time ended."""
        wait_for(lambda: self.marks.get(ENDED) > since, timeout_s, "no step ends", 0.005)
        return {"at": self.marks.get(ENDED)}

    def stop(self) -> Answer:
        for process in self.workers.values():
            end_tree(process.pid)
            process.wait()
        return {}

    def _start_worker(self, name: str) -> None:
        log = Path(os.environ["BENCH_LOGS"]) / f"celery-{name}.log"
        command = [sys.executable, "-m", "celery", "-A", "bench.peers.celery_raw", "worker", "-n", f"{name}@%h"]
        command += ["-P", "prefork", "-c", "2", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        with log.open("ab") as output:
            self.workers[name] = subprocess.Popen(
                [*command, "--loglevel", "INFO" if LATE else "WARNING"], stdout=output, stderr=output
            )


if __name__ == "__main__":
    serve(CeleryRaw())
