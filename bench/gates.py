"""`python -m bench gates`: what gates cost a step, and how fast a lock goes from hand to hand."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence

from bench.driver import THIS_PYTHON, Peer, PeerFailed, PeerSpec, running
from bench.machine import machine
from bench.samples import median, percentile
from bench.servers import servers
from cli.servers import ServerNotStarted
from settings import default_data_dir

NONE = "no gate"
CASES: Mapping[str, tuple[str, ...]] = {
    NONE: (),
    "a breaker": ("breaker",),
    "a rate limit that never binds": ("rate limit",),
    "a lock that nobody else wants": ("lock",),
    "all three": ("breaker", "rate limit", "lock"),
}
RUNS, ROUNDS, QUICK_ROUNDS = 200, 5, 3
AT_A_TIME, LOCKED_STEPS, QUICK_LOCKED_STEPS, WORK_S = 8, 25, 13, 0.005

PEER = PeerSpec(
    "gates",
    "Perdure",
    "bench.peers.gates_peer",
    THIS_PYTHON,
    # What waits for its turn here is no lost message; and other work on this machine is nobody's gate.
    {
        "PERDURE_ACTIONS": "bench.actions",
        "PERDURE_RESEND_S": "600",
        "PERDURE_LOAD_HIGH": "2",
        "PERDURE_LOAD_CRITICAL": "2",
    },
)


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; the exit status."""
    told = argparse.ArgumentParser(
        prog="python -m bench gates",
        description=__doc__,
        epilog="Exit status: 0 all was measured, 1 the workers failed or a gate did, 3 the servers do not start.",
    )
    told.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds in place of {ROUNDS}")
    quick = told.parse_args(arguments).quick
    before, began = machine(), time.monotonic()
    try:
        with servers(default_data_dir("bench")) as both:
            url = both.fresh("gates")
            with running(PEER, url, both.valkey.url, both.directory) as peer:
                peer.ask("start")
                seconds = throughput(peer, QUICK_ROUNDS if quick else ROUNDS)
                steps = QUICK_LOCKED_STEPS if quick else LOCKED_STEPS
                took = peer.ask("contended", at_a_time=AT_A_TIME, steps=steps, work_s=WORK_S)["samples"]
    except ServerNotStarted as error:
        print(f"bench: {error}", file=sys.stderr)
        return 3
    except PeerFailed as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print("\n".join([*table(seconds), handovers(took)]))
    print("machine: " + ", ".join(f"{name} {value}" for name, value in before.items()))
    print(f"note: measured in {time.monotonic() - began:.0f} s\n")
    return 0


def throughput(peer: Peer, rounds: int) -> dict[str, list[float]]:
    """Seconds of each case in each round. Who goes first turns from round to round."""
    found: dict[str, list[float]] = {case: [] for case in CASES}
    names = list(CASES)
    for number in range(rounds):
        shift = number % len(names)
        for case in [*names[shift:], *names[:shift]]:
            found[case].append(peer.ask("gated", runs=RUNS, gates=list(CASES[case]))["seconds"])
    return found


def table(seconds: Mapping[str, Sequence[float]]) -> list[str]:
    """A line a case; what is lost is compared within a round."""
    lines = [
        f"Gates: {RUNS} runs of one step, accepted together, two processes; medians of {len(seconds[NONE])} rounds",
        f"  {'':<32}{'steps/s':>9}{'ms/step':>9}{'lost, ms/step':>15}{'share lost':>12}   (least to most)",
    ]
    for case, taken in seconds.items():
        each = median(taken)
        line = f"  {case:<32}{RUNS / each:>9.0f}{1000 * each / RUNS:>9.2f}"
        if case != NONE:
            pairs = list(zip(taken, seconds[NONE], strict=True))
            lost = median(1000 * (one - base) / RUNS for one, base in pairs)
            shares = [1 - base / one for one, base in pairs]
            line += f"{lost:>15.2f}{median(shares):>11.0%}    ({min(shares):.0%} to {max(shares):.0%})"
        lines.append(line)
    return lines


def handovers(took: Sequence[float]) -> str:
    """The line of the lock that many want."""
    fifty, most = (1000 * percentile(took, share) for share in (0.5, 0.99))
    return (
        f"A lock that {AT_A_TIME} runs want all the time, {len(took) + 1} steps of {1000 * WORK_S:g} ms: "
        f"from release to the next begin {fifty:.1f} ms in the middle, {most:.1f} ms at the 99th percentile"
    )


if __name__ == "__main__":
    raise SystemExit(main())
