"""Prefect: a flow is a function, its tasks tell a server of their states, which keeps them in PostgreSQL.

The server is a process on this machine. Results are not stored, which is Prefect's default. Slow against the others, so
it does less of each thing; the figures are by the step.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from importlib.metadata import version
from pathlib import Path

from bench.peers.processes import end_tree, wait_for
from bench.peers.protocol import Answer, Unsupported, serve

LONGEST_CHAIN = 50
MOST_RUNS = 10


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Prefect:
    """A server, and flows in this process."""

    def __init__(self) -> None:
        self.port = _free_port()
        self.home = tempfile.TemporaryDirectory(prefix="bench-prefect-")
        scheme, _, rest = os.environ["DATABASE_URL"].partition("://")
        os.environ |= {
            "PREFECT_HOME": self.home.name,
            "PREFECT_API_URL": f"http://127.0.0.1:{self.port}/api",
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"{scheme}+asyncpg://{rest}",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_UI_ENABLED": "false",
            "PREFECT_LOGGING_LEVEL": "ERROR",
            "PREFECT_LOGGING_TO_API_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "NO_PROXY": "127.0.0.1",
        }
        self.server: subprocess.Popen[bytes] | None = None

    def start(self) -> Answer:
        log = Path(os.environ["BENCH_LOGS"]) / "prefect-server.log"
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(self.port)]
        with log.open("ab") as output:
            self.server = subprocess.Popen(command, stdout=output, stderr=output)
        wait_for(self._is_up, 120, f"Prefect's server is not ready: {log}", 0.2)
        # It reads the environment when it is imported.
        from bench.peers import prefect_flows

        self.flows = prefect_flows
        self.chain(steps=5)
        return {"prefect": version("prefect"), "asyncpg": version("asyncpg")}

    def chain(self, steps: int, payload_bytes: int = 0, work_s: float = 0.0) -> Answer:
        done = min(steps, LONGEST_CHAIN)
        began = time.time()
        self.flows.chain_of(done, payload_bytes, work_s)
        return {"seconds": time.time() - began, "steps": done}

    def runs(self, runs: int, steps: int) -> Answer:
        done = min(runs, MOST_RUNS)
        began = time.time()
        self.flows.many(done, steps)
        return {"seconds": time.time() - began, "runs": done}

    def fan(self, width: int) -> Answer:
        if width > 100:
            raise Unsupported("is asked for no fan-out of 1,000: it would take minutes")
        began = time.time()
        self.flows.fan_of(width)
        return {"seconds": time.time() - began}

    def submit(self, count: int, steps: int) -> Answer:
        raise Unsupported("runs flows in the process that calls them: there is nothing to accept")

    def stop(self) -> Answer:
        if self.server is not None:
            end_tree(self.server.pid)
            self.server.wait()
        with contextlib.suppress(OSError):
            self.home.cleanup()
        return {}

    def _is_up(self) -> bool:
        assert self.server is not None
        if self.server.poll() is not None:
            raise RuntimeError("Prefect's server has ended")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"http://127.0.0.1:{self.port}/api/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


if __name__ == "__main__":
    serve(Prefect())
