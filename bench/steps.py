"""`python -m bench steps`: durable steps against peers, interleaved in one run on the same servers."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from pathlib import Path

from bench.driver import PEERS_PYTHON, PeerSpec
from bench.machine import machine
from bench.plot import growth_plot, series
from bench.results import Results
from bench.roster import BASELINE, can_hand_over, roster
from bench.rounds import Rounds
from bench.scenarios import SCENARIOS, Scenario
from bench.servers import servers
from bench.strict import MISSED_TARGETS, add_strict, exit_status
from bench.table import lines
from bench.targets import Verdict, any_missed, verdicts
from cli.servers import ServerNotStarted
from settings import default_data_dir

EXIT_NO_SERVERS, EXIT_INTERRUPTED = 3, 130


def parser() -> argparse.ArgumentParser:
    """The command line."""
    told = argparse.ArgumentParser(
        prog="python -m bench steps",
        description=__doc__,
        epilog="Exit status: 0 all was measured, 1 a peer failed, 2 wrong use, 3 the servers do not start, "
        f"130 interrupted (what was measured is shown). {MISSED_TARGETS}",
    )
    told.add_argument("--rounds", type=_positive, help="how often everything is measured (5; with --quick 1)")
    told.add_argument("--quick", action="store_true", help="without what takes long")
    told.add_argument(
        "--only", metavar="SCENARIO,...", help="only these; a name ending in * stands for all that begin so"
    )
    told.add_argument("--peers", metavar="PEER,...", help=f"only these of: {', '.join(roster())}")
    told.add_argument("--json", type=Path, metavar="FILE", help="write all samples")
    told.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw how the time a step grows with the chain")
    told.add_argument(
        "--join",
        type=Path,
        metavar="FILE",
        action="append",
        default=[],
        help="samples of an earlier --json, whose rounds come first",
    )
    add_strict(told)
    told.add_argument("--list", action="store_true", help="name the scenarios and end")
    return told


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; the exit status."""
    told = parser()
    asked = told.parse_args(arguments)
    rounds_asked = asked.rounds or (1 if asked.quick else 5)
    if asked.list:
        print("\n".join(scenario.name for scenario in SCENARIOS))
        return 0
    try:
        peers, scenarios = _chosen_peers(asked.peers), _chosen_scenarios(asked.only)
    except ValueError as error:
        told.error(str(error))
    results = Results(machine=machine())
    if not can_hand_over():
        results.note("this version of Perdure has no hand-over: that mode is left out")
    for path in asked.join:
        results.join(json.loads(path.read_text()))
    # Also when started in the background, where Ctrl-C is ignored; ended either way, peers and servers go too.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, _interrupt)
    offset, began, interrupted = results.rounds, time.monotonic(), False
    try:
        with servers(default_data_dir("bench")) as both:
            results.versions["Servers"] = both.versions()
            rounds = Rounds(both, results, _say, quick=asked.quick)
            try:
                for number in range(rounds_asked):
                    rounds.run(number, peers, scenarios, offset)
                    _save(results, asked.json)
            except KeyboardInterrupt:
                results.note("interrupted: later rounds are missing")
                interrupted = True
    except ServerNotStarted as error:
        print(f"bench: {error}", file=sys.stderr)
        return EXIT_NO_SERVERS
    results.note(f"measured in {time.monotonic() - began:.0f} s")
    judged = verdicts(results)
    _report(results, peers, judged)
    _save(results, asked.json)
    if asked.plot:
        _draw(results, asked.plot)
    if interrupted:
        return EXIT_INTERRUPTED
    return exit_status(failed=bool(rounds.failures), missed=any_missed(judged), strict=asked.strict)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _report(results: Results, peers: list[PeerSpec], judged: list[Verdict]) -> None:
    for line in lines(results, _titles(), BASELINE):
        print(line)
    print("Targets (medians; ratios are taken within a round)")
    for verdict in judged:
        print(f"  {verdict.line}")
    print()
    for title, versions in {"machine": results.machine, **results.versions}.items():
        print(f"{title}: " + ", ".join(f"{name} {value}" for name, value in versions.items()))
    for text in results.notes + [f"{spec.title}: {spec.remark}" for spec in peers if spec.remark]:
        print(f"note: {text}")


def _save(results: Results, path: Path | None) -> None:
    if path is not None:
        path.write_text(json.dumps(results.as_json(), indent=1))


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _draw(results: Results, path: Path) -> None:
    try:
        path.write_text(growth_plot(series(results, _titles())))
    except ValueError as error:
        _say(f"no plot: {error}")


def _titles() -> dict[str, str]:
    return {spec.name: spec.title for spec in roster().values()}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _chosen_peers(names: str | None) -> list[PeerSpec]:
    """Raises: ValueError."""
    known = roster()
    wanted = list(known) if names is None else names.split(",")
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ValueError(f"no peer {', '.join(unknown)}; there are {', '.join(known)}")
    if any(known[name].python == PEERS_PYTHON for name in wanted) and not PEERS_PYTHON.exists():
        raise ValueError("the peers' environment is missing: run `make bench`, or sh bench/peers/setup.sh")
    return [known[name] for name in wanted]


def _chosen_scenarios(names: str | None) -> list[Scenario]:
    """Raises: ValueError."""
    if names is None:
        return list(SCENARIOS)
    chosen = []
    for name in names.split(","):
        matching = [s for s in SCENARIOS if s.name == name or (name.endswith("*") and s.name.startswith(name[:-1]))]
        if not matching:
            raise ValueError(f"no scenario {name}; --list names them")
        chosen += [scenario for scenario in matching if scenario not in chosen]
    return chosen


if __name__ == "__main__":
    raise SystemExit(main())
