"""Alerts come when something held for long enough, go when it was well below for long enough, and never flap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.alert_rules import Reading
from orchestration.core.alert_states import MOST_A_RULE, Known, Move, weigh
from schemas.alerts import RULES, RuleNumbers, numbers_of

RULE = "queue_length"
LOOK_S = 10.0


@dataclass
class Board:
    """What the database makes of the moves."""

    numbers: RuleNumbers
    rule: str = RULE
    now_s: float = 1000.0
    known: dict[str, Known] = field(default_factory=dict)
    told: list[tuple[str, str]] = field(default_factory=list)
    next_id: int = 1

    def look(self, *values: tuple[str, float], later_s: float = LOOK_S, unknown: bool = False) -> list[Move]:
        self.now_s += later_s
        readings = None if unknown else [Reading(subject, value, f"{subject} {value}") for subject, value in values]
        all_numbers = {rule: numbers_of(rule, {}) for rule in RULES} | {self.rule: self.numbers}
        moves = list(weigh({self.rule: readings}, all_numbers, list(self.known.values()), self.now_s))
        for move in moves:
            self.make(move)
        return moves

    def make(self, move: Move) -> None:
        old = move.known
        if move.kind == "add":
            status = "open" if move.is_open else "pending"
            self.known[move.subject] = Known(self.next_id, 1, self.rule, move.subject, status, self.now_s, self.now_s)
            self.next_id += 1
        elif move.kind in ("resolve", "drop", "speak"):
            assert old is not None
            del self.known[move.subject]
        else:
            assert old is not None
            kept = replace(old, version=old.version + 1, seen_s=self.now_s, below_s=move.below_s)
            if move.kind == "open":
                kept = replace(kept, status="open")
            if move.kind == "restart":
                kept = replace(kept, since_s=self.now_s)
            self.known[move.subject] = kept
        if move.kind in ("open", "resolve") or (move.kind == "add" and move.is_open):
            self.told.append(("opened" if move.kind != "resolve" else "resolved", move.subject))

    def status(self, subject: str = "q") -> str:
        return self.known[subject].status if subject in self.known else "none"


def numbers(**changed: float) -> RuleNumbers:
    return RuleNumbers.model_validate({"threshold": 100, "for_s": 30, "clear_s": 30} | changed)


def kinds(moves: Sequence[Move]) -> list[str]:
    return [move.kind for move in moves]


def test_what_holds_for_long_enough_opens_once() -> None:
    board = Board(numbers())
    seen = [board.look(("q", 150)) and board.status() for _ in range(6)]
    assert seen == ["pending", "pending", "pending", "open", "open", "open"]
    assert board.told == [("opened", "q")]


def test_a_rule_without_patience_opens_at_once() -> None:
    board = Board(numbers(for_s=0))
    board.look(("q", 100))
    assert board.told == [("opened", "q")]


def test_what_does_not_hold_for_long_enough_is_forgotten() -> None:
    board = Board(numbers())
    for value in (150, 150, 99, 150, 150, 0, 150):
        board.look(("q", value))
    assert (board.status(), board.told) == ("pending", [])


def test_it_is_over_when_it_was_well_below_for_long_enough() -> None:
    board = Board(numbers())
    for _ in range(5):
        board.look(("q", 150))
    for value in (90, 85, 81, 79, 79, 85, 79, 79, 79):
        board.look(("q", value))
        assert board.status() == "open"
    board.look()
    assert board.status() == "none", "a subject that is not read shows nothing"
    assert board.told == [("opened", "q"), ("resolved", "q")]


def test_nothing_is_judged_by_a_time_that_nobody_saw() -> None:
    board = Board(numbers())
    board.look(("q", 150))
    assert kinds(board.look(("q", 150), later_s=3600)) == ["restart"]
    for _ in range(3):
        board.look(("q", 150))
    assert board.status() == "open"
    board.look(("q", 0))
    assert kinds(board.look(("q", 0), later_s=3600)) == ["keep"]
    assert board.status() == "open"


def test_what_cannot_be_known_changes_nothing() -> None:
    board = Board(numbers(for_s=0))
    board.look(("q", 150))
    assert board.look(unknown=True) == []


def test_a_rule_that_is_turned_off_ends_what_it_opened() -> None:
    board = Board(numbers(for_s=0))
    board.look(("q", 150))
    board.numbers = numbers(enabled=False)
    assert kinds(board.look(("q", 150))) == ["resolve"]
    assert board.look(("q", 150)) == []


def test_what_was_resolved_by_hand_stays_quiet_until_it_was_gone_or_its_day_is_over() -> None:
    board = Board(numbers(for_s=0))
    board.look(("q", 150))
    board.known["q"] = replace(board.known["q"], status="quiet", quiet_until_s=board.now_s + 500)
    for _ in range(10):
        board.look(("q", 150))
    assert board.told == [("opened", "q")]
    assert kinds(board.look(("q", 150), later_s=500)) == ["speak"]
    assert kinds(board.look(("q", 150))) == ["add"]


def test_a_flood_makes_so_many_and_no_more() -> None:
    board = Board(numbers(for_s=0))
    many = [(f"q{n:03}", 200.0 - n / 10) for n in range(300)]
    for _ in range(3):
        board.look(*many)
    assert len(board.known) == MOST_A_RULE
    assert sorted(board.known) == [f"q{n:03}" for n in range(MOST_A_RULE)]


@pytest.mark.parametrize("rule", [name for name, rule in RULES.items() if rule.unit == "yes"])
def test_rules_of_yes_or_no_end_with_no(rule: str) -> None:
    board = Board(numbers(threshold=1, for_s=0, clear_s=0), rule)
    board.look(("x", 1))
    board.look(("x", 0))
    assert board.told == [("opened", "x"), ("resolved", "x")]


@given(
    st.lists(st.tuples(st.floats(0, 200), st.sampled_from([10.0, 10.0, 10.0, 30.0, 100.0])), max_size=60),
    st.sampled_from([0.0, 20.0, 60.0]),
    st.sampled_from([0.0, 20.0, 60.0]),
)
def test_opened_and_resolved_take_turns_and_each_has_its_reason(
    looks: list[tuple[float, float]], for_s: float, clear_s: float
) -> None:
    board = Board(numbers(for_s=for_s, clear_s=clear_s))
    history: list[tuple[float, float]] = []
    for value, later_s in looks:
        before = len(board.told)
        board.look(("q", value), later_s=later_s)
        history.append((board.now_s, value))
        for change, _ in board.told[before:]:
            span, bound = (for_s, 100.0) if change == "opened" else (clear_s, 80.0)
            recent = [each for at, each in history if at >= board.now_s - span]
            assert all(each >= bound for each in recent) if change == "opened" else all(each < bound for each in recent)
            assert history[0][0] <= board.now_s - span
    changes = [change for change, _ in board.told]
    assert changes == [("opened", "resolved")[n % 2] for n in range(len(changes))]
    assert len(board.known) <= 1
