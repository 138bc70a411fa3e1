"""A peer as the benchmark sees it: a process that is asked for one thing after the other."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.peers.protocol import Answer, Unsupported
from settings import ROOT

PEERS_PYTHON = ROOT / ".bench-venv" / "bin" / "python"
STOP_TIMEOUT_S = 20.0


class PeerFailed(Exception):
    """The peer could not do what it was asked for; the message holds its traceback or the end of its log."""


@dataclass(frozen=True)
class PeerSpec:
    """How a peer is run. `python` is the environment that has it."""

    name: str
    title: str
    module: str
    python: Path = PEERS_PYTHON
    environment: Mapping[str, str] = field(default_factory=dict)
    start: Mapping[str, Any] = field(default_factory=dict)
    # What the peer takes part in when it is not all: it is slow, or it is here for one thing alone.
    scenarios: frozenset[str] | None = None
    rounds: int = 1000
    remark: str = ""


class Peer:
    """A running peer."""

    def __init__(self, spec: PeerSpec, database_url: str, redis_url: str, directory: Path) -> None:
        self.spec = spec
        self.log = directory / f"{spec.name}.log"
        marks = directory / f"{spec.name}.marks"
        marks.unlink(missing_ok=True)
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("PERDURE_", "PG"))},
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "PYTHONPATH": str(ROOT),
            "BENCH_LOGS": str(directory),
            "BENCH_MARKS": str(marks),
            "BENCH_PEER": spec.name,
            **spec.environment,
        }
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(spec.python), "-m", spec.module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                env=environment,
                text=True,
                # Ctrl-C is for the driver, which then ends its peers.
                start_new_session=True,
            )

    def ask(self, what: str, /, **arguments: Any) -> Answer:
        """The peer's answer.

        Raises: Unsupported; PeerFailed.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"do": what, "with": arguments}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise PeerFailed(f"{self.spec.name} has ended: {_tail(self.log)}")
        answer: Answer = json.loads(line)
        if "unsupported" in answer:
            raise Unsupported(answer["unsupported"])
        if "error" in answer:
            raise PeerFailed(f"{self.spec.name}: {answer['error']}")
        result: Answer = answer["ok"]
        return result

    def close(self) -> None:
        """End the peer with all its processes."""
        with contextlib.suppress(PeerFailed, Unsupported):
            self.ask("stop")
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the peer at once; its processes are of its group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextlib.contextmanager
def running(spec: PeerSpec, database_url: str, redis_url: str, directory: Path) -> Iterator[Peer]:
    """A peer that is ended afterwards, however that comes."""
    peer = Peer(spec, database_url, redis_url, directory)
    try:
        yield peer
    except KeyboardInterrupt:
        peer.kill()  # it may be in the midst of an answer
        raise
    except BaseException:
        peer.close()
        raise
    peer.close()


def _tail(path: Path) -> str:
    return path.read_text(errors="replace")[-3000:]


THIS_PYTHON = Path(sys.executable)
