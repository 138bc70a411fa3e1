"""DBOS: workflows are functions, each step's result is committed to PostgreSQL by the process that runs the function.

A chain is a workflow that calls its steps one after the other, a fan-out one that awaits them together. Many runs are
shared by two processes, as with the other peers.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from importlib.metadata import version
from typing import Any

from dbos import DBOS

from bench.peers.chains import walk
from bench.peers.protocol import Answer, serve


@DBOS.step()
def noop() -> None:
    """A step."""


@DBOS.step()
def pass_on(text: str) -> str:
    """A step that answers what it was given."""
    return text


@DBOS.step()
def work(seconds: float) -> None:
    """A step that takes a while."""
    time.sleep(seconds)


@DBOS.step()
async def noop_async() -> None:
    """A step among others at the same time."""


@DBOS.workflow()
def chain_of(steps: int, payload_bytes: int, work_s: float) -> None:
    """Steps one after the other."""
    walk(steps, payload_bytes, work_s, noop=noop, pass_on=pass_on, work=work)


@DBOS.workflow()
async def fan_of(width: int) -> None:
    """Steps at once, and one after them."""
    await asyncio.gather(*(noop_async() for _ in range(width)))
    await noop_async()


class Dbos:
    """One process that runs workflows, and a second one for many runs."""

    def __init__(self) -> None:
        self.helper: subprocess.Popen[str] | None = None

    def start(self, helper: bool = True) -> Answer:
        self.launch("first")
        if helper:
            command = [sys.executable, "-m", "bench.peers.dbos_peer"]
            self.helper = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self._ask_helper("launch", executor="second")
            self._helper_answer()
        self.chain(steps=20)
        self.runs(runs=40, steps=2)
        return {"dbos": version("dbos"), "psycopg": version("psycopg")}

    def launch(self, executor: str) -> Answer:
        config: Any = {
            "name": "bench",
            "system_database_url": os.environ["DATABASE_URL"],
            "application_version": "bench",
            "executor_id": executor,
            "log_level": "WARNING",
        }
        DBOS(config=config)
        DBOS.launch()
        return {}

    def chain(self, steps: int, payload_bytes: int = 0, work_s: float = 0.0) -> Answer:
        began = time.time()
        DBOS.start_workflow(chain_of, steps, payload_bytes, work_s).get_result()
        return {"seconds": time.time() - began}

    def runs(self, runs: int, steps: int) -> Answer:
        mine = runs // 2 if self.helper else runs
        began = time.time()
        if self.helper:
            self._ask_helper("runs", runs=runs - mine, steps=steps)
        handles = [DBOS.start_workflow(chain_of, steps, 0, 0.0) for _ in range(mine)]
        for handle in handles:
            handle.get_result()
        ended = time.time()
        if self.helper:
            ended = max(ended, self._helper_answer()["ended"])
        return {"seconds": ended - began, "ended": ended}

    def fan(self, width: int) -> Answer:
        began = time.time()
        handle: Any = DBOS.start_workflow(fan_of, width)
        handle.get_result()
        return {"seconds": time.time() - began}

    def submit(self, count: int, steps: int) -> Answer:
        took = []
        for _ in range(count):
            began = time.perf_counter()
            handle = DBOS.start_workflow(chain_of, steps, 0, 0.0)
            took.append(time.perf_counter() - began)
            handle.get_result()
        return {"samples": took}

    def stop(self) -> Answer:
        if self.helper is not None:
            assert self.helper.stdin is not None
            self.helper.stdin.close()
            self.helper.wait(10)
        DBOS.destroy()
        return {}

    def _ask_helper(self, what: str, **arguments: Any) -> None:
        assert self.helper is not None
        assert self.helper.stdin is not None
        self.helper.stdin.write(json.dumps({"do": what, "with": arguments}) + "\n")
        self.helper.stdin.flush()

    def _helper_answer(self) -> Answer:
        assert self.helper is not None
        assert self.helper.stdout is not None
        answer: Answer = json.loads(self.helper.stdout.readline())
        if "ok" not in answer:
            raise RuntimeError(f"the second process: {answer}")
        result: Answer = answer["ok"]
        return result


if __name__ == "__main__":
    serve(Dbos())
