"""What the HTTP benchmark measures, and what each figure should be."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bench.http_load import Figures, Job, request_text
from bench.http_stack import Stack
from bench.samples import median, percentile

POLLERS = 8
BATCH = 100


@dataclass(frozen=True)
class Case:
    """One line of the table. `value` makes its figure of a round out of what was measured in that round."""

    name: str
    title: str
    unit: str
    value: Callable[[Mapping[str, Figures]], float]
    target: float | None = None
    at_least: bool = False

    def is_met(self, figure: float) -> bool | None:
        if self.target is None:
            return None
        return figure >= self.target if self.at_least else figure <= self.target


def jobs(stack: Stack, seconds: float) -> dict[str, Job]:
    """The loads of one round, in this order; the bare app has its turn beside each that is compared with it."""
    token = stack.token

    def steps(count: int) -> list[dict[str, str]]:
        return [{"key": f"s{number}", "action": "noop"} for number in range(count)]

    def get(path: str, **headers: str) -> list[str]:
        return [request_text("GET", path, token=token, headers=headers)]

    def post(path: str, body: Any) -> list[str]:
        return [request_text("POST", path, token=token, body=body)]

    def web(requests: list[str], **options: Any) -> Job:
        return Job(stack.web_port, requests, **{"seconds": seconds, **options})

    def bare(**options: Any) -> Job:
        return Job(stack.floor_port, [request_text("GET", "/")], **{"seconds": seconds, **options})

    state = "/workflow/state?workflow_id=five"
    tag = prepare(stack)
    batch = {"runs": [{"steps": steps(5)}] * BATCH}
    return {
        "bare": bare(connections=POLLERS),
        "304": web(get(state, **{"If-None-Match": tag}), connections=POLLERS),
        "bare_between": bare(connections=POLLERS),
        "state": web(get(state), connections=POLLERS),
        "bare_after": bare(connections=POLLERS),
        "list": web(get("/workflow/runs?limit=20"), connections=POLLERS),
        "bare_alone": bare(),
        "start": web(post("/workflow/start", {"steps": steps(5)})),
        "start_many": web(post("/workflow/start/many", batch), warm_up=1),
        "start_long": web(post("/workflow/start", {"steps": steps(10_000)}), count=2, warm_up=1),
    }


def _share_of_bare(name: str, before: str, after: str, target: float) -> Case:
    """Requests a second of a load, by those of the bare app before and after it."""

    def value(round_: Mapping[str, Figures]) -> float:
        return round_[name].rate / ((round_[before].rate + round_[after].rate) / 2)

    return Case(f"{name}_ratio", "  of a bare answer's", "x", value, target, at_least=True)


CASES = (
    Case("bare", f"a bare Flask answer, {POLLERS} clients", "requests/s", lambda r: r["bare"].rate),
    Case("304", f"GET /workflow/state, known, {POLLERS} clients", "requests/s", lambda r: r["304"].rate),
    _share_of_bare("304", "bare", "bare_between", 0.8),
    Case("state", f"GET /workflow/state, 5 steps, {POLLERS} clients", "requests/s", lambda r: r["state"].rate),
    _share_of_bare("state", "bare_between", "bare_after", 0.35),
    Case("list", f"GET /workflow/runs, 20 runs, {POLLERS} clients", "requests/s", lambda r: r["list"].rate),
    Case("bare_alone", "a bare Flask answer, 1 client, median", "ms", lambda r: median(r["bare_alone"].latencies)),
    Case("start", "start of a 5-step run, median", "ms", lambda r: median(r["start"].latencies)),
    Case(
        "start_beyond",
        "  beyond a bare answer",
        "ms",
        lambda r: median(r["start"].latencies) - median(r["bare_alone"].latencies),
        3.0,
    ),
    Case("start_p99", "  99th percentile", "ms", lambda r: percentile(r["start"].latencies, 0.99)),
    Case(
        "start_many",
        f"runs of 5 steps started {BATCH} a request",
        "runs/s",
        lambda r: r["start_many"].rate * BATCH,
    ),
    Case("start_long", "start of a 10,000-step run", "ms", lambda r: median(r["start_long"].latencies), 1000.0),
)


def prepare(stack: Stack) -> str:
    """Start the run that is polled; the tag of its state."""
    body = {"workflow_id": "five", "steps": [{"key": f"s{number}", "action": "noop"} for number in range(5)]}
    call(stack, "POST", "/workflow/start", body)
    return call(stack, "GET", "/workflow/state?workflow_id=five").headers["ETag"]


def call(stack: Stack, method: str, path: str, body: Any = None) -> http.client.HTTPResponse:
    """One request that must go well."""
    connection = http.client.HTTPConnection("127.0.0.1", stack.web_port, timeout=60)
    headers = {"Authorization": f"Bearer {stack.token}", "Content-Type": "application/json"}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{method} {path} was answered {answer.status}: {text[:500]!r}")
    return answer


def run_job(job: Job, status: int) -> Figures:
    """Do a job in a process of its own. Every answer must have this status."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.http_load"],
        input=json.dumps(asdict(job)),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"the load client failed: {done.stderr[-2000:]}")
    figures = Figures(**json.loads(done.stdout))
    if set(figures.statuses) != {str(status)}:
        raise SystemExit(f"expected {status}, answered: {figures.statuses}")
    return figures
