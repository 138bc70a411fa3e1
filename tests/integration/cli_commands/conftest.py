"""The real `perdure` command, on a stack that `perdure up` runs once for each module."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.servers.ports import free_port, free_port_pair
from settings import ROOT, read_stack

PERDURE = Path(sys.executable).with_name("perdure")


class Perdure:
    """Calls of the command on one data directory; the working directory is a scratch one."""

    def __init__(self, data_dir: Path, cwd: Path, ports: dict[str, str]) -> None:
        self.data_dir = data_dir
        self.cwd = cwd
        path = os.pathsep.join([str(PERDURE.parent), os.environ["PATH"]])
        self.environment = os.environ | ports | {
            "PERDURE_DATA_DIR": str(data_dir),
            "PERDURE_PYTHON_CALLABLES": "platform.python_version,builtins.print",
            "PERDURE_SHELL_COMMAND_ENABLED": "1",
            "PERDURE_START_RATE_LIMIT": "1000/minute",
            "PATH": path,
            "PYTHONIOENCODING": "utf-8",
            "LC_ALL": "C.UTF-8",
        }  # fmt: skip

    def __call__(self, *arguments: str, expect: int = 0, given: str | None = None, **env: str) -> str:
        """What a call printed; it must end with the status `expect`."""
        done = self.call(*arguments, given=given, **env)
        assert done.returncode == expect, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def call(
        self, *arguments: str, given: str | None = None, timeout_s: float = 60, **env: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PERDURE, *arguments],
            env=self.environment | env, cwd=self.cwd, input=given or "", capture_output=True, text=True,
            timeout=timeout_s, check=False,
        )  # fmt: skip

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """A call that goes on; its errors are in its output."""
        return subprocess.Popen(
            [PERDURE, *arguments],
            env=self.environment, cwd=self.cwd, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def json(self, *arguments: str, given: str | None = None) -> Any:
        return json.loads(self(*arguments, "--json", given=given))

    def start(self, *steps: dict[str, Any], **fields: Any) -> str:
        """The id of a new run."""
        workflow = json.dumps({"name": "test", "steps": steps} | fields)
        return str(self.json("start", "-", given=workflow)["workflow_id"])

    def state(self, run_id: str) -> Any:
        return self.json("show", run_id)

    @property
    def processes(self) -> dict[str, int]:
        return read_stack(self.data_dir).get("processes", {})  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def perdure(session_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Perdure]:
    """A running stack and the command beside it."""
    port = free_port_pair()
    ports = {
        "PERDURE_PORT": str(port),
        "PERDURE_RELAY_PORT": str(port + 1),
        "PERDURE_FLOWER_PORT": str(free_port()),
    }
    cwd = tmp_path_factory.mktemp("cli")
    perdure = Perdure(session_dir / f"cli-{port}", cwd, ports)
    with (cwd / "up.log").open("w") as log:
        up = subprocess.Popen(
            [PERDURE, "up", "--quiet"],
            cwd=ROOT, env=perdure.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
        assert up.stdout is not None
        said = ""
        for line in up.stdout:
            said += line
            if line.startswith("stop with Ctrl-C"):
                break
        assert "sign in with http://127.0.0.1:" in said, said + (cwd / "up.log").read_text()
        yield perdure
        up.send_signal(signal.SIGINT)
        assert up.wait(30) == 0
