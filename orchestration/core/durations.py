"""Durations as counts in fixed buckets, of which quantiles are read.

Bucket `b` holds what took up to 1 ms * 2^(b/2) and longer than the one before; the SQL function `duration_bucket` says
the same. A quantile is off by a fifth of itself at most.
"""

from __future__ import annotations

from collections.abc import Mapping

BUCKETS = 50
_LEAST_S = 0.001


def upper_bound_s(bucket: int) -> float:
    """The longest duration of a bucket, seconds; the last one holds longer ones too."""
    return float(_LEAST_S * 2.0 ** (bucket / 2))


def quantile_s(counts: Mapping[int, int], share: float) -> float | None:
    """The duration below which this share of all lies, in seconds; None without any.

    Within a bucket durations are taken to lie evenly on its logarithmic scale.
    """
    total = sum(counts.values())
    if total == 0:
        return None
    wanted, seen = share * total, 0
    bucket = 0
    for bucket in sorted(counts):
        if counts[bucket] and seen + counts[bucket] >= wanted:
            within = (wanted - seen) / counts[bucket]
            return float(upper_bound_s(bucket) * 2.0 ** ((within - 1) / 2))
        seen += counts[bucket]
    return upper_bound_s(bucket)
