"""The whole stack in processes of its own, and a client that starts runs and breaks parts of it."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import redis
import requests

from cli.servers.ports import free_port, free_port_pair
from cli.up import Stack
from messaging.stream import EventStream
from orchestration.core.alert_rules import Reading
from orchestration.core.alert_states import weigh
from orchestration.engine.alerts import Alerts
from orchestration.store.database import Database
from schemas.alerts import RULES, numbers_of
from settings import load_settings
from tests.support.workers import wait_until

TOKEN = "a-token-for-the-browser-tests-0123456789"
ENVIRONMENT = {
    "PERDURE_ADMIN_TOKEN": TOKEN,
    "PERDURE_START_RATE_LIMIT": "1000/second",
    "PERDURE_CHAT_RATE_LIMIT": "1000/second",
}
SANDBOX = "sandbox"
KILL_AGAIN_S = 0.02

Step = dict[str, Any]


def step(key: str, action: str = "noop", *, label: str | None = None, **params: Any) -> Step:
    """One step of a workflow."""
    return {"key": key, "action": action, "params": params, "label": label or key}


class Site:
    """A running stack as a person at a terminal beside it has it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.url = stack.settings.web_url
        self.early = ""  # a run that has waited for an answer ever since the stack was there
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {TOKEN}"

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Ask the server, again and again while it is being replaced."""
        deadline = time.monotonic() + 30
        while True:
            with suppress(requests.ConnectionError):
                answer = self._session.request(method, self.url + path, json=body, timeout=10)
                document: dict[str, Any] = answer.json()
                if answer.status_code < 500:
                    assert answer.status_code < 400, document
                    return document
            assert time.monotonic() < deadline, f"{method} {path} is not answered"
            time.sleep(0.05)

    def start(self, steps: Sequence[Step], name: str = "Nightly scan", **workflow: Any) -> str:
        """Start a run; its id."""
        body = {"name": name, "steps": list(steps), **workflow}
        return str(self.call("POST", "/workflow/start", body)["workflow_id"])

    def state(self, run_id: str) -> dict[str, Any]:
        state: dict[str, Any] = self.call("GET", f"/workflow/state?workflow_id={run_id}")["state"]
        return state

    def wait(self, run_id: str, status: str, *, step: str | None = None) -> None:
        """Wait until the run, or a step of it, has this status; `waiting` is a step that waits for something."""

        def reached() -> bool:
            state = self.state(run_id)
            if step is None:
                return bool(state["status"] == status)
            one = next(one for one in state["steps"] if one["key"] == step)
            return bool(one["waiting_for"] if status == "waiting" else one["status"] == status)

        wait_until(reached, 30, lambda: self.state(run_id))

    def signal(self, run_id: str, key: str, payload: object = None) -> None:
        self.call("POST", "/workflow/signal", {"workflow_id": run_id, "step": key, "payload": payload or {}})

    def stop(self, *run_ids: str) -> None:
        """Stop runs that have done what they were for."""
        for run_id in run_ids:
            self.call("POST", "/workflow/stop", {"workflow_id": run_id})

    def token(self, role: str) -> str:
        """A token of somebody new with this role."""
        name = f"{role}-{uuid.uuid4().hex[:6]}"
        return str(self.call("POST", "/auth/tokens", {"name": name, "role": role})["token"])

    def process(self, name: str) -> psutil.Process | None:
        """The process of that name; a guard stands between it and the supervisor. None while there is none."""
        with suppress(KeyError, OSError, ValueError, psutil.NoSuchProcess):
            found = psutil.Process(json.loads(self.stack.stack_file.read_text())["processes"][name])
            while "guard" in " ".join(found.cmdline()[:4]):
                found = found.children()[0]
            return found
        return None

    def kill(self, name: str) -> None:
        """Kill it and all that it started; the supervisor brings it back."""
        process = self.process(name)
        if process is None:
            return
        with suppress(psutil.NoSuchProcess):
            family = [process, *process.children(recursive=True)]
            for one in family:
                with suppress(psutil.NoSuchProcess):
                    one.kill()

    def open_alert(self, subject: str) -> int:
        """Open an alert as the janitor does when it sees that breaker open; its number."""
        known = json.loads(self.stack.stack_file.read_text())
        with (
            closing(Database(known["database_url"], name="test", size=1)) as database,
            closing(EventStream(known["redis_url"])) as events,
        ):
            alerts = Alerts(database, events)
            numbers = {rule: numbers_of(rule, {}) for rule in RULES}
            seen = Reading(subject, 1.0, f"the breaker {subject} opened", {})
            moves = weigh({"breaker_open": [seen]}, numbers, (), alerts.board().now_s)
            (made,) = alerts.make(moves, numbers)
            events.flush(2)  # longer only while Valkey is away
            return int(made["id"])

    @contextmanager
    def held_down(self, name: str) -> Iterator[None]:
        """Kill it, and each that the supervisor starts in its place, until the block ends."""
        enough = threading.Event()

        def again() -> None:
            while not enough.wait(KILL_AGAIN_S):
                with suppress(IndexError):
                    self.kill(name)

        self.kill(name)
        killer = threading.Thread(target=again, daemon=True)
        killer.start()
        try:
            yield
        finally:
            enough.set()
            killer.join()

    def wipe_valkey(self) -> None:
        """Empty it: messages, events, everything."""
        with redis.Redis.from_url(json.loads(self.stack.stack_file.read_text())["redis_url"]) as client:
            client.flushall()


@contextmanager
def running_site(directory: Path) -> Iterator[Site]:
    """Start all of it, and stop it. `ENVIRONMENT` is set by the caller: processes inherit it."""
    settings = load_settings(
        attach=False,
        data_dir=directory,
        port=free_port_pair(),
        flower_port=free_port(),
        # Where a sandbox host of the tests puts the key that opens it.
        ssh_keys_dir=directory / SANDBOX / "keys",
    )
    stack = Stack(settings, with_flower=False)
    stack.start()
    try:
        yield Site(stack)
    finally:
        stack.stop()
