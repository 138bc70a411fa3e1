"""Relays as gunicorn runs them, runs whose events go through Valkey, and clients that keep what they are told."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import socketio
from websocket import create_connection

from cli.servers.ports import free_port_pair
from messaging.dispatcher import NullDispatcher
from messaging.stream import EventStream
from orchestration.core.decide import Succeeded
from orchestration.engine.attempts import Attempts
from orchestration.engine.runs import Runs
from orchestration.store.accounts import add_token
from orchestration.store.database import Database
from schemas.events import LogEvent, Position
from schemas.statuses import Role
from schemas.workflow import WorkflowSpec
from settings import ROOT
from tests.conftest import Eventually
from tests.support.engine import ACTIONS, ALICE, LEASE_S, RESEND_S

TOKEN = "viewer-token-of-the-tests"


class World:
    """One database and one Valkey, with an engine that works on them from this process."""

    def __init__(self, database_url: str, redis_url: str) -> None:
        self.database_url = database_url
        self.redis_url = redis_url
        self.database = Database(database_url, name="test")
        self.stream = EventStream(redis_url)
        parts = (self.database, NullDispatcher(), self.stream)
        self.runs = Runs(*parts, ACTIONS, resend_s=RESEND_S)
        self.attempts = Attempts(*parts, lease_s=LEASE_S, resend_s=RESEND_S)
        add_token(self.database, name="tests", user_name="vera", role=Role.VIEWER, secret=TOKEN)

    def start(self, steps: int = 2) -> str:
        chain = [{"key": f"s{number}", "action": "work"} for number in range(steps)]
        run_id = self.runs.start(WorkflowSpec.model_validate({"steps": chain}), ALICE).run_id
        assert self.stream.flush(5)
        return run_id

    def do_step(self, run_id: str, position: int) -> None:
        lease = self.attempts.claim(run_id, position, "w1")
        assert lease is not None
        self.attempts.finish(lease, Succeeded({"message": f"step {position} is done"}))

    def log(self, run_id: str, number: int) -> None:
        self.stream.publish(
            run_id, [LogEvent(index=0, key="s0", attempt=1, offset=number, level="info", text=f"line {number}")]
        )

    def close(self) -> None:
        self.stream.flush(5)
        self.stream.close()
        self.database.close()


class Relay:
    """One relay process."""

    def __init__(self, world: World, directory: Path, **environment: str) -> None:
        port = free_port_pair()
        self.web_port = port
        self.port = port + 1
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = directory / f"relay-{self.port}.log"
        settings = {
            "DATABASE_URL": world.database_url,
            "REDIS_URL": world.redis_url,
            "PERDURE_PORT": str(port),
            "PERDURE_ALLOWED_ORIGINS": "https://perdure.example",
        }
        command = [
            "-m",
            "gunicorn",
            "-k",
            "gevent",
            "-w",
            "1",
            "--no-control-socket",
            "--logger-class",
            "api.server_log.ServerLog",
            "--graceful-timeout",
            "1",
            "-b",
            f"127.0.0.1:{self.port}",
        ]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command, "api.relay_wsgi:app"],
                cwd=ROOT,
                env={**os.environ, **settings, **environment},
                stdout=log,
                stderr=log,
            )

    def is_up(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return requests.get(f"{self.url}/healthz", timeout=2).ok
        except (requests.ConnectionError, requests.Timeout):
            return False

    def get(self, path: str, *, token: str | None = TOKEN, **options: Any) -> requests.Response:
        headers = options.pop("headers", {})
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return requests.get(f"{self.url}{path}", headers=headers, timeout=40, **options)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGQUIT)  # at once: SIGTERM would wait for the clients that are connected
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def in_order(client: socketio.Client) -> socketio.Client:
    """Let a client take messages as they come: by itself it gives each to a thread of its own, in any order."""
    trigger = client.eio._trigger_event
    client.eio._trigger_event = lambda *values, **options: trigger(*values, **(options | {"run_async": False}))
    return client


class Watcher:
    """A Socket.IO client as docs/live-channel.md describes one: it comes back where it was."""

    def __init__(self, relay: Relay, run_id: str, *, after: str | None = "0-0", token: str = TOKEN) -> None:
        self.run_id = run_id
        self.after = after
        self.events: list[dict[str, Any]] = []
        self.states: list[dict[str, Any]] = []
        self.truncated: list[dict[str, Any]] = []
        self.acks: list[dict[str, Any]] = []
        self.connects = 0
        self._lock = threading.Lock()
        self.client = in_order(socketio.Client(reconnection_delay=0.05, reconnection_delay_max=0.2))
        self.client.on("connect", self._subscribe)
        self.client.on("workflow_event", self._take)
        self.client.on("workflow_progress", self.states.append)
        self.client.on("truncated", self._lose)
        self.client.connect(relay.url, auth={"token": token}, transports=["websocket"])

    def _subscribe(self) -> None:
        self.connects += 1
        asked = {"workflow_id": self.run_id, "after": self.after}
        self.client.emit("subscribe_workflow", asked, callback=self.acks.append)

    def _take(self, event: dict[str, Any]) -> None:
        with self._lock:
            self.events.append(event)
            self.after = event["position"]

    def _lose(self, place: dict[str, Any]) -> None:
        self.truncated.append(place)
        self.after = place["position"]

    @property
    def seqs(self) -> list[int]:
        with self._lock:
            return [event["seq"] for event in self.events]

    def cut(self) -> None:
        """Lose the connection without a word."""
        self.client.eio.ws.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.client.shutdown()  # also while it tries to connect again


class RawSocket:
    """A WebSocket that reads only when told to."""

    def __init__(self, relay: Relay) -> None:
        address = f"{relay.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket"
        self._socket = create_connection(address, timeout=10)
        self.read()
        self._socket.send("40" + json.dumps({"token": TOKEN}))
        assert self.read().startswith('40{"sid"')

    def read(self) -> str:
        """The next packet. Answers pings on the way."""
        while True:
            packet = str(self._socket.recv())
            if packet != "2":
                return packet
            self._socket.send("3")

    def read_event(self) -> tuple[str, Any]:
        """Name and data of the next event."""
        while True:
            packet = self.read()
            if packet.startswith("42"):
                name, data = json.loads(packet[2:])
                return name, data

    def subscribe(self, run_id: str) -> None:
        self._socket.send("42" + json.dumps(["subscribe_workflow", {"workflow_id": run_id, "after": "0-0"}]))

    def close(self) -> None:
        self._socket.close()


class EventSource:
    """A reader of server-sent events."""

    def __init__(self, relay: Relay, query: str, **headers: str) -> None:
        self.response = relay.get(f"/workflow/events?{query}", headers=headers, stream=True)
        self._lines = self.response.iter_lines(chunk_size=1, decode_unicode=True)

    def read(self) -> tuple[str, str, dict[str, Any]]:
        """`(id, event, data)` of the next message."""
        message: dict[str, str] = {}
        for line in self._lines:
            if not line and "data" in message:
                return message["id"], message["event"], json.loads(message["data"])
            name, _, value = line.partition(": ")
            message[name] = value
        raise AssertionError("the stream has ended")

    def close(self) -> None:
        self.response.close()


@pytest.fixture(scope="module")
def world(module_database_url: str, module_redis_url: str) -> Iterator[World]:
    world = World(module_database_url, module_redis_url)
    yield world
    world.close()


@pytest.fixture(scope="module")
def relay(world: World, tmp_path_factory: pytest.TempPathFactory, eventually: Eventually) -> Iterator[Relay]:
    """A relay of the module's world."""
    relay = Relay(world, tmp_path_factory.mktemp("relay"))
    try:
        eventually(relay.is_up, timeout_s=60)
        yield relay
    finally:
        relay.stop()


@pytest.fixture
def watch() -> Iterator[Callable[..., Watcher]]:
    """Make Socket.IO clients, which are closed at the end."""
    watchers: list[Watcher] = []

    def make(*args: Any, **options: Any) -> Watcher:
        watchers.append(Watcher(*args, **options))
        return watchers[-1]

    yield make
    for watcher in watchers:
        watcher.close()


def position_of(world: World, run_id: str) -> Position:
    assert world.stream.flush(5)
    return world.stream.position(run_id)
