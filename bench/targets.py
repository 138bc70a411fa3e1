"""What was promised, and whether these results keep it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from bench.results import Results
from bench.roster import BASELINE

Find = Callable[[Results], float | None]
COMPARE = {"<=": operator.le, ">=": operator.ge, "<": operator.lt}


@dataclass(frozen=True)
class Target:
    """A promise about one figure. `find` answers None when it was not measured."""

    text: str
    find: Find
    sign: Literal["<=", ">=", "<"]
    bound: float

    def judge(self, results: Results) -> Verdict:
        found = self.find(results)
        return Verdict(self, found, None if found is None else bool(COMPARE[self.sign](found, self.bound)))


@dataclass(frozen=True)
class Verdict:
    """`met` is None when it was not measured."""

    target: Target
    found: float | None
    met: bool | None

    @property
    def line(self) -> str:
        """One line for people."""
        if self.found is None:
            return f"not measured  {self.target.text}: {self.target.sign} {self.target.bound:g}"
        word = "met" if self.met else "NOT MET"
        return f"{word:<12}  {self.target.text}: {self.found:.3g} (asked: {self.target.sign} {self.target.bound:g})"


def by_baseline(peer: str, measure: str, base_measure: str | None = None) -> Find:
    """The peer's figure by Celery's of the same round."""
    return lambda results: results.ratio(peer, measure, BASELINE, base_measure)


def by_itself(peer: str, measure: str, other: str) -> Find:
    """One figure of the peer by another."""

    def find(results: Results) -> float | None:
        one, two = results.median(peer, measure), results.median(peer, other)
        return None if one is None or not two else one / two

    return find


def plain(peer: str, measure: str) -> Find:
    """The figure as it is."""
    return lambda results: results.median(peer, measure)


def stays_flat(text: str, peer: str, measure: str = "") -> Target:
    """That a step of 10,000 costs what one of 100 does."""
    # A quarter is left to what else the machine did in rounds that are minutes apart.
    return Target(text, by_itself(peer, f"growth-10000{measure}", f"growth-100{measure}"), "<=", 1.25)


ONE, HANDED = "perdure", "perdure-handover"
TARGETS = (
    Target("chain of no-op steps handed over, by Celery's time", by_baseline(HANDED, "chain-100"), "<=", 0.2),
    Target("chain of no-op steps, one task a step, by Celery's time", by_baseline(ONE, "chain-100"), "<=", 1.2),
    Target("throughput, one task a step, by Celery's", by_baseline(ONE, "throughput"), ">=", 1.0),
    Target("throughput handed over, by Celery's", by_baseline(HANDED, "throughput"), ">=", 3.0),
    Target("fan-out of 100 and join, one task a step, by a chord's time", by_baseline(ONE, "fan-100"), "<=", 1.0),
    Target("fan-out of 100 and join handed over, by a chord's time", by_baseline(HANDED, "fan-100"), "<=", 1.0),
    stays_flat("10,000 steps by 100, one task a step, time a step", ONE),
    stays_flat("10,000 steps by 100 handed over, time a step", HANDED),
    stays_flat("10,000 steps by 100, one task a step, WAL a step", ONE, ".wal"),
    stays_flat("10,000 steps by 100 handed over, WAL a step", HANDED, ".wal"),
    Target("bytes to the broker a step, chain of 1,000", plain(ONE, "growth-1000.broker"), "<=", 3000),
    Target("bytes to the broker a step handed over, chain of 1,000", plain(HANDED, "growth-1000.broker"), "<=", 3000),
    Target("1,000 steps of one run by 1,000 runs, one task a step", plain(ONE, "wide.share"), ">=", 0.7),
    Target("1,000 steps of one run by 1,000 runs, handed over", plain(HANDED, "wide.share"), ">=", 0.7),
    Target("idle worker, % of a core", plain(ONE, "idle.workers"), "<", 1.0),
    Target("a due step begins late by, ms, one task a step", plain(ONE, "due"), "<=", 200),
    Target("a due step begins late by, ms, handed over", plain(HANDED, "due"), "<=", 200),
    Target("memory added over 100,000 steps, MiB", plain(HANDED, "memory.added"), "<=", 8),
)


def verdicts(results: Results, targets: Iterable[Target] = TARGETS) -> list[Verdict]:
    """What became of each target."""
    return [target.judge(results) for target in targets]


def any_missed(judged: Iterable[Verdict]) -> bool:
    """Whether a target that was measured was not met."""
    return any(verdict.met is False for verdict in judged)
