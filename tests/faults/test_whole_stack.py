"""`up` with real runs over HTTP: any one of its processes is killed in the middle, which costs seconds, not work."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from requests.exceptions import ChunkedEncodingError

from cli.servers.ports import free_port, free_port_pair
from cli.up import Stack
from settings import load_settings
from tests.support.workers import wait_until

pytestmark = [pytest.mark.fault, pytest.mark.slow]

TOKEN = "a-token-for-the-whole-stack-test"


class Client:
    """An HTTP client of the stack that tries again while it is being replaced."""

    def __init__(self, stack: Stack, ledger: Path) -> None:
        self.stack = stack
        self.ledger = ledger
        self.lost = 0
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {TOKEN}"

    def call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Answer once the server gave one; 503 and a closed connection count as none."""
        deadline = time.monotonic() + 60
        while True:
            try:
                response = self.session.request(method, self.stack.settings.web_url + path, timeout=10, **options)
                if response.status_code < 500:
                    document: dict[str, Any] = response.json() if response.content else {}
                    assert response.status_code < 400, document
                    return document
                last = f"{response.status_code} {response.text[:500]}"
            except (
                requests.ConnectionError,
                requests.Timeout,
                ChunkedEncodingError,
            ) as error:  # the last: half an answer
                last = str(error)
                self.lost += 1
            assert time.monotonic() < deadline, last
            time.sleep(0.05)

    def start(self, count: int, seconds: float, *, action: str = "t.work", run_id: str | None = None) -> str:
        steps = [{"key": f"s{n}", "action": action, "params": {"seconds": seconds}} for n in range(count)]
        body = {"steps": steps} | ({"workflow_id": run_id} if run_id else {})
        return str(self.call("POST", "/workflow/start", json=body)["workflow_id"])

    def state(self, run_id: str) -> dict[str, Any]:
        document: dict[str, Any] = self.call("GET", f"/workflow/state?workflow_id={run_id}")["state"]
        return document

    def wait(self, run_id: str, status: str, timeout_s: float = 60) -> dict[str, Any]:
        wait_until(lambda: self.state(run_id)["status"] == status, timeout_s, lambda: self.state(run_id))
        return self.state(run_id)

    def lines(self, run_id: str, what: str) -> list[str]:
        lines = [line.split() for line in self.ledger.read_text().splitlines()]
        return [line[1] for line in lines if line[0] == run_id and line[3] == what]

    def pid(self, name: str) -> int:
        return int(json.loads(self.stack.stack_file.read_text())["processes"][name])

    def program(self, name: str) -> psutil.Process:
        """The process of that name itself; a guard may stand between it and the supervisor."""
        process = psutil.Process(self.pid(name))
        while "guard" in " ".join(process.cmdline()[:4]) and process.children():
            process = process.children()[0]
        return process

    def is_replaced(self, name: str, before: psutil.Process) -> bool:
        """Whether another process than `before` has the name; between the two there is none."""
        try:
            return self.program(name) != before
        except (KeyError, IndexError, psutil.NoSuchProcess):
            return False


@pytest.fixture(scope="module")
def client(fast_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    directory = tmp_path_factory.mktemp("stack")
    ledger = directory / "ledger"
    ledger.touch()
    test_environment = {
        "PERDURE_TEST_LEDGER": str(ledger),
        "PERDURE_TEST_FAULTS": str(directory),
        "PERDURE_ACTIONS": "tests.support.fault_actions",
        "PERDURE_ADMIN_TOKEN": TOKEN,
        "PERDURE_START_RATE_LIMIT": "1000/second",
    }
    os.environ.update(test_environment)
    settings = load_settings(attach=False, data_dir=fast_dir / "stack", port=free_port_pair(), flower_port=free_port())
    stack = Stack(settings, with_flower=False)
    stack.start()
    client = Client(stack, ledger)
    client.wait(client.start(1, 0.01), "completed")
    yield client
    stack.stop()
    for name in test_environment:
        del os.environ[name]


@pytest.mark.parametrize("victim", ["worker-io", "web", "relay", "valkey", "postgres"])
def test_one_process_killed_in_the_middle_of_a_run_costs_seconds_not_work(client: Client, victim: str) -> None:
    run_id = client.start(6, 0.5)
    wait_until(lambda: "s1" in client.lines(run_id, "begin"), 60, lambda: client.state(run_id))
    before = client.program(victim)
    os.kill(before.pid, signal.SIGKILL)
    state = client.wait(run_id, "completed")
    began = client.lines(run_id, "effect")
    assert sorted(set(began)) == [f"s{n}" for n in range(6)]
    assert len(began) <= 7, "only the attempt in flight may be repeated"
    assert [step["status"] for step in state["steps"]] == ["completed"] * 6
    wait_until(lambda: client.is_replaced(victim, before), 60, lambda: victim)


def test_a_start_whose_answer_got_lost_is_sent_again_and_makes_one_run(client: Client) -> None:
    killed_before_the_answer = 0
    for n in range(8):
        begin = time.monotonic()
        client.start(1, 0.0, run_id=f"warm-{n}")
        usual = time.monotonic() - begin
        # Somewhere between the request and its answer, later each time: before the commit, after it, while answering.
        killer = threading.Timer(usual * (n + 1) / 8, kill_all, [client.program("web").children(recursive=True)])
        killer.start()
        client.start(1, 0.0, run_id=f"again-{n}")
        killer.join()
        killed_before_the_answer += client.lost
        client.lost = 0
    assert killed_before_the_answer > 0
    for n in range(8):
        client.wait(f"again-{n}", "completed")
        assert client.lines(f"again-{n}", "effect") == ["s0"]


def kill_all(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
