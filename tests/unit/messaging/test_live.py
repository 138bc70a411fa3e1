from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.live import News
from messaging.reading import START, Batch, Entry
from schemas.events import Position


def told(epoch: int, first: int, count: int) -> News:
    return News("r", tuple(Entry(Position(epoch, first + number), str(first + number)) for number in range(count)))


@given(st.integers(0, 20), st.lists(st.integers(1, 5), min_size=1, max_size=8))
def test_whatever_is_told_twice_or_left_out_readers_get_each_event_once_or_are_sent_to_the_stream(
    known: int, sizes: list[int]
) -> None:
    place, taken, first = Position(7, known), [], 1
    for size in sizes:
        news = told(7, first, size)
        first += size
        found = news.behind(place)
        if found is None:
            assert news.entries[0].position.seq > place.seq + 1, "something before it is missing"
            return
        assert not found.truncated
        taken += [entry.position.seq for entry in found.entries]
        place = found.position
    assert taken == list(range(known + 1, first))


@pytest.mark.parametrize(
    ("place", "found"),
    [
        (START, Batch((Entry(Position(7, 1), "1"), Entry(Position(7, 2), "2")), Position(7, 2))),
        (Position(7, 0), Batch((Entry(Position(7, 1), "1"), Entry(Position(7, 2), "2")), Position(7, 2))),
        (Position(7, 1), Batch((Entry(Position(7, 2), "2"),), Position(7, 2))),
        (Position(7, 2), Batch((), Position(7, 2))),
        (Position(7, 9), Batch((), Position(7, 9))),
        (Position(6, 1), Batch((), Position(7, 2), truncated=True)),
    ],
)
def test_what_follows_a_place(place: Position, found: Batch) -> None:
    assert told(7, 1, 2).behind(place) == found


@pytest.mark.parametrize("place", [START, Position(7, 3), Position(8, 1)])
def test_where_something_before_it_is_missing_the_stream_has_to_be_read(place: Position) -> None:
    assert told(7, 5, 2).behind(place) is None
