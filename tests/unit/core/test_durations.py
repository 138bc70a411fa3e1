"""Quantiles read from buckets are near those of the values."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.durations import BUCKETS, quantile_s, upper_bound_s


def bucket_of(seconds: float) -> int:
    """What the SQL function `duration_bucket` says; tests/integration/engine/test_metrics.py holds it against that."""
    return 0 if seconds <= 0.001 else min(BUCKETS - 1, math.ceil(2 * math.log2(seconds * 1000) - 1e-9))


def test_nothing_has_no_quantile():
    assert quantile_s({}, 0.5) is None
    assert quantile_s({3: 0}, 0.5) is None


def test_bounds_grow_by_the_square_root_of_two():
    assert upper_bound_s(0) == 0.001
    assert math.isclose(upper_bound_s(20), 1.024)
    assert math.isclose(upper_bound_s(21) / upper_bound_s(20), math.sqrt(2))


@given(st.lists(st.floats(0.0011, 16_000), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_is_within_a_bucket_of_the_exact_one(times, share):
    counts: dict[int, int] = {}
    for seconds in times:
        counts[bucket_of(seconds)] = counts.get(bucket_of(seconds), 0) + 1
    exact = sorted(times)[math.ceil(share * len(times) - 1e-9) - 1]
    shown = quantile_s(counts, share)
    assert shown is not None
    assert exact / 1.4143 <= shown <= exact * 1.4143


@given(st.dictionaries(st.integers(0, BUCKETS - 1), st.integers(1, 100), min_size=1))
def test_quantiles_are_in_order(counts):
    found = [quantile_s(counts, share) for share in (0.1, 0.5, 0.9, 0.99, 1.0)]
    assert found == sorted(found)
