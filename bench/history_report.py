"""From samples and plans to a table and a verdict."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.history_cases import Case
from bench.history_plans import Plan
from schemas.json import JsonObject

# Flat: at most twice the time of a young database, or so little more that it cannot be told from noise.
FLAT_FACTOR, NOISE_MS = 2.0, 0.2


@dataclass(frozen=True)
class Measured:
    """One operation: its plans in the long history, and the milliseconds of its calls in both databases."""

    case: Case
    plans: Sequence[Plan]
    young_ms: Sequence[float]
    old_ms: Sequence[float]

    @property
    def factor(self) -> float:
        """How many times as long it takes at the median."""
        return median(self.old_ms) / median(self.young_ms)

    @property
    def is_flat(self) -> bool:
        return self.factor <= FLAT_FACTOR or median(self.old_ms) - median(self.young_ms) <= NOISE_MS

    @property
    def complaint(self) -> str | None:
        """What is wrong with its plans."""
        found = (plan.complaint(self.case.most_buffers) for plan in self.plans)
        return next((complaint for complaint in found if complaint), None)

    @property
    def verdict(self) -> str:
        return f"BAD PLAN: {self.complaint}" if self.complaint else "flat" if self.is_flat else "grows"


@dataclass(frozen=True)
class Report:
    """All that one run found."""

    runs: int
    young_runs: int
    loaded_s: float
    sizes: dict[str, tuple[int, int]]
    results: Sequence[Measured]
    versions: dict[str, str]

    @property
    def bad(self) -> list[Measured]:
        return [one for one in self.results if one.complaint]


def p99(samples: Sequence[float]) -> float:
    """The nearest rank; of less than 100 samples the largest."""
    return sorted(samples)[math.ceil(len(samples) * 0.99) - 1]


def table(report: Report) -> str:
    """The report as text."""
    lines = [
        f"{report.runs:,} finished runs against {report.young_runs:,}; times in ms; loaded in {report.loaded_s:.0f} s",
        f"PostgreSQL {report.versions['postgresql']}, Python {report.versions['python']}, {report.versions['machine']}",
        "",
        f"{'table':<16}{'MiB':>8}{'indexes':>10}",
        *(f"{name:<16}{size >> 20:>8,}{indexes >> 20:>10,}" for name, (size, indexes) in report.sizes.items()),
        "",
        f"{'':<34}{'young':^18}{'long':^18}",
        f"{'operation':<34}{'median':>9}{'p99':>9}{'median':>9}{'p99':>9}{'calls':>7}{'factor':>8}{'pages':>8}{'rows':>11}",
    ]
    for one in report.results:
        lines.append(
            f"{one.case.name:<34}{median(one.young_ms):>9.2f}{p99(one.young_ms):>9.2f}{median(one.old_ms):>9.2f}"
            f"{p99(one.old_ms):>9.2f}{len(one.old_ms):>7}{one.factor:>8.2f}"
            f"{max(plan.buffers for plan in one.plans):>8,}{max(plan.rows for plan in one.plans):>11,}  {one.verdict}"
        )
    growing = [one.case.name for one in report.results if not one.is_flat]
    lines += [
        "",
        f"plans: {len(report.bad)} of {len(report.results)} bad" if report.bad else "plans: all bounded",
        f"not flat: {', '.join(growing)}" if growing else "all flat",
    ]
    return "\n".join(lines)


def write_json(report: Report, path: Path) -> None:
    """All figures, the samples too."""
    path.write_text(json.dumps(_document(report), indent=1) + "\n")


def _document(report: Report) -> JsonObject:
    return {
        "runs": report.runs,
        "young_runs": report.young_runs,
        "loaded_s": round(report.loaded_s, 1),
        "versions": dict(report.versions),
        "sizes": {name: {"table": size, "indexes": indexes} for name, (size, indexes) in report.sizes.items()},
        "results": [
            {
                "operation": one.case.name,
                "verdict": one.verdict,
                "factor": round(one.factor, 3),
                "young": _figures(one.young_ms),
                "long": _figures(one.old_ms),
                "plans": [
                    {
                        "pages": plan.buffers,
                        "rows": plan.rows,
                        "scanned": sorted(plan.scanned),
                        "indexes": sorted(plan.indexes),
                    }
                    for plan in one.plans
                ],
            }
            for one in report.results
        ],
    }


def _figures(samples: Sequence[float]) -> JsonObject:
    return {
        "median_ms": round(median(samples), 4),
        "p99_ms": round(p99(samples), 4),
        "calls": len(samples),
        "samples_ms": [round(sample, 4) for sample in samples],
    }
