"""Figures out of samples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def median(samples: Iterable[float]) -> float:
    """The middle sample, or the mean of the two in the middle.

    Raises: ValueError when there is none.
    """
    ordered = sorted(samples)
    if not ordered:
        raise ValueError("no samples")
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def percentile(samples: Iterable[float], fraction: float) -> float:
    """The sample that at least this fraction of all is not above (nearest rank)."""
    ordered = sorted(samples)
    if not ordered:
        raise ValueError("no samples")
    return ordered[max(0, math.ceil(fraction * len(ordered)) - 1)]


def ratios(samples: Sequence[float | None], baseline: Sequence[float | None]) -> list[float]:
    """Sample by baseline for each round that has both: what the machine did in a round touches both alike."""
    pairs = zip(samples, baseline, strict=False)
    return [sample / base for sample, base in pairs if sample is not None and base]
