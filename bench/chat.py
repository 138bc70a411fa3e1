"""How late readers see what a provider sends: `python -m bench.chat`, answers by real workers through the relay.

The provider is the stand-in of the tests, a process of its own that writes into each token when it was sent. Everything
runs on this machine: PostgreSQL, Valkey, the relay, the workers, the provider and the readers share its cores.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil

from bench.chat_clients import Read, Reading
from bench.machine import machine
from bench.own_stack import own_servers
from bench.samples import median, percentile
from cli.guarded import Launch
from cli.processes import Processes
from cli.servers.ports import free_port_pair
from schemas.statuses import Role
from settings import ROOT, Settings

START_S = 60.0
MOST_FIRST_MS = {"median": 20.0, "p99": 100.0}


@dataclass(frozen=True)
class Stack:
    """What readers ask, and the processes behind it by name."""

    relay_port: int
    token: str
    pids: Mapping[str, int]


@contextmanager
def running_stack(workers: int, threads: int) -> Iterator[Stack]:
    """Servers, a relay, workers for answers and the provider, in a directory that is removed afterwards."""
    with own_servers("chat", Role.OPERATOR) as own:
        provider = own.stack.enter_context(_provider())
        assert provider.stdout is not None
        base_url = f"http://127.0.0.1:{int(provider.stdout.readline())}/v1"
        settings = Settings(
            data_dir=own.directory,
            port=free_port_pair(),
            database_url=own.database_url,
            redis_url=own.redis_url,
            interactive_threads=threads,
            chat_rate_limit="1000000/minute",
            model_providers={"standin": {"base_url": base_url}},
        )
        services = {service.name: service for service in Processes(settings, with_flower=False).services()}
        launches = {"relay": _with(services["relay"].launch(), base_url)}
        for number in range(1, workers + 1):
            launches[f"worker {number}"] = _worker(services["worker-interactive"].launch(), number, base_url)
        pids = {"provider": provider.pid} | own.begin(launches)
        ready = services["relay"].ready
        assert ready is not None
        deadline = time.monotonic() + START_S
        logs = [own.directory / f"worker {number}.log" for number in range(1, workers + 1)]
        while not (ready() and all(" ready." in log.read_text() for log in logs)):
            if time.monotonic() > deadline:
                raise SystemExit("\n".join(log.read_text()[-2000:] for log in own.directory.glob("*.log")))
            time.sleep(0.05)
        yield Stack(settings.relay_port, own.token, pids | _servers(own.directory))


@contextmanager
def _provider() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.support.model_server"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=10)


def _with(launch: Launch, base_url: str) -> Launch:
    providers = json.dumps({"standin": {"base_url": base_url}})
    more = {"PERDURE_MODEL_PROVIDERS": providers, "PERDURE_CHAT_RATE_LIMIT": "1000000/minute"}
    return replace(launch, env={**(launch.env or {}), **more})


def _worker(launch: Launch, number: int, base_url: str) -> Launch:
    argv = tuple(f"interactive{number}@%h" if part == "interactive@%h" else part for part in launch.argv)
    return replace(_with(launch, base_url), name=f"worker {number}", argv=argv)


def _servers(directory: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for process in psutil.process_iter(["cmdline"]):
        words = " ".join(process.info["cmdline"] or ())
        if str(directory) in words:
            for name in ("postgres", "valkey"):
                if name in words.partition(" ")[0]:
                    found.setdefault(name, process.pid)
    return found


def measure(stack: Stack, job: Reading) -> tuple[Read, dict[str, float]]:
    """One round, and how busy each process was meanwhile, in shares of a core."""
    before, began = _cpu(stack), time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "bench.chat_clients"], input=json.dumps(asdict(job)), capture_output=True, text=True
    )
    if done.returncode != 0:
        raise SystemExit(f"the readers failed: {done.stderr[-2000:]}")
    passed = time.monotonic() - began
    after = _cpu(stack)
    return Read(**json.loads(done.stdout)), {name: (after[name] - before[name]) / passed for name in after}


def _cpu(stack: Stack) -> dict[str, float]:
    """Seconds that each process and those below it have used."""
    used = {}
    for name, pid in stack.pids.items():
        root = psutil.Process(pid)
        times = [root.cpu_times()]
        for child in root.children(recursive=True):
            try:
                times.append(child.cpu_times())
            except psutil.NoSuchProcess:
                continue
        used[name] = sum(one.user + one.system for one in times)
    return used


def told(found: Read, busy: Mapping[str, float]) -> str:
    """The figures in words."""
    used = ", ".join(f"{name} {share:.2f}" for name, share in (*busy.items(), ("readers", found.busy)))
    lines = [
        f"  first token   median {median(found.first):7.1f} ms   p99 {percentile(found.first, 0.99):7.1f} ms"
        f"   of {len(found.first):,}",
        f"  every token   median {median(found.every):7.1f} ms   p99 {percentile(found.every, 0.99):7.1f} ms"
        f"   of {len(found.every):,}",
        f"  from asking to the first token at the reader: median {median(found.begun_ms):.0f} ms",
        f"  answers {found.answers:,}, tokens {found.tokens:,} ({found.tokens / found.seconds:,.0f}/s); "
        f"lost {found.lost}, told twice {found.doubled}, failed {found.failed or 0}",
        f"  cores in use: {used}",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and say by the exit code whether the targets were met."""
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("--answers", type=int, default=200, help="at once")
    parse.add_argument("--tokens", type=int, default=500, help="of an answer")
    parse.add_argument("--per-s", type=float, default=25, help="tokens a second of an answer")
    parse.add_argument("--first-s", type=float, default=0.3, help="seconds until the provider's first token")
    parse.add_argument("--ramp", type=float, default=20, help="seconds over which the first ones begin")
    parse.add_argument("--seconds", type=float, default=30, help="measured, with all at once")
    parse.add_argument("--workers", type=int, default=1, help="processes that write answers")
    parse.add_argument("--burst", action="store_true", help="also: all at the same moment")
    parse.add_argument("--json", action="store_true")
    asked = parse.parse_args()
    # A model thinks before it speaks; else the first token would race the answer to the request that asked for it.
    model = f"standin/stamps?tokens={asked.tokens}&per_s={asked.per_s:g}&first_token_s={asked.first_s:g}&stamp=1"
    threads = asked.answers * 2 // asked.workers
    print(", ".join(f"{name}: {value}" for name, value in machine().items()), file=sys.stderr)
    met = True
    with running_stack(asked.workers, threads) as stack:
        jobs = {"steady": (asked.ramp, asked.seconds)} | ({"burst": (0.0, 0.0)} if asked.burst else {})
        measure(stack, Reading(stack.relay_port, stack.token, "standin/stamps?tokens=5&stamp=1", 10, 5, 0, 0))  # warm
        for name, (ramp_s, seconds) in jobs.items():
            job = Reading(stack.relay_port, stack.token, model, asked.answers, asked.tokens, ramp_s, seconds)
            found, busy = measure(stack, job)
            print(f"{name}: {asked.answers} answers at once, {asked.per_s:g} tokens/s each")
            print(told(found, busy))
            figures = {"median": median(found.first), "p99": percentile(found.first, 0.99)}
            if name == "steady":
                met = all(figures[key] <= most for key, most in MOST_FIRST_MS.items()) and not found.lost
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
