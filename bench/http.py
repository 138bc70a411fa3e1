"""`python -m bench.http`: polling, starts and the relay's fan-out, beside a bare Flask answer on the same server."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import psycopg2
import redis

from bench.http_cases import CASES, call, jobs, run_job
from bench.http_load import Figures
from bench.http_stack import Stack, running_stack
from bench.machine import machine
from bench.relay import FAN_OUTS, Delivered, FanOut, measure
from bench.samples import median, percentile
from bench.strict import MISSED_TARGETS, add_strict, exit_status
from bench.table import number

# A client busier than this is itself what is measured.
MOST_BUSY = 0.8
WIDTHS = (58, 11, 11, 11, 22)
Samples = dict[str, list[float]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; the exit status."""
    options = _options(arguments)
    samples: Samples = {}
    busiest: dict[str, float] = {}
    with running_stack() as stack:
        about = machine() | _versions(stack)
        loads = jobs(stack, options.seconds)
        for round_ in range(options.rounds):
            found: dict[str, Figures] = {}
            for name, load in loads.items():
                _say(f"round {round_ + 1} of {options.rounds}: {name}")
                found[name] = run_job(load, 304 if name == "304" else 200)
                busiest[name] = max(busiest.get(name, 0), found[name].busy)
            for case in CASES:
                samples.setdefault(case.name, []).append(case.value(found))
            for fan_out in FAN_OUTS if not options.no_relay else ():
                _say(f"round {round_ + 1} of {options.rounds}: {fan_out.title}")
                _add(samples, busiest, fan_out, _fan_out(stack, fan_out, round_, options.seconds))
    missed = _print(samples, busiest, about)
    if options.json:
        options.json.write_text(json.dumps({"about": about, "samples": samples, "clients_busy": busiest}, indent=1))
    return exit_status(missed=bool(missed), strict=options.strict)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    told = argparse.ArgumentParser(
        prog="python -m bench.http",
        description=__doc__,
        epilog=f"Exit status: 0 all was measured, 1 something failed, 2 wrong use. {MISSED_TARGETS}",
    )
    told.add_argument("--rounds", type=int, default=5, help="how often everything is measured (default: 5)")
    told.add_argument("--seconds", type=float, default=3.0, help="length of each load (default: 3)")
    told.add_argument("--quick", action="store_true", help="one round of 1 s each: a look, not a result")
    told.add_argument("--no-relay", action="store_true", help="leave the relay out")
    add_strict(told)
    told.add_argument("--json", type=Path, metavar="FILE", help="write all samples")
    options = told.parse_args(arguments)
    if options.quick:
        options.rounds, options.seconds = 1, 1.0
    return options


def _fan_out(stack: Stack, fan_out: FanOut, round_: int, seconds: float) -> Delivered:
    runs = [f"{fan_out.name}-{round_}-{number}" for number in range(fan_out.runs)]
    steps = [{"key": "s0", "action": "noop"}]
    call(stack, "POST", "/workflow/start/many", {"runs": [{"workflow_id": run, "steps": steps} for run in runs]})
    return measure(stack, fan_out, runs, seconds)


def _add(samples: Samples, busiest: dict[str, float], fan_out: FanOut, delivered: Delivered) -> None:
    for what, value in (
        ("rate", delivered.per_second),
        ("p50", median(delivered.latencies)),
        ("p99", percentile(delivered.latencies, 0.99)),
    ):
        samples.setdefault(f"{fan_out.name}_{what}", []).append(value)
    busiest[fan_out.name] = max(busiest.get(fan_out.name, 0), delivered.clients_busy, delivered.publisher_busy)


def _print(samples: Samples, busiest: dict[str, float], about: dict[str, str]) -> list[str]:
    """Print the table; the names of the targets that were missed."""
    print(", ".join(f"{name} {value}" for name, value in about.items()) + "\n")
    _row("", "median", "least", "greatest", "target")
    missed = []
    for case in CASES:
        met = case.is_met(median(samples[case.name]))
        word = "" if met is None else f"{'>=' if case.at_least else '<='} {number(case.target or 0)} {_met(met)}"
        missed += [case.name] if met is False else []
        _line(f"{case.title} ({case.unit})", samples[case.name], word)
    for fan_out in FAN_OUTS:
        if f"{fan_out.name}_p99" not in samples:
            continue
        _line(f"relay: {fan_out.title} (1/s)", samples[f"{fan_out.name}_rate"], "")
        _line("  median (ms)", samples[f"{fan_out.name}_p50"], "")
        met = median(samples[f"{fan_out.name}_p99"]) <= fan_out.most_p99_ms
        missed += [] if met else [fan_out.name]
        _line("  99th percentile (ms)", samples[f"{fan_out.name}_p99"], f"<= {number(fan_out.most_p99_ms)} {_met(met)}")
    loud = [f"{name} ({busy:.0%} of a core)" for name, busy in busiest.items() if busy > MOST_BUSY]
    print(f"\nClients were the bottleneck of: {', '.join(loud)}" if loud else "\nNo client was the bottleneck.")
    return missed


def _line(title: str, values: list[float], word: str) -> None:
    _row(title, number(median(values)), number(min(values)), number(max(values)), word)


def _row(*cells: str) -> None:
    texts = [
        cell.ljust(width) if not column else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, WIDTHS, strict=True))
    ]
    print("".join(texts).rstrip())


def _met(met: bool) -> str:
    return "met" if met else "NOT met"


def _versions(stack: Stack) -> dict[str, str]:
    with psycopg2.connect(stack.database_url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version'), current_setting('fsync')")
        postgres, fsync = cursor.fetchone() or ("", "")
    connection.close()
    with redis.Redis.from_url(stack.redis_url) as client:
        server = client.info("server")
    libraries = {name: version(name) for name in ("flask", "gunicorn", "gevent", "python-socketio")}
    return {"postgresql": f"{postgres} (fsync {fsync})", "valkey": str(server["valkey_version"]), **libraries}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
