"""Every example of docs/http-api.md, run with curl against a server, from top to bottom."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from pydantic import BaseModel, ConfigDict
from werkzeug.serving import make_server

from api.app import create_app
from api.services import Services, make_chats
from orchestration.actions.declaration import ActionDeclaration
from orchestration.actions.noop import NoopParams
from orchestration.chat.plans import ACTION as CHAT
from orchestration.core.decide import Outcome, Snoozed, Succeeded
from orchestration.engine.leases import Lease
from orchestration.engine.runs import Runs
from schemas.statuses import Role, WaitReason
from tests.api.workflow.conftest import ACTIONS, Worker, declare
from tests.support.engine import Recorder

DOCUMENT = Path(__file__).parents[3] / "docs" / "http-api.md"
BLOCK = re.compile(r"^```(sh|json)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ANY = "…"


class Anything(BaseModel):
    model_config = ConfigDict(extra="allow")


EXAMPLE_ACTIONS: dict[str, ActionDeclaration] = {
    **ACTIONS,
    "noop": declare("noop", NoopParams),
    CHAT: declare(CHAT, Anything),
}
ANSWERED = {
    "text": "This is the demo model. You said: What is a lease?",
    "model": "demo/plain",
    "finish_reason": "stop",
    "usage": {"prompt_tokens": 4, "completion_tokens": 9, "estimated": False},
    "timings": {"first_token_ms": 3.5, "total_ms": 20.0, "tokens_per_s": 450.0},
}


def examples() -> list[tuple[str, Any]]:
    """Each script with the answer that is shown below it, if any."""
    found: list[tuple[str, Any]] = []
    for kind, text in BLOCK.findall(DOCUMENT.read_text("utf-8")):
        if kind == "sh":
            found.append((text, None))
        else:
            assert found[-1][1] is None, "two answers after one script"
            found[-1] = (found[-1][0], json.loads(text))
    return found


def differences(expected: Any, given: Any, place: str = "") -> list[str]:
    """Where the answer is not as shown; it may hold more fields."""
    if expected == ANY:
        return []
    if isinstance(expected, dict) and isinstance(given, dict):
        missing = [f"{place}/{name} is missing" for name in expected if name not in given]
        known = [name for name in expected if name in given]
        return missing + [d for name in known for d in differences(expected[name], given[name], f"{place}/{name}")]
    if isinstance(expected, list) and isinstance(given, list) and len(expected) == len(given):
        return [
            d for n, pair in enumerate(zip(expected, given, strict=True)) for d in differences(*pair, f"{place}/{n}")
        ]
    return [] if expected == given else [f"{place}: {given!r}, shown is {expected!r}"]


def act(worker: Worker, lease: Lease) -> Outcome:
    """What the actions of the examples do."""
    worker.attempts.save_log(lease, [(0, "info", f"doing {lease.key}\n")])
    if lease.action == CHAT:
        return Succeeded({"message": "This is the demo model.", "details": ANSWERED})
    if lease.action == "wait_for_signal" and lease.signal is None:
        return Snoozed(WaitReason.SIGNAL, None)
    return Succeeded({"message": "connected"} if lease.action == "ssh.test_ssh" else dict(lease.params))


@pytest.fixture
def services(services: Services, recorder: Recorder) -> Services:
    runs = Runs(services.database, recorder, recorder, EXAMPLE_ACTIONS, resend_s=2)
    chats = make_chats(services.database, runs, recorder, services.models)
    return replace(services, runs=runs, actions=EXAMPLE_ACTIONS, chats=chats)


@pytest.fixture
def working(services: Services, worker: Worker) -> Iterator[None]:
    """A worker that takes every step that is ready."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            ready = services.database.rows(
                "SELECT r.public_id, s.position FROM steps s JOIN runs r ON r.id = s.run_id WHERE s.status = 'ready'"
            )
            for run_id, position in ready:
                lease = worker.attempts.claim(run_id, position, "w1")
                if lease is not None:
                    worker.finish(lease, act(worker, lease))
            time.sleep(0.05)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.fixture
def server(services: Services) -> Iterator[str]:
    app: Flask = create_app(services)
    listening = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{listening.server_port}"
    listening.shutdown()
    thread.join()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None and "CI" not in os.environ, reason="needs curl")
def test_every_example_answers_as_shown(server: str, token_of: Callable[[Role], str], working: None) -> None:
    environment = {"PATH": os.environ["PATH"], "PERDURE_URL": server, "PERDURE_TOKEN": token_of(Role.OPERATOR)}
    environment |= {"no_proxy": "127.0.0.1", "LC_ALL": "C.UTF-8"}
    setup = examples()[0][0]
    for script, expected in examples()[1:]:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", setup + script],
            env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        if expected is not None:
            assert differences(expected, json.loads(done.stdout)) == [], script


def test_the_document_shows_an_example_of_every_address() -> None:
    scripts = " ".join(script for script, _ in examples())
    text = DOCUMENT.read_text("utf-8")
    for name in ("start", "state", "state/summary", "runs", "steps", "logs", "trace", "templates", "actions"):
        assert f"$PERDURE_URL/workflow/{name}" in scripts
    for control in ("stop", "pause", "resume", "retry", "skip", "signal", "restart", "fork"):
        assert f"`{control}`" in text
        assert f"$PERDURE_URL/workflow/{control}" in scripts
