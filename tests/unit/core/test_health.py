"""The score says how well the system does, and why not better."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.health import WEIGHTS, Signs, judge

counts = st.integers(0, 1000)
names = st.lists(st.text("abc", min_size=1), max_size=10).map(tuple)
signs = st.builds(
    Signs,
    steps_ended=counts, steps_failed=counts, attempts_ended=counts, attempts_lost=counts,
    oldest_ready_s=st.floats(0, 1e6), queues_without_worker=names, workers_lost=counts, breakers_open=names,
    hosts_loaded=names, lock_timeouts=counts, valkey_away=st.booleans(), clients_behind=counts,
    metrics_behind_s=st.floats(0, 1e6),
)  # fmt: skip


def test_nothing_wrong_is_a_hundred():
    found = judge(Signs(steps_ended=1000, steps_failed=10, attempts_ended=1000, oldest_ready_s=5))
    assert (found.score, found.status, found.causes) == (100, "ok", ())


@pytest.mark.parametrize(
    ("sign", "code"),
    [
        ({"steps_ended": 100, "steps_failed": 50}, "steps_fail"),
        ({"attempts_ended": 100, "attempts_lost": 10}, "attempts_lost"),
        ({"oldest_ready_s": 300.0}, "work_waits"),
        ({"queues_without_worker": ("gpu",)}, "no_worker"),
        ({"workers_lost": 3}, "workers_lost"),
        ({"breakers_open": ("a", "b", "c")}, "breakers_open"),
        ({"hosts_loaded": ("a", "b")}, "hosts_loaded"),
        ({"lock_timeouts": 10}, "locks_time_out"),
        ({"valkey_away": True}, "valkey_away"),
        ({"clients_behind": 10}, "clients_behind"),
        ({"metrics_behind_s": 600.0}, "metrics_behind"),
    ],
)
def test_each_cause_alone_takes_all_it_can_and_is_named(sign, code):
    (cause,) = judge(Signs(**sign)).causes
    assert (cause.code, cause.points) == (code, WEIGHTS[code].points)
    assert judge(Signs(**sign)).score == 100 - WEIGHTS[code].points


def test_every_weight_has_its_test():
    cases = test_each_cause_alone_takes_all_it_can_and_is_named.pytestmark[0].args[1]
    assert {code for _, code in cases} == set(WEIGHTS)


def test_a_few_steps_say_nothing_of_a_share():
    assert judge(Signs(steps_ended=9, steps_failed=9)).score == 100
    assert judge(Signs(steps_ended=10, steps_failed=10)).score == 70


def test_what_is_little_is_felt_little():
    halves = judge(Signs(oldest_ready_s=155.0))
    assert halves.causes[0].points == round(WEIGHTS["work_waits"].points / 2)
    assert "155 s" in halves.causes[0].message


@given(signs)
def test_the_score_is_what_the_causes_leave_and_names_the_heaviest_first(found):
    health = judge(found)
    points = [cause.points for cause in health.causes]
    assert health.score == max(0, 100 - sum(points))
    assert points == sorted(points, reverse=True)
    assert all(0 < cause.points <= WEIGHTS[cause.code].points for cause in health.causes)
    assert (health.score >= 90) is (health.status == "ok")


@given(signs)
def test_worse_never_scores_higher(found):
    score = judge(found).score
    worse = replace(found, oldest_ready_s=found.oldest_ready_s + 100, workers_lost=found.workers_lost + 1,
                    lock_timeouts=found.lock_timeouts + 1, valkey_away=True)  # fmt: skip
    assert judge(worse).score <= score


def test_the_weights_are_as_documented():
    page = (Path(__file__).parents[3] / "docs" / "operations.md").read_text("utf-8")
    table = dict(re.findall(r"^\| `(\w+)`[^|]*\| (\d+) \|", page, re.MULTILINE))
    assert table == {code: str(weight.points) for code, weight in WEIGHTS.items()}
