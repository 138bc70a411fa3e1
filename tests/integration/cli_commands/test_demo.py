"""`perdure demo`, the first command a new user runs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.conftest import Eventually
from tests.integration.cli_commands.conftest import PERDURE

pytestmark = [pytest.mark.integration, pytest.mark.slow(20), pytest.mark.timeout(300)]


def begin(directory: Path, *arguments: str) -> subprocess.Popen[str]:
    # Settings and servers of the environment are not for the demo.
    environment = os.environ | {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x", "PERDURE_PORT": "1"}
    return subprocess.Popen(
        [PERDURE, "demo", "--dir", str(directory), *arguments],
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def processes_on(directory: Path) -> list[str]:
    found = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    return [command for command in found if str(directory) in command]


@pytest.fixture
def directory(session_dir: Path) -> Path:
    return session_dir / "demo of a new user"


def test_the_demo_completes_and_leaves_nothing_running(directory: Path) -> None:
    demo = begin(directory / "plain")
    said, _ = demo.communicate(timeout=200)
    assert demo.returncode == 0, said
    assert re.search(r"http://127\.0\.0\.1:\d+/sign-in\?next=/runs/\S+#code=\S+", said)
    assert re.search(r"^completed: 10 steps in .*, 0 retries$", said, re.MULTILINE), said
    assert "nodes: manager: completed" in said
    assert processes_on(directory) == []


@pytest.mark.fault
def test_a_worker_killed_in_the_middle_costs_no_work(directory: Path) -> None:
    demo = begin(directory / "kill", "--kill", "worker")
    said, _ = demo.communicate(timeout=200)
    assert demo.returncode == 0, said
    assert re.search(r"killed worker-io \(pid \d+\) in the middle of: Install the custom nodes", said)
    assert re.search(r"worker-io runs again \(pid \d+\)", said)
    assert "10 of 10 steps were committed, each once; 1 attempt was lost and taken over" in said


def test_the_flow_scenario_parks_work_while_its_agent_fails_and_releases_it_in_waves(directory: Path) -> None:
    demo = begin(directory / "flow", "--scenario", "flow")
    said, _ = demo.communicate(timeout=250)
    assert demo.returncode == 0, said
    assert "breaker: closed -> open: 3 failures in a row" in said
    assert "breaker: half_open -> closed" in said
    assert "50 of 50 runs completed" in said
    failed = re.search(r"the agent failed (\d+) times, which cost (\d+) attempts", said)
    # Those that had begun when the breaker opened, and its probes; not one for each of the 40 runs.
    assert failed is not None, said
    assert int(failed.group(2)) <= int(failed.group(1)) < 30, said


def test_an_interrupted_demo_stops_all_it_started(directory: Path) -> None:
    demo = begin(directory / "interrupted")
    assert demo.stdout is not None
    for line in demo.stdout:
        if "venv: in_progress" in line:
            break
    check_end(demo, signal.SIGINT, directory)


def test_a_demo_that_is_ended_while_it_starts_leaves_nothing_running(directory: Path, eventually: Eventually) -> None:
    demo = begin(directory / "ended")
    eventually((directory / "ended" / "logs" / "postgres.log").exists, timeout_s=60)
    check_end(demo, signal.SIGTERM, directory)


def check_end(demo: subprocess.Popen[str], number: signal.Signals, directory: Path) -> None:
    demo.send_signal(number)
    said, _ = demo.communicate(timeout=60)
    assert demo.returncode == 130, said
    assert processes_on(directory) == []


def test_a_directory_that_is_in_use_is_left_alone(directory: Path) -> None:
    directory.mkdir(exist_ok=True)
    (directory / "precious").touch()
    demo = begin(directory)
    said, _ = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert "is not an empty directory" in said
    assert (directory / "precious").exists()
