"""Does a long history slow anything down? One command: load it, check every plan, measure against a young database.

    python -m bench.history [--runs 1000000] [--quick] [--keep] [--json FILE]

Both databases are on one embedded PostgreSQL with the settings of `perdure up`, durable as it is there. The young one
holds a few thousand runs, so that a page or a search is as full there as in the long history. Exit status 1: a plan is
bad.
"""

from __future__ import annotations

import argparse
import gc
import platform
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from bench.history_cases import CASES, Case, Engine
from bench.history_load import fingerprint, load_counts, load_history, progress, sizes
from bench.history_plans import ExplainedDatabase, Plan, explain
from bench.history_report import Measured, Report, table, write_json
from cli.servers import EmbeddedPostgres
from cli.servers.postgres import create_database, drop_database
from orchestration.store.database import Database
from orchestration.store.migrate import migrate
from settings import default_data_dir

RUNS, QUICK_RUNS, YOUNG_RUNS = 1_000_000, 20_000, 6_000
BYTES_A_RUN = 6_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Load, explain, measure, print; the exit status."""
    options = _options(arguments)
    home = default_data_dir("bench")
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o711)
    free, needed = shutil.disk_usage(home).free, options.runs * BYTES_A_RUN
    if free < needed:
        print(f"{options.runs:,} runs need {needed >> 20:,} MiB, {home} has {free >> 20:,} MiB free", file=sys.stderr)
        return 2
    with ExitStack() as stack:
        server = EmbeddedPostgres(home / "history")
        if not options.keep:
            stack.callback(shutil.rmtree, server.data_dir, ignore_errors=True)
        stack.callback(server.stop)
        server.start()
        report = _measure(server, options.runs)
        print(table(report))
        if options.json:
            write_json(report, options.json)
        if options.keep:
            print(f"the data stays in {server.data_dir}")
    return 1 if report.bad else 0


def _measure(server: EmbeddedPostgres, runs: int) -> Report:
    began = time.monotonic()
    urls = {count: _history(server, count) for count in (YOUNG_RUNS, runs)}
    for count, url in urls.items():
        load_counts(url, count)
    loaded_s = time.monotonic() - began
    progress("explaining")
    plans = _explain(urls[runs], runs)
    progress("measuring")
    with closing(Database(urls[YOUNG_RUNS], size=1)) as young, closing(Database(urls[runs], size=1)) as old:
        engines = Engine(young), Engine(old)
        engines[0].look_around(YOUNG_RUNS)
        engines[1].look_around(runs)
        results = []
        for case in CASES:
            samples = _time(case, engines)
            results.append(Measured(case, plans[case.name], *samples))
        version = str(old.call("SHOW server_version"))
    return Report(
        runs=runs,
        young_runs=YOUNG_RUNS,
        loaded_s=loaded_s,
        sizes=sizes(urls[runs]),
        results=results,
        versions={"postgresql": version, "python": platform.python_version(), "machine": platform.machine()},
    )


def _history(server: EmbeddedPostgres, runs: int) -> str:
    """The URL of a database with so many runs; one that an earlier run kept is used again."""
    name, draft = f"history_{runs}_{fingerprint()}", "history_draft"
    with closing(Database(server.url, size=1)) as database:
        if database.call("SELECT 1 FROM pg_database WHERE datname = %s", name):
            migrate(server.url_of(name))
            return server.url_of(name)
        stale = database.rows("SELECT datname FROM pg_database WHERE datname ~ %s", f"^history_({runs}_|draft$)")
        for (left,) in stale:
            drop_database(server.url, left)
        create_database(server.url, draft)
        migrate(server.url_of(draft))
        progress(f"loading {runs:,} runs")
        load_history(server.url_of(draft), runs, say=progress)
        # Named only when it is whole.
        database.execute(f"ALTER DATABASE {draft} RENAME TO {name}")
    return server.url_of(name)


def _explain(url: str, runs: int) -> dict[str, list[Plan]]:
    """The plans of each case in the long history, planned with the values and without."""
    plans: dict[str, list[Plan]] = {case.name: [] for case in CASES}
    for generic in (False, True):
        with closing(ExplainedDatabase(url, generic=generic)) as database:
            engine = Engine(database)
            engine.look_around(runs)
            for case in CASES:
                plans[case.name].append(explain(case, engine, database))
    return plans


def _time(case: Case, engines: Sequence[Engine]) -> list[list[float]]:
    """Milliseconds of each call on each engine, in turns, so that both meet the same weather."""
    samples: list[list[float]] = [[] for _ in engines]
    gc.disable()
    for turn in range(case.warm_up + case.times):
        for engine, times in zip(engines, samples, strict=True):
            began = time.perf_counter_ns()
            case.act(engine)
            if turn >= case.warm_up:
                times.append((time.perf_counter_ns() - began) / 1e6)
    gc.enable()
    return samples


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.history", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, metavar="N", help=f"how long the history is (default {RUNS:,})")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_RUNS:,} runs: a look in seconds")
    parser.add_argument("--keep", action="store_true", help="keep the loaded data, and use what was kept")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    options = parser.parse_args(arguments)
    options.runs = options.runs or (QUICK_RUNS if options.quick else RUNS)
    if options.runs < YOUNG_RUNS:
        parser.error(f"--runs: at least {YOUNG_RUNS:,}")
    return options


if __name__ == "__main__":
    sys.exit(main())
