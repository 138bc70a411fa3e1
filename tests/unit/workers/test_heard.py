"""Reading what was heard of a text: page by page, bounded, and never in the way of the attempt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from orchestration.errors import StreamUnavailable
from schemas.events import Position, TextEvent
from tests.support.leases import make_lease
from workers import heard
from workers.heard import MOST_EVENTS, PAGE, read_heard


@dataclass(frozen=True)
class Entry:
    position: Position
    text: str


class Tail:
    """A stream of a text of so many letters, one an event. `away_after`: so many pages, then Valkey is away."""

    def __init__(self, letters: int, *, away_after: int = 1_000) -> None:
        self.letters = letters
        self.away_after = away_after
        self.read = 0

    def tail_back(self, run_id: str, before: Position | None, count: int) -> Sequence[Entry]:
        assert run_id == "run-1"
        if self.read >= self.away_after:
            raise StreamUnavailable("frozen")
        self.read += 1
        end = self.letters if before is None else before.seq - 1
        return [Entry(Position(epoch=1, seq=seq), letter(seq - 1)) for seq in range(end, max(0, end - count), -1)]


def letter(offset: int) -> str:
    return TextEvent(index=0, key="a", attempt=1, offset=offset, text="x").model_dump_json()


def read(tail: Tail, stored: int) -> int:
    lease = make_lease(run_id="run-1", key="a", attempt=2, written="x" * stored, written_by=(1, 0))
    text = read_heard(tail, lease)
    assert set(text) <= {"x"}
    return len(text)


@pytest.mark.parametrize(("stored", "pages"), [(PAGE * 3, 1), (PAGE * 3 - 10, 1), (PAGE * 2 - 10, 2), (0, 3)])
def test_as_many_pages_are_read_as_are_needed(stored: int, pages: int) -> None:
    tail = Tail(PAGE * 3)
    assert read(tail, stored) == PAGE * 3
    assert tail.read == pages


def test_what_lies_too_far_back_is_not_looked_for() -> None:
    tail = Tail(MOST_EVENTS * 2)
    assert read(tail, 7) == 7
    assert tail.read == MOST_EVENTS // PAGE


def test_no_more_time_is_taken_than_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heard, "LONGEST_S", 0.0)
    tail = Tail(PAGE * 3)
    assert read(tail, 7) == 7
    assert tail.read == 1


@pytest.mark.parametrize("away_after", [0, 1])
def test_without_valkey_it_is_what_was_stored(away_after: int) -> None:
    assert read(Tail(PAGE * 3, away_after=away_after), 7) == 7


def test_where_nobody_wrote_nothing_is_read() -> None:
    tail = Tail(10)
    assert read_heard(tail, make_lease(run_id="run-1", attempt=2)) == ""
    assert tail.read == 0
