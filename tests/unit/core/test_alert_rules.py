"""What each rule reads of the signs."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.alert_rules import PLENTY_OF_DISK_BYTES, Reading, read_rules
from orchestration.core.alert_signs import (
    ActionEnds,
    AlertSigns,
    Awaited,
    BreakerSigns,
    Count,
    HostSigns,
    QueueSigns,
    Streak,
    Waiters,
)
from schemas.alerts import RULES, check_rules, numbers_of, read_channels

NUMBERS = {rule: numbers_of(rule, {}) for rule in RULES}
FULL = HostSigns("box", "critical", "cpu at 97 %", 0.97, 10**9)

CASES: list[tuple[str, AlertSigns, dict[str, float]]] = [
    ("failure_rate", AlertSigns(ends=(ActionEnds(None, 10, 30), ActionEnds("a", 5, 15), ActionEnds("b", 0, 19))),
     {"all": 0.75, "a": 0.75}),
    ("failure_rate", AlertSigns(ends=(ActionEnds("alert.email", 0, 100),)), {}),
    ("failures_in_a_row", AlertSigns(streaks=(Streak("action", "a", 7), Streak("template", "t", 5))),
     {"action:a": 7, "template:t": 5}),
    ("failures_in_a_row", AlertSigns(streaks=(Streak("action", "alert.webhook", 70),)), {}),
    ("queue_length", AlertSigns(queues=(QueueSigns("ssh", 2000, 5, 1, 0),)), {"ssh": 2000}),
    ("queue_deaf", AlertSigns(queues=(QueueSigns("ssh", 1, 90, 2, 1), QueueSigns("busy", 9, 90, 2, 0))), {"ssh": 90}),
    ("queue_deaf", AlertSigns(queues=(QueueSigns("ssh", 0, 90, 2, 1),)), {}),
    ("queue_without_worker", AlertSigns(queues=(QueueSigns("gpu", 1, 9, 0, 0), QueueSigns("ssh", 1, 9, 1, 1))),
     {"gpu": 1}),
    ("worker_lost", AlertSigns(workers_lost=("io@box",)), {"io@box": 1}),
    ("host_critical", AlertSigns(hosts=(FULL, replace(FULL, name="calm", level="high"))), {"box": 1, "calm": 0}),
    ("throttled_long", AlertSigns(throttled=(Waiters("throttle:box", 3, 1000),)), {"box": 1000}),
    ("disk_nearly_full", AlertSigns(hosts=(FULL, replace(FULL, name="big", disk_free_bytes=PLENTY_OF_DISK_BYTES))),
     {"box": 0.97}),
    ("rate_limit_hits", AlertSigns(hits=(Count("rate:openai", 300), Count("rate:alert:ops", 900))), {"openai": 300}),
    ("rate_limit_refusals", AlertSigns(refusals=(Count("http.request", 9), Count("alert.webhook", 9))),
     {"http.request": 9}),
    ("breaker_open", AlertSigns(breakers=(
        BreakerSigns("a", "open"), BreakerSigns("b", "half_open"), BreakerSigns("c", "closed"),
        BreakerSigns("d", "closed", opened=True), BreakerSigns("alert:ops", "open"))), {"a": 1, "b": 1, "d": 1}),
    ("lock_wait", AlertSigns(locks=(Waiters("lock:file:/x", 2, 700, "run-1"),)), {"file:/x": 700}),
    ("person_awaited", AlertSigns(awaited=(Awaited("r1", "approve", 1000),)), {"r1/approve": 1000}),
    ("valkey_away", AlertSigns(valkey_away=True, breakers=None), {"valkey": 1}),
    ("valkey_away", AlertSigns(), {}),
]  # fmt: skip


def values(rule: str, signs: AlertSigns) -> dict[str, float]:
    found = read_rules(signs, NUMBERS)[rule]
    assert found is not None
    assert [reading.value for reading in found] == sorted((reading.value for reading in found), reverse=True)
    return {reading.subject: reading.value for reading in found}


@pytest.mark.parametrize(("rule", "signs", "wanted"), CASES)
def test_a_rule_reads_its_signs(rule: str, signs: AlertSigns, wanted: dict[str, float]) -> None:
    assert values(rule, signs) == wanted


def test_every_rule_has_a_case() -> None:
    assert {rule for rule, _, wanted in CASES if wanted} == set(RULES)


def test_without_valkey_nothing_is_known_of_breakers() -> None:
    assert read_rules(AlertSigns(breakers=None), NUMBERS)["breaker_open"] is None


def test_messages_are_sentences_with_what_matters_in_them() -> None:
    signs = AlertSigns(
        ends=(ActionEnds(None, 10, 30),), locks=(Waiters("lock:file:/x", 2, 7200, "run-1"),), hosts=(FULL,),
        breakers=(BreakerSigns("openai", "half_open", forced=True, last_error="http.503"),),
        streaks=(Streak("action", "a", 7, "broken: it broke"),),
    )  # fmt: skip
    said = [reading.message for readings in read_rules(signs, NUMBERS).values() for reading in readings or ()]
    assert said == [
        "30 of 40 steps of all actions failed within 10 min (75%)",
        "7 attempts of action a failed in a row; the last: broken: it broke",
        "no background step begins on box: cpu at 97 %",
        "a disk of box is 97% full, 0.9 GiB are left",
        "the breaker openai opened by hand, and is half-open now; the last error: http.503",
        "2 steps stand in line for file:/x, the first for 2.0 h; run run-1 holds it",
    ]


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_share_is_a_share_and_of_few_steps_nothing(succeeded: int, failed: int) -> None:
    found: list[Reading] = list(
        read_rules(AlertSigns(ends=(ActionEnds("a", succeeded, failed),)), NUMBERS)["failure_rate"] or ()
    )
    assert bool(found) == (succeeded + failed >= NUMBERS["failure_rate"].minimum)
    assert all(0 <= reading.value <= 1 for reading in found)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"nonsense": {}}, "there is no rule 'nonsense'"),
        ({"queue_length": {"threshold": 0}}, "greater than 0"),
        ({"queue_length": {"treshold": 5}}, "Extra inputs"),
    ],
)
def test_numbers_that_may_not_be_are_refused(changed: dict[str, dict[str, float]], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        check_rules(changed)


def test_what_a_setting_leaves_out_stays() -> None:
    numbers = numbers_of("queue_length", {"queue_length": {"threshold": 5}})
    assert (numbers.threshold, numbers.for_s) == (5, 60)


@pytest.mark.parametrize(
    "channel",
    [
        {"type": "webhook"}, {"type": "webhook", "url": "ftp://x"}, {"type": "pager"},
        {"type": "email", "host": "h", "sender": "a@b", "to": []},
        {"type": "email", "host": "h", "sender": "a@b\nBcc: c@d", "to": ["a@b"]},
    ],
)  # fmt: skip
def test_channels_that_may_not_be_are_refused(channel: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        read_channels({"ops": channel})
