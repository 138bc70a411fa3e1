"""What readers have heard of a text that was lost with its attempt: gone on from, as far as that is sure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.heard import heard_text


def piece(offset: int, text: str, *, attempt: int = 1, edition: int = 0, key: str = "answer") -> dict[str, Any]:
    return {"type": "text", "key": key, "attempt": attempt, "edition": edition, "offset": offset, "text": text}


BEGUN = {"type": "step", "key": "answer", "status": "in_progress", "attempt": 1}


def heard(stored: str, *events: dict[str, Any], by: tuple[int, int] = (1, 0)) -> str:
    """`events` in the order in which they were told."""
    return heard_text(stored, by, "answer", reversed(events))


def test_what_was_told_behind_the_stored_text_is_gone_on_from() -> None:
    assert heard("one ", piece(0, "one "), piece(4, "two "), piece(8, "three")) == "one two three"


def test_no_more_events_are_read_than_are_needed() -> None:
    def back() -> Iterator[dict[str, Any]]:
        yield piece(8, "three")
        yield piece(4, "two ")
        raise AssertionError("read on")

    assert heard_text("one ", (1, 0), "answer", back()) == "one two three"


def test_nothing_stored_is_made_of_all_that_was_told() -> None:
    assert heard("", BEGUN, piece(0, "one "), piece(4, "two")) == "one two"


@pytest.mark.parametrize(
    "events",
    [
        [],
        [piece(8, "three")],
        [piece(0, "other", key="agent1"), piece(4, "two", key="agent1")],
        [piece(4, "two ", attempt=2), piece(8, "three", attempt=2)],
        [BEGUN],
    ],
    ids=["gone", "a gap", "of another step", "of another attempt", "no text"],
)
def test_what_does_not_lead_to_the_stored_text_is_left(events: list[dict[str, Any]]) -> None:
    assert heard("one ", *events) == "one "


def test_behind_a_gap_nothing_is_taken() -> None:
    assert heard("one ", piece(4, "two "), piece(9, "four")) == "one two "


def test_what_was_stored_after_the_last_event_is_kept() -> None:
    assert heard("one two", piece(0, "one "), piece(4, "tw")) == "one two"


def test_a_text_that_was_begun_anew_and_never_stored_is_the_one_that_was_heard() -> None:
    assert heard("one ", piece(0, "one "), piece(0, "uno ", edition=1), piece(4, "dos", edition=1)) == "uno dos"
    # Its beginning is gone from the stream.
    assert heard("one ", piece(4, "dos", edition=1)) == "one "


def test_a_text_that_was_begun_anew_and_stored_is_not_joined_to_what_it_replaced() -> None:
    assert heard("uno ", piece(0, "one "), piece(4, "two "), by=(1, 1)) == "uno "


@given(st.lists(st.text(alphabet="ab ", min_size=1, max_size=3), max_size=12), st.data())
def test_wherever_it_was_stored_and_the_stream_was_cut_it_is_what_readers_heard(
    pieces: list[str], data: st.DataObject
) -> None:
    whole = "".join(pieces)
    offsets = [sum(map(len, pieces[:number])) for number in range(len(pieces) + 1)]
    stored_at = data.draw(st.integers(0, len(pieces)))
    kept_from = data.draw(st.integers(0, len(pieces)))
    events = [piece(offset, text) for offset, text in zip(offsets, pieces, strict=False)][kept_from:]
    found = heard(whole[: offsets[stored_at]], *events)
    assert found == (whole if kept_from <= stored_at else whole[: offsets[stored_at]])
