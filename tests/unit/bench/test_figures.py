"""Figures out of samples: medians, ratios within a round, targets, the table."""

from __future__ import annotations

import pytest

from bench.results import Results
from bench.samples import median, percentile, ratios
from bench.table import lines, number
from bench.targets import TARGETS, Target, by_baseline, by_itself, plain, verdicts


def results(**peers: dict[str, list[float]]) -> Results:
    found = Results()
    for peer, measures in peers.items():
        for measure, samples in measures.items():
            for round_number, sample in enumerate(samples):
                found.add(peer, measure, round_number, sample)
    return found


def test_the_median_is_the_middle_or_the_mean_of_the_two_in_the_middle():
    assert median([9, 1, 5]) == 5
    assert median([9, 1, 5, 7]) == 6
    with pytest.raises(ValueError):
        median([])


def test_a_percentile_is_one_of_the_samples():
    samples = list(range(1, 101))
    assert percentile(samples, 0.99) == 99
    assert percentile(samples, 1.0) == 100
    assert percentile([3.0], 0.5) == 3.0
    with pytest.raises(ValueError):
        percentile([], 0.5)


def test_ratios_pair_samples_of_the_same_round_and_leave_out_rounds_that_miss_one():
    assert ratios([2.0, None, 6.0, 8.0], [1.0, 5.0, 2.0]) == [2.0, 3.0]


def test_a_ratio_is_the_median_of_rounds_and_not_the_ratio_of_medians():
    found = results(celery={"chain-100": [1.0, 2.0, 10.0]}, perdure={"chain-100": [3.0, 2.0, 5.0]})
    assert found.ratio("perdure", "chain-100", "celery") == 1.0
    assert found.median("perdure", "chain-100") == 3.0


def test_a_round_that_was_missed_is_a_gap_and_no_zero():
    found = Results()
    found.add("celery", "chain-100", 2, 5.0)
    assert found.of("celery", "chain-100") == [5.0]
    assert found.rounds == 3


def test_rounds_of_an_earlier_run_come_before_those_of_now():
    earlier = results(celery={"chain-100": [1.0, 2.0]}, perdure={"chain-100": [4.0]})
    found = Results()
    found.join(earlier.as_json())
    found.add("celery", "chain-100", found.rounds, 3.0)
    found.add("perdure", "chain-100", 2, 6.0)
    assert found.of("celery", "chain-100") == [1.0, 2.0, 3.0]
    assert found.ratio("perdure", "chain-100", "celery") == 3.0  # of 4/1 and 6/3: the round between has no sample


@pytest.mark.parametrize(
    ("sign", "found", "met"),
    [("<=", 1.2, True), ("<=", 1.21, False), (">=", 1.2, True), (">=", 1.1, False), ("<", 1.2, False)],
)
def test_a_target_is_met_or_not(sign, found, met):
    verdict = Target("x", plain("perdure", "x"), sign, 1.2).judge(results(perdure={"x": [found]}))
    assert verdict.met is met
    assert verdict.line.startswith("met" if met else "NOT MET")


def test_what_was_not_measured_is_neither_met_nor_missed():
    for verdict in verdicts(Results()):
        assert verdict.met is None
        assert verdict.line.startswith("not measured")


def test_targets_compare_with_celery_in_the_round_and_lengths_with_each_other():
    found = results(
        celery={"chain-100": [2.0, 4.0]}, perdure={"chain-100": [2.2, 4.4], "growth-10000": [6.0], "growth-100": [4.0]}
    )
    assert by_baseline("perdure", "chain-100")(found) == pytest.approx(1.1)
    assert by_itself("perdure", "growth-10000", "growth-100")(found) == pytest.approx(1.5)
    assert by_itself("perdure", "growth-10000", "growth-10")(found) is None
    judged = {verdict.target.text: verdict.met for verdict in verdicts(found)}
    assert judged["chain of no-op steps, one task a step, by Celery's time"] is True
    assert judged["10,000 steps by 100, one task a step, time a step"] is False
    assert len(judged) == len(TARGETS)


def test_figures_keep_three_digits_that_mean_something():
    assert [number(value) for value in (0.1234, 1.234, 12.34, 1234.4)] == ["0.123", "1.23", "12.3", "1,234"]


def test_the_table_shows_median_spread_rounds_and_the_ratio_to_the_baseline():
    found = results(celery={"chain-100": [2.0, 1.0, 3.0]}, perdure={"chain-100": [3.0, 3.0, 3.0]})
    table = list(lines(found, {"celery": "Celery alone", "perdure": "Perdure"}, "celery"))
    celery = next(line for line in table if line.strip().startswith("Celery alone")).split()
    perdure = next(line for line in table if line.strip().startswith("Perdure")).split()
    assert celery == ["Celery", "alone", "2.00", "1.00", "3.00", "3"]
    assert perdure == ["Perdure", "3.00", "3.00", "3.00", "3", "1.50"]


def test_the_table_leaves_out_what_nobody_measured():
    assert list(lines(Results(), {"celery": "Celery alone"}, "celery")) == []
