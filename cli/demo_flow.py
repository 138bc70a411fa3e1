"""The demo of flow control: an agent fails under load, its breaker opens, work is parked, and waves release it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cli.client import Client
from cli.commands.sign_in import sign_in_link
from cli.output import print_line
from schemas.json import JsonObject

AGENT = "demo-agent"
NOTES = "file:/demo/notes"
FIRST, MORE = 10, 40
THRESHOLD = 3
RECOVERY_S = 3.0
RATE = 40
LOOK_S = 0.5
PATIENCE_S = 120.0
# How finely the calls after the recovery are counted, to show the waves.
WAVE_S = 0.25


class FlowStuck(Exception):
    """What the scenario waits for did not happen in time; the message says what."""


class Agent:
    """An HTTP server that can be told to fail, and remembers when it was called."""

    def __init__(self) -> None:
        self.healthy = threading.Event()
        self.healthy.set()
        self.calls: list[tuple[float, bool]] = []
        agent = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                answer = agent.healthy.is_set()
                agent.calls.append((time.monotonic(), answer))
                body = b'{"answer": 42}' if answer else b'{"error": "overloaded"}'
                self.send_response(200 if answer else 503)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/ask"

    @contextmanager
    def serving(self) -> Iterator[Agent]:
        """Answer on a thread until the end of the block."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()

    def failed(self) -> int:
        """Calls that were answered by an error."""
        return sum(not answer for _, answer in self.calls)


def run_flow(client: Client) -> bool:
    """Play the scenario and tell what is seen; whether all runs completed. Raises: FlowStuck."""
    print_line(f"watch it in a browser: {sign_in_link(client, '/dashboard')} (works once)")
    with Agent().serving() as agent:
        print_line(f"an agent answers; {FIRST} runs ask it, at most {RATE} calls a second over all workers")
        runs = _start(client, agent, FIRST)
        _watch(client, runs, lambda seen: seen.ended == FIRST, "the first runs to complete")

        agent.healthy.clear()
        print_line(f"the agent fails now, and {MORE} more runs come: {THRESHOLD} failures in a row open its breaker")
        runs += _start(client, agent, MORE)
        parked = MORE * 3 // 4
        _watch(client, runs, lambda seen: seen.waiting["breaker"] >= parked and seen.breaker == "open", "parked work")
        _watch(client, runs, lambda _seen: agent.failed() > THRESHOLD + 1, "a probe of the open breaker")

        agent.healthy.set()
        recovered = time.monotonic()
        print_line("the agent has recovered; the next probe closes the breaker, and each success lets two more go on")
        _watch(client, runs, lambda seen: seen.ended == len(runs), "all runs to end")
        return _tell(client, agent, runs, recovered)


class _Seen:
    """The runs and the flow, as the server tells of them at one moment."""

    def __init__(self, client: Client, runs: list[str]) -> None:
        counts = client.get("/workflow/runs/counts")["counts"]
        flow = client.get("/api/orchestration/flow")
        self.completed = counts["completed"]
        self.ended = self.completed + counts["failed"] + counts["cancelled"]
        self.waiting = Counter({row["reason"]: row["steps"] for row in flow["waiting"]})
        states = {breaker["name"]: breaker["state"] for breaker in flow["breakers"] or []}
        self.breaker = str(states.get(AGENT, "closed"))
        self.line = next((lock["waiting"] for lock in flow["locks"] if lock["key"] == f"lock:{NOTES}"), 0)
        self.of = len(runs)

    def __str__(self) -> str:
        waits = ", ".join(f"{count} for {reason}" for reason, count in sorted(self.waiting.items()) if count)
        line = f"{self.completed} of {self.of} completed; breaker {self.breaker}"
        return line + (f"; waiting: {waits}" if waits else "")


def _start(client: Client, agent: Agent, count: int) -> list[str]:
    answer = client.post("/workflow/start/many", {"runs": [_workflow(agent) for _ in range(count)]})
    return [run["workflow_id"] for run in answer["runs"]]


def _workflow(agent: Agent) -> JsonObject:
    """Ask the agent, then note the answer where one at a time may write."""
    return {
        "name": "Ask the agent",
        "steps": [
            {
                "key": "ask",
                "label": "Ask the agent",
                "action": "http.request",
                "params": {"url": agent.url},
                "breaker": {"name": AGENT, "failure_threshold": THRESHOLD, "recovery_s": RECOVERY_S},
                "rate_limits": [{"name": AGENT, "limit": RATE, "per_s": 1}],
                "retry": {"max_attempts": 10, "base_delay_s": 0.5, "max_delay_s": 2},
            },
            {
                "key": "note",
                "label": "Note the answer",
                "action": "demo.sleep",
                "params": {"seconds": 0.02},
                "locks": [{"name": NOTES}],
            },
        ],
    }


def _watch(client: Client, runs: list[str], is_there: Callable[[_Seen], bool], what: str) -> None:
    """Say what changes, until it is there. Raises: FlowStuck."""
    deadline, said = time.monotonic() + PATIENCE_S, ""
    while True:
        seen = _Seen(client, runs)
        if str(seen) != said:
            said = str(seen)
            print_line(f"  {said}")
        if is_there(seen):
            return
        if time.monotonic() > deadline:
            raise FlowStuck(f"waited {PATIENCE_S:g} s for {what}")
        time.sleep(LOOK_S)


def _tell(client: Client, agent: Agent, runs: list[str], recovered: float) -> bool:
    """The figures of the scenario."""
    waves = Counter(int((at - recovered) / WAVE_S) for at, _ in agent.calls if at >= recovered)
    shown = " ".join(str(waves[n]) for n in range(min(waves), max(waves) + 1)) if waves else "none"
    attempts = sum(
        attempt["outcome"] == "failed"
        for run in runs
        for step in client.get("/workflow/steps", workflow_id=run, attempts=True)["steps"]
        for attempt in step["attempts"]
    )
    seen = _Seen(client, runs)
    print_line(f"{seen.completed} of {len(runs)} runs completed")
    print_line(
        f"the agent failed {agent.failed()} times, which cost {attempts} attempts; the rest waited and burned none"
    )
    print_line(f"calls after the recovery, each {WAVE_S:g} s: {shown}")
    for change in reversed(client.get("/api/orchestration/circuit-breakers/changes", name=AGENT)["changes"]):
        print_line(f"breaker: {change['before']} -> {change['after']}: {change['why']}")
    return bool(seen.completed == len(runs))
