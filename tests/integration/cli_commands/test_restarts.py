"""What follows a run outlives every server: it says that it reconnects, and ends only when the run has."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli_commands.conftest import Perdure

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(300)]
SERVERS = ("relay", "valkey", "web", "postgres")
LINES = 40


class Reading:
    """Reads what a command says, in a thread, so that it can be looked at while the command runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[str] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def end(self) -> int:
        code = self.process.wait(60)
        self._thread.join(10)
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.rstrip("\n"))


def test_following_survives_the_death_of_every_server(perdure: Perdure, eventually: Any, tmp_path: Path) -> None:
    done = tmp_path / "done"
    script = (
        f"i=0; while [ $i -lt {LINES} ] || [ ! -e '{done}' ]; do i=$((i+1)); "
        'echo "line $i"; sleep 0.2; done; echo "written $i"'
    )
    run_id = perdure.start({"key": "talk", "action": "shell.command", "params": {"argv": ["sh", "-c", script]}})
    progress = Reading(perdure.begin("show", run_id, "--follow"))
    log = Reading(perdure.begin("logs", "-f", run_id, "talk"))
    eventually(lambda: "line 3" in log.said and progress.said, timeout_s=30)

    for name in SERVERS:
        before = perdure.processes[name]
        count = sum(line.startswith("line ") for line in log.said)
        os.kill(before, signal.SIGKILL)
        eventually(lambda n=name, b=before: perdure.processes.get(n) not in (None, b), timeout_s=30)
        eventually(lambda c=count: f"line {c + 10}" in log.said, timeout_s=60)
        assert progress.process.poll() is None
        assert log.process.poll() is None
    done.touch()

    assert progress.end() == 0, progress.said
    assert log.end() == 0, log.said
    assert progress.said[-1].startswith("completed: 1 step"), progress.said
    said = [line for line in log.said if not line.startswith("[")]
    last = int(said[-1].split()[1])
    assert said == [*(f"line {n}" for n in range(1, last + 1)), f"written {last}"], "each line once and in order"


def test_following_waits_out_a_server_that_is_down_for_long(perdure: Perdure, eventually: Any, tmp_path: Path) -> None:
    done = tmp_path / "done"
    script = f"while [ ! -e '{done}' ]; do sleep 0.1; done"
    run_id = perdure.start({"key": "wait", "action": "shell.command", "params": {"argv": ["sh", "-c", script]}})
    watching = Reading(perdure.begin("show", run_id, "--follow"))
    eventually(lambda: any("wait: in_progress" in line for line in watching.said), timeout_s=60)
    # Each start of the web process is ended at once, until the command has noticed.
    killed: set[int] = set()

    def noticed() -> bool:
        pid = perdure.processes.get("web")
        if pid is not None and pid not in killed:
            killed.add(pid)
            os.kill(pid, signal.SIGKILL)
        return any("reconnecting" in line for line in watching.said)

    eventually(noticed, timeout_s=60)
    done.touch()
    assert watching.end() == 0, watching.said
    assert any("reconnected" in line for line in watching.said), watching.said
