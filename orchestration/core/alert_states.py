"""How alerts come and go: what holds for long enough is open, what is well below for long enough is over.

Pure. Times are seconds by the database's clock, so that whoever is the janitor judges alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from orchestration.core.alert_rules import MAX_SUBJECT, Reading, Readings
from schemas.alerts import CLEAR_SHARE, RULES, RuleNumbers

# Of a rule no more alerts than this are there at once: the first ones tell enough.
MOST_A_RULE = 20
# Nobody looked for so long: what was before says nothing of the time between.
UNSEEN_S = 60.0

Status = Literal["pending", "open", "quiet"]
"""`pending` holds, not yet for long enough; `quiet` was resolved by hand and holds still."""


@dataclass(frozen=True)
class Known:
    """An alert that is not over. `below_s` is since when its value has been well below the threshold."""

    id: int
    version: int
    rule: str
    subject: str
    status: Status
    since_s: float
    seen_s: float
    below_s: float | None = None
    quiet_until_s: float | None = None


@dataclass(frozen=True)
class Move:
    """What becomes of an alert. `known` None: it is new, and `reading` says what it is.

    drop: it did not come to be one. speak: it may come again after it was resolved by hand.
    """

    kind: Literal["add", "open", "keep", "restart", "resolve", "drop", "speak"]
    rule: str
    subject: str
    known: Known | None = None
    reading: Reading | None = None
    is_open: bool = False
    below_s: float | None = None


def weigh(
    readings: Readings, numbers: Mapping[str, RuleNumbers], known: Iterable[Known], now_s: float
) -> Sequence[Move]:
    """What becomes of alerts, with what is read now."""
    by_rule: dict[str, dict[str, Known]] = {}
    for alert in known:
        by_rule.setdefault(alert.rule, {})[alert.subject] = alert
    moves: list[Move] = []
    for rule in {**dict.fromkeys(RULES), **dict.fromkeys(by_rule)}:
        own = by_rule.get(rule, {})
        if rule not in RULES or not numbers[rule].enabled:
            moves += [_over(alert) for alert in own.values()]
            continue
        read = readings.get(rule)
        if read is None:
            continue
        found = {reading.subject[:MAX_SUBJECT]: reading for reading in read}
        moves += [_weigh_known(alert, found.get(alert.subject), numbers[rule], now_s) for alert in own.values()]
        moves += _new(rule, [found[subject] for subject in found if subject not in own], numbers[rule], len(own))
    return moves


def _new(rule: str, readings: Iterable[Reading], numbers: RuleNumbers, there: int) -> list[Move]:
    held = [reading for reading in readings if reading.value >= numbers.threshold]
    return [
        Move("add", rule, reading.subject[:MAX_SUBJECT], reading=reading, is_open=numbers.for_s == 0)
        for reading in held[: max(0, MOST_A_RULE - there)]
    ]


def _weigh_known(alert: Known, reading: Reading | None, numbers: RuleNumbers, now_s: float) -> Move:
    value = reading.value if reading is not None else 0.0
    # A subject that is not read shows 0.
    bound = numbers.threshold if RULES[alert.rule].unit == "yes" else CLEAR_SHARE * numbers.threshold
    was_unseen = now_s - alert.seen_s > UNSEEN_S
    if alert.status == "pending":
        return _weigh_pending(alert, reading if value >= numbers.threshold else None, numbers, now_s, was_unseen)
    if alert.status == "quiet" and alert.quiet_until_s is not None and now_s >= alert.quiet_until_s:
        return _move("speak", alert)
    if value >= bound:
        return _move("keep", alert, reading)
    below_s = now_s if alert.below_s is None or was_unseen else alert.below_s
    if now_s - below_s >= numbers.clear_s:
        return _over(alert)
    return _move("keep", alert, reading, below_s)


def _weigh_pending(alert: Known, held: Reading | None, numbers: RuleNumbers, now_s: float, was_unseen: bool) -> Move:
    if held is None:
        return _move("drop", alert)
    if was_unseen:
        return _move("restart", alert, held)
    return _move("open" if now_s - alert.since_s >= numbers.for_s else "keep", alert, held)


def _over(alert: Known) -> Move:
    kinds: dict[Status, Literal["resolve", "drop", "speak"]] = {"pending": "drop", "open": "resolve", "quiet": "speak"}
    return _move(kinds[alert.status], alert)


def _move(
    kind: Literal["open", "keep", "restart", "resolve", "drop", "speak"],
    alert: Known,
    reading: Reading | None = None,
    below_s: float | None = None,
) -> Move:
    return Move(kind, alert.rule, alert.subject, alert, reading, below_s=below_s)
