"""Procrastinate: jobs are rows of PostgreSQL. It has no chains or joins: a job defers its successor before it ends.

Two worker processes of one job at a time each, woken by LISTEN/NOTIFY.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from procrastinate import App, PsycopgConnector

from bench.peers.marks import Marks
from bench.peers.processes import end_tree, wait_for
from bench.peers.protocol import Answer, Unsupported, serve

SLOTS = 10_000
WORKERS = 2

app = App(connector=PsycopgConnector(conninfo=os.environ["DATABASE_URL"], min_size=1, max_size=3))
_marks: list[Marks] = []


@app.task(name="step")
async def step(left: int, slot: int, work_s: float = 0.0, text: str = "") -> None:
    """A step; the last one notes the time."""
    if work_s:
        await asyncio.sleep(work_s)
    if left > 1:
        rest = {"work_s": work_s} if work_s else {"text": text} if text else {}
        await step.defer_async(left=left - 1, slot=slot, **rest)
    else:
        _marks[0].mark(slot)


def run_worker() -> None:
    """A worker process."""
    _marks.append(Marks(Path(os.environ["BENCH_MARKS"]), SLOTS))

    async def work() -> None:
        async with app.open_async():
            await app.run_worker_async(concurrency=1)

    asyncio.run(work())


class Procrastinate:
    """Two workers, and a synchronous connection to submit with."""

    def __init__(self) -> None:
        self.marks = Marks(Path(os.environ["BENCH_MARKS"]), SLOTS)
        self.workers: list[subprocess.Popen[bytes]] = []

    def start(self) -> Answer:
        # Opened outside of an event loop, it submits by a synchronous connection.
        app.open()
        app.schema_manager.apply_schema()
        for number in range(WORKERS):
            log = Path(os.environ["BENCH_LOGS"]) / f"procrastinate-{number}.log"
            with log.open("ab") as output:
                command = [sys.executable, "-m", "bench.peers.procrastinate_peer", "worker"]
                self.workers.append(subprocess.Popen(command, stdout=output, stderr=output))
        self.chain(steps=20)
        self.runs(runs=40, steps=2)
        return {"procrastinate": version("procrastinate"), "psycopg": version("psycopg")}

    def chain(self, steps: int, payload_bytes: int = 0, work_s: float = 0.0) -> Answer:
        rest = {"work_s": work_s} if work_s else {"text": "x" * payload_bytes} if payload_bytes else {}
        self.marks.clear()
        began = time.time()
        self._defer(left=steps, slot=0, **rest)
        return {"seconds": self.marks.wait(1, 60 + steps * 0.1) - began}

    def runs(self, runs: int, steps: int) -> Answer:
        self.marks.clear()
        began = time.time()
        for run in range(runs):
            self._defer(left=steps, slot=run)
        return {"seconds": self.marks.wait(runs, 300) - began}

    def fan(self, width: int) -> Answer:
        raise Unsupported("has no joins")

    def submit(self, count: int, steps: int) -> Answer:
        took = []
        for _ in range(count):
            self.marks.clear()
            began = time.perf_counter()
            self._defer(left=steps, slot=0)
            took.append(time.perf_counter() - began)
            self.marks.wait(1, 30)
        return {"samples": took}

    def stop(self) -> Answer:
        for worker in self.workers:
            end_tree(worker.pid)
            wait_for(lambda worker=worker: worker.poll() is not None, 10, "a worker does not end")  # type: ignore[misc]
        app.close()
        return {}

    def _defer(self, **arguments: object) -> None:
        step.defer(**arguments)


if __name__ == "__main__":
    if sys.argv[1:] == ["worker"]:
        run_worker()
    else:
        serve(Procrastinate())
